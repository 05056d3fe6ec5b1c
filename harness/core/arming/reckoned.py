"""The setting that a snapshot describes, be it of AWS or of a template: what the odds reckon with."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from harness.core.arming.judged import why_not_judged
from harness.core.arming.metric_names import LAMBDA
from harness.core.arming.snapshot import Snapshot
from harness.core.odds.reckonable import why_not_reckoned
from harness.core.odds.setting import Counted, FaultModel, Setting, Watch
from harness.core.timeline.alarm_rules import FAILURE_METRICS, read_rule
from harness.core.timeline.composites import NEVER, ChildIs, SomeOf, StateRule, can_be_read, expanded, leaves
from harness.core.timeline.events import AlarmDefined
from harness.core.timeline.metric_math import NotEvaluated

ON_ALARM = "DEPLOYMENT_STOP_ON_ALARM"
SHORTEST_PERIOD_S = 60
ALWAYS = SomeOf(0, ())
_SPLIT = (
    "The group does not roll back on an alarm: one stops the deployment and leaves the alias split, which is not "
    "reckoned as a rollback."
)


class Reckoned(Struct, frozen=True, kw_only=True):
    """A setting, what was taken for granted to come to it, and what of the group is left out of it, and why."""

    setting: Setting
    assumed: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()


def reckoned(snapshot: Snapshot, *, rate: tuple[tuple[float, float], ...], fault: FaultModel) -> Reckoned:
    """The setting of a group with such traffic and such a fault; raises Unseen where the group was not seen."""
    group, config = snapshot.group(), snapshot.config()
    watches, why_not, assumed = dict[str, Watch](), dict[str, str](), list[str]()
    for alarm in snapshot.alarms() if group.alarms else ():
        why = _why_not(alarm)
        if why:
            why_not[alarm.name] = why
            continue
        counts, taken = _counted(snapshot, alarm)
        watches[alarm.name] = Watch(name=alarm.name, rule=read_rule(alarm), counts=counts)
        assumed += taken
    rolls_back = ON_ALARM in group.rollback_events
    held_back = {*_only_hold_back(snapshot, watches)}
    unsaid = [f"{name} is not reckoned with: {why}." for name, why in why_not.items() if name not in held_back]
    unsaid += [_SPLIT] if group.alarms and group.alarms_enabled and not rolls_back else []
    unsaid += _left_out(snapshot, watches)
    assumed += _held_back(snapshot, watches)
    guards = {name: _guard(snapshot, name, watches) for name in group.alarms} if group.alarms_enabled else {}
    return Reckoned(
        setting=Setting(
            config=config,
            watches=tuple(watches.values()),
            guards=tuple(guard for guard in guards.values() if guard and rolls_back),
            left_out=tuple(name for name, guard in guards.items() if guard is None and rolls_back),
            rate=rate,
            fault=fault,
        ),
        assumed=tuple(dict.fromkeys(assumed)),
        unsaid=tuple(dict.fromkeys(unsaid)),
    )


def _guard(snapshot: Snapshot, name: str, watches: Mapping[str, Watch]) -> StateRule | None:
    """When an alarm of the group is in ALARM; None where that hangs on what is not reckoned with."""
    definitions = {one.name: one for one in snapshot.sighted(AlarmDefined)}
    if name not in definitions:
        return None
    only_hold_back = {*_only_hold_back(snapshot, watches)}
    rule = _let_go(expanded(name, definitions), only_hold_back)
    return rule if all(leaf.name in watches for leaf in leaves(rule)) else None


def _let_go(rule: StateRule, names: set[str]) -> StateRule:
    """The rule while these alarms are OK."""
    if isinstance(rule, ChildIs):
        return rule if rule.name not in names else ALWAYS if rule.holds_in("OK") else NEVER
    return SomeOf(rule.needed, tuple(_let_go(one, names) for one in rule.of))


def _only_hold_back(snapshot: Snapshot, watches: Mapping[str, Watch]) -> Iterator[str]:
    """Alarms that are not reckoned with, and that no composite needs in ALARM."""
    guards = {alarm.name for alarm in snapshot.guards()}
    for composite in snapshot.composites():
        yield from (name for name in snapshot.holding_back(composite) if name not in watches and name not in guards)


def _held_back(snapshot: Snapshot, watches: Mapping[str, Watch]) -> Iterator[str]:
    for name in _only_hold_back(snapshot, watches):
        yield f"{name} is taken to be OK: it can do no more than hold a composite back."


def _left_out(snapshot: Snapshot, watches: Mapping[str, Watch]) -> Iterator[str]:
    """Composites that nobody can say anything of."""
    definitions = {one.name: one for one in snapshot.sighted(AlarmDefined)}
    known = {*watches, *_only_hold_back(snapshot, watches)}
    for composite in snapshot.composites():
        unknown = [leaf.name for leaf in leaves(expanded(composite.name, definitions)) if leaf.name not in known]
        if not can_be_read(composite.rule):
            yield f"{composite.name} is not reckoned with: its rule cannot be read here."
        elif unknown:
            yield f"{composite.name} is not reckoned with: it hangs on {', '.join(dict.fromkeys(unknown))}."


def _why_not(alarm: AlarmDefined) -> str | None:
    """Why an alarm has no chances that could be computed; None where it has."""
    try:
        rule = read_rule(alarm)
    except NotEvaluated as reason:
        return str(reason)
    return why_not_reckoned(rule) or why_not_judged(alarm)


def _counted(snapshot: Snapshot, alarm: AlarmDefined) -> tuple[Counted, list[str]]:
    """Whose requests an alarm counts, and what was taken for granted about that."""
    rule = read_rule(alarm)
    metric = next((one for one in rule.metrics if one.metric in FAILURE_METRICS), rule.metrics[0])
    if metric.namespace != LAMBDA:
        return "all", [f"Every request comes through what {alarm.name} watches ({metric.namespace})."]
    names, function = metric.dimensions, snapshot.function
    if not names:
        return "all", [f"{alarm.name} counts all functions of the account; only this one's requests are reckoned with."]
    resource = names.get("Resource", f"{function}:{snapshot.alias_name}")
    right = names.get("FunctionName") == function and resource == f"{function}:{snapshot.alias_name}"
    if not right or not names.keys() <= {"FunctionName", "Resource", "ExecutedVersion"}:
        return "nothing", []
    return _of_version(snapshot, alarm.name, names.get("ExecutedVersion"))


def _of_version(snapshot: Snapshot, name: str, version: str | None) -> tuple[Counted, list[str]]:
    if version is None:
        return "all", []
    wanted, live = snapshot.experiment.deployment.target_version, snapshot.alias().version
    if version == wanted or (version != live and not wanted):
        return "canary", []
    if version == live and not wanted:
        return "canary", [
            f"Each deployment moves {name} to its own version; as it stands, it counts version {version}."
        ]
    return "baseline", []
