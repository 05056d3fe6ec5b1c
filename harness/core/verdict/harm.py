"""Whether the release did harm, in three values; no data is never health.

Harm is measured at the users, in three ways: more requests failed by our faults or on the canary than is borne, the
canary failed more than the baseline over the same time, or it was slower. What is borne is what the alarms of the group
bear, where they count such failures, and else what the objective leaves. A good request that failed counts towards the
first only if the canary fails more than the baseline did, or while a fault of ours made the function fail: otherwise it
would have failed without the release.
"""

import math
from collections.abc import Iterator, Sequence
from functools import partial

from msgspec import Struct

from harness.core.experiment.types import Outcome
from harness.core.timeline.alarm_rules import Rule
from harness.core.timeline.events import Requests
from harness.core.timeline.stats import clopper_pearson, fisher_worse
from harness.core.verdict import unseen
from harness.core.verdict.breach import Fails, Weighed
from harness.core.verdict.composed import breach_of, weigh_by, weighs_of
from harness.core.verdict.effects import unproved
from harness.core.verdict.evidence import Evidence, by_status, count, failed, is_fault, reached_service
from harness.core.verdict.guards import Composed, guards_of, unevaluated_alarms, unread_alarms
from harness.core.verdict.measure import (
    SIGNIFICANT,
    Measures,
    arms_window,
    good_failures,
    headers_tell,
    metric_sum,
    trouble_hit_both,
)
from harness.core.verdict.slowness import harm_by_latency, slow_in_one_part
from harness.core.verdict.trial import gap_in_the_trial
from harness.core.verdict.types import ArmFacts

# Twenty good answers and no failure exclude a failure rate of 14 % at 95 %; fewer say next to nothing.
ENOUGH_ANSWERS = 20
SURE = 0.99
SMALLEST_P = 0.0001
"""Smaller chances are all told alike."""


class Harm(Struct, frozen=True):
    """Whether harm was done (None: not known), and why we say so: sentences with the numbers."""

    done: bool | None
    because: tuple[str, ...]


def harm_of(evidence: Evidence, measures: Measures) -> Harm:
    """Harm from the deployment's creation to the end of the run."""
    asked = (_unbearable(evidence), _worse(measures), harm_by_latency(evidence))
    harms = tuple(said for said in asked if said)
    return Harm(True, tuple(_in_turn(harms))) if harms else _healthy(evidence, measures)


def _in_turn(harms: Sequence[str]) -> Iterator[str]:
    """Several sentences about harm as one reads them, one after the other."""
    yield from harms[:1]
    for said in harms[1:]:
        yield said.replace("Harm was done:", "Harm was also done:", 1)


# More failures than are borne


def _unbearable(evidence: Evidence) -> str | None:
    """Failures beyond what the alarms of the group bear, were they to count what clients see, or the objective."""
    rolled_back = evidence.rollout.outcome is Outcome.ROLLED_BACK
    for guard, weighed in _weighed(evidence):
        # Where it depends on how minutes fall, a rollback says how they fell.
        if weighed.certain or rolled_back:
            return _beyond_the_alarm(evidence, guard, weighed)
    return None if unread_alarms(evidence) else _beyond_the_objective(evidence)


def _weighed(evidence: Evidence) -> list[tuple[Rule | Composed, Weighed]]:
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
    hurt, total = count(evidence.since, harm_for_none(evidence)), count(evidence.since)
    borne = 1 - evidence.experiment.objective.availability
    surely = clopper_pearson(hurt, total, confidence=SURE)
    if surely is None or surely[0] <= borne:
        return None
    return (
        f"Harm was done: {hurt} of {total} requests failed by our faults or on the canary, and no alarm of the group "
        f"says what is borne; the objective leaves {100 * borne:.3g} % of them."
    )


def _harm_for(evidence: Evidence, rule: Rule) -> Fails:
    """The harm that a rule weighs."""
    fails = _harm_by(evidence, rule)
    return lambda seen: rule.weighs(seen.status) and fails(seen)


def harm_for_none(evidence: Evidence) -> Fails:
    """The harm that no alarm weighs."""
    fails, weighing = _harm_by(evidence), [weighs_of(evidence, guard) for guard in guards_of(evidence)]
    return lambda seen: fails(seen) and not any(weighs(seen.status, seen.at_s) for weighs in weighing)


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
    if _never_had_traffic(evidence):
        return -math.inf
    at = rollout.release.ended or rollout.release.restored
    return at[0] if at else math.inf


def _is_harm(evidence: Evidence, seen: Requests, suspect: bool, rule: Rule | None) -> bool:
    if not failed(seen):
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


def _worse(measures: Measures) -> str | None:
    arms = measures.arms
    if arms.p_value is None or arms.p_value >= SIGNIFICANT:
        return None
    compared = "good requests" if arms.source == "response header" else "requests"
    return (
        f"Harm was done: the canary failed {_failures(arms.canary)}, the baseline {_failures(arms.baseline)} over the "
        f"same time (Fisher's exact test on the {compared}, one-sided, {_chance(arms.p_value)}, by {arms.source})."
    )


# No harm


def _healthy(evidence: Evidence, measures: Measures) -> Harm:
    """Health needs evidence: good answers by the canary, or a canary that surely never had traffic."""
    if evidence.release.created_s is None:
        return _unknown(_nothing_to_hold_against(evidence))
    if not evidence.since and evidence.rollout.run.sends:
        return _unknown("there was no traffic after the deployment's creation")
    if _never_had_traffic(evidence):
        return _healthy_without_canary(evidence)
    good = _good_answers(evidence, measures)
    if good is None:
        return _unknown("nothing tells which version answered a request")
    if good < ENOUGH_ANSWERS:
        return _unknown(f"the canary gave {good} good answers, and fewer than {ENOUGH_ANSWERS} say too little")
    if doubt := next((said for ask in _DOUBTS if (said := ask(evidence))), None):
        return _unknown(doubt)
    told = _told_good(evidence, measures, good)
    return Harm(False, (f"No harm was found: {told}{_excluded(evidence, measures.arms.canary)}.",))


