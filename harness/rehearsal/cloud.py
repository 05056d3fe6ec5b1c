"""The local cloud, assembled: one clock, the services, the AWS endpoint and the gateway, with a stack set up in it."""

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from types import FrameType, TracebackType
from typing import Any, Self

from harness.core.experiment.gate import Gate
from harness.core.experiment.types import Experiment
from harness.core.rehearsed import ACCOUNT, REGION
from harness.errors import CloudError, ExitCode
from harness.rehearsal import servers, service, stack
from harness.rehearsal.admission import Authorizer, Throttle, TokenBucket
from harness.rehearsal.apis import of_experiment
from harness.rehearsal.apis.own_answers import HTTP, REST
from harness.rehearsal.apis.routes import Integration, Routes
from harness.rehearsal.apis.stages import Stage
from harness.rehearsal.apis.version_header import VersionHeader
from harness.rehearsal.clock import Schedule
from harness.rehearsal.codedeploy import appspec
from harness.rehearsal.codedeploy.appspec import AppSpec
from harness.rehearsal.functions.registry import SETTLES_IN_S
from harness.rehearsal.gateway import Gateway
from harness.rehearsal.parts import Parts
from harness.rehearsal.planned import Plan
from harness.rehearsal.proxy import ApiHome
from harness.rehearsal.url_gateway import UrlGateway
from harness.rehearsal.wire import Wire
from harness.wallclock import standstill

PARENT_LOOK_S = 0.5


class Cloud(Parts):
    """A local cloud with the stack of `experiment`, or of one with all defaults.

    `speed` simulated seconds pass in a second; at 0 the clock stands still and moves only by `advance`. `seed` decides
    everything that is drawn: versions, failures, ids, delays, and, but at speed 1, the second of the minute at which
    simulated time begins. `port` (AWS) and `service_port` (gateway) 0 take free ones. An operation in-process is the
    same method as over the wire: `cloud.codedeploy.list_applications({})`.
    """

    def __init__(
        self,
        experiment: Experiment | None = None,
        *,
        speed: float = 1.0,
        seed: int = 1,
        host: str = "127.0.0.1",
        port: int = 0,
        service_port: int = 0,
        version_header: VersionHeader = "all",
        throttle: Throttle | None = None,
    ) -> None:
        self.experiment = experiment or Experiment(name="rehearsal")
        super().__init__(self.experiment, speed=speed, seed=seed, version_header=version_header)
        self.host = host
        self._gate = Gate(frozenset({host.lower()}), socket.gethostname())
        self._port = port
        self._service_port = service_port
        self._throttle = throttle
        self._undo = contextlib.ExitStack()
        self._ready: dict[str, Any] | None = None

    @property
    def ready(self) -> dict[str, Any]:
        """Where everything is and what it is called; raises CloudError before `start`."""
        if self._ready is None:
            raise CloudError("The local cloud has not been started.")
        return {**self._ready, "now": self.clock.now()}

    def start(self) -> None:
        """Binds both ports, sets the stack up and begins to answer.

        Raises UsageError for a port in use and ExperimentError for what the stack cannot be; nothing is left running.
        """
        with self._undo_on_failure():
            self._start()

    @contextlib.contextmanager
    def _undo_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:  # a signal while it starts, too, leaves nothing running
            self.stop()
            raise

    def _start(self) -> None:
        aws = servers.bound(self.host, self._port, "--port")
        self._undo.callback(aws.close)
        data = servers.bound(self.host, self._service_port, "--service-port")
        self._undo.callback(data.close)
        self.functions.endpoint_url = servers.url(self.host, aws)
        self.functions.urls_port = data.getsockname()[1]
        self._undo.callback(self.functions.close)
        self._run(
            servers.ControlPlane(
                Wire(self._services(), self.schedule, self._gate, {"logs": self.functions.logs.hand_over}), aws
            )
        )
        made = stack.set_up(
            self.experiment, self.functions, self.cloudwatch, self.codedeploy, account=ACCOUNT, region=REGION
        )
        # Whoever waits for a function to settle would wait for ever for a clock that stands still.
        self.functions.settles_in_s = SETTLES_IN_S if self.clock.speed else 0.0
        self.cloudformation.provide(made)
        for fault in self.experiment.faults:
            if fault.fis_template is not None:
                self.fis.provide(fault.fis_template, made.function)
        self._run(self.schedule)
        self._run(servers.DataPlane(self._data_plane(made), data))
        self._ready = self._described(made, servers.url(self.host, aws), servers.url(self.host, data))

    def _run(self, part: "servers.ControlPlane | servers.DataPlane | Schedule") -> None:
        part.start()
        self._undo.callback(part.stop)

    def _data_plane(self, made: stack.Stack) -> UrlGateway:
        gateway, speed = self._gateway(made), self.clock.speed
        return UrlGateway(self.functions, gateway, now=self.clock.now, speed=speed, gate=self._gate)

    def _gateway(self, made: stack.Stack) -> Gateway:
        now = self.clock.now
        to = Integration(function=made.function, qualifier=made.alias, payload=self.experiment.api.payload_format)
        users = Authorizer(service.principal)
        self.stages.main = Stage(
            home=ApiHome(name=made.api, account=ACCOUNT, region=REGION),
            routes=Routes(of_experiment.routes(self.experiment, to, made.beside, users)),
            answers=HTTP if self.experiment.api.payload_format == "2.0" else REST,
            bucket=TokenBucket(self._throttle, now()) if self._throttle else None,
        )
        return Gateway(
            self.stages,
            self._integrations,
            self.cloudwatch.api_requests,
            now=now,
            rng=self._rng("gateway"),
            gate=self._gate,
            plan=Plan(self.schedule, standstill, self._seed) if standstill else None,
        )

    def _described(self, made: stack.Stack, endpoint_url: str, service_url: str) -> dict[str, Any]:
        return {
            "endpoint_url": endpoint_url,
            "service_url": f"{service_url}{made.api.path}",
            "region": REGION,
            "account": ACCOUNT,
            "stack": made.name,
            "function": made.function,
            "alias": made.alias,
            "api": made.api.name,
            "api_id": made.api.id,
            "application": made.application,
            "group": made.group,
            "alarm": made.alarm,
            "config": made.config,
            "hooks": made.hooks,
            "baseline": made.baseline,
            "canary": made.canary,
            "speed": self.clock.speed,
            "epoch": self.clock.scale.epoch_s,
            "clock": f"{self.clock.scale.epoch_s!r}:{self.clock.speed:g}",
        }

    def stop(self) -> None:
        """Stops answering and ends every process and thread of the cloud; a second time does nothing."""
        self._undo.close()

    def deploy(self) -> str:
        """Starts the deployment of the canary, as a pipeline would, and returns its id."""
        ready = self.ready
        spec = AppSpec(
            function=ready["function"],
            alias=ready["alias"],
            current=ready["baseline"],
            target=ready["canary"],
            hooks=ready["hooks"],
        )
        answer = self.codedeploy.create_deployment(
            {
                "applicationName": ready["application"],
                "deploymentGroupName": ready["group"],
                "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": appspec.render(spec)}},
            }
        )
        return str(answer["deploymentId"])

    def advance(self, seconds: float) -> None:
        """Moves simulated time forward, running what falls due on the way at its own time."""
        self.schedule.advance(seconds)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


