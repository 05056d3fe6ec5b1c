"""What serverless-plugin-canary-deployments, or Flagsmith's fork, adds to the template. Source: their own code."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping

from harness.templates.release import Problem
from harness.templates.serverless_service import (
    CANARY,
    FLAGSMITH,
    NOTHING,
    ROLES,
    ServerlessFunction,
    Service,
    in_stages,
    is_call,
    joined,
    laid_over,
    logical_id,
    normalized,
    not_known_here,
)
from harness.templates.values import Value, made

_ALIKE = 0.7
"""How alike a logical id must be to be what was meant (difflib's ratio)."""
_LONGEST_GROUP = 100
_EVENTS = ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST")
_COMPOSITE = "CanaryDeploymentCompositeAlarm"
_HOOKS = {"preTrafficHook": "BeforeAllowTrafficHook", "postTrafficHook": "AfterAllowTrafficHook"}
_DEFAULTS: Mapping[str, object] = {
    "namespace": "AWS/Lambda",
    "period": 60,
    "evaluationPeriods": 1,
    "datapointsToAlarm": 1,
    "comparisonOperator": "GreaterThanThreshold",
    "treatMissingData": "notBreaching",
}
_PRESETS: Mapping[str, Mapping[str, object]] = {"errors": {"metric": "Errors", "threshold": 1000}}
_COPIED = ("EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData")


def canaries(service: Service, known: Collection[str], problems: list[Problem]) -> Iterator[tuple[str, Value]]:
    """The application, groups, aliases and alarms. Raises TemplateError where CloudFormation would refuse them."""
    general = service.custom.get("deploymentSettings") or NOTHING
    chosen = [(one, one.says.get("deploymentSettings")) for one in service.functions]
    taking_part = [(one, settings) for one, settings in chosen if settings is not None]
    why_not = [*_why_not(service, general, taking_part)]
    problems += why_not
    if why_not or not taking_part:
        return
    application = f"{_alphanumeric(service.stack.text())}DeploymentApplication"
    yield application, made({"Type": "AWS::CodeDeploy::Application"}, service.line)
    alarms: dict[str, Value] = {}
    for function, own in taking_part:
        settings = Value({**dict(general.items()), **dict(own.items())}, own.line)
        added = _canary_alarms(service, function, settings)
        alarms |= added
        doubts = [*_doubts(service, function, settings)]
        problems += doubts
        if not any(one.severity == "error" for one in doubts):
            yield from _released(service, application, function, settings, {*known, *added}, is_guarded=bool(added))
    yield from alarms.items()
    if alarms:
        yield _COMPOSITE, _composite(service, alarms)


def _why_not(
    service: Service, general: Value, taking_part: list[tuple[ServerlessFunction, Value]]
) -> Iterator[Problem]:
    """Why the plugin does nothing, or nobody knows; nothing where it acts, and where nothing is asked of it."""
    if not taking_part and general.content:
        text = "deploymentSettings stand under custom alone: only a function that has its own takes part."
        yield Problem("gradual-shift", "error", text, "Add deploymentSettings to the function.", general.line)
    stages = general.get("stages")
    acts = stages is None or stages.content == () or in_stages(service.stage, stages)
    for function, settings in taking_part:
        if not service.has_plugin(CANARY):
            text = "deploymentSettings do nothing: plugins does not name serverless-plugin-canary-deployments."
            yield Problem("gradual-shift", "error", text, "Add it to plugins.", settings.line, function.logical)
        elif acts is None:
            yield not_known_here("custom.deploymentSettings", settings.line, function.logical)
        elif not acts:
            text = f"deploymentSettings do nothing in the stage {service.stage.text()}, which is none of their stages."
            advice = "Add the stage, or give --parameter opt:stage=… ."
            yield Problem("gradual-shift", "error", text, advice, settings.line, function.logical)


def _doubts(service: Service, function: ServerlessFunction, settings: Value) -> Iterator[Problem]:
    """What is wrong with the settings of one function."""
    for key in ("alias", "type"):
        if settings.get(key) is None:
            text = f"The deploymentSettings of {function.key} have no {key}: CloudFormation refuses the template."
            yield Problem("gradual-shift", "error", text, f"Add {key}.", settings.line, function.logical)
    if not _is_published(service, function):
        text = f"{function.key} publishes no version (versionFunctions is off): there is nothing to shift to."
        yield Problem("gradual-shift", "error", text, "Leave versionFunctions on.", settings.line, function.logical)
    if settings.get("canaryAlarms") and FLAGSMITH not in service.plugins:
        text = f"The canaryAlarms of {function.key} are not made: only {FLAGSMITH} knows them."
        yield Problem("alarm-exists", "warning", text, "Use that plugin.", settings.line, function.logical)
    if service.has_plugin(ROLES) and any(settings.get(hook) for hook in _HOOKS):
        text = f"With {ROLES} the hooks of {function.key} may not report to CodeDeploy unless their own role says so."
        yield Problem(
            "hooks",
            "warning",
            text,
            "Allow codedeploy:PutLifecycleEventHookExecutionStatus.",
            settings.line,
            function.logical,
        )


def _is_published(service: Service, function: ServerlessFunction) -> bool:
    own, general = function.says.get("versionFunction"), service.provider.get("versionFunctions")
    return (own or general or Value(True, 0)).content is not False


def _released(
    service: Service,
    application: str,
    function: ServerlessFunction,
    settings: Value,
    known: Collection[str],
    *,
    is_guarded: bool,
) -> Iterator[tuple[str, Value]]:
    """The group and the alias of one function."""
    group, alias = f"{function.logical}DeploymentGroup", settings.get("alias") or NOTHING
    alarms = [_alarm_name(service, one, known) for one in (settings.get("alarms") or NOTHING).parts()]
    alarms += [{"Name": {"Ref": _COMPOSITE}}] if is_guarded else []
    config = {"Fn::Sub": ["CodeDeployDefault.Lambda${ConfigName}", {"ConfigName": settings.get("type")}]}
    properties = {
        "ApplicationName": {"Ref": application},
        "DeploymentGroupName": _group_name(service, group),
        "DeploymentConfigName": made(config, (settings.get("type") or settings).line),
        "AutoRollbackConfiguration": {"Enabled": True, "Events": [*_EVENTS]},
        "AlarmConfiguration": _alarm_configuration(service, settings, alarms),
    }
    yield group, made({"Type": "AWS::CodeDeploy::DeploymentGroup", "Properties": properties}, settings.line)
    hooks = {name: _hook(service, settings.get(key)) for key, name in _HOOKS.items()}
    update = {"ApplicationName": {"Ref": application}, "DeploymentGroupName": {"Ref": group}, **hooks}
    resource = {
        "Type": "AWS::Lambda::Alias",
        "Properties": {
            "FunctionName": {"Ref": function.logical},
            "FunctionVersion": {"Fn::GetAtt": [function.version, "Version"]},
            "Name": alias,
        },
        "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": update},
    }
    yield f"{function.logical}Alias{alias.text()}", made(resource, settings.line)


