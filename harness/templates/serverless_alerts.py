"""The alarms that serverless-plugin-aws-alerts adds to the template. Source: its index.js, naming.js and defaults."""

from collections.abc import Iterator, Mapping

from harness.templates.release import Problem
from harness.templates.serverless_service import (
    ALERTS,
    NOTHING,
    ServerlessFunction,
    Service,
    in_stages,
    is_call,
    joined,
    laid_over,
    normalized,
    not_known_here,
)
from harness.templates.values import Value, made

_STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_EVERY: Mapping[str, object] = {
    "namespace": "AWS/Lambda",
    "enabled": True,
    "type": "static",
    "threshold": 1,
    "statistic": "Sum",
    "period": 60,
    "evaluationPeriods": 1,
    "datapointsToAlarm": 1,
    "comparisonOperator": "GreaterThanOrEqualToThreshold",
}
_DEFINED: Mapping[str, Mapping[str, object]] = {
    "functionErrors": {**_EVERY, "metric": "Errors"},
    "functionThrottles": {**_EVERY, "metric": "Throttles"},
    "functionInvocations": {**_EVERY, "metric": "Invocations", "threshold": 100},
    "functionDuration": {**_EVERY, "metric": "Duration", "threshold": 500, "statistic": "Average"},
}
_COPIED = {
    "ComparisonOperator": "comparisonOperator",
    "DatapointsToAlarm": "datapointsToAlarm",
    "EvaluationPeriods": "evaluationPeriods",
    "Period": "period",
    "Threshold": "threshold",
}


def alerts(service: Service, problems: list[Problem]) -> Iterator[tuple[str, Value]]:
    """The alarms by logical id. Raises TemplateError for one without a definition, as the plugin does."""
    config = service.custom.get("alerts")
    own = [one for one in service.functions if one.says.get("alarms")]
    if not service.has_plugin(ALERTS) or config is None or config.content is None:
        problems += [_without_plugin(service, one) for one in own]
        return
    acts = in_stages(service.stage, config.get("stages"))
    if acts is None:
        problems.append(not_known_here("custom.alerts", config.line))
    elif not acts:
        text = f"custom.alerts makes no alarm: the stage {service.stage.text()} is none of its stages."
        problems.append(Problem("alarm-exists", "warning", text, "Add the stage.", config.line))
    elif config.get("externalStack"):
        text = "custom.alerts has an externalStack: its alarms are in another stack, where no group can refer to them."
        problems.append(Problem("alarm-exists", "warning", text, "Leave externalStack out.", config.line))
    else:
        for function in service.functions:
            yield from _of_function(service, config, function).items()


def _without_plugin(service: Service, one: ServerlessFunction) -> Problem:
    if service.has_plugin(ALERTS):
        text, advice = f"The alarms of {one.key} are not made: custom.alerts is missing.", "Add custom.alerts."
    else:
        text = f"The alarms of {one.key} are not made: plugins does not name {ALERTS}."
        advice = f"Add {ALERTS} to plugins."
    line = (one.says.get("alarms") or one.says).line
    return Problem("alarm-exists", "warning", text, advice, line)


def _of_function(service: Service, config: Value, function: ServerlessFunction) -> dict[str, Value]:
    """The alarms of one function: those of all, then its own; a later one of the same name goes first."""
    definitions = laid_over(made(_DEFINED, config.line), config.get("definitions") or NOTHING)
    general = [config.get(key) for key in ("alarms", "global", "function")]
    listed = [part for one in general if one for part in one.parts()]
    listed += (function.says.get("alarms") or NOTHING).parts()
    templates = {key: config.get(key) for key in ("nameTemplate", "prefixTemplate")}
    found: dict[str, Value] = {}
    for part in listed:
        alarm = laid_over(made(templates, part.line), _defined(service, definitions, part))
        name = alarm.get("name")
        logical = f"{normalized(function.key)}{normalized(name.text() if name else '')}Alarm"
        if (alarm.get("enabled") or NOTHING).content is False:
            found.pop(logical, None)
        else:
            found[logical] = _alarm(service, function, alarm)
    return found


