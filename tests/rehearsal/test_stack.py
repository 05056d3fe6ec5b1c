"""What an experiment has set up in the cloud before its ready line."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.core.experiment.types import Alarm, Arm, Deployment, Experiment, Fault, FunctionCode
from harness.core.rehearsed import ACCOUNT, REGION
from harness.errors import ExperimentError
from harness.rehearsal import stack
from harness.rehearsal.cloud import Cloud
from harness.rehearsal.cloudwatch.api_requests import ApiName
from harness.rehearsal.stack import Stack, counts_concurrency, names

FUNCTION = "fake-user-FakeUser"
Make = Callable[..., tuple[Cloud, Stack]]


@pytest.fixture
def make() -> Iterator[Make]:
    """Sets the stack of an experiment up in services that nobody serves: `make(canary=Arm(...))`."""
    clouds = []

    def set_up(**parts: Any) -> tuple[Cloud, Stack]:
        experiment = Experiment(name="test", **parts)
        cloud = Cloud(experiment, speed=0)
        clouds.append(cloud)
        return cloud, stack.set_up(
            experiment, cloud.functions, cloud.cloudwatch, cloud.codedeploy, account=ACCOUNT, region=REGION
        )

    yield set_up
    for cloud in clouds:
        cloud.functions.close()


@pytest.fixture
def served() -> Iterator[str]:
    """The URL of somebody's own service, as far as it answers connections."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def refused(make: Make, **parts: Any) -> ExperimentError:
    """The error with which a stack is refused."""
    with pytest.raises(ExperimentError) as caught:
        make(**parts)
    return caught.value


# Names


def test_names_are_readable_without_any_wish(make: Make) -> None:
    """The names of a Serverless Framework project."""
    _, made = make()
    assert made == Stack(
        name="fake-user",
        application="fake-user",
        group="fake-user-FakeUserDeploymentGroup",
        function=FUNCTION,
        alias="Live",
        alarm="fake-user-FakeUser-canary-errors",
        config="CodeDeployDefault.LambdaCanary10Percent5Minutes",
        hooks={},
        api=ApiName("shared-fake-user", "rehearsal", "shared"),
    )


def test_names_of_the_experiment_win(make: Make) -> None:
    """Whatever the experiment names is called so, and the rest follows the function."""
    wishes = Deployment(application="shop", function="basket", alias="prod")
    _, made = make(deployment=wishes, alarm=Alarm(name="too-many-errors"))
    assert (made.application, made.function, made.alias) == ("shop", "basket", "prod")
    assert (made.group, made.alarm) == ("basketDeploymentGroup", "too-many-errors")


@pytest.mark.parametrize(
    ("deployment", "path"),
    [
        (Deployment(function="no spaces please"), "deployment.function"),
        (Deployment(alias="7"), "deployment.alias"),
        (Deployment(application="x" * 101), "deployment.application"),
        (Deployment(group="x" * 101), "deployment.group"),
    ],
)
def test_a_name_that_aws_would_refuse_is_refused_at_its_field(make: Make, deployment: Deployment, path: str) -> None:
    """AWS's own rules for names hold, and the error says which field broke them."""
    assert refused(make, deployment=deployment).path == path


# Versions


def test_baseline_and_canary_are_two_versions_even_if_alike(make: Make) -> None:
    """Both arms with all defaults are still version 1 and version 2."""
    cloud, _ = make()
    assert cloud.functions.has_version(FUNCTION, "1")
    assert cloud.functions.has_version(FUNCTION, "2")


def test_the_alias_starts_on_the_baseline(make: Make) -> None:
    """All traffic goes to version 1."""
    cloud, made = make()
    state = cloud.functions.alias_state(FUNCTION, made.alias)
    assert (state.version, dict(state.weights)) == ("1", {})


def test_each_version_keeps_the_environment_of_its_arm(make: Make) -> None:
    """Variables are frozen with their version, as text."""
    cloud, _ = make(baseline=Arm(env={"FAIL_RATIO": 0}), canary=Arm(env={"FAIL_RATIO": 0.5, "LATENCY_MS": 20}))
    assert cloud.functions.code(FUNCTION, "1").environment["FAIL_RATIO"] == "0"
    assert cloud.functions.code(FUNCTION, "2").environment["FAIL_RATIO"] == "0.5"
    assert cloud.functions.code(FUNCTION, "2").environment["LATENCY_MS"] == "20"


