"""What a team's own deployment tool would have set up: function, versions, alias, alarm, application and group.

Everything is made through the services' own operations, so that a stack holds nothing that boto3 could not make. Names
are the experiment's, or readable ones like those of a Serverless Framework project called `fake-user`.
"""

import logging
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from harness.core.experiment.alarm_metric import API_GATEWAY, dimensions_of, namespace_of
from harness.core.experiment.hosts import is_loopback
from harness.core.experiment.types import (
    AWS_CONFIGS,
    AWS_PREFIX,
    REHEARSED_CONFIG,
    Alarm,
    Arm,
    Experiment,
    FunctionCode,
    Statistic,
)
from harness.core.rehearsed import BASELINE, CANARY
from harness.errors import CloudError, ExperimentError
from harness.rehearsal import service
from harness.rehearsal.apis.of_experiment import UnreleasedFunction, beside
from harness.rehearsal.cloudwatch.api_requests import DEFAULT_STAGE, ApiName
from harness.rehearsal.cloudwatch.fed import CONCURRENCY, RESERVED, why_blind
from harness.rehearsal.cloudwatch.service import CloudWatch
from harness.rehearsal.codedeploy import CodeDeploy
from harness.rehearsal.functions.functions import Functions
from harness.rehearsal.functions.zipping import zipped, zipped_files
from harness.rehearsal.refusal import Refusal

log = logging.getLogger(__name__)

APPLICATION = "fake-user"
LONGEST_OWN_NAME = 40
"""Lambda's limit is 64 characters; names beside it add to it."""
STAGE = "shared"
FUNCTION = "fake-user-FakeUser"

BUNDLED_TIMEOUT_S = 10
"""That of the function that the bundled service stands for."""
TIMEOUT_S = 30
"""Above API Gateway's integration timeout, so that a slow version shows as 504 there."""
CONNECT_TIMEOUT_S = 2.0

_CUSTOM = re.compile(r"(?P<type>Canary|Linear)(?P<percent>\d{1,9})Percent(Every)?(?P<minutes>\d{1,9})Minutes?")

_STAGE = re.compile(r"\$default|[A-Za-z0-9_-]{1,128}")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")

_HOOK = """
import json
import os
import urllib.request


def handler(event, context):
    report = {
        "deploymentId": event["DeploymentId"],
        "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"],
        "status": os.environ["STATUS"],
    }
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus",
        "Authorization": "AWS4-HMAC-SHA256 "
        "Credential=hook/20260101/here/codedeploy/aws4_request, SignedHeaders=host, Signature=0",
    }
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], json.dumps(report).encode(), headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10):
        return report["status"]
"""


class Stack(Struct, frozen=True, kw_only=True):
    """What was set up, by name. `name` is the CloudFormation stack's, `config` the full name of the deployment
    configuration, `hooks` the function of each hooked lifecycle event, `api` what its metrics call the API, `beside`
    the functions that are not released. `broken` says why each run of the canary fails; None where none need fail."""

    name: str
    application: str
    group: str
    function: str
    alias: str
    alarm: str
    config: str
    hooks: dict[str, str]
    api: ApiName
    beside: Sequence[UnreleasedFunction] = ()
    baseline: str = BASELINE
    canary: str = CANARY
    broken: str | None = None


def names(experiment: Experiment) -> Stack:
    """What the stack of an experiment will be called; raises ExperimentError."""
    wanted, application = experiment.deployment, _application(experiment)
    function = wanted.function or (FUNCTION if experiment.baseline.is_bundled else _named_after(experiment))
    return Stack(
        name=wanted.stack or application,
        application=application,
        group=wanted.group or f"{function}DeploymentGroup",
        function=function,
        alias=wanted.alias,
        alarm=experiment.alarm.name or f"{function}-canary-errors",
        config=_config_name(REHEARSED_CONFIG if wanted.config is None else wanted.config),
        hooks={event: f"CodeDeployHook_{event}" for event in wanted.hooks},
        api=_api_name(experiment),
        beside=beside(experiment, application),
    )


def _application(experiment: Experiment) -> str:
    """As it is asked for; a service of your own is called as the experiment about it."""
    otherwise = APPLICATION if experiment.baseline.is_bundled else _named_after(experiment)
    return experiment.deployment.application or otherwise


def _named_after(experiment: Experiment) -> str:
    """The experiment's name, as a function may be called."""
    return re.sub(r"[^A-Za-z0-9-]+", "-", experiment.name)[:LONGEST_OWN_NAME].strip("-") or APPLICATION


