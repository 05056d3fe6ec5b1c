"""The alarms that guard the group: what their rules are, and which of them nobody can weigh failures by."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from harness.core.experiment.types import Alarm
from harness.core.timeline.alarm_rules import Rule, rule_of, rule_of_experiment, why_not_evaluated
from harness.core.timeline.composites import StateRule, below_composites, expanded, leaves
from harness.core.timeline.events import AlarmDefined, Requests
from harness.core.verdict.evidence import Evidence


class Composed(Struct, frozen=True, kw_only=True):
    """A composite alarm: its rule over alarms that are none, and those among them that failures put in ALARM.

    Only those children are in `counting` whose ALARM takes the composite towards ALARM: one under NOT is no guard.
    """

    name: str
    text: str
    rule: StateRule
    counting: Mapping[str, Rule]

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"

    @property
    def period_s(self) -> int:
        """The longest period of the children that count failures."""
        return max(rule.period_s for rule in self.counting.values())

    @property
    def step_s(self) -> int:
        """Seconds between two evaluations, as the slowest of those children is evaluated."""
        return max(rule.condition.step_s for rule in self.counting.values())


def guards_of(evidence: Evidence) -> tuple[Rule | Composed, ...]:
    """The alarms of the group that failures put in ALARM, composites as one alarm each.

    Where there is none, what the experiment says of its alarm, if it says anything.
    """
    guards = [guard for name in evidence.rollout.yardsticks if (guard := _guard(evidence, name))]
    if not guards and says_its_alarm(evidence):
        guards = [as_answered(rule, evidence) for rule in [rule_of_experiment(evidence.experiment.alarm)] if rule]
    return tuple(guards)


def as_answered(rule: Rule, evidence: Evidence) -> Rule:
    """The rule, with what the function's exceptions are answered in this release."""
    return replace(rule, unhandled_as_500=True) if evidence.unhandled_as_500 else rule


def says_its_alarm(evidence: Evidence) -> bool:
    """Whether the experiment says how its alarm counts; its name alone, which is also looked up on AWS, does not."""
    return replace(evidence.experiment.alarm, name=None) != Alarm()


def _guard(evidence: Evidence, name: str) -> Rule | Composed | None:
    definitions = evidence.rollout.alarms.definitions
    defined = definitions.get(name)
    if defined is None or defined.kind != "composite":
        rule = rule_of(defined) if defined else None
        return rule and as_answered(rule, evidence)
    whole = expanded(name, definitions)
    known = [(leaf.name, definitions[leaf.name]) for leaf in leaves(whole) if leaf.guards and leaf.name in definitions]
    counting = {child: as_answered(rule, evidence) for child, one in known if (rule := rule_of(one))}
    return Composed(name=name, text=defined.rule or "", rule=whole, counting=counting) if counting else None


def rules_of(evidence: Evidence) -> tuple[Rule, ...]:
    """The rules by which the group is guarded, each once, composites by their children that guard."""
    rules: dict[str | None, Rule] = {}
    for guard in guards_of(evidence):
        rules |= {rule.name: rule for rule in (guard.counting.values() if isinstance(guard, Composed) else [guard])}
    return tuple(rules.values())


def unread_alarms(evidence: Evidence) -> list[str]:
    """The alarms that guard the group and whose definitions nobody could read, unless the experiment says its alarm.

    An alarm of the group that does not exist guards nothing. A composite's child that does not exist is another matter:
    what the composite was meant to bear by it, and what CloudWatch makes of it, cannot be told.
    """
    alarms, named = evidence.rollout.alarms, evidence.rollout.yardsticks
    gone = alarms.missing.intersection(named)
    names = below_composites(named, alarms.definitions)
    unread = [name for name in names if name not in alarms.definitions and name not in gone]
    return [] if says_its_alarm(evidence) else unread


def unevaluated_alarms(evidence: Evidence) -> dict[str, str]:
    """The alarms that guard the group and whose value cannot be computed here, and why not."""
    definitions = evidence.rollout.alarms.definitions
    known = (
        definitions[name] for name in below_composites(evidence.rollout.yardsticks, definitions) if name in definitions
    )
    return {one.name: why for one in known if (why := _why_not_evaluated(one))}


def _why_not_evaluated(defined: AlarmDefined) -> str | None:
    # A composite that could be read is not among them: its children are.
    return "its rule cannot be read here" if defined.kind == "composite" else why_not_evaluated(defined)


def fed_to(rule: Rule, evidence: Evidence) -> list[Requests]:
    """The group's own requests that a rule counts; one on the canary's version alone gets the canary's answers alone.

    The dimensions are not looked at otherwise: what matters is what the alarm is meant to count.
    """
    only_canary, until_s = evidence.is_canary(rule.version), evidence.release.superseded_s
    return [
        seen
        for seen in evidence.own(evidence.requests)
        if seen.at_s < until_s and (not only_canary or seen.version is None or evidence.is_canary(seen.version))
    ]