@pytest.mark.parametrize("arm", ["baseline", "canary"])
@pytest.mark.parametrize(
    "env", [{"FAIL_RATIO": 1.5}, {"FAIL_RATIO": "half"}, {"LATENCY_MS": -1}, {"LATENCY_MS": "fast"}]
)
def test_a_bad_variable_is_refused_at_its_field(make: Make, arm: str, env: dict[str, Any]) -> None:
    """The error names arm, variable and what it must be."""
    error = refused(make, **{arm: Arm(env=env)})
    assert error.path == f"{arm}.env.{next(iter(env))}"
    assert "must be a number from 0 to" in str(error)


def test_a_handler_of_ones_own_becomes_a_version(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code from the working directory answers the invocation."""
    (tmp_path / "mine.py").write_text("def answer(event, context):\n    return {'statusCode': 200}\n")
    monkeypatch.chdir(tmp_path)
    cloud, _ = make(canary=Arm(handler="mine:answer"))
    assert cloud.functions.run(FUNCTION, "2", b"{}", alias=None).payload == b'{"statusCode": 200}'


def test_each_version_finds_its_own_layers(make: Make, tmp_path: Path) -> None:
    """As on AWS, where they are frozen with the version."""

    def arm(name: str) -> Arm:
        (tmp_path / name / "python").mkdir(parents=True)
        (tmp_path / name / "python" / "common.py").write_text(f"AT = {name!r}")
        source = "import common\ndef handler(event, context): return common.AT"
        layers = (str(tmp_path / name),)
        return Arm(code=FunctionCode(handler="index.handler", runtime="python3.13", inline=source, layers=layers))

    cloud, stack = make(baseline=arm("old"), canary=arm("new"))
    assert [cloud.functions.run(stack.function, number, b"{}", alias=None).payload for number in "12"] == [
        b'"old"',
        b'"new"',
    ]


def test_a_layer_that_is_not_there_is_named(make: Make, tmp_path: Path) -> None:
    """Its field, where it was said to be here; its name, where the code cannot run without it."""
    code = FunctionCode(handler="index.handler", runtime="python3.13", inline="import common")
    arm = Arm(code=msgspec.structs.replace(code, layers=(str(tmp_path / "none"),)))
    assert refused(make, baseline=arm, canary=arm).path == "baseline.code.layers[0]"
    arm = Arm(code=msgspec.structs.replace(code, without_layers=("arn:aws:lambda:layer:common",)))
    assert "not on this machine: arn:aws:lambda:layer:common. No release" in str(
        refused(make, baseline=arm, canary=arm)
    )


UNIMPORTABLE = [
    ("import nowhere_to_be_found\n", "nowhere_to_be_found"),
    ("def answer(:\n", "yntax"),
    ("raise RuntimeError('no licence')\n", "no licence"),
    ("import os\nos._exit(7)\n", "7"),
]


@pytest.mark.parametrize(("text", "why"), UNIMPORTABLE)
def test_a_baseline_that_does_not_import_is_refused_with_the_reason(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, why: str
) -> None:
    """Checked before anything is ready; the error names the field and says why."""
    (tmp_path / "mine.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    error = refused(make, baseline=Arm(handler="mine:answer"))
    assert error.path == "baseline.handler"
    assert why in str(error)


@pytest.mark.parametrize(("text", "why"), UNIMPORTABLE)
def test_a_canary_that_does_not_import_fails_every_run(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, why: str
) -> None:
    """It is what a release may turn out to be, so that it is played, and the stack knows why it fails."""
    (tmp_path / "mine.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    cloud, made = make(canary=Arm(handler="mine:answer"))
    assert why in str(made.broken)
    assert cloud.functions.run(FUNCTION, "2", b"{}", alias=None).error == "Unhandled"


@pytest.mark.parametrize("handler", ["mien:answer", "mine:other"])
@pytest.mark.parametrize("arm", ["baseline", "canary"])
def test_a_misspelt_handler_is_refused(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arm: str, handler: str
) -> None:
    """There is no such module or function: played, the slip of a pen would look like a broken release."""
    (tmp_path / "mine.py").write_text("def answer(event, context):\n    return {'statusCode': 200}\n")
    monkeypatch.chdir(tmp_path)
    assert refused(make, **{arm: Arm(handler=handler)}).path == f"{arm}.handler"


def test_a_url_of_ones_own_becomes_a_version(make: Make, served: str) -> None:
    """The version keeps the address."""
    cloud, stack = make(baseline=Arm(url=served))
    code = cloud.functions.code(stack.function, "1")
    assert (code.kind, code.url) == ("url", served)


def test_a_service_of_ones_own_is_called_as_its_experiment() -> None:
    """So that a verdict about it speaks of nobody else's; what the experiment calls it goes first."""
    mine = Experiment(name="town.library_2", baseline=Arm(url="http://127.0.0.1:3000"))
    made = names(mine)
    assert (made.function, made.application, made.name) == ("town-library-2",) * 3
    assert (made.alarm, made.api.name) == ("town-library-2-canary-errors", "shared-town-library-2")
    named = names(msgspec.structs.replace(mine, deployment=Deployment(function="loans", application="library")))
    assert (named.function, named.application, named.alarm) == ("loans", "library", "loans-canary-errors")


def test_handler_and_url_together_are_refused(make: Make) -> None:
    """An arm is one or the other."""
    assert refused(make, canary=Arm(handler="mine:answer", url="http://127.0.0.1:3000")).path == "canary"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://10.0.0.1:3000",
        "https://127.0.0.1:3000",
        "ftp://127.0.0.1",
        "127.0.0.1:3000",
        "http://127.0.0.1:99999",
        "http://[::1",
        "",
    ],
)
def test_a_url_that_is_not_on_loopback_is_refused(make: Make, url: str) -> None:
    """A rehearsal never reaches beyond the machine."""
    assert refused(make, baseline=Arm(url=url)).path == "baseline.url"


