"""What failures would do to the alarms of the group, composites among them: those are what their expression says.

A child that guards is in the state in which these failures put it. Any other one, such as one under NOT, is in the
state that CloudWatch showed, else in the one that its own rule comes to; where neither is known, it is not known.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache

from msgspec import Struct

from harness.core.timeline.alarm_rules import LATENCY_METRICS, Rule, read_rule
from harness.core.timeline.alarm_states import Turn
from harness.core.timeline.composites import ChildIs, holds, leaves
from harness.core.timeline.metric_math import NotEvaluated
from harness.core.verdict.breach import Fails, Weighed, breach_s, in_alarm, turns_of, weigh, weighed
from harness.core.verdict.evidence import Evidence, failed
from harness.core.verdict.guards import Composed, fed_to

LATEST_S = 150.0
"""How long after the requests CloudWatch may show the state that they led to."""
FailsFor = Callable[[Rule], Fails]
"""The failures that are meant, as far as one rule weighs them."""


class _Shown(Struct, frozen=True):
    """The states of a child, and how late each may have been shown."""

    turns: Sequence[Turn]
    late_s: float

    def holds(self, leaf: ChildIs, at_s: float) -> bool | None:
        """Whether a leaf was true for requests up to an instant; None where the state is not known, or changed."""
        values = {leaf.holds_in(state) for state in self._states(at_s, at_s + self.late_s)}
        return values.pop() if len(values) == 1 else None

    def _states(self, low: float, high: float) -> set[str]:
        if not self.turns or self.turns[0].since[1] > high:
            return set()
        ends = [*(turn.since[1] for turn in self.turns[1:]), float("inf")]
        return {
            turn.state for turn, end_s in zip(self.turns, ends, strict=True) if turn.since[0] <= high and end_s > low
        }


def weigh_by(evidence: Evidence, guard: Rule | Composed, fails: FailsFor) -> Weighed | None:
    """Whether these failures put an alarm in ALARM, in some way in which minutes can fall, or in each."""
    over = evidence.rollout.run.ended is not None
    if isinstance(guard, Rule):
        return weigh(guard, fed_to(guard, evidence), fails(guard), over=over)
    shown = _shown(evidence, guard)
    held = {name: in_alarm(rule, fed_to(rule, evidence), fails(rule), over=over) for name, rule in _rules(guard)}
    phases = range(guard.step_s)
    return weighed([_first_end(guard, shown, {name: at(phase_s) for name, at in held.items()}) for phase_s in phases])


def breach_of(evidence: Evidence, guard: Rule | Composed, fails: FailsFor) -> float | None:
    """When an alarm would have breached by failures since the creation, as AWS's minutes fall.

    It may be after the end of the timeline where nothing can undo the breach: failures add up, but a rate may fall.
    """
    created_s, epoch_s = evidence.release.created_s, evidence.rollout.run.aws_epoch_s
    if created_s is None:
        return None
    since_s, over = created_s // 1, evidence.rollout.run.ended is not None

    def since(rule: Rule) -> Fails:
        meant = fails(rule)
        return lambda seen: seen.at_s >= since_s and meant(seen)

    if isinstance(guard, Rule):
        end_s = breach_s(guard, fed_to(guard, evidence), epoch_s, since(guard))
        is_certain = guard.only_grows or over
    else:
        phase_s = -int(epoch_s // 1) % guard.step_s
        held = {name: in_alarm(rule, fed_to(rule, evidence), since(rule), over=True) for name, rule in _rules(guard)}
        end_s = _first_end(guard, _shown(evidence, guard), {name: at(phase_s) for name, at in held.items()})
        is_certain = over
    return end_s if end_s is not None and (is_certain or end_s <= evidence.end_s) else None


def weighs_of(evidence: Evidence, guard: Rule | Composed) -> Callable[[int, float], bool]:
    """Whether failures of a status at an instant are weighed by an alarm: enough of them would put it in ALARM then.

    A composite that other children hold back, or may hold back, weighs nothing.
    """
    if isinstance(guard, Rule):
        return lambda status, _: guard.weighs(status)
    shown = _shown(evidence, guard)

    @cache
    def weighs(status: int, at_s: float) -> bool:
        def told(leaf: ChildIs) -> bool | None:
            rule = _counting(guard, leaf)
            return shown[leaf.name].holds(leaf, at_s) if rule is None else rule.weighs(status)

        return holds(guard.rule, told) is True

    return weighs


def holding_back(evidence: Evidence, guard: Composed, times: Collection[float]) -> Iterator[tuple[str, bool | None]]:
    """The other children by which a composite weighs nothing at some of these times; None where it is not known."""
    shown = _shown(evidence, guard)
    for leaf in dict.fromkeys(leaves(guard.rule)):
        if _counting(guard, leaf) is None:
            values = {shown[leaf.name].holds(leaf, at_s) for at_s in times}
            if values - {True}:
                yield leaf.name, None if None in values else False


def _rules(guard: Composed) -> Sequence[tuple[str, Rule]]:
    return tuple(guard.counting.items())


def _counting(guard: Composed, leaf: ChildIs) -> Rule | None:
    return guard.counting.get(leaf.name) if leaf.guards else None


def _first_end(guard: Composed, shown: Mapping[str, _Shown], held: Mapping[str, Mapping[int, int]]) -> int | None:
    """The first instant at which the expression is true because of failures; `held` are times in ALARM, by begin."""
    for at_s in sorted({begin_s for times in held.values() for begin_s in times}):

        def told(leaf: ChildIs, failing: bool = True, at_s: int = at_s) -> bool | None:
            if _counting(guard, leaf) is None:
                return shown[leaf.name].holds(leaf, at_s)
            return failing and any(begin_s <= at_s < end_s for begin_s, end_s in held[leaf.name].items())

        if holds(guard.rule, told) is True and holds(guard.rule, lambda leaf: told(leaf, failing=False)) is not True:
            return at_s
    return None


def _shown(evidence: Evidence, guard: Composed) -> dict[str, _Shown]:
    """What is known of the children, by name."""
    return {leaf.name: _shown_of(evidence, leaf.name) for leaf in leaves(guard.rule)}


def _shown_of(evidence: Evidence, name: str) -> _Shown:
    watched = evidence.rollout.alarms.turns(name)
    return _Shown(watched, LATEST_S) if watched else _Shown(_computed(evidence, name), 0.0)


def _computed(evidence: Evidence, name: str) -> Sequence[Turn]:
    """The states of a child by its own rule and the answers that it counts; none where they do not tell."""
    defined = evidence.rollout.alarms.definitions.get(name)
    if defined is None:
        return ()
    try:
        rule = read_rule(defined)
    except NotEvaluated:
        return ()
    if any(metric.metric in LATENCY_METRICS for metric in rule.metrics):
        return ()
    counted = [seen for seen in evidence.requests if rule.may_count(seen.version)]
    epoch_s = evidence.rollout.run.aws_epoch_s
    return turns_of(rule, counted, epoch_s, lambda seen: failed(seen) and rule.counts(seen.status))