def _api_name(experiment: Experiment) -> ApiName:
    """What the API is called: as the experiment's alarm calls it, else as the Serverless Framework would.

    The stage of an HTTP API is the default one, as SAM and the framework make it.
    """
    watched = dimensions_of(experiment.alarm) if namespace_of(experiment.alarm) == API_GATEWAY else {}
    given = {name: value for name, value in watched.items() if "{" not in value}
    application = _application(experiment)
    usual = DEFAULT_STAGE if experiment.api.payload_format == "2.0" else STAGE
    stage = given.get("Stage", usual)
    if not _STAGE.fullmatch(stage):
        raise ExperimentError("alarm.dimensions.Stage", f"is no name of a stage: {stage!r}")
    return ApiName(given.get("ApiName", f"{stage}-{application}"), given.get("ApiId", "rehearsal"), stage)


def set_up(
    experiment: Experiment,
    functions: Functions,
    cloudwatch: CloudWatch,
    codedeploy: CodeDeploy,
    *,
    account: str,
    region: str,
) -> Stack:
    """Makes everything that the experiment names; raises ExperimentError with the field that is wrong."""
    stack = names(experiment)
    role = f"arn:aws:iam::{account}:role/{stack.application}"
    broken = _make_versions(experiment, stack, functions, role)
    for one in stack.beside:
        _make_beside(experiment.baseline, one.function, functions, role)
    for event, hook in experiment.deployment.hooks.items():
        _make_hook(stack.hooks[event], _running(hook), functions, role)
    for path, alarm in _alarms(experiment, stack):
        _check_fed(experiment, alarm, path)
        with _blaming(path):
            cloudwatch.put_metric_alarm(_alarm(alarm, stack, account=account, region=region))
    _make_group(experiment, stack, codedeploy, role)
    return replace(stack, broken=broken)


def counts_concurrency(experiment: Experiment) -> bool:
    """Whether what it asks depends on how many runs are under way at once; that none may be depends on nothing."""
    return experiment.alarm.metric == CONCURRENCY or any(fault.concurrency for fault in experiment.faults)


@contextmanager
def _blaming(path: str) -> Iterator[None]:
    try:
        yield
    except (Refusal, CloudError) as error:
        raise ExperimentError(path, str(error)) from error


# Lambda


def _make_versions(experiment: Experiment, stack: Stack, functions: Functions, role: str) -> str | None:
    """Makes both versions and the alias; why the canary will fail in each run, None where it need not."""
    function = {"FunctionName": stack.function}
    baseline, canary = _code(experiment.baseline, "baseline"), _code(experiment.canary, "canary")
    if (experiment.baseline.code is None) != (experiment.canary.code is None):
        raise ExperimentError("canary", "a function stays a package or none: give code for both arms, or for neither")
    in_service = _configuration(experiment.baseline, "baseline", functions)
    on_trial = _configuration(experiment.canary, "canary", functions)
    with _blaming("deployment.function"):
        functions.create_function(
            {
                **function,
                "Role": role,
                **_package(experiment.baseline),
                "Code": baseline,
                **in_service,
            }
        )
        functions.publish_version(function)
        functions.update_function_code({**function, **canary})
        functions.update_function_configuration({**function, **on_trial})
        functions.publish_version(function)
        # $LATEST is what is in service, as after a release that is over: so that it can be deployed once more.
        functions.update_function_code({**function, **baseline})
        functions.update_function_configuration({**function, **in_service})
    with _blaming("deployment.alias"):
        functions.create_alias({**function, "Name": stack.alias, "FunctionVersion": stack.baseline})
    if broken := _warm(experiment.baseline, "baseline", functions, stack.function, stack.baseline):
        field = "code" if experiment.baseline.code else "handler"
        told = f"{broken} {_without_layers(experiment.baseline)}No release begins with a version that cannot run."
        raise ExperimentError(f"baseline.{field}", told)
    broken = _warm(experiment.canary, "canary", functions, stack.function, stack.canary)
    if broken:
        log.warning("%s Every run of the canary will fail, as on AWS.", broken)
    return broken


def _without_layers(arm: Arm) -> str:
    """What to say of code that cannot run, where a layer that is not here may be why."""
    absent = arm.code.without_layers if arm.code else ()
    return f"It has layers that are not on this machine: {', '.join(absent)}. " if absent else ""


def _make_beside(arm: Arm, function: str, functions: Functions, role: str) -> None:
    """A function without an alias, which runs what is in service."""
    with _blaming("deployment.requests"):
        functions.create_function(
            {
                "FunctionName": function,
                "Role": role,
                **_package(arm),
                "Code": _code(arm, "baseline"),
                **_configuration(arm, "baseline", functions),
            }
        )