def test_a_url_where_nothing_answers_is_refused(make: Make) -> None:
    """The error says what to do first."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    error = refused(make, canary=Arm(url=f"http://127.0.0.1:{port}"))
    assert error.path == "canary.url"
    assert "start your service first" in str(error)


# Alarm


def alarm_of(cloud: Cloud, made: Stack) -> dict[str, Any]:
    """The metric alarm as CloudWatch describes it."""
    alarm: dict[str, Any] = cloud.cloudwatch.describe_alarms({"AlarmNames": [made.alarm]})["MetricAlarms"][0]
    return alarm


@pytest.mark.parametrize(
    ("alarm", "expected", "stage"),
    [
        (Alarm(metric="5XXError"), {"ApiName": "shared-fake-user"}, "shared"),
        (Alarm(metric="Latency", dimensions="stage"), {"ApiName": "shared-fake-user", "Stage": "shared"}, "shared"),
        (Alarm(metric="5xx", dimensions="stage"), {"ApiId": "rehearsal", "Stage": "shared"}, "shared"),
        (Alarm(metric="5XXError", dimensions={"ApiName": "shop", "Stage": "prod"}), None, "prod"),
        (Alarm(metric="4xx", dimensions={"ApiId": "a1b2c3", "Stage": "$default"}), None, "$default"),
        (
            Alarm(namespace="AWS/ApiGateway", metric="Typo", dimensions={"ApiName": "{api}"}),
            {"ApiName": "shared-fake-user"},
            "shared",
        ),
    ],
)
def test_the_api_goes_by_the_name_that_its_alarm_has(
    make: Make, alarm: Alarm, expected: dict[str, str] | None, stage: str
) -> None:
    """The namespace follows from the metric; a REST API has a name and a HTTP API an id, and both a stage."""
    cloud, made = make(alarm=alarm)
    described = alarm_of(cloud, made)
    assert described["Namespace"] == "AWS/ApiGateway"
    assert {one["Name"]: one["Value"] for one in described["Dimensions"]} == (expected or alarm.dimensions)
    assert made.api.stage == stage
    if expected is None:
        assert {made.api.name, made.api.id} & set(dict(alarm.dimensions or {}).values())


@pytest.mark.parametrize(
    ("alarm", "path", "said"),
    [
        (Alarm(namespace="AWS/ApplicationELB", metric="HTTPCode_ELB_5XX_Count", dimensions={}), "metric", "AWS/Appl"),
        (
            Alarm(namespace="LambdaInsights", metric="cpu_total_time", dimensions={}),
            "metric",
            "nothing to LambdaInsights",
        ),
        (
            Alarm(metric="5XXError", dimensions={"ApiName": "a", "Stage": "b", "Method": "GET", "Resource": "/"}),
            "metric",
            "does not write AWS/ApiGateway by Method and Resource",
        ),
        (Alarm(metric="IteratorAge"), "metric", "does not write AWS/Lambda IteratorAge"),
        (Alarm(namespace="Shop", metric="Failures", dimensions={}), "namespace", "the bundled service writes nothing"),
        (Alarm(metric="5XXError", dimensions={"Stage": "a/b"}), "dimensions.Stage", "is no name of a stage"),
    ],
)
def test_an_alarm_that_would_be_blind_here_alone_is_refused(make: Make, alarm: Alarm, path: str, said: str) -> None:
    """AWS writes the metric and this cloud does not: a verdict of such an alarm would be false."""
    error = refused(make, alarm=alarm)
    assert error.path == f"alarm.{path}"
    assert said in str(error)


def test_a_handler_may_write_to_a_namespace_of_its_own(make: Make) -> None:
    """What it will write is not known."""
    own = Arm(handler="harness.rehearsal.service:handler")
    cloud, made = make(alarm=Alarm(namespace="Shop", metric="Failures", dimensions={}), baseline=own, canary=own)
    assert alarm_of(cloud, made)["Namespace"] == "Shop"


@pytest.mark.parametrize(
    ("dimensions", "expected"),
    [
        ("function", {"FunctionName": FUNCTION}),
        ("alias", {"FunctionName": FUNCTION, "Resource": f"{FUNCTION}:Live"}),
        ("version", {"FunctionName": FUNCTION, "Resource": f"{FUNCTION}:Live", "ExecutedVersion": "2"}),
        (
            {"Resource": "{alias_arn}", "Own": "{alias}/{version}"},
            {"Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTION}:Live", "Own": "Live/2"},
        ),
    ],
)
def test_the_alarm_watches_the_dimensions_asked_for(make: Make, dimensions: Any, expected: dict[str, str]) -> None:
    """The three words and a map with placeholders."""
    alarm = alarm_of(*make(alarm=Alarm(dimensions=dimensions)))
    assert {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]} == expected


def test_the_alarm_has_the_experiments_settings(make: Make) -> None:
    """Every setting arrives in AWS's spelling."""
    wishes = Alarm(
        statistic="Average", period_s=120, evaluation_periods=3, datapoints=2, threshold=0.5, missing="ignore"
    )
    alarm = alarm_of(*make(alarm=wishes))
    settings = ("MetricName", "Statistic", "Period", "EvaluationPeriods", "DatapointsToAlarm", "Threshold")
    assert [alarm[setting] for setting in settings] == ["Errors", "Average", 120, 3, 2, 0.5]
    assert alarm["TreatMissingData"] == "ignore"


