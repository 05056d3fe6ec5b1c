"""A Lambda service on a standing clock behind the wire, driven through boto3."""

import base64
import io
import json
import random
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config

from harness.rehearsal.clock import CloudClock, Schedule
from harness.rehearsal.cloudwatch.invocations import Underway
from harness.rehearsal.functions.functions import Functions
from harness.rehearsal.servers import serve
from harness.rehearsal.wire import Wire

ACCOUNT = "123456789012"
REGION = "eu-north-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service"
ANSWER_SOURCE = "def handler(event, context):\n    return {'version': context.function_version, 'event': event}\n"


@dataclass
class Counted:
    """Stands in for the metrics: keeps what was counted."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    throttles: list[dict[str, Any]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def record(
        self,
        function: str,
        alias: str | None,
        version: str,
        started_s: float,
        duration_ms: float,
        *,
        failed: bool,
        underway: Underway,
    ) -> None:
        """Keeps one run."""
        run = {"function": function, "alias": alias, "version": version, "failed": failed, "underway": underway}
        with self.changed:
            self.runs.append({**run, "started_s": started_s, "duration_ms": duration_ms})
            self.changed.notify_all()

    def record_throttle(self, function: str, alias: str | None, started_s: float) -> None:
        """Keeps one throttle."""
        self.throttles.append({"function": function, "alias": alias, "started_s": started_s})

    def wait_for(self, runs: int) -> None:
        """Waits until so many runs have been counted."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.runs) >= runs, timeout=20)


@dataclass(frozen=True)
class Answer:
    """What an invocation gave, read whole."""

    status: int
    payload: Any
    error: str | None
    version: str | None
    log: str


@pytest.fixture
def counted() -> Counted:
    """What Lambda counted."""
    return Counted()


@pytest.fixture
def schedule() -> Schedule:
    """A clock that moves by `advance` alone."""
    return Schedule(CloudClock(speed=0))


@pytest.fixture
def functions(schedule: Schedule, counted: Counted) -> Iterator[Functions]:
    """The service itself, where every change has settled at once."""
    service = Functions(schedule, counted, rng=random.Random(7), account=ACCOUNT, region=REGION, settles_in_s=0.0)
    yield service
    service.close()


@pytest.fixture
def endpoint(functions: Functions, schedule: Schedule) -> Iterator[str]:
    """Where the service answers."""
    server = serve(Wire({"lambda": functions}, schedule), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    functions.endpoint_url = f"http://127.0.0.1:{server.port}"
    yield functions.endpoint_url
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def client(endpoint: str) -> Any:
    """boto3's Lambda client, with its own checks off so that the cloud's are reached."""
    return boto3.client(
        "lambda",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )


@pytest.fixture
def zipped() -> Callable[[str | Mapping[str, str]], bytes]:
    """`zipped(source)` is a zip with that source as app.py, or with the files of a mapping."""

    def zip_of(source: str | Mapping[str, str]) -> bytes:
        files = {"app.py": source} if isinstance(source, str) else source
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for name, text in files.items():
                archive.writestr(zipfile.ZipInfo(name), text)
        return content.getvalue()

    return zip_of


@pytest.fixture
def create(client: Any, zipped: Callable[[str], bytes]) -> Callable[..., dict[str, Any]]:
    """`create(source, **params)` makes the function `fn` of that source."""

    def create_function(source: str | Mapping[str, str] = ANSWER_SOURCE, **params: Any) -> dict[str, Any]:
        zip_params = {"Runtime": "python3.11", "Handler": "app.handler", "Code": {"ZipFile": zipped(source)}}
        return dict(client.create_function(**{"FunctionName": "fn", "Role": ROLE, **zip_params, **params}))

    return create_function


@pytest.fixture
def create_image(client: Any) -> Callable[..., dict[str, Any]]:
    """`create_image(uri, **params)` makes the function `fn` of something local."""

    def create_function(uri: str, **params: Any) -> dict[str, Any]:
        image = {"PackageType": "Image", "Code": {"ImageUri": uri}}
        return dict(client.create_function(**{"FunctionName": "fn", "Role": ROLE, **image, **params}))

    return create_function


@pytest.fixture
def publish(client: Any) -> Callable[..., str]:
    """`publish(**variables)` publishes `fn` with that environment and gives the version."""

    def publish_version(**variables: str) -> str:
        client.update_function_configuration(FunctionName="fn", Environment={"Variables": variables})
        return str(client.publish_version(FunctionName="fn")["Version"])

    return publish_version


@pytest.fixture
def invoke(client: Any) -> Callable[..., Answer]:
    """`invoke(event, **params)` invokes `fn` and reads the whole answer."""

    def invoke_function(event: Any = None, **params: Any) -> Answer:
        given = {"FunctionName": "fn", "Payload": json.dumps(event), "LogType": "Tail", **params}
        answer = client.invoke(**given)
        payload = answer["Payload"].read()
        return Answer(
            status=answer["StatusCode"],
            payload=json.loads(payload) if payload else None,
            error=answer.get("FunctionError"),
            version=answer.get("ExecutedVersion"),
            log=base64.b64decode(answer.get("LogResult", "")).decode(),
        )

    return invoke_function


@pytest.fixture
def refused(error_fits_model: Any, client: Any) -> Callable[..., str]:
    """`refused("GetAlias", "ResourceNotFoundException", **params)` makes the call and gives the refusal's message."""

    def call(operation: str, code: str, **params: Any) -> str:
        method = getattr(client, boto3.session.botocore.xform_name(operation))  # type: ignore[attr-defined]
        with pytest.raises(client.exceptions.ClientError) as caught:
            method(**params)
        answer = caught.value.response
        assert answer["Error"]["Code"] == code
        if code == "ValidationException":
            # API validation answers in front of every service, and no Lambda operation's model lists it.
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
        else:
            error_fits_model(client, operation, caught.value)
        return str(answer["Error"]["Message"])

    return call


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """`eventually(holds)` waits, a short while at a time, for what another process or thread brings about."""

    def wait(holds: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(4000):
            if holds():
                return
            pause.wait(0.005)
        pytest.fail(f"{holds} never came true")

    return wait


@pytest.fixture
def unused_port() -> int:
    """A port on loopback that nothing listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