def _told_good(evidence: Evidence, measures: Measures, good: int) -> str:
    """The good answers of the canary, as far as they were seen to be its."""
    if headers_tell(evidence.since):
        return f"the canary gave {good} good answers"
    if measures.arms.source == "cloudwatch":
        return f"CloudWatch counted {good} invocations of the canary without an error"
    return f"all good requests were answered well, about {good} of them by the canary, judging by its weight"


def _without_yardstick(evidence: Evidence) -> str | None:
    """Failures that nothing can be held against: an alarm of the group might bear them, or might not."""
    unread = unread_alarms(evidence) or [f"{name} ({why})" for name, why in unevaluated_alarms(evidence).items()]
    hurt = count(evidence.since, harm_for_none(evidence))
    if not unread or not hurt:
        return None
    return f"{hurt} requests failed by our faults or on the canary, and what {unread[0]} bears cannot be told"


def _breaching_by_chance(evidence: Evidence) -> str | None:
    guard = next((guard for guard, _ in _weighed(evidence)), None)
    if guard is None:
        return None
    return f"failures are more than the alarm ({guard}) bears in some {guard.period_s} s, but not however minutes fall"


def _worse_at_another_time(evidence: Evidence) -> str | None:
    if not worse_than_ever(evidence):
        return None
    return "the canary failed more than the baseline did, but not enough of it over the same time"


_DOUBTS = (
    slow_in_one_part,
    gap_in_the_trial,
    unproved,
    _without_yardstick,
    _breaching_by_chance,
    _worse_at_another_time,
    unseen.errors_not_told,
    unseen.failures_of_nobody,
    unseen.failures_of_others,
    unseen.unanswered,
    unseen.slower_at_another_time,
    unseen.objective_not_measured,
    unseen.alarm_beyond_sight,
)
"""What keeps good answers of the canary from proving that nobody was hurt."""


def _nothing_to_hold_against(evidence: Evidence) -> str:
    if not evidence.requests:
        return "no deployment was seen, and no request was sent"
    sent, bad = count(evidence.requests), count(evidence.requests, failed)
    return f"{sent} requests were sent and {bad} failed, but no deployment was seen to hold them against"


def _unknown(why: str) -> Harm:
    return Harm(None, (f"Whether harm was done is not known: {why}.",))


def _never_had_traffic(evidence: Evidence) -> bool:
    rollout = evidence.rollout
    if rollout.outcome is Outcome.PROMOTED or rollout.release.place != "baseline":
        return False
    answered = any(evidence.is_canary(seen.version) for seen in evidence.since)
    release = rollout.release
    invoked = release.canary and metric_sum(evidence, "Invocations", release.canary, (-math.inf, math.inf))
    away = release.shared or release.weights.splits or release.weights.whole or release.was_allowed
    return not (answered or invoked or away)


def _healthy_without_canary(evidence: Evidence) -> Harm:
    if not evidence.rollout.run.sends:
        return _unknown("the canary never had traffic")
    good = count(evidence.since, lambda seen: not failed(seen))
    if good < ENOUGH_ANSWERS:
        return _unknown(f"only {good} requests were answered well")
    return Harm(False, (f"No harm was found: the canary never had traffic, and {good} requests were answered well.",))


def _good_answers(evidence: Evidence, measures: Measures) -> int | None:
    """How many requests the canary answered well; None where nothing tells."""
    if not evidence.knows_canary:
        return None
    if headers_tell(evidence.since):
        return count(evidence.since, lambda seen: evidence.is_canary(seen.version) and not failed(seen))
    if measures.arms.source == "cloudwatch":
        return _good_invocations(evidence)
    return _likely_good_answers(evidence)


def _good_invocations(evidence: Evidence) -> int | None:
    canary, window = evidence.release.canary, arms_window(evidence)
    if canary is None or window is None:
        return None
    window = (window[0], evidence.until_s)
    invocations = metric_sum(evidence, "Invocations", canary, window)
    if invocations is None:
        return None
    return invocations - (metric_sum(evidence, "Errors", canary, window) or 0)


def _likely_good_answers(evidence: Evidence) -> int | None:
    """With nobody's good requests failing, the canary's did not either: its share of them is expected by weight."""
    window, release = arms_window(evidence), evidence.release
    if not (release.weights.split or release.weights.whole):
        return None  # no look showed the alias where CodeDeploy says it is
    weight = release.weight_at_end if release.weights.bake_weight is None else release.weights.bake_weight
    if window is None or weight is None:
        return None
    good = [seen for seen in evidence.since if seen.intent == "good" and window[0] <= seen.at_s < window[1]]
    if any(failed(seen) and seen.intent == "good" for seen in evidence.since):
        return None
    return int(count(good) * _weight(evidence, weight))


def _weight(evidence: Evidence, weight_at_end: float) -> float:
    step = evidence.release.config.step if evidence.release.config else None
    return min(weight_at_end, step) if step else weight_at_end


def _failures(arm: ArmFacts) -> str:
    return f"{arm.failures} of {arm.requests} requests"


def _excluded(evidence: Evidence, arm: ArmFacts) -> str:
    if arm.failure_interval is None or not evidence.release.shared:
        return ""
    low, high = arm.failure_interval
    return f"; {_failures(arm)} failed while both versions had traffic (95 % interval {low:.1%} to {high:.1%})"