def test_the_alarm_may_watch_a_percentile(make: Make) -> None:
    """AWS calls it an extended statistic."""
    alarm = alarm_of(*make(alarm=Alarm(metric="Duration", statistic="p99.5")))
    assert (alarm["ExtendedStatistic"], alarm.get("Statistic")) == ("p99.5", None)


@pytest.mark.parametrize("template", ["{nonsense}", "{", "{0}", "{function.name}", "{function[x]}"])
def test_an_unknown_placeholder_is_refused(make: Make, template: str) -> None:
    """The error lists those that are known."""
    error = refused(make, alarm=Alarm(dimensions={"FunctionName": template}))
    assert error.path == "alarm.dimensions.FunctionName"
    assert "{alias_arn}" in str(error)


def test_an_alarm_that_cloudwatch_refuses_is_refused_at_its_field(make: Make) -> None:
    """CloudWatch's own rules hold."""
    assert refused(make, alarm=Alarm(period_s=45)).path == "alarm"


# Application, group and configuration


def group_of(cloud: Cloud, made: Stack) -> dict[str, Any]:
    """The deployment group as CodeDeploy describes it."""
    names = {"applicationName": made.application, "deploymentGroupName": made.group}
    group: dict[str, Any] = cloud.codedeploy.get_deployment_group(names)["deploymentGroupInfo"]
    return group


def test_the_group_is_guarded_by_the_alarm(make: Make) -> None:
    """The alarm stops its deployments, and every event rolls back."""
    cloud, made = make()
    group = group_of(cloud, made)
    assert group["alarmConfiguration"]["enabled"]
    assert group["alarmConfiguration"]["alarms"] == [{"name": made.alarm}]
    assert group["autoRollbackConfiguration"]["enabled"]
    assert len(group["autoRollbackConfiguration"]["events"]) == 3


