"""Aliases with an UpdatePolicy and their deployment groups, as a person, CDK or SAM's translator writes them."""

from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from harness.core.timeline.events import ConfigSeen
from harness.templates.names import names_in, placeholder
from harness.templates.release import Fact, ReleasedFunction
from harness.templates.resolver import Resolver
from harness.templates.sections import Properties
from harness.templates.values import Value

ALIAS, GROUP = "AWS::Lambda::Alias", "AWS::CodeDeploy::DeploymentGroup"
APPLICATION, CONFIG = "AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentConfig"
UPDATE_POLICY = "CodeDeployLambdaAliasUpdate"
_OF_SERVERS = ("AutoScalingGroups", "ECSServices", "Ec2TagFilters", "Ec2TagSet", "LoadBalancerInfo", "OnPremisesTagSet")
_DEFAULT_CONFIG = "CodeDeployDefault.LambdaAllAtOnce"
_HOOKS = {"BeforeAllowTrafficHook": "BeforeAllowTraffic", "AfterAllowTrafficHook": "AfterAllowTraffic"}
_KINDS: Mapping[str, tuple[Literal["canary", "linear"], str, str, str]] = {
    "TimeBasedCanary": ("canary", "TimeBasedCanary", "CanaryPercentage", "CanaryInterval"),
    "TimeBasedLinear": ("linear", "TimeBasedLinear", "LinearPercentage", "LinearInterval"),
}


class ShiftedAlias(Struct, frozen=True, kw_only=True):
    """An alias that CloudFormation has CodeDeploy shift."""

    logical: str
    function: str
    name: Fact[str]
    version: str
    group: Fact[str]
    application: str
    hooks: Mapping[str, Fact[str]]
    line: int


def read_alias(resolver: Resolver, logical: str, resource: Value) -> ShiftedAlias | None:
    """An alias with the UpdatePolicy that has CodeDeploy shift it; None for one without."""
    policy = Properties(resolver, resource.get("UpdatePolicy") or Value({}, resource.line)).part(UPDATE_POLICY)
    if not [*policy.value.items()]:
        return None
    properties = Properties(resolver, resource.get("Properties") or Value({}, resource.line))
    return ShiftedAlias(
        logical=logical,
        function=bare_function(properties.text("FunctionName").value),
        name=properties.text("Name"),
        version=properties.text("FunctionVersion").value,
        group=policy.text("DeploymentGroupName"),
        application=policy.text("ApplicationName").value,
        hooks={event: policy.text(key) for key, event in _HOOKS.items() if policy.has(key)},
        line=resource.line,
    )


def weights(resolver: Resolver, resource: Value) -> str:
    """What an alias sends to further versions by its own words, such as `5% to version 7`; empty where it does not."""
    properties = Properties(resolver, resource.get("Properties") or Value({}, resource.line))
    listed = properties.part("RoutingConfig").listed("AdditionalVersionWeights")
    read = ((one.get("FunctionWeight"), one.get("FunctionVersion")) for one in listed)
    return ", ".join(f"{_percent(share.text())} to version {to.text()}" for share, to in read if share and to)


def _percent(share: str) -> str:
    try:
        return f"{float(share):.0%}"
    except ValueError:
        return share


def bare_function(text: str) -> str:
    """The name of a function that is given by its name or ARN."""
    return text.partition(":function:")[2] or text


def released(resolver: Resolver, alias: ShiftedAlias, group: tuple[str, Value] | None) -> ReleasedFunction:
    """The function of an alias, and the group that shifts it; None for a group that is not in the template."""
    one = ReleasedFunction(
        logical=_logical_of(alias.function) or alias.logical,
        line=alias.line,
        by="cloudformation",
        function=alias.function,
        alias=alias.name,
        version=alias.version,
        application=alias.application,
        group=None,
        config=Fact("", alias.line),
        alarms_line=alias.line,
        rollback_line=alias.line,
        hooks=alias.hooks,
        has_own_role=True,
        unclear=(Fact(f"the group {alias.group.value} is not in the template", alias.group.line),),
    )
    return _guarded(resolver, one, *group) if group else one


def _guarded(resolver: Resolver, one: ReleasedFunction, logical: str, resource: Value) -> ReleasedFunction:
    """The same with what the group says."""
    properties = Properties(resolver, resource.get("Properties") or Value({}, resource.line))
    alarms = properties.part("AlarmConfiguration")
    rollback = properties.part("AutoRollbackConfiguration")
    events = tuple(event.text() for event in rollback.listed("Events"))
    return replace(
        one,
        line=resource.line,
        group=Fact(resolver.reference(logical, resource.line).text(), resource.line),
        config=properties.text("DeploymentConfigName", _DEFAULT_CONFIG),
        alarms=tuple(_alarm_names(alarms)),
        alarms_line=properties.line_of("AlarmConfiguration"),
        alarms_enabled=alarms.switch("Enabled", missing=False),
        ignore_poll_failure=alarms.switch("IgnorePollAlarmFailure", missing=False),
        rollback_events=events if rollback.switch("Enabled", missing=False) else (),
        rollback_line=properties.line_of("AutoRollbackConfiguration"),
        unclear=tuple(properties.unclear),
    )


def is_for_servers(group: Value) -> bool:
    """Whether a deployment group is for containers or servers, and so has nothing to do with an alias."""
    properties = group.get("Properties")
    return properties is not None and any(properties.get(key) for key in _OF_SERVERS)


def _alarm_names(alarms: Properties) -> Iterator[Fact[str]]:
    for alarm in alarms.listed("Alarms"):
        name = alarm.get("Name")
        if name:
            yield Fact(name.text(), name.line)


def _logical_of(name: str) -> str | None:
    names = names_in(name)
    return names[0] if len(names) == 1 and placeholder(names[0]) == name else None


def read_config(resolver: Resolver, logical: str, resource: Value) -> ConfigSeen | None:
    """A deployment configuration of the team's own; None where it cannot be read, or is not known here."""
    routing = Properties(resolver, resource.get("Properties") or Value({}, resource.line)).part("TrafficRoutingConfig")
    name, kind = resolver.reference(logical, resource.line).text(), routing.text("Type").value
    if kind == "AllAtOnce":
        return ConfigSeen(asked_s=0.0, at_s=0.0, name=name, kind="all_at_once")
    if kind not in _KINDS:
        return None
    word, part, percentage, interval = _KINDS[kind]
    shift = routing.part(part)
    try:
        percent, minutes = float(shift.text(percentage).value), float(shift.text(interval).value)
    except ValueError:
        return None
    return ConfigSeen(asked_s=0.0, at_s=0.0, name=name, kind=word, step=percent / 100, interval_s=minutes * 60)
