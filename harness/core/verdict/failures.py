"""Failures that are harm: more of them than is borne, or more on the canary than on the baseline.

What is borne is what the alarms of the group bear, where they count such failures, and else what the objective leaves.
A good request that failed counts towards that only if the canary fails more than the baseline did, or while a fault of
ours made the function fail: otherwise it would have failed without the release.
"""

import math
from collections.abc import Sequence
from functools import partial

from harness.core.experiment.types import Outcome
from harness.core.timeline.alarm_rules import Rule
from harness.core.timeline.events import Requests
from harness.core.timeline.stats import clopper_pearson, fisher_worse
from harness.core.verdict.breach import Fails, Weighed
from harness.core.verdict.composed import breach_of, holding_back, weigh_by, weighs_of
from harness.core.verdict.evidence import Evidence, by_status, count, failed, is_fault, reached_service
from harness.core.verdict.guards import Composed, guards_of, unevaluated_alarms, unread_alarms
from harness.core.verdict.measure import (
    SIGNIFICANT,
    Measures,
    good_failures,
    headers_tell,
    metric_sum,
    trouble_hit_both,
)
from harness.core.verdict.trial import never_had_traffic
from harness.core.verdict.types import ArmFacts

SURE = 0.99
SMALLEST_P = 0.0001
"""Smaller chances are all told alike."""

# More failures than are borne


def unbearable(evidence: Evidence) -> str | None:
    """Failures beyond what the alarms of the group bear, were they to count what clients see, or the objective."""
    rolled_back = evidence.rollout.outcome is Outcome.ROLLED_BACK
    for guard, weighed in weighed_harm(evidence):
        # Where it depends on how minutes fall, a rollback says how they fell.
        if weighed.certain or rolled_back:
            return _beyond_the_alarm(evidence, guard, weighed)
    return None if _lacks_yardstick(evidence) else _beyond_the_objective(evidence)


def _lacks_yardstick(evidence: Evidence) -> bool:
    """Whether an alarm may bear failures that nobody can weigh by it; of a composite's child, its state is enough."""
    unknown = (
        name
        for name in unevaluated_alarms(evidence)
        if name in evidence.rollout.yardsticks or not evidence.rollout.alarms.turns(name)
    )
    return bool(unread_alarms(evidence)) or any(unknown) or bool(untold_by_composites(evidence))


def untold_by_composites(evidence: Evidence) -> dict[str, str]:
    """The composites that may bear failures, in that nobody knows the state of another child, and why not."""
    composites = [guard for guard in guards_of(evidence) if isinstance(guard, Composed)]
    fails = harm_for_none(evidence) if composites else None
    hurt = [seen for seen in evidence.since if fails and fails(seen)]
    return {
        guard.name: f"the state of {name} is not known"
        for guard in composites
        for name, holds in holding_back(evidence, guard, {seen.at_s for seen in _meant_for(guard, hurt)})
        if holds is None
    }


def _meant_for(guard: Composed, hurt: Sequence[Requests]) -> list[Requests]:
    return [seen for seen in hurt if any(rule.weighs(seen.status) for rule in guard.counting.values())]


def weighed_harm(evidence: Evidence) -> list[tuple[Rule | Composed, Weighed]]:
    """The alarms that the harm puts in ALARM, whichever way minutes fall or only in some way."""
    by_guard = [(guard, weigh_by(evidence, guard, partial(_harm_for, evidence))) for guard in guards_of(evidence)]
    return [(guard, weighed) for guard, weighed in by_guard if weighed]


def _beyond_the_alarm(evidence: Evidence, guard: Rule | Composed, weighed: Weighed) -> str:
    end_s = breach_of(evidence, guard, partial(_harm_for, evidence)) or weighed.end_s
    verb = "ended" if end_s <= evidence.end_s else "ends"
    after_s = end_s - (evidence.release.created_s or 0.0)
    return (
        f"Harm was done: more requests failed than the alarm ({guard}) is meant to bear, first in the period that "
        f"{verb} {after_s:.0f} s after the creation{_not_counted(evidence, guard)}."
    )


def _not_counted(evidence: Evidence, guard: Rule | Composed) -> str:
    """The failures that are held against an alarm as if it counted them, where its metric does not."""
    rules = guard.counting.values() if isinstance(guard, Composed) else [guard]
    harms = [(rule, _harm_for(evidence, rule)) for rule in rules]
    weighed = [seen for seen in evidence.since if seen.http and any(fails(seen) for _, fails in harms)]
    unseen = [seen for seen in weighed if not any(rule.counts(seen.status) for rule in rules)]
    metrics = dict.fromkeys(rule.metric for rule in rules)
    return f"; {' and '.join(metrics)} does not count {by_status(unseen)} among them" if unseen else ""


def _beyond_the_objective(evidence: Evidence) -> str | None:
    """Failures that no alarm weighs, held against the objective."""
    hurt, total = count(evidence.since, harm_for_none(evidence)), count(evidence.own(evidence.since))
    borne = 1 - evidence.experiment.objective.availability
    surely = clopper_pearson(hurt, total, confidence=SURE)
    if surely is None or surely[0] <= borne:
        return None
    return (
        f"Harm was done: {hurt} of {total} requests failed by our faults or on the canary, and no alarm of the group "
        f"says what is borne; the objective leaves {100 * borne:.3g} % of them."
    )