def _configuration(arm: Arm, name: str, functions: Functions) -> dict[str, Any]:
    # CANARY_ARM makes the canary a version of its own even where nothing else differs: Lambda publishes no second
    # version of an unchanged function.
    variables = {**_environment(arm), "CANARY_ARM": name}
    runs: dict[str, Any] = {"Runtime": arm.code.runtime, "Handler": arm.code.handler} if arm.code else {}
    if arm.code:
        runs["Layers"] = [*_published_layers(arm.code, name, functions)]
    memory = {"MemorySize": arm.memory_mb} if arm.memory_mb else {}
    limit = {"Timeout": arm.timeout_s or (BUNDLED_TIMEOUT_S if arm.is_bundled else TIMEOUT_S)}
    return {"Environment": {"Variables": variables}, "Description": name, **limit, **memory, **runs}


def _published_layers(code: FunctionCode, name: str, functions: Functions) -> Iterator[str]:
    """The ARNs of the layers that code finds its modules in, each published."""
    for index, path in enumerate(code.layers):
        field = f"{name}.code.layers[{index}]"
        with _blaming(field):
            content = {"ZipFile": zipped_files(Path(path), field)}
            made = functions.publish_layer_version({"LayerName": f"{name}-{index}", "Content": content})
        yield made["LayerVersionArn"]


def _package(arm: Arm) -> dict[str, str]:
    return {} if arm.code else {"PackageType": "Image"}


def _environment(arm: Arm) -> dict[str, str]:
    return {variable: str(value) for variable, value in arm.env.items()}


def _code(arm: Arm, name: str) -> dict[str, Any]:
    """The code as Lambda's operations take it."""
    if arm.code is not None:
        return {"ZipFile": zipped(arm.code, f"{name}.code")}
    return {"ImageUri": _image(arm, name)}


def _image(arm: Arm, name: str) -> str:
    if arm.handler is not None and arm.url is not None:
        raise ExperimentError(name, "give handler or url, not both")
    if arm.handler is not None:
        return f"python:{arm.handler}"
    if arm.url is not None:
        _check_url(arm.url, f"{name}.url")
        return arm.url
    with _checked_environment(name):
        service.behaviour(_environment(arm))
    return "canary-harness:bundled"


@contextmanager
def _checked_environment(name: str) -> Iterator[None]:
    try:
        yield
    except service.BadEnvironment as error:
        raise ExperimentError(f"{name}.env.{error.variable}", error.problem) from error


def _check_url(url: str, path: str) -> None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError as error:
        raise ExperimentError(path, f"is not a URL: {error}") from error
    if parts.scheme != "http" or not is_loopback(url):
        raise ExperimentError(path, f"must be http:// on loopback, for example http://127.0.0.1:3000, not {url}")
    try:
        socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise ExperimentError(path, f"nothing answers at {url} ({error}); start your service first") from error


def _warm(arm: Arm, name: str, functions: Functions, function: str, version: str) -> str | None:
    if arm.handler is None and arm.code is None:
        return None
    with _blaming(f"{name}.{'handler' if arm.handler else 'code'}"):
        return functions.warm(function, version)


def _running(hook: str | Arm) -> Arm:
    """What runs at a lifecycle event: a function as it is, or one of our own that reports a status."""
    if isinstance(hook, Arm):
        return hook
    return Arm(code=FunctionCode(handler="index.handler", runtime="python3.12", inline=_HOOK), env={"STATUS": hook})


def _make_hook(function: str, arm: Arm, functions: Functions, role: str) -> None:
    with _blaming("deployment.hooks"):
        functions.create_function(
            {
                "FunctionName": function,
                "Role": role,
                "Code": _code(arm, "deployment.hooks"),
                **_configuration(arm, "hook", functions),
            }
        )
        broken = functions.warm(function, "$LATEST")
    if broken:
        raise ExperimentError("deployment.hooks", f"{broken} Or say what it reports: Succeeded, for example.")


# CloudWatch


def _alarms(experiment: Experiment, stack: Stack) -> Iterator[tuple[str, Alarm]]:
    """The alarms of the group, each with its field."""
    yield "alarm", replace(experiment.alarm, name=stack.alarm)
    yield from ((f"further_alarms[{index}]", alarm) for index, alarm in enumerate(experiment.further_alarms))