def _alarm_configuration(service: Service, settings: Value, alarms: list[object]) -> Value | None:
    listed = settings.get("alarms")
    if listed is None and not alarms:
        return None
    if listed and not is_call(listed):
        raise service.wrong(listed.line, f"alarms must be a list, got {listed.text() or 'nothing'}")
    line = (listed or settings.get("canaryAlarms") or settings).line
    whole = listed if listed and isinstance(listed.content, dict) else alarms  # a list that is not known here
    return made({"Alarms": whole, "Enabled": True}, line)


def _alarm_name(service: Service, alarm: Value, known: Collection[str]) -> object:
    """A text is a logical id, a map has the alarm's own name."""
    named = alarm.get("name")
    if named:
        return made({"Name": named}, alarm.line)
    if is_call(alarm):
        return made({"Name": alarm}, alarm.line)
    if alarm.text() not in known:
        meant = difflib.get_close_matches(alarm.text(), known, n=1, cutoff=_ALIKE)
        hint = f"did you mean {meant[0]}?" if meant else _why_no_alarm(service)
        raise service.wrong(alarm.line, f"no alarm of the stack has the logical id {alarm.text()}; {hint}")
    return made({"Name": {"Ref": alarm}}, alarm.line)


def _why_no_alarm(service: Service) -> str:
    alerts = service.custom.get("alerts")
    if alerts and in_stages(service.stage, alerts.get("stages")) is False:
        return f"custom.alerts makes none in the stage {service.stage.text()}, which is none of its stages"
    return "an alarm's own name is written name: …"