def is_borne(evidence: Evidence, within: Sequence[Requests], fails: Fails) -> bool:
    """Whether failures are no more than what the alarms of the group bear or, where none weighs them, the objective."""
    times = {seen.at_s for seen in within}

    def weighed(rule: Rule) -> Fails:
        return lambda seen: seen.at_s in times and rule.weighs(seen.status) and fails(seen)

    guards = guards_of(evidence)
    if any(weigh_by(evidence, guard, weighed) for guard in guards):
        return False
    weighing = [weighs_of(evidence, guard) for guard in guards]
    rest = count(within, lambda seen: fails(seen) and not any(weighs(seen.status, seen.at_s) for weighs in weighing))
    return rest <= (1 - evidence.experiment.objective.availability) * count(within)


def _harm_for(evidence: Evidence, rule: Rule) -> Fails:
    """The harm that a rule weighs."""
    fails = _harm_by(evidence, rule)
    return lambda seen: rule.weighs(seen.status) and fails(seen)


def harm_for_none(evidence: Evidence) -> Fails:
    """The harm that no alarm weighs."""
    fails, weighing = _harm_by(evidence), [weighs_of(evidence, guard) for guard in guards_of(evidence)]
    return lambda seen: fails(seen) and not any(weighs(seen.status, seen.at_s) for weighs in weighing)


def harm_for_any(evidence: Evidence) -> Fails:
    """All harm by the canary or by our faults, also what an alarm weighs and bears."""
    return _harm_by(evidence)


def _harm_by(evidence: Evidence, rule: Rule | None = None) -> Fails:
    """Which requests were harmed by the canary or by our faults, as far as a rule may see more than the service's."""
    created_s, over_s = evidence.release.created_s, _answered_s(evidence)
    suspect = worse_than_ever(evidence) and not trouble_hit_both(evidence)
    since_s = math.inf if created_s is None else math.floor(created_s)
    return lambda seen: since_s <= seen.at_s < over_s and _is_harm(evidence, seen, suspect, rule)


def _answered_s(evidence: Evidence) -> float:
    """Until when a failure can be what a rollback answered; never where the canary had no traffic before it."""
    rollout = evidence.rollout
    if rollout.outcome is not Outcome.ROLLED_BACK:
        return math.inf
    if never_had_traffic(evidence):
        return -math.inf
    at = rollout.release.ended or rollout.release.restored
    return at[0] if at else math.inf


def _is_harm(evidence: Evidence, seen: Requests, suspect: bool, rule: Rule | None) -> bool:
    if not failed(seen) or evidence.is_unclear(seen):
        return False
    if is_fault(seen):
        # A refusal of the caller is no failure of the service, unless the alarm is one on refusals.
        return reached_service(seen) or (rule is not None and rule.counts(seen.status))
    if any(fault.hurts_service and fault.lasts(seen.at_s) for fault in evidence.faults):
        return True
    # API Gateway's own 5xx names no version; a refusal without one says nothing of the canary.
    by_canary = evidence.is_canary(seen.version) or (seen.version is None and (seen.status >= 500 or not seen.http))
    return suspect and by_canary


# A canary worse than the baseline


def worse_than_ever(evidence: Evidence) -> bool:
    """Whether the canary, from the creation on, failed significantly more than the baseline did in the whole run.

    This is not over the same time, so it proves nothing alone. True if there never was a baseline to compare with.
    """
    canary, baseline = _whole_run(evidence)
    chance = fisher_worse(canary, baseline)
    return chance < SIGNIFICANT if chance is not None else canary[1] > 0


def _whole_run(evidence: Evidence) -> tuple[tuple[int, int], tuple[int, int]]:
    """Failures and requests of the canary and of the baseline; none where nothing tells them apart."""
    if headers_tell(evidence.requests):
        canary = [seen for seen in evidence.since if evidence.is_canary(seen.version)]
        baseline = [seen for seen in evidence.requests if evidence.is_baseline(seen.version)]
        return good_failures(canary), good_failures(baseline)
    return _by_metric(evidence, evidence.release.canary), _by_metric(evidence, evidence.release.baseline)


def _by_metric(evidence: Evidence, version: str | None) -> tuple[int, int]:
    if version is None:
        return 0, 0
    always = (-math.inf, math.inf)
    requests = metric_sum(evidence, "Invocations", version, always) or 0
    return min(requests, metric_sum(evidence, "Errors", version, always) or 0), requests


def _chance(p_value: float) -> str:
    return f"p = {p_value:.1g}" if p_value >= SMALLEST_P else f"p < {SMALLEST_P:g}"


def worse_than_the_baseline(measures: Measures) -> str | None:
    """The canary failed significantly more than the baseline over the same time."""
    arms = measures.arms
    if arms.p_value is None or arms.p_value >= SIGNIFICANT:
        return None
    compared = "good requests" if arms.source == "response header" else "requests"
    canary, baseline = failures_in_words(arms.canary), failures_in_words(arms.baseline)
    return (
        f"Harm was done: the canary failed {canary}, the baseline {baseline} over the same time (Fisher's exact test "
        f"on the {compared}, one-sided, {_chance(arms.p_value)}, by {arms.source})."
    )


def failures_in_words(arm: ArmFacts) -> str:
    """How many of an arm's requests failed."""
    return f"{arm.failures} of {arm.requests} requests"
