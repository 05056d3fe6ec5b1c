"""The looks at the control plane: each asks one thing and yields what it saw.

`KINDS` says how often each look is made, in experiment seconds, and in which order within a round: first what the
deployment says of itself, then what is so (alias, target, alarms), so that a round never shows an effect before its
cause. A look that cannot see raises `Blind`.
"""

import math
from collections.abc import Callable, Generator, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from harness.aws.appspec import hooks_of
from harness.aws.eyes import Blind, Eyes
from harness.aws.metric_looks import metrics_seen
from harness.aws.parsing import (
    LISTS_OF_ALARMS,
    UNDATED,
    Stamp,
    alarm_changed,
    alarm_seen,
    alarms_gone,
    alarms_of,
    alias_seen,
    config_seen,
    deployment_seen,
    group_seen,
    target_seen,
)
from harness.aws.sight import Sight, next_forward
from harness.core.foreign import mapping, sequence, text
from harness.core.timeline.alarm_definitions import alarm_defined
from harness.core.timeline.deployments import is_rollback, undoes
from harness.core.timeline.events import (
    AlarmChanged,
    AlarmDefined,
    DeploymentSeen,
    Event,
    NoDeployment,
    TargetSeen,
)
from harness.core.timeline.hooks import awaited_hook

BOTH_KINDS = ("MetricAlarm", "CompositeAlarm")
# Asked for apart, and only where an alarm is none of both: not every region or SDK knows this kind.
LOG_ALARMS = ("LogAlarm",)
UNKNOWN_KIND = ("ValidationError", "ValidationException", "InvalidParameterValue")
LOOK_BACK_S = 3600.0
OVERLAP_S = 300.0
BATCH_OF_DEPLOYMENTS = 25
BATCH_OF_ALARMS = 100
HISTORY_EVERY_S = 15.0
HISTORIES_A_ROUND = 2

Events = Iterator[Event]


def _group(eyes: Eyes, sight: Sight) -> Events:
    answer, stamp = eyes.ask("codedeploy", "get_deployment_group", **_where(sight))
    yield group_seen(answer.get("deploymentGroupInfo"), stamp)


def _config(eyes: Eyes, sight: Sight) -> Events:
    name = sight.config_wanted or ""
    answer, stamp = eyes.ask("codedeploy", "get_deployment_config", deploymentConfigName=name)
    yield config_seen(name, answer.get("deploymentConfigInfo"), stamp)


def _deployment_of_interest(eyes: Eyes, sight: Sight) -> Events:
    yield _deployment(eyes, sight.deployment_of_interest)


def _deployment(eyes: Eyes, deployment_id: str | None) -> Event:
    answer, stamp = eyes.ask("codedeploy", "get_deployment", deploymentId=deployment_id)
    return deployment_seen(answer.get("deploymentInfo"), stamp)


def _missing_deployment(eyes: Eyes, sight: Sight) -> Events:
    asked_s, first_listing = eyes.now(), sight.strangers is None
    candidates, forward = _unknown_deployments(eyes, sight), sight.release.forward
    if forward:
        found = next((seen for seen in candidates if undoes(seen, forward)), None)
    else:
        found = next_forward(candidates, first_listing=first_listing)
    if found and not sight.release.followed:
        sight.follow(found.deployment_id)
    sight.estrange(seen.deployment_id for seen in candidates if seen is not found and not _unexplained(seen))
    if found:
        yield found
    elif not sight.release.followed:
        yield NoDeployment(asked_s=asked_s, at_s=eyes.now())


def _later_deployments(eyes: Eyes, sight: Sight) -> Events:
    """What somebody else deploys while the run still looks at its own deployment."""
    seen = _unknown_deployments(eyes, sight)
    sight.estrange(one.deployment_id for one in seen if not _unexplained(one))
    yield from (one for one in seen if sight.is_later(one))


def _unknown_deployments(eyes: Eyes, sight: Sight) -> list[DeploymentSeen]:
    known = (sight.strangers or frozenset()) | {sight.release.followed, sight.release.rollback_id}
    return list(_details(eyes, [found for found in _listed_deployments(eyes, sight) if found not in known]))


def deployments_there(eyes: Eyes, sight: Sight) -> Iterator[DeploymentSeen]:
    """The deployments of the group within the last hour, rollbacks too; raises Blind."""
    return _details(eyes, _listed_deployments(eyes, sight))


def _unexplained(seen: DeploymentSeen) -> bool:
    # A rollback says only a moment after its creation what it undoes.
    return is_rollback(seen) and seen.rollback_of is None