Beside = Callable[[Mapping[str, Any]], contextlib.AbstractContextManager[Mapping[str, str]]]


class _Stopped(BaseException):
    """A signal came before the cloud was ready; like KeyboardInterrupt, only `serve` may catch it."""


class _Signals:
    """SIGINT and SIGTERM: they cancel the start, or end the cloud once it is `ready`."""

    def __init__(self) -> None:
        self.ready = False
        self.came = threading.Event()
        self.first: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        again = self.came.is_set()
        self.first = self.first or number
        self.came.set()
        if not self.ready and not again:
            raise _Stopped


def serve(
    experiment: Experiment | None = None,
    *,
    speed: float = 1.0,
    seed: int = 1,
    host: str = "127.0.0.1",
    port: int = 0,
    service_port: int = 0,
    version_header: VersionHeader = "all",
    with_parent: bool = False,
    beside: Beside | None = None,
) -> int:
    """Serves a local cloud until SIGINT or SIGTERM, and prints one JSON line on stdout when it is ready.

    `with_parent` ends it too when the process that started it is gone. `beside` starts what goes with the cloud, and
    has more to say in that line. Raises UsageError or CloudError if the cloud
    cannot start. A signal after the ready line is the normal end, 0; before it the exit code is the signal's.
    """
    parent = os.getppid()
    signals = _Signals()
    try:
        with (
            Cloud(
                experiment,
                speed=speed,
                seed=seed,
                host=host,
                port=port,
                service_port=service_port,
                version_header=version_header,
            ) as cloud,
            beside(cloud.ready) if beside else contextlib.nullcontext({}) as more,
        ):
            signals.ready = True
            line = json.dumps({**cloud.ready, **more})
            print(line, flush=True)  # noqa: T201 - the ready line is the command's result
            while not signals.came.wait(PARENT_LOOK_S) and not (with_parent and os.getppid() != parent):
                pass
    except _Stopped:
        return ExitCode.INTERRUPTED if signals.first == signal.SIGINT else ExitCode.TERMINATED
    return ExitCode.AS_EXPECTED