def _check_fed(experiment: Experiment, alarm: Alarm, path: str) -> None:
    """Refuses an alarm that has no data in this cloud and may have some on AWS."""
    namespace = namespace_of(alarm)
    if reason := why_blind(namespace, alarm.metric, dimensions_of(alarm)):
        raise ExperimentError(f"{path}.metric", f"{reason}: the alarm would be blind here and not on AWS")
    arms = (experiment.baseline, experiment.canary)
    if not namespace.startswith(RESERVED) and all(arm.is_bundled for arm in arms):
        problem = f"the bundled service writes nothing to {namespace}; rehearse it with a handler that does"
        raise ExperimentError(f"{path}.namespace", problem)


def _alarm(alarm: Alarm, stack: Stack, *, account: str, region: str) -> dict[str, Any]:
    params: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": "Guards the canary.",
        "Namespace": namespace_of(alarm),
        "MetricName": alarm.metric,
        "Statistic" if alarm.statistic in get_args(Statistic) else "ExtendedStatistic": alarm.statistic,
        "Period": alarm.period_s,
        "EvaluationPeriods": alarm.evaluation_periods,
        "Threshold": alarm.threshold,
        "ComparisonOperator": alarm.comparison,
        "TreatMissingData": alarm.missing,
        "Dimensions": [
            {"Name": name, "Value": value}
            for name, value in _dimensions(alarm, stack, account=account, region=region).items()
        ],
    }
    return params if alarm.datapoints is None else {**params, "DatapointsToAlarm": alarm.datapoints}


def _dimensions(alarm: Alarm, stack: Stack, *, account: str, region: str) -> dict[str, str]:
    words = {
        "function": stack.function,
        "alias": stack.alias,
        "alias_arn": f"arn:aws:lambda:{region}:{account}:function:{stack.function}:{stack.alias}",
        "version": stack.canary,
        "api": stack.api.name,
        "api_id": stack.api.id,
        "stage": stack.api.stage,
    }
    templates = dimensions_of(alarm)
    return {name: _filled(template, words, f"alarm.dimensions.{name}") for name, template in templates.items()}


def _filled(template: str, words: Mapping[str, str], path: str) -> str:
    filled = _PLACEHOLDER.sub(lambda found: words.get(found[1], found[0]), template)
    if "{" in filled or "}" in filled:
        known = ", ".join(f"{{{word}}}" for word in words)
        raise ExperimentError(path, f"has an unknown placeholder in {template!r}; known are {known}")
    return filled


# CodeDeploy


def _make_group(experiment: Experiment, stack: Stack, codedeploy: CodeDeploy, role: str) -> None:
    with _blaming("deployment.application"):
        codedeploy.create_application({"applicationName": stack.application, "computePlatform": "Lambda"})
    if not stack.config.startswith(AWS_PREFIX):
        with _blaming("deployment.config"):
            codedeploy.create_deployment_config(
                {
                    "deploymentConfigName": stack.config,
                    "computePlatform": "Lambda",
                    "trafficRoutingConfig": _routing(stack.config),
                }
            )
    with _blaming("deployment.group"):
        codedeploy.create_deployment_group(
            {
                "applicationName": stack.application,
                "deploymentGroupName": stack.group,
                "deploymentConfigName": stack.config,
                "serviceRoleArn": role,
                "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
                "alarmConfiguration": {
                    "enabled": True,
                    "alarms": [{"name": one.name} for _, one in _alarms(experiment, stack)],
                },
                "autoRollbackConfiguration": {
                    "enabled": bool(experiment.rollback),
                    "events": list(experiment.rollback),
                },
            }
        )


def _config_name(config: str) -> str:
    word = config.removeprefix(AWS_PREFIX)
    if word in AWS_CONFIGS:
        return AWS_PREFIX + word
    custom = _CUSTOM.fullmatch(config)
    if not custom:
        wanted = "AllAtOnce, or like Canary10Percent5Minutes or Linear10PercentEvery1Minute"
        raise ExperimentError("deployment.config", f"must be {wanted}, not {config!r}")
    if not 1 <= int(custom["percent"]) <= 99:
        raise ExperimentError("deployment.config", f"must shift 1 to 99 percent, not {custom['percent']}")
    return config


def _routing(config: str) -> dict[str, Any]:
    custom = _CUSTOM.fullmatch(config)
    if not custom:
        raise ExperimentError("deployment.config", f"gives no percent and minutes: {config!r}")
    kind, percent, minutes = custom["type"], int(custom["percent"]), int(custom["minutes"])
    steps = {f"{kind.lower()}Percentage": percent, f"{kind.lower()}Interval": minutes}
    return {"type": f"TimeBased{kind}", f"timeBased{kind}": steps}