def _listed_deployments(eyes: Eyes, sight: Sight) -> list[str]:
    since = {"start": eyes.date(sight.began_s - LOOK_BACK_S)}
    pages = eyes.pages("codedeploy", "list_deployments", **_where(sight), createTimeRange=since)
    return [name for page, _ in pages for name in map(text, sequence(page.get("deployments"))) if name]


def _details(eyes: Eyes, ids: Sequence[str]) -> Iterator[DeploymentSeen]:
    for some in _chunks(ids, BATCH_OF_DEPLOYMENTS):
        answer, stamp = eyes.ask("codedeploy", "batch_get_deployments", deploymentIds=some)
        seen = (deployment_seen(info, stamp) for info in sequence(answer.get("deploymentsInfo")))
        yield from (deployment for deployment in seen if isinstance(deployment, DeploymentSeen))


def _alias(eyes: Eyes, sight: Sight) -> Events:
    function, alias = sight.function or "", sight.alias or ""
    answer, stamp = eyes.ask("lambda", "get_alias", FunctionName=function, Name=alias)
    yield alias_seen(function, alias, answer, stamp)


def _target(eyes: Eyes, sight: Sight) -> Events:
    forward = sight.release.followed or ""
    try:
        target_id = sight.target_ids.get(forward) or _target_id(eyes, forward)
        if target_id is None:
            return
        answer, stamp = eyes.ask("codedeploy", "get_deployment_target", deploymentId=forward, targetId=target_id)
    except Blind as blind:
        if blind.failed.code == "DeploymentNotStartedException":
            return
        raise
    sight.target_ids[forward] = target_id
    seen = target_seen(forward, answer.get("deploymentTarget"), stamp)
    yield _with_its_hook(eyes, sight, seen) if isinstance(seen, TargetSeen) else seen


def _with_its_hook(eyes: Eyes, sight: Sight, seen: TargetSeen) -> TargetSeen:
    """The target with the function of a hook that does not report, of which only the AppSpec tells."""
    waiting = awaited_hook(seen)
    if waiting is None or waiting.script:
        return seen
    if seen.deployment_id not in sight.hooks:
        sight.hooks[seen.deployment_id] = _hooks(eyes, sight, seen.deployment_id)
    named = replace(waiting, script=sight.hooks[seen.deployment_id].get(waiting.name))
    return replace(seen, lifecycle=tuple(named if event is waiting else event for event in seen.lifecycle))


def _hooks(eyes: Eyes, sight: Sight, deployment_id: str) -> dict[str, str]:
    """The hook functions of a deployment by lifecycle event; none where that may not be read."""
    try:
        answer, _ = eyes.ask("codedeploy", "get_deployment", deploymentId=deployment_id)
        return hooks_of(eyes, sight.application, mapping(answer.get("deploymentInfo")).get("revision"))
    except Blind:
        return {}  # who may not read AppSpecs can watch all the same


def _target_id(eyes: Eyes, deployment_id: str) -> str | None:
    # What a Lambda target's id looks like is not documented, only where to get it.
    answer, _ = eyes.ask("codedeploy", "list_deployment_targets", deploymentId=deployment_id)
    return next((target for target in map(text, sequence(answer.get("targetIds"))) if target), None)


def _alarms(eyes: Eyes, sight: Sight) -> Events:
    asked: set[str] = set()
    while names := [name for name in sight.alarms if name not in asked]:  # a composite adds its children
        asked.update(names)
        for some in _chunks(names, BATCH_OF_ALARMS):
            yield from _some_alarms(eyes, sight, some)


def _some_alarms(eyes: Eyes, sight: Sight, names: Sequence[str]) -> Events:
    listed: set[str] = set()
    stamp = yield from _described(eyes, sight, names, BOTH_KINDS, listed)
    absent = [name for name in names if name not in listed]
    try:
        if absent:
            yield from _described(eyes, sight, absent, LOG_ALARMS, listed)
    except Blind as blind:
        if blind.failed.code not in UNKNOWN_KIND:
            raise
    yield from alarms_gone(absent, listed, stamp)