def test_the_group_rolls_back_on_the_events_asked_for(make: Make) -> None:
    """Only those of the experiment."""
    cloud, made = make(rollback=("DEPLOYMENT_FAILURE",))
    assert group_of(cloud, made)["autoRollbackConfiguration"]["events"] == ["DEPLOYMENT_FAILURE"]


def test_without_events_automatic_rollback_is_off(make: Make) -> None:
    """An empty list switches it off."""
    cloud, made = make(rollback=())
    assert not group_of(cloud, made)["autoRollbackConfiguration"]["enabled"]


@pytest.mark.parametrize("word", ["AllAtOnce", "Linear10PercentEvery3Minutes"])
@pytest.mark.parametrize("prefix", ["", "CodeDeployDefault.Lambda"])
def test_a_preset_is_taken_with_and_without_its_prefix(make: Make, word: str, prefix: str) -> None:
    """The group names AWS's configuration."""
    cloud, made = make(deployment=Deployment(config=prefix + word))
    assert group_of(cloud, made)["deploymentConfigName"] == f"CodeDeployDefault.Lambda{word}"


@pytest.mark.parametrize(
    ("config", "routing"),
    [
        (
            "Canary25Percent2Minutes",
            {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 25, "canaryInterval": 2}},
        ),
        (
            "Linear20PercentEvery1Minute",
            {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 20, "linearInterval": 1}},
        ),
    ],
)
def test_a_configuration_that_is_no_preset_is_created(make: Make, config: str, routing: dict[str, Any]) -> None:
    """Its name says what it is."""
    cloud, made = make(deployment=Deployment(config=config))
    answer = cloud.codedeploy.get_deployment_config({"deploymentConfigName": config})
    assert answer["deploymentConfigInfo"]["trafficRoutingConfig"] == routing
    assert group_of(cloud, made)["deploymentConfigName"] == config


@pytest.mark.parametrize(
    "config",
    [
        "Canary0Percent5Minutes",
        "Canary100Percent5Minutes",
        "Linear0PercentEvery1Minute",
        "Canary10Percent9999Minutes",
        "Canary10Percent0Minutes",
        "CodeDeployDefault.LambdaCanary7Percent7Minutes",
        "CodeDeployDefault.OneAtATime",
        "Sometimes",
        "",
    ],
)
def test_an_impossible_configuration_is_refused_at_its_field(make: Make, config: str) -> None:
    """A canary of 0 % among them."""
    assert refused(make, deployment=Deployment(config=config)).path == "deployment.config"


# Hooks


def test_hooks_are_functions_of_their_own(make: Make) -> None:
    """Each hooked event has a function by a name that deployers know."""
    cloud, made = make(deployment=Deployment(hooks={"BeforeAllowTraffic": "Succeeded"}))
    assert made.hooks == {"BeforeAllowTraffic": "CodeDeployHook_BeforeAllowTraffic"}
    assert cloud.functions.has_version("CodeDeployHook_BeforeAllowTraffic", "$LATEST")


@pytest.mark.parametrize(
    ("keys", "counts"),
    [
        ({"alarm": Alarm(metric="ConcurrentExecutions")}, True),
        ({"faults": (Fault(at_s=60, concurrency=2),)}, True),
        ({"faults": (Fault(at_s=60, concurrency=0),)}, False),
        ({}, False),
    ],
)
def test_what_depends_on_runs_at_once_is_known(keys: dict[str, Any], counts: bool) -> None:
    """Concurrency 0 throttles everything, however fast the clock is."""
    assert counts_concurrency(Experiment(name="told", **keys)) == counts


@pytest.mark.parametrize(("speed", "told"), [(1.0, 0), (60.0, 2)])
def test_concurrency_is_warned_of_at_a_speed(speed: float, told: int, caplog: pytest.LogCaptureFixture) -> None:
    """An alarm on it and a reservation: requests come faster than runs end, which AWS would not see."""
    with Cloud(Experiment(name="told", alarm=Alarm(metric="ConcurrentExecutions")), speed=speed) as cloud:
        named = {"FunctionName": cloud.ready["function"]}
        cloud.functions.put_function_concurrency({**named, "ReservedConcurrentExecutions": 5})
        cloud.functions.put_function_concurrency({**named, "ReservedConcurrentExecutions": 0})
    assert caplog.text.count("a run takes its wall time") == told