def _hook(service: Service, key: Value | None) -> Value | None:
    if key is None:
        return None
    if key.text() not in {one.key for one in service.functions}:
        raise service.wrong(key.line, f"the hook {key.text()} is no function of the file; a hook is named by its key")
    return made({"Ref": logical_id(key.text())}, key.line)


def _group_name(service: Service, group: str) -> Value:
    name = joined(service.stack, f"-{group}")
    return name if is_call(name) else Value(name.text()[:_LONGEST_GROUP], name.line)


# Flagsmith's fork


def _canary_alarms(service: Service, function: ServerlessFunction, settings: Value) -> dict[str, Value]:
    listed = (settings.get("canaryAlarms") or NOTHING).parts()
    if FLAGSMITH not in service.plugins:
        return {}
    return dict(_canary_alarm(service, function, settings, one) for one in listed)


def _canary_alarm(service: Service, function: ServerlessFunction, settings: Value, config: Value) -> tuple[str, Value]:
    """One alarm on the new version alone, with that version in its name."""
    word = next((found for key in ("preset", "metric", "name") if (found := config.get(key))), Value("unknown", 0))
    metric = _plain(word.text())
    preset = _PRESETS.get((config.get("preset") or NOTHING).text(), {})
    alarm = laid_over(made({**_DEFAULTS, "statistic": "Sum", **preset}, config.line), config)
    if alarm.get("threshold") is None:
        raise service.wrong(config.line, f"a canary alarm of {function.key} has no threshold")
    dimensions: object = [
        {"Name": "FunctionName", "Value": {"Ref": function.logical}},
        {"Name": "Resource", "Value": {"Fn::Join": [":", [{"Ref": function.logical}, settings.get("alias")]]}},
        {"Name": "ExecutedVersion", "Value": {"Fn::GetAtt": [function.version, "Version"]}},
    ]
    version = made({"Fn::GetAtt": [function.version, "Version"]}, config.line)
    name = joined(service.name, "-", service.stage, f"-{_plain(function.key)}-canary-{metric}-v", version)
    properties: dict[str, object] = {key: alarm.get(key[:1].lower() + key[1:]) for key in _COPIED}
    properties |= {"AlarmName": name, **_measured(service, alarm, dimensions)}
    resource = made({"Type": "AWS::CloudWatch::Alarm", "Properties": made(properties, config.line)}, config.line)
    return f"{function.logical}Canary{metric[:1].upper()}{metric[1:]}Alarm", resource


def _measured(service: Service, alarm: Value, dimensions: object) -> dict[str, object]:
    """What an alarm reads: one metric, or an expression over several."""
    parts = (alarm.get("metrics") or NOTHING).parts()
    if not parts or alarm.get("expression") is None:
        if alarm.get("metric") is None:
            raise service.wrong(alarm.line, "a canary alarm has neither preset, metric nor metrics with expression")
        one = {"Namespace": alarm.get("namespace"), "MetricName": alarm.get("metric"), "Period": alarm.get("period")}
        return {**one, "Statistic": alarm.get("statistic"), "Dimensions": dimensions}
    queries: list[object] = [
        {
            "Id": part.get("id"),
            "ReturnData": False,
            "MetricStat": {
                "Metric": {
                    "Namespace": alarm.get("namespace"),
                    "MetricName": part.get("metric"),
                    "Dimensions": dimensions,
                },
                "Period": alarm.get("period"),
                "Stat": part.get("statistic"),
            },
        }
        for part in parts
    ]
    return {"Metrics": [*queries, {"Id": "expr", "Expression": alarm.get("expression"), "ReturnData": True}]}


def _composite(service: Service, alarms: Mapping[str, Value]) -> Value:
    rule = " OR ".join(f"ALARM(${{{logical}}})" for logical in alarms)
    properties = {
        "AlarmName": joined(service.name, "-", service.stage, "-canary-composite"),
        "AlarmRule": {"Fn::Sub": rule},
    }
    line = next(iter(alarms.values())).line
    return made({"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": properties}, line)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _alphanumeric(text: str) -> str:
    return normalized(re.sub(r"[^0-9A-Za-z]", "", text))
