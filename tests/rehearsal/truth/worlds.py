"""Worlds that rows are played in: this cloud on a clock that stands still, moto's server and ministack."""

import contextlib
import functools
import json
import logging
import os
import random
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import Request, urlopen

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.loaders import Loader
from botocore.session import get_session
from moto.core.botocore_stubber import MockRawResponse
from werkzeug.test import EnvironBuilder, run_wsgi_app

from harness.rehearsal.clock import CloudClock, Schedule
from harness.rehearsal.cloudwatch.service import CloudWatch
from harness.rehearsal.codedeploy import CodeDeploy
from harness.rehearsal.functions.functions import Functions
from harness.rehearsal.wire import Wire
from tests.rehearsal.truth import samples
from tests.rehearsal.truth.playing import Unplayable

ACCOUNT, REGION = "123456789012", "eu-north-1"
NOON_S = 1_787_400_000 - 1_787_400_000 % 60
LONGEST_REAL_WAIT_S = 3.0
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": f"{name}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        for name in ("lambda", "codedeploy")
    ],
}
BUILD = Path(__file__).parents[3] / "build"


class LocalWorld:
    """This cloud, without a socket: boto3's requests go to its WSGI application directly."""

    samples: Mapping[str, Callable[[Any], float]] = samples.SAMPLES

    def __init__(self, seed: int = 1, protocol: str | None = None) -> None:
        self._protocol = protocol
        self._undo = ExitStack()
        self._schedule = Schedule(CloudClock(speed=0, wall=lambda: NOON_S))
        home = {"account": ACCOUNT, "region": REGION}
        rng = {part: random.Random(f"{seed}:{part}") for part in ("cloudwatch", "lambda", "codedeploy")}
        self.cloudwatch = CloudWatch(self._schedule, rng=rng["cloudwatch"], **home)
        self.functions = Functions(self._schedule, self.cloudwatch.invocations, rng=rng["lambda"], **home)
        self.codedeploy = CodeDeploy(self._schedule, self.functions, self.cloudwatch, rng=rng["codedeploy"], **home)
        services = {"cloudwatch": self.cloudwatch, "lambda": self.functions, "codedeploy": self.codedeploy}
        self._wire = Wire(services, self._schedule)
        self._undo.callback(self.functions.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def client(self, service: str) -> Any:
        """A client whose requests never leave the process."""
        client = _client(service, "http://127.0.0.1:1", self._protocol)
        _answering.wire = self._wire
        return client

    def now(self) -> float:
        """Simulated time."""
        return self._schedule.clock.now()

    def wait(self, seconds: float) -> None:
        """Moves the clock."""
        self._schedule.advance(seconds)

    def begin(self) -> None:
        """Moves the clock to a full minute."""
        self.wait(-self.now() % 60)


class _Answering:
    """Answers requests of boto3 by a WSGI application."""

    wire: Wire | None = None

    def __call__(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        assert self.wire is not None
        headers = [
            (name, value if isinstance(value, str) else value.decode()) for name, value in request.headers.items()
        ]
        environ = EnvironBuilder(
            request.url, method=request.method, headers=headers, data=request.body or b""
        ).get_environ()
        body, status, answered = run_wsgi_app(self.wire, environ)
        return AWSResponse(request.url, int(status.split()[0]), dict(answered), MockRawResponse(b"".join(body)))


_answering = _Answering()


class _OneProtocol(Loader):
    """Loads AWS's models so that services which speak a protocol speak no other."""

    protocol = ""

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        model = super().load_service_model(service_name, type_name, api_version)
        metadata = model.get("metadata", {})
        if self.protocol not in metadata.get("protocols", ()):
            return model
        return {**model, "metadata": {**metadata, "protocol": self.protocol, "protocols": [self.protocol]}}


@functools.cache
def _session(protocol: str | None) -> boto3.Session:
    """boto3, which speaks `protocol` where a service does; None leaves the choice to it."""
    core = get_session()
    if protocol:
        loader = _OneProtocol(include_default_search_paths=True)
        loader.protocol = protocol
        core.register_component("data_loader", loader)
    return boto3.Session(botocore_session=core)


@functools.cache
def _client(service: str, endpoint_url: str, protocol: str | None = None) -> Any:
    client = _session(protocol).client(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False, read_timeout=20),
    )
    if endpoint_url.endswith(":1"):
        client.meta.events.register("before-send", _answering)
    return client


class PeerWorld:
    """An emulator at an endpoint; its time is real time."""

    samples: Mapping[str, Callable[[Any], float]] = {}

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url
        self._waited_s = 0.0
        for role in ("service", "codedeploy"):
            self.client("iam").create_role(RoleName=role, Path="/", AssumeRolePolicyDocument=json.dumps(_TRUST))

    def client(self, service: str) -> Any:
        """A client of it."""
        return _client(service, self._endpoint_url)

    def now(self) -> float:
        """Real time."""
        return time.time()

    def wait(self, seconds: float) -> None:
        """Sleeps, where that is short."""
        self._waited_s += seconds
        if self._waited_s > LONGEST_REAL_WAIT_S:
            raise Unplayable("its clock cannot be moved, and the row takes too much real time")
        time.sleep(seconds)

    def begin(self) -> None:
        """Does not wait for a full minute."""


class Moto(AbstractContextManager["Moto"]):
    """moto's own server."""

    name = "moto's server"

    def __enter__(self) -> Self:
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(
            logging.CRITICAL
        )  # it tells of each request, and of each that moto fails
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    def world(self) -> PeerWorld:
        """The server with nothing in it."""
        host, port = self._server.get_host_and_port()
        _post(f"http://{host}:{port}/moto-api/reset")
        return PeerWorld(f"http://{host}:{port}")


def _post(url: str) -> None:
    urlopen(Request(url, method="POST"), timeout=20).close()


class Ministack(AbstractContextManager["Ministack"]):
    """ministack, in an environment of its own, because it asks for other versions than ours."""

    name = "ministack"
    program = BUILD / "peers/bin/ministack"

    def __enter__(self) -> Self:
        if not self.program.exists():
            raise Unplayable("not installed: make truth installs it")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        environment = {**os.environ, "GATEWAY_PORT": str(port), "MINISTACK_HOST": "127.0.0.1"}
        self._process = subprocess.Popen(
            [str(self.program)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait_until_it_answers()
        return self

    def _wait_until_it_answers(self) -> None:
        for _ in range(200):
            with contextlib.suppress(OSError):
                urlopen(f"{self._url}/_ministack/health", timeout=2).close()
                return
            time.sleep(0.1)
        raise Unplayable("it does not start")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)

    def world(self) -> PeerWorld:
        """The server with nothing in it."""
        _post(f"{self._url}/_ministack/reset")
        return PeerWorld(self._url)