def _described(
    eyes: Eyes, sight: Sight, names: Sequence[str], kinds: Sequence[str], listed: set[str]
) -> Generator[Event, None, Stamp]:
    """The alarms of some kinds among `names`, each added to `listed`."""
    stamp = UNDATED
    for page, stamp in eyes.pages(
        "cloudwatch", "describe_alarms", AlarmNames=names, AlarmTypes=kinds, MaxRecords=BATCH_OF_ALARMS
    ):
        if not any(key in page for key in LISTS_OF_ALARMS):
            raise Blind(stamp.unreadable(f"none of {', '.join(LISTS_OF_ALARMS)}"))
        for alarm in alarms_of(page):
            listed.add(text(alarm.get("AlarmName")) or "")
            definition = alarm_defined(alarm, asked_s=stamp.asked_s, at_s=stamp.at_s)
            if definition and not _same(definition, sight.rollout.alarms.definitions.get(definition.name)):
                yield definition
            yield alarm_seen(alarm, stamp)
    return stamp


def _same(one: AlarmDefined, other: AlarmDefined | None) -> bool:
    return other is not None and replace(one, asked_s=other.asked_s, at_s=other.at_s) == other


def _history(eyes: Eyes, sight: Sight) -> Events:
    for name in _history_due(eyes, sight):
        sight.history_asked_s[name] = eyes.now()
        try:
            yield from _changes(eyes, sight, name)
        except Blind as blind:
            yield blind.failed


def _history_due(eyes: Eyes, sight: Sight) -> Sequence[str]:
    """The alarms whose history was read longest ago, so few a round that many alarms stay far under the quota."""
    if sight.last_looks:
        return sight.alarms
    asked_s = {name: sight.history_asked_s.get(name, -math.inf) for name in sight.alarms}
    due = (name for name in sight.alarms if eyes.now() - asked_s[name] >= HISTORY_EVERY_S)
    return sorted(due, key=lambda name: asked_s[name])[:HISTORIES_A_ROUND]


def _changes(eyes: Eyes, sight: Sight, name: str) -> Events:
    asked_s = None
    since_s = sight.began_s - LOOK_BACK_S
    for page, stamp in eyes.pages(
        "cloudwatch",
        "describe_alarm_history",
        AlarmName=name,
        AlarmTypes=BOTH_KINDS,
        HistoryItemType="StateUpdate",
        StartDate=eyes.date(sight.history_read_s.get(name, since_s)),
        ScanBy="TimestampAscending",
        MaxRecords=100,
    ):
        asked_s = stamp.asked_s if asked_s is None else asked_s
        for item in map(mapping, sequence(page.get("AlarmHistoryItems"))):
            change = alarm_changed(item, stamp)
            if not (isinstance(change, AlarmChanged) and sight.rollout.alarms.has(change)):
                yield change
    if asked_s is not None:
        sight.history_read_s[name] = max(asked_s - OVERLAP_S, since_s)


def _where(sight: Sight) -> dict[str, str | None]:
    return {"applicationName": sight.application, "deploymentGroupName": sight.group}


def _chunks(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))


class LookKind(Struct, frozen=True):
    """One kind of look: made every `every_s` seconds of experiment time while `wanted`."""

    name: str
    every_s: float
    wanted: Callable[[Sight], bool]
    read: Callable[[Eyes, Sight], Events]


def _has_group(sight: Sight) -> bool:
    return bool(sight.application and sight.group)


KINDS = (
    # Once, and again until it was seen.
    LookKind("group", 5.0, lambda sight: _has_group(sight) and sight.rollout.run.group is None, _group),
    # CodeDeploy publishes no rates; bursts of about 41 GetDeployment calls a minute are known to have been throttled.
    # One call for either, so that the one that undoes the other does not double the rate.
    LookKind("deployment", 5.0, lambda sight: sight.deployment_of_interest is not None, _deployment_of_interest),
    LookKind("missing deployment", 5.0, lambda sight: _has_group(sight) and sight.searching, _missing_deployment),
    LookKind("later deployments", 30.0, lambda sight: _has_group(sight) and not sight.searching, _later_deployments),
    LookKind("config", 5.0, lambda sight: sight.config_wanted is not None, _config),
    # As often as the deployment, so that both views of one shift lie within one round.
    LookKind("alias", 5.0, lambda sight: bool(sight.function and sight.alias), _alias),
    LookKind("target", 5.0, lambda sight: sight.release.followed is not None, _target),
    # DescribeAlarms: 9 times a second in a region. CodeDeploy itself reads alarms about each 10 s.
    LookKind("alarms", 5.0, lambda sight: bool(sight.alarms), _alarms),
    # DescribeAlarmHistory: 3 times a second, and each alarm is a call. Its dates are exact, so it can wait.
    LookKind("history", 5.0, lambda sight: bool(sight.alarms), _history),
    # Lambda publishes its metrics once a minute.
    LookKind("metrics", 30.0, lambda sight: sight.function is not None, metrics_seen),
)
