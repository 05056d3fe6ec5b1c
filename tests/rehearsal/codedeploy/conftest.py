"""A CodeDeploy behind the wire on a clock that stands still, with fakes of Lambda and CloudWatch."""

import functools
import json
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from harness.rehearsal.clock import CloudClock, Schedule
from harness.rehearsal.codedeploy import CodeDeploy
from harness.rehearsal.refusal import Refusal
from harness.rehearsal.servers import serve
from harness.rehearsal.wire import Wire
from tests.rehearsal.shapes import assert_fits_model

ACCOUNT, REGION = "123456789012", "eu-north-1"


class FakeFunctions:
    """One function `fn` with the versions 1 to 9 and the alias `Live`, and hooks as Python callables."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.aliases: dict[tuple[str, str], Any] = {("fn", "Live"): SimpleNamespace(version="1", weights={})}
        self.versions = {("fn", str(number)) for number in range(1, 10)}
        self.hooks: dict[str, Callable[[dict[str, str]], None]] = {}
        self.shifts: list[tuple[float, str, dict[str, float]]] = []
        self.invoked: list[tuple[str, str, bytes, str | None]] = []

    def alias_state(self, function: str, alias: str) -> Any:
        """Where the alias points."""
        if (function, alias) not in self.aliases:
            raise Refusal("ResourceNotFoundException", f"Cannot find alias arn: {function}:{alias}")
        return self.aliases[function, alias]

    def has_version(self, function: str, version: str) -> bool:
        """Whether the version exists."""
        return (function, version) in self.versions

    def shift(self, function: str, alias: str, version: str, weights: Mapping[str, float]) -> None:
        """Points the alias elsewhere and notes when."""
        self.alias_state(function, alias)
        self.aliases[function, alias] = SimpleNamespace(version=version, weights=dict(weights))
        self.shifts.append((self._schedule.clock.now(), version, dict(weights)))

    def draw(self, function: str, alias: str) -> str:
        """The version of an alias that is not split."""
        return str(self.alias_state(function, alias).version)

    def run(self, function: str, version: str, event: bytes, *, alias: str | None) -> object:
        """Calls the hook; one that raises has crashed."""
        if function not in self.hooks:
            raise Refusal("ResourceNotFoundException", f"Function not found: {function}")
        self.invoked.append((function, version, event, alias))
        try:
            self.hooks[function](json.loads(event))
        except ZeroDivisionError:
            return SimpleNamespace(error="Unhandled")
        return SimpleNamespace(error=None)


class FakeAlarms(dict[str, str]):
    """Alarm states by name; what is not in it does not exist."""

    def states(self, names: Iterable[str]) -> dict[str, str]:
        """The states of those that exist."""
        return {name: self[name] for name in names if name in self}


class Held:
    """A service each of whose answers is held against the model before the wire can drop anything from it."""

    def __init__(self, service: object) -> None:
        self._service = service
        self.client: Any = None

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        method = getattr(self._service, name)

        def called(params: Any) -> Any:
            answer = method(params)
            operation = self.client.meta.method_to_api_mapping[name]
            assert_fits_model(self.client, operation, answer)
            return answer

        return called


@dataclass
class Stage:
    """All that a test plays with."""

    schedule: Schedule
    functions: FakeFunctions
    alarms: FakeAlarms
    service: CodeDeploy
    client: Any

    def now(self) -> float:
        """Simulated time."""
        return self.schedule.clock.now()

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self.schedule.advance(seconds)

    def group(self, name: str = "group", config: str = "LambdaCanary10Percent5Minutes", **more: Any) -> None:
        """Creates a group in the application `app`, made where it is not there."""
        if "app" not in self.client.list_applications()["applications"]:
            self.client.create_application(applicationName="app", computePlatform="Lambda")
        self.client.create_deployment_group(
            applicationName="app",
            deploymentGroupName=name,
            deploymentConfigName=config if config.startswith("Custom") else f"CodeDeployDefault.{config}",
            serviceRoleArn=f"arn:aws:iam::{ACCOUNT}:role/CodeDeploy",
            **more,
        )

    def deploy(self, name: str = "group", *, content: str | None = None, **more: Any) -> str:
        """Creates a deployment from version 1 to 2 and gives its id."""
        revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": content or appspec()}}
        answer = self.client.create_deployment(
            applicationName="app", deploymentGroupName=name, **{"revision": revision, **more}
        )
        return str(answer["deploymentId"])

    def info(self, deployment_id: str) -> dict[str, Any]:
        """The DeploymentInfo."""
        return dict(self.client.get_deployment(deploymentId=deployment_id)["deploymentInfo"])

    def target(self, deployment_id: str) -> dict[str, Any]:
        """The LambdaTarget."""
        [target_id] = self.client.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
        answer = self.client.get_deployment_target(deploymentId=deployment_id, targetId=target_id)
        return dict(answer["deploymentTarget"]["lambdaTarget"])

    def events(self, deployment_id: str) -> list[str]:
        """The statuses of the three lifecycle events."""
        return [event["status"] for event in self.target(deployment_id)["lifecycleEvents"]]

    def until(self, holds: Callable[[], bool], within_s: float, step_s: float = 0.1) -> float:
        """Lets time pass until `holds`, and gives how long that took."""
        begun = self.now()
        while not holds():
            assert self.now() - begun < within_s, f"not within {within_s} s"
            self.advance(step_s)
        return self.now() - begun

    def until_status(self, deployment_id: str, status: str, within_s: float) -> dict[str, Any]:
        """Lets time pass until the deployment has this status."""
        step_s = 0.1 if within_s < 30 else 2.0
        self.until(lambda: self.info(deployment_id)["status"] == status, within_s, step_s)
        return self.info(deployment_id)

    def join_hooks(self) -> None:
        """Waits for the end of all hooks, reports included."""
        for thread in threading.enumerate():
            if thread.name.startswith("hook-"):
                thread.join(10)
                assert not thread.is_alive()

    def rollback_of(self, deployment_id: str) -> dict[str, Any]:
        """The finished rollback deployment of a deployment that is over."""
        self.advance(5)
        return self.info(self.info(deployment_id)["rollbackInfo"]["rollbackDeploymentId"])

    @property
    def alias(self) -> tuple[str, dict[str, float]]:
        """Version and weights of `fn:Live`."""
        state = self.functions.alias_state("fn", "Live")
        return state.version, state.weights

    def refused(self, operation: str, **params: Any) -> str:
        """The error code of a call that fails."""
        with pytest.raises(ClientError) as caught:
            getattr(self.client, operation)(**params)
        return str(caught.value.response["Error"]["Code"])


def appspec(current: object = "1", target: object = "2", hooks: Mapping[str, str] | None = None, **names: str) -> str:
    """An AppSpec for `fn:Live`."""
    properties = {"Name": "fn", "Alias": "Live", "CurrentVersion": current, "TargetVersion": target, **names}
    resource = {"Type": "AWS::Lambda::Function", "Properties": properties}
    document = {"version": 0.0, "Resources": [{"fn": resource}]}
    return json.dumps({**document, "Hooks": [{event: name} for event, name in (hooks or {}).items()]})


@pytest.fixture(scope="session")
def session() -> Any:
    """One boto3 session, because loading the models takes its time."""
    return boto3.Session("test", "test", region_name=REGION)


class Opener:
    """Opens stages by seed, each answer held against botocore's model."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._opened: list[tuple[Any, threading.Thread]] = []

    def __call__(self, seed: int = 1, speed: float = 0) -> Stage:
        """A new stage."""
        stage = self.off_the_wire(seed, speed)
        held = Held(stage.service)
        held.client = self._client(self._serve(Wire({"codedeploy": held}, stage.schedule)))
        stage.client = held.client
        return stage

    def off_the_wire(self, seed: int = 1, speed: float = 0) -> Stage:
        """A new stage without a client."""
        schedule = Schedule(CloudClock(speed=speed))
        functions, alarms = FakeFunctions(schedule), FakeAlarms()
        service = CodeDeploy(schedule, functions, alarms, rng=random.Random(seed), account=ACCOUNT, region=REGION)
        return Stage(schedule, functions, alarms, service, None)

    def close(self) -> None:
        """Ends what was opened."""
        for server, thread in self._opened:
            server.shutdown()
            server.server_close()
            thread.join()

    def _serve(self, wire: Wire) -> int:
        server = serve(wire, "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        self._opened.append((server, thread))
        return int(server.port)

    def _client(self, port: int) -> Any:
        config = Config(retries={"total_max_attempts": 1})
        client = self._session.client("codedeploy", endpoint_url=f"http://127.0.0.1:{port}", config=config)
        client.meta.events.register("after-call.codedeploy", functools.partial(_hold, client))
        return client


@pytest.fixture
def make_stage(session: Any) -> Iterator[Opener]:
    """Opens stages by seed."""
    opener = Opener(session)
    yield opener
    opener.close()


@pytest.fixture(scope="module")
def make_module_stage(session: Any) -> Iterator[Opener]:
    """Opens stages that last for a module of tests, which must not change them."""
    opener = Opener(session)
    yield opener
    opener.close()


def _hold(client: Any, *, parsed: dict[str, Any], model: Any, **_: Any) -> None:
    if "Error" not in parsed:
        assert_fits_model(client, model.name, parsed)
        return
    listed = [shape.name for shape in model.error_shapes]
    assert parsed["Error"]["Code"] in listed, f"{model.name} never answers {parsed['Error']}"
    assert parsed["Error"]["Message"]
    assert parsed["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.fixture
def stage(make_stage: Opener) -> Stage:
    """A stage with the seed 1."""
    return make_stage(1)


@pytest.fixture(name="appspec")
def appspec_fixture() -> Callable[..., str]:
    """Writes AppSpecs."""
    return appspec