def _defined(service: Service, definitions: Value, part: Value) -> Value:
    """One alarm of a list: the name of a definition, or a map over the definition of its name."""
    common = made({"enabled": True, "type": "static"}, part.line)
    if isinstance(part.content, str):
        definition = definitions.get(part.content)
        if definition is None:
            raise service.wrong(part.line, f"there is no alarm definition {part.content} (custom.alerts.definitions)")
        return Value({**_at_line(laid_over(common, definition), part.line), "name": part}, part.line)
    name = part.get("name")
    definition = definitions.get(name.text()) if name else None
    under = Value(_at_line(laid_over(common, definition or NOTHING), part.line), part.line)
    return laid_over(under, part)


def _at_line(value: Value, line: int) -> dict[str, Value]:
    """A definition's values; those of the plugin itself stand on the line that uses them."""
    return {key: part if part.line else Value(part.content, line) for key, part in value.items()}


def _alarm(service: Service, function: ServerlessFunction, alarm: Value) -> Value:
    """The resource of an alarm."""
    metric, kind = _text(alarm, "metric"), _text(alarm, "type")
    properties: dict[str, object] = {key: alarm.get(name) for key, name in _COPIED.items()}
    properties["TreatMissingData"] = alarm.get("treatMissingData") or "missing"
    properties["AlarmName"] = _name(service, function, alarm)
    by_pattern = alarm.get("pattern")
    seen = {
        "Namespace": service.stack if by_pattern else alarm.get("namespace"),
        "MetricName": f"{metric[:1].upper()}{metric[1:]}{function.logical}" if by_pattern else alarm.get("metric"),
        "Dimensions": [] if by_pattern else _dimensions(function, alarm),
    }
    if kind == "anomalyDetection":
        properties.update(_band(alarm, seen))
    elif kind == "static":
        statistic = "Statistic" if _text(alarm, "statistic") in _STATISTICS else "ExtendedStatistic"
        properties.update({**seen, statistic: alarm.get("statistic")})
    else:
        problem = f"the type of an alarm of {function.key} must be static or anomalyDetection, not {kind or 'empty'}"
        raise service.wrong(alarm.line, problem)
    return made({"Type": "AWS::CloudWatch::Alarm", "Properties": made(properties, alarm.line)}, alarm.line)


def _band(alarm: Value, seen: Mapping[str, object]) -> dict[str, object]:
    stat = {"Metric": seen, "Period": alarm.get("period"), "Stat": alarm.get("statistic")}
    band = joined("ANOMALY_DETECTION_BAND(m1, ", alarm.get("threshold") or "", ")")
    metrics = [
        {"Id": "m1", "ReturnData": True, "MetricStat": stat},
        {"Id": "ad1", "ReturnData": True, "Expression": band},
    ]
    return {"Metrics": metrics, "ThresholdMetricId": "ad1", "Period": None, "Threshold": None}


def _dimensions(function: ServerlessFunction, alarm: Value) -> list[object]:
    listed: list[object] = [*(alarm.get("dimensions") or NOTHING).parts()]
    if (alarm.get("omitDefaultDimension") or NOTHING).content is True:
        return listed
    others = [part for part in listed if isinstance(part, Value) and _text(part, "Name") != "FunctionName"]
    return [*others, {"Name": "FunctionName", "Value": {"Ref": function.logical}}]


def _name(service: Service, function: ServerlessFunction, alarm: Value) -> Value | None:
    """The alarm's name; None where CloudFormation makes one up."""
    template, prefix = alarm.get("nameTemplate"), alarm.get("prefixTemplate")
    metric = alarm.get("metric") or Value("", alarm.line)
    if template is None and prefix is None:
        return None
    if template is None:
        template, metric = Value("$[functionName]-$[metricName]", alarm.line), alarm.get("name") or metric
    filled = template.text()
    for word, text in {
        "functionName": function.key,
        "functionId": function.logical,
        "metricName": metric.text(),
        "metricId": metric.text(),
    }.items():
        filled = filled.replace(f"$[{word}]", text, 1)
    before = prefix.text() if prefix else "$[stackName]"
    first, stack, last = before.partition("$[stackName]")
    whole = [first, service.stack, last] if stack else [first]
    return joined(*whole, "-", filled) if before else Value(filled, alarm.line)


def _text(value: Value, key: str) -> str:
    found = value.get(key)
    return found.text() if found and not is_call(found) else ""
