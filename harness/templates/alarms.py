"""Alarms of a template: CloudFormation's properties, which are those of DescribeAlarms, with texts for numbers."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from harness.core.timeline.alarm_definitions import alarm_defined
from harness.core.timeline.events import AlarmDefined
from harness.templates.guards import not_judged
from harness.templates.names import names_in
from harness.templates.release import TemplateAlarm
from harness.templates.resolver import Resolver
from harness.templates.values import Value

TYPES = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
_ARN = re.compile(r"arn:[^\s\"'()]*?:cloudwatch:[^\s\"'()]*?:alarm:")
"""What comes before an alarm's name in its ARN, be region and account names that are not known yet."""
_NUMBERS = ("Period", "EvaluationPeriods", "DatapointsToAlarm", "Threshold")
_MAY_BE_OPEN = ("AlarmName", "AlarmDescription", "Dimensions", "AlarmRule", "Metrics")
_NOT_READ = ("AlarmActions", "OKActions", "InsufficientDataActions", "Tags", "AlarmDescription", "ActionsEnabled")


def read_alarm(resolver: Resolver, logical: str, resource: Value) -> TemplateAlarm:
    """One alarm. What of it is not known makes it one that nobody can judge, with the reason."""
    properties = resource.get("Properties") or Value({}, resource.line)
    read = {key: resolver.value(part) for key, part in properties.items() if key not in _NOT_READ}
    plain = {key: _plain(part, key) for key, part in read.items()}
    if isinstance(rule := plain.get("AlarmRule"), str):
        plain["AlarmRule"] = _ARN.sub("", rule)
    plain["AlarmName"] = resolver.reference(logical, resource.line).text()
    if isinstance(metrics := plain.get("Metrics"), list):
        plain["Metrics"] = [_of_own_account(resolver, metric) for metric in metrics]
    defined = alarm_defined(plain)
    assert defined is not None, "an alarm of a template has a name"
    unclear = next(_unclear(resolver, read), None)
    lines = {key: part.line for key, part in properties.items()}
    return TemplateAlarm(
        logical=logical,
        line=resource.line,
        defined=_with_reason(defined, *unclear) if unclear else defined,
        lines=lines,
    )


def _of_own_account(resolver: Resolver, metric: Any) -> Any:
    """A metric without the account where it is the stack's own, which CDK writes into each."""
    own = str(resolver.pseudo("AWS::AccountId", 0))
    if not isinstance(metric, dict) or metric.get("AccountId") != own:
        return metric
    return {key: part for key, part in metric.items() if key != "AccountId"}


def _with_reason(defined: AlarmDefined, key: str, reason: str) -> AlarmDefined:
    """An alarm that cannot be judged; which metrics it reads is known all the same where only a number is missing."""
    return replace(defined, unlike=reason) if key in _NUMBERS else not_judged(defined, reason)


def _plain(value: Value, key: str = "") -> Any:
    """A value as the JSON of DescribeAlarms has it."""
    if isinstance(value.content, dict):
        return {name: _plain(part, name) for name, part in value.content.items()}
    if isinstance(value.content, tuple):
        return [_plain(part) for part in value.content]
    if key in _NUMBERS:
        return _number(value)
    if key == "ReturnData":
        return value.text().lower() == "true"
    return value.text()


def _number(value: Value) -> float | int | str:
    try:
        number = float(value.text())
    except ValueError:
        return value.text()
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _unclear(resolver: Resolver, read: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
    """Why an alarm cannot be judged from the template: a property that is open, or no number where one must be."""
    for key, value in read.items():
        text = value.text() if not isinstance(value.content, dict | tuple) else ""
        open_here = [name for name in names_in(text) if resolver.is_open(name)]
        if open_here and key not in _MAY_BE_OPEN:
            yield key, f"an alarm whose {key} is not known here ({resolver.how_to_give(open_here)})"
        elif open_here and key in ("Dimensions", "Metrics"):
            yield key, f"an alarm whose {key} are not known here ({resolver.how_to_give(open_here)})"
        elif key in _NUMBERS and isinstance(_number(value), str):
            yield key, f"an alarm whose {key} is {text!r}, which is no number"
    yield from _unclear_metrics(resolver, read.get("Metrics"))


def _unclear_metrics(resolver: Resolver, metrics: Value | None) -> Iterator[tuple[str, str]]:
    for text in _texts_but_dimensions(metrics) if metrics else ():
        open_here = [name for name in names_in(text) if resolver.is_open(name)]
        if open_here:
            yield "Metrics", f"an alarm whose Metrics are not known here ({resolver.how_to_give(open_here)})"


def _texts_but_dimensions(value: Value) -> Iterator[str]:
    for key, part in value.items():
        if key not in ("Dimensions", "AccountId", "Label"):
            yield from _texts_but_dimensions(part)
    for part in value.parts():
        yield from _texts_but_dimensions(part)
    if not isinstance(value.content, dict | tuple):
        yield value.text()
