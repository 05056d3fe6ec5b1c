"""Health needs evidence: what proves that nobody was hurt, and what leaves a doubt."""

from harness.core.verdict import before, unseen
from harness.core.verdict.durations import durations_of, slower_by_cloudwatch
from harness.core.verdict.effects import unproved
from harness.core.verdict.evidence import Evidence, by_status, count, failed
from harness.core.verdict.failures import (
    failures_in_words,
    harm_for_any,
    harm_for_none,
    untold_by_composites,
    weighed_harm,
    worse_than_ever,
)
from harness.core.verdict.guards import unevaluated_alarms, unread_alarms
from harness.core.verdict.measure import Measures, arms_window, headers_tell, metric_sum
from harness.core.verdict.slowness import slow_by_a_late_generator, slow_in_one_part
from harness.core.verdict.trial import gap_in_the_trial, never_had_traffic
from harness.core.verdict.types import ArmFacts

# Twenty good answers and no failure exclude a failure rate of 14 % at 95 %; fewer say next to nothing.
ENOUGH_ANSWERS = 20


def doubt_of(evidence: Evidence, measures: Measures) -> str | None:
    """Why nobody knows whether harm was done; None where the canary answered well, or surely never had traffic."""
    if evidence.release.created_s is None:
        return _nothing_to_hold_against(evidence)
    if not evidence.since and evidence.rollout.run.sends:
        return "there was no traffic after the deployment's creation"
    if never_had_traffic(evidence):
        return _doubt_without_canary(evidence)
    if of_others := _failures_of_any_group(evidence):
        return of_others
    good = _good_answers(evidence, measures)
    if good is None and evidence.unclear:
        return f"nothing tells which group's function answered {count(evidence.unclear)} requests"
    if good is None:
        return "nothing tells which version answered a request"
    if good < ENOUGH_ANSWERS:
        return f"the canary gave {good} good answers, and fewer than {ENOUGH_ANSWERS} say too little"
    # Requests that may be another group's would water down those that are not.
    own = evidence.of_its_own
    views = [evidence] if own is evidence or not own.since else [evidence, own]
    return next((said for view in views for ask in _DOUBTS if (said := ask(view))), None)


def health_in_words(evidence: Evidence, measures: Measures) -> str:
    """What proves that nobody was hurt, where nothing leaves a doubt."""
    if never_had_traffic(evidence):
        good = _answered_well(evidence)
        return f"No harm was found: the canary never had traffic, and {good} requests were answered well."
    good = _good_answers(evidence, measures) or 0
    return f"{_told_good(evidence, measures, good)}{_excluded(evidence, measures.arms.canary)}{_nameless(evidence)}."


def _nothing_to_hold_against(evidence: Evidence) -> str:
    if not evidence.requests:
        return "no deployment was seen, and no request was sent"
    sent, bad = count(evidence.requests), count(evidence.requests, failed)
    return f"{sent} requests were sent and {bad} failed, but no deployment was seen to hold them against"


def _doubt_without_canary(evidence: Evidence) -> str | None:
    if not evidence.rollout.run.sends:
        return "the canary never had traffic"
    good = _answered_well(evidence)
    return f"only {good} requests were answered well" if good < ENOUGH_ANSWERS else None


def _answered_well(evidence: Evidence) -> int:
    return count(evidence.own(evidence.since), lambda seen: not failed(seen))


# What leaves a doubt


def _failures_of_any_group(evidence: Evidence) -> str | None:
    """Failed requests that this group of the run may have answered, or another one."""
    hurt = [seen for seen in evidence.unclear if failed(seen)]
    if not hurt:
        return None
    return f"{count(hurt)} requests failed ({by_status(hurt)}), and nothing tells which group's function answered them"


def _without_yardstick(evidence: Evidence) -> str | None:
    """Failures that nothing can be held against: an alarm of the group might bear them, or might not."""
    unread = unread_alarms(evidence)  # they may bear less than those that could be read
    unknown = {**unevaluated_alarms(evidence), **untold_by_composites(evidence)}
    untold = unread or [f"{name} ({why})" for name, why in unknown.items()]
    hurt = count(evidence.since, harm_for_any(evidence) if unread else harm_for_none(evidence))
    if not untold or not hurt:
        return None
    return f"{hurt} requests failed by our faults or on the canary, and what {untold[0]} bears cannot be told"


def _breaching_by_chance(evidence: Evidence) -> str | None:
    guard = next((guard for guard, _ in weighed_harm(evidence)), None)
    if guard is None:
        return None
    return f"failures are more than the alarm ({guard}) bears in some {guard.period_s} s, but not however minutes fall"


def _worse_at_another_time(evidence: Evidence) -> str | None:
    if not worse_than_ever(evidence) or not count(evidence.since, harm_for_any(evidence)):
        return None
    return "the canary failed more than the baseline did, but not enough of it over the same time"


_DOUBTS = (
    gap_in_the_trial,
    slow_in_one_part,
    slow_by_a_late_generator,
    unproved,
    _without_yardstick,
    _breaching_by_chance,
    before.more_errors_than_before,
    _worse_at_another_time,
    unseen.errors_not_told,
    before.failures_of_nobody,
    unseen.failures_of_others,
    before.unanswered,
    before.more_than_before,
    unseen.objective_missed_by_both,
    unseen.slower_by_a_few,
    unseen.slower_at_another_time,
    slower_by_cloudwatch,
    unseen.objective_not_measured,
    unseen.alarm_beyond_sight,
)
"""What keeps good answers of the canary from proving that nobody was hurt."""


# Good answers


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
    if evidence.unclear or any(failed(seen) and seen.intent == "good" for seen in evidence.since):
        return None
    return int(count(good) * _weight(evidence, weight))


def _weight(evidence: Evidence, weight_at_end: float) -> float:
    step = evidence.release.config.step if evidence.release.config else None
    return min(weight_at_end, step) if step else weight_at_end


def _told_good(evidence: Evidence, measures: Measures, good: int) -> str:
    """The good answers of the canary, as far as they were seen to be its."""
    if headers_tell(evidence.since):
        return f"No harm was found: the canary gave {good} good answers"
    if measures.arms.source == "cloudwatch":
        return (
            f"CloudWatch shows no harm: it counted {good} invocations of the canary without an error{_took(evidence)}"
        )
    told = f"about {good} of them by the canary, judging by its weight"
    return f"No harm was found: all good requests were answered well, {told}"


def _took(evidence: Evidence) -> str:
    """How long invocations took, and what CloudWatch does not tell."""
    told = durations_of(evidence)
    if told is None:
        return "; how long they took, and what the code answered, was not seen"
    took = f"{told.canary_ms:.0f} ms on average ({told.of_baseline})"
    return f", whose Duration was {took}; what the code answered was not seen"


def _nameless(evidence: Evidence) -> str:
    """Failures that are borne, or no more than before, and that may be the canary's all the same."""
    nameless = count(before.nameless_failures(evidence)) if headers_tell(evidence.since) else 0
    return f"; {nameless} good requests failed that no header gives to a version" if nameless else ""


def _excluded(evidence: Evidence, arm: ArmFacts) -> str:
    if arm.failure_interval is None or not evidence.release.shared:
        return ""
    low, high = arm.failure_interval
    return f"; {failures_in_words(arm)} failed while both versions had traffic (95 % interval {low:.1%} to {high:.1%})"
