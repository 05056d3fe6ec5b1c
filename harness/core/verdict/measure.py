"""What was measured: traffic, arms, exposure, attribution and the detection ledger, from the evidence of a run."""

import math
from bisect import bisect
from collections.abc import Callable, Sequence

from msgspec import Struct

from harness.core.timeline.alarm_rules import Rule, breach_s, rule_of, rule_of_experiment
from harness.core.timeline.bounds import Bounds
from harness.core.timeline.events import Exemplar, Requests
from harness.core.timeline.histogram import merge, quantile_s
from harness.core.timeline.stats import clopper_pearson, fisher_worse, fisher_worse_in_all
from harness.core.verdict.evidence import (
    Evidence,
    answers,
    count,
    failed,
    first_s,
    is_fault,
    planned_share,
    server_failed,
)
from harness.core.verdict.types import ArmFacts, Arms, Attribution, Detection, Exposure, Source, TrafficFacts

# API Gateway answers 502 for a function that threw, and a service behind it cannot put its version in that answer. Only
# where nearly all failures carry a version do headers tell the arms apart without a bias towards health.
TOLD_BY_HEADERS = 0.95
MINUTE_S = 60.0
DAY_S = 86_400.0


class Measures(Struct, frozen=True, kw_only=True):
    """All numbers of a verdict."""

    traffic: TrafficFacts
    arms: Arms
    exposure: Exposure
    attribution: Attribution
    detection: Detection


def measure(found: Evidence) -> Measures:
    """All numbers of a verdict."""
    arms = arms_of(found)
    return Measures(
        traffic=traffic_of(found),
        arms=arms,
        exposure=exposure_of(found, arms.canary),
        attribution=attribution_of(found),
        detection=detection_of(found),
    )


# Traffic


def traffic_of(found: Evidence) -> TrafficFacts:
    """What was sent over the whole run."""
    lag = quantile_s(merge(second.lag for second in found.arrivals), 0.99)
    return TrafficFacts(
        planned=sum(second.planned for second in found.arrivals) if found.arrivals else None,
        sent=sum(seen.count for seen in found.requests),
        unstarted=sum(second.unstarted for second in found.arrivals) if found.arrivals else None,
        lost=lost_of(found),
        good=answers(found.requests, "good"),
        fault=answers(found.requests, "fault"),
        error_share=achieved_share(found),
        schedule_lag_p99_s=lag,
    )


def lost_of(found: Evidence) -> int | None:
    """How many planned requests were neither sent nor given up: nobody knows of them; None without a plan.

    None before the run has ended too: the last seconds may still be under way.
    """
    if not found.arrivals or found.rollout.ended_run is None:
        return None
    return max(0, sum(second.planned - second.unstarted for second in found.arrivals) - found.sent)


def achieved_share(found: Evidence) -> float | None:
    """The share of fault requests while one was planned, or over all if none was; None without traffic."""
    planned = [seen for seen in found.since if planned_share(found, seen.at_s) > 0] or found.since
    total = count(planned)
    return count(planned, is_fault) / total if total else None


# Arms


def arms_of(found: Evidence) -> Arms:
    """Both arms over the time in which they shared the traffic; if they never did, from the creation on.

    Where the canary's weight and the faults changed meanwhile, they are compared over `comparable` time alone.
    `p_value` compares them, and only where they shared the traffic. By response headers it looks at good requests
    alone, weight by weight over the whole time: fault requests fail on every version, so they would only add noise.
    """
    window = arms_window(found)
    if window is None:
        return Arms(baseline=ArmFacts(version=found.rollout.baseline), canary=ArmFacts(version=found.rollout.canary))
    within = [seen for seen in found.since if window[0] <= seen.at_s < window[1]]
    if headers_tell(within):
        return _arms_by_header(found, within)
    if any(metric.version for metric in found.metrics):
        return _arms_by_metric(found, window)
    return Arms(baseline=ArmFacts(version=found.rollout.baseline), canary=ArmFacts(version=found.rollout.canary))


def arms_window(found: Evidence) -> Bounds | None:
    """The time over which the arms are compared; None before the creation."""
    if found.rollout.created_s is None:
        return None
    began_s, ended_s = found.rollout.shared or (found.rollout.created_s, None)
    return began_s, found.rollout.superseded_s if ended_s is None else ended_s


def comparable(found: Evidence) -> list[Requests]:
    """The requests over which the arms are compared: as many faults were planned for each of them.

    A fault that comes when the canary has much of the traffic hits more of the canary's requests than of the
    baseline's, though both fail alike. So where the weight changed, this is the time of the gravest faults alone.
    """
    window = arms_window(found)
    if window is None:
        return []
    within = [seen for seen in found.since if window[0] <= seen.at_s < window[1]]
    if len(found.rollout.splits) < 2 or not within:
        return within
    plans = {at_s: _plan(found, at_s) for at_s in {seen.at_s for seen in within}}
    gravest = max(plans.values())
    return [seen for seen in within if plans[seen.at_s] == gravest]


def is_comparable_in_part(found: Evidence) -> bool:
    """Whether the arms are compared over less than all the time in which they shared the traffic."""
    window = arms_window(found)
    whole = count(seen for seen in found.since if window and window[0] <= seen.at_s < window[1])
    return count(comparable(found)) < whole


def _plan(found: Evidence, at_s: float) -> tuple[bool, float]:
    """What our own faults did in a second, so that the graver of two is the greater."""
    # A fault that began within the second counts from the next on: in its own, only a part of the requests met it.
    hurts = any(fault.hurts_service and fault.lasts(at_s) for fault in found.faults)
    return hurts, planned_share(found, at_s)


def headers_tell(requests: Sequence[Requests]) -> bool:
    """Whether response headers say which version answered, failures included."""
    told = [seen for seen in requests if seen.version is not None]
    reached = [seen for seen in requests if server_failed(seen)]
    if not told:
        return False
    return count(reached, lambda seen: seen.version is not None) >= TOLD_BY_HEADERS * count(reached)


def _arms_by_header(found: Evidence, within: Sequence[Requests]) -> Arms:
    compared, rollout = comparable(found), found.rollout
    baseline = [seen for seen in compared if found.is_baseline(seen.version)] if rollout.baseline else None
    canary = [seen for seen in compared if found.is_canary(seen.version)] if found.knows_canary else None
    are_told = baseline is not None and canary is not None
    return Arms(
        baseline=_arm(rollout.baseline, baseline),
        canary=_arm(rollout.canary, canary),
        source="response header",
        p_value=_worse_by_weight(found, within) if rollout.shared and are_told else None,
    )


def _worse_by_weight(found: Evidence, within: Sequence[Requests]) -> float | None:
    """The canary against the baseline within each weight and each plan of faults, all taken together."""
    strata: dict[tuple[int, tuple[bool, float]], list[Requests]] = {}
    starts = [shift.at_s[1] for shift in found.rollout.splits]
    keys = {at_s: (max(1, bisect(starts, at_s)), _plan(found, at_s)) for at_s in {seen.at_s for seen in within}}
    for seen in within:
        strata.setdefault(keys[seen.at_s], []).append(seen)
    return fisher_worse_in_all(
        (
            good_failures([seen for seen in stratum if found.is_canary(seen.version)]),
            good_failures([seen for seen in stratum if found.is_baseline(seen.version)]),
        )
        for stratum in strata.values()
    )


def _arm(version: str | None, requests: Sequence[Requests] | None) -> ArmFacts:
    if requests is None:
        return ArmFacts(version=version)
    total, failures = count(requests), count(requests, failed)
    latency = merge(seen.latency for seen in requests)
    return ArmFacts(
        version=version,
        requests=total,
        failures=failures,
        failure_interval=clopper_pearson(failures, total),
        p50_ms=_ms(quantile_s(latency, 0.50)),
        p95_ms=_ms(quantile_s(latency, 0.95)),
        p99_ms=_ms(quantile_s(latency, 0.99)),
    )


def _arms_by_metric(found: Evidence, window: Bounds) -> Arms:
    whole = is_comparable_in_part(found)
    if whole:
        times = [seen.at_s for seen in comparable(found)]
        window = min(times), max(times) + 1
        if len({_plan(found, at_s) for at_s in range(int(window[0]), int(window[1]))}) > 1:
            # Faults that came and went: no period is known to be of one kind.
            return Arms(
                baseline=ArmFacts(version=found.rollout.baseline), canary=ArmFacts(version=found.rollout.canary)
            )
    baseline = _metric_arm(found, found.rollout.baseline, window, whole)
    canary = _metric_arm(found, found.rollout.canary, window, whole)
    worse = fisher_worse(_rate(canary), _rate(baseline)) if found.rollout.shared else None
    return Arms(baseline=baseline, canary=canary, source="cloudwatch", p_value=worse)


def _metric_arm(found: Evidence, version: str | None, window: Bounds, whole: bool) -> ArmFacts:
    requests = metric_sum(found, "Invocations", version, window, whole=whole) if version else None
    if requests is None:
        return ArmFacts(version=version)
    failures = min(requests, metric_sum(found, "Errors", version, window, whole=whole) or 0)
    interval = clopper_pearson(failures, requests)
    return ArmFacts(version=version, requests=requests, failures=failures, failure_interval=interval)


def metric_sum(found: Evidence, metric: str, version: str | None, window: Bounds, *, whole: bool = False) -> int | None:
    """A Lambda metric added up over the periods of a window, of `whole` ones alone; the last look at a period wins.

    `version` None is the series of all versions. None if the series has no datapoint there. A period that straddles the
    end counts, but not after a promotion: most of it would be the time in which the canary had all the traffic. None
    counts that reaches into the group's next deployment.
    """
    ends_s = min(found.rollout.superseded_s, window[1] if whole or found.rollout.promoted else math.inf)
    points: dict[float, float] = {}
    for seen in found.metrics:
        if seen.metric == metric and seen.version == version:
            points |= {
                start_s: value
                for start_s, value in seen.points
                if (start_s >= window[0] if whole else start_s + seen.period_s > window[0])
                and start_s < window[1]
                and start_s + seen.period_s <= ends_s
            }
    return round(sum(points.values())) if points else None


# Exposure


def exposure_of(found: Evidence, canary: ArmFacts) -> Exposure:
    """Who got hurt from the deployment's creation on."""
    total = count(found.since)
    if not total:
        return Exposure()
    hurt = [seen for seen in found.since if failed(seen)]
    return Exposure(
        failed_requests=count(hurt),
        failed_good_requests=count(hurt, lambda seen: seen.intent == "good"),
        users=len({seen.persona for seen in hurt}),
        blast_radius=count(hurt) / total,
        error_budget_share=_budget_share(found, count(hurt)),
        all_at_once_failures=_all_at_once(found, canary),
    )


def requests_per_s(found: Evidence) -> float | None:
    """The planned rate from the deployment's creation on, or that of the requests where no plan was kept.

    It is over the time that had traffic: not the waiting before it and the looks after it.
    """
    created_s = found.rollout.created_s
    if created_s is None:
        return None
    planned = {second.at_s: 0 for second in found.arrivals if second.at_s >= created_s}
    for second in found.arrivals:
        if second.at_s in planned:
            planned[second.at_s] += second.planned
    if not any(planned.values()):
        return _sent_per_s(found, created_s)
    return sum(planned.values()) / (max(planned) + 1 - min(planned))


def _sent_per_s(found: Evidence, created_s: float) -> float | None:
    whole = [seen for seen in found.since if seen.count and seen.at_s >= created_s]
    if not whole:
        return None
    times = [seen.at_s for seen in whole]
    return count(whole) / (max(times) + 1 - min(times))


def _budget_share(found: Evidence, failures: int) -> float | None:
    rate, objective = requests_per_s(found), found.experiment.objective
    if rate is None:
        return None
    return failures / ((1 - objective.availability) * rate * objective.days * DAY_S)


def _all_at_once(found: Evidence, canary: ArmFacts) -> Bounds | None:
    if found.rollout.shared is None or canary.failure_interval is None:
        return None
    during = count(comparable(found))
    low, high = canary.failure_interval
    return low * during, high * during


# Attribution


def attribution_of(found: Evidence) -> Attribution:
    """Whose errors the alarm counted: by CloudWatch if it told the versions apart, else by response headers."""
    created_s = found.rollout.created_s
    if created_s is None:
        return Attribution()
    gone_s = found.rollout.canary_gone_s
    window = (created_s, math.inf if gone_s is None else gone_s)
    return _attributed_by_metric(found, window) or _attributed_by_header(found, window)


def _attributed_by_metric(found: Evidence, window: Bounds) -> Attribution | None:
    versions = {seen.version for seen in found.metrics if seen.metric == "Errors" and seen.version is not None}
    sums = {version: metric_sum(found, "Errors", version, window) for version in versions}
    told = {version: errors for version, errors in sums.items() if errors is not None}
    if not told:
        return None
    from_canary = sum(errors for version, errors in told.items() if found.is_canary(version))
    # Both series are published minutes late and not at once: neither may count less than the other shows.
    of_all = max(sum(told.values()), metric_sum(found, "Errors", None, window) or 0)
    return _attribution(found, of_all, from_canary, "cloudwatch")


def _attributed_by_header(found: Evidence, window: Bounds) -> Attribution:
    rule = next(iter(rules_of(found)), None)
    within = [seen for seen in found.since if window[0] <= seen.at_s < window[1]]
    if rule is None or not headers_tell(within):
        return Attribution()
    errors = [seen for seen in within if failed(seen) and rule.counts(seen.status)]
    from_canary = count(errors, lambda seen: found.is_canary(seen.version))
    return _attribution(found, count(errors), from_canary, "response header")


def _attribution(found: Evidence, of_all: int, from_canary: int, source: Source) -> Attribution:
    rules = rules_of(found)
    if not found.knows_canary:
        counts_all = not any(rule.version for rule in rules)
        return Attribution(counted_errors=of_all, source=source) if counts_all else Attribution()
    # An alarm on one executed version counts no other.
    only_canary = rules and all(found.is_canary(rule.version) for rule in rules)
    counted = from_canary if only_canary else of_all
    share = from_canary / counted if counted else None
    return Attribution(counted_errors=counted, from_canary=from_canary, canary_share=share, source=source)


# Detection


def detection_of(found: Evidence) -> Detection:
    """The detection ledger, in seconds since the deployment's creation; empty before one is known."""
    created_s = found.rollout.created_s
    if created_s is None:
        return Detection()
    alarm, restored, origin_s = alarm_start(found), found.rollout.restored, origin(found)
    return Detection(
        first_fault_s=_since(created_s, first_fault(found)),
        first_fault_requested=_first_fault_requested(found),
        first_error_s=_since(created_s, _first_instant(found, failed)),
        breach_s=_since(created_s, first_breach(found)),
        alarm_s=_bounds_since(created_s, alarm),
        stopped_s=_bounds_since(created_s, found.rollout.stopped),
        restored_s=_bounds_since(created_s, restored),
        clean_s=_since(created_s, first_clean_minute(found)),
        time_to_detect_s=_took(origin_s, alarm),
        time_to_roll_back_s=_took(origin_s, restored),
    )


def origin(found: Evidence) -> float | None:
    """Where both times are counted from: the first fault or the first harm on the canary, whichever came first."""
    on_canary = _first_instant(found, lambda seen: failed(seen) and found.is_canary(seen.version))
    starts = [at_s for at_s in (first_fault(found), on_canary) if at_s is not None]
    return min(starts, default=None)


def first_fault(found: Evidence) -> float | None:
    """The first fault request or tampering with the alarm or the function, from the creation on."""
    starts = (_first_tampering(found), _first_instant(found, is_fault))
    return min((at_s for at_s in starts if at_s is not None), default=None)


def _first_fault_requested(found: Evidence) -> bool | None:
    tampered_s, requested_s = _first_tampering(found), _first_instant(found, is_fault)
    if tampered_s is None and requested_s is None:
        return None
    return requested_s is not None and (tampered_s is None or requested_s <= tampered_s)


def _first_tampering(found: Evidence) -> float | None:
    created_s = found.rollout.created_s
    done = (fault.began_s for fault in found.faults if fault.forces_alarm or fault.hurts_service)
    return min((at_s for at_s in done if created_s is not None and at_s >= created_s), default=None)


def _first_instant(found: Evidence, fits: Callable[[Requests], bool]) -> float | None:
    """When the first request that fits was due: to the second, and closer where an exemplar or a fault's start tells.

    Whole seconds are counted; a fault request is never due before the fault or the creation, in whose second it counts.
    """
    second_s = first_s(found.since, fits)
    if second_s is None:
        return None
    first = [seen for seen in found.since if seen.at_s == second_s and seen.count and fits(seen)]
    features = {_features(seen) for seen in first}
    sampled = [one.at_s for one in found.exemplars if math.floor(one.at_s) == second_s and _features(one) in features]
    return max(min(sampled, default=second_s), _earliest(found, second_s, first))


def _features(seen: Requests | Exemplar) -> tuple[str, str, str, str | None, int]:
    return seen.intent, seen.persona, seen.endpoint, seen.version, seen.status


def _earliest(found: Evidence, second_s: float, first: Sequence[Requests]) -> float:
    """The earliest instant of the second at which these requests can have been due."""
    if found.rollout.created_s is None or not all(map(is_fault, first)):
        return second_s
    begun = [fault.began_s for fault in found.faults if fault.plans_requests and math.floor(fault.began_s) == second_s]
    before = planned_share(found, second_s) > 0
    return max(second_s, found.rollout.created_s, *([] if before or not begun else [min(begun)]))


def first_clean_minute(found: Evidence) -> float | None:
    """The beginning of the first minute with traffic and no failure after the deployment was over, if any failed.

    Over is when all traffic was on one version for certain. A minute that the run did not see to its end is none.
    """
    over_s = found.rollout.canary_gone_s
    failures = sorted({seen.at_s for seen in found.since if failed(seen)})
    if over_s is None or not failures:
        return None
    starts = (over_s, *(second + 1 for second in failures if second + 1 > over_s))
    ends = (*(second for second in failures if second + 1 > over_s), found.until_s)
    gaps = (start for start, end in zip(starts, ends, strict=True) if end - start >= MINUTE_S)
    return next((start for start in gaps if _busy(found, start)), None)


def _busy(found: Evidence, start_s: float) -> bool:
    return any(start_s <= seen.at_s < start_s + MINUTE_S for seen in found.since)


def first_breach(found: Evidence) -> float | None:
    """The end of the period in which the failures that clients saw would have breached an alarm of the group.

    None until the timeline reached it, though the period may be certain to breach before.
    """
    ends = (rule_breach(found, rule, server_failed) for rule in rules_of(found))
    return min((end for end in ends if end is not None and end <= found.end_s), default=None)


def rule_breach(found: Evidence, rule: Rule, fails: Callable[[Requests], bool]) -> float | None:
    """When one alarm would have breached; one on the canary's version alone is fed with the canary's answers alone.

    The dimensions are not looked at otherwise: what matters is what the alarm is meant to count. It may be after the
    end of the timeline where nothing can undo the breach: failures add up, but their average may fall again.
    """
    only_canary = found.is_canary(rule.version)
    fed = [seen for seen in found.since if not only_canary or seen.version is None or found.is_canary(seen.version)]
    end_s = breach_s(rule, fed, found.rollout.epoch_s + found.rollout.ahead_s, fails)
    is_certain = rule.only_grows or found.rollout.ended_run is not None
    return end_s if end_s is not None and (is_certain or end_s <= found.end_s) else None


def rules_of(found: Evidence) -> tuple[Rule, ...]:
    """The alarms of the group that count failures; what the experiment says of its alarm if none was ever read."""
    names = found.rollout.alarm_names
    known = [found.rollout.definitions[name] for name in names if name in found.rollout.definitions]
    rules = [rule_of(defined) for defined in known] if known else [rule_of_experiment(found.experiment.alarm)]
    return tuple(rule for rule in rules if rule is not None)


def alarm_start(found: Evidence) -> Bounds | None:
    """When the first alarm of the group went to ALARM, or was in it already when the deployment was created."""
    created_s = found.rollout.created_s
    if created_s is None:
        return None
    lasting = (
        episode.start
        for name in found.rollout.alarm_names
        for episode in found.rollout.alarm_episodes(name)
        if (episode.end is None or episode.end[1] > created_s) and episode.start[0] < found.rollout.superseded_s
    )
    return min(lasting, default=None)


# Times


def good_failures(requests: Sequence[Requests]) -> tuple[int, int]:
    """How many good requests failed, and of how many."""
    good = [seen for seen in requests if seen.intent == "good"]
    return count(good, failed), count(good)


def _rate(arm: ArmFacts) -> tuple[int, int]:
    return arm.failures or 0, arm.requests or 0


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _since(created_s: float, at_s: float | None) -> float | None:
    return None if at_s is None else at_s - created_s


def _bounds_since(created_s: float, bounds: Bounds | None) -> Bounds | None:
    return (bounds[0] - created_s, bounds[1] - created_s) if bounds else None


def _took(origin_s: float | None, bounds: Bounds | None) -> Bounds | None:
    """How long after the origin; None if the end lies before it and so was no answer to it."""
    if origin_s is None or bounds is None or bounds[1] < origin_s:
        return None
    return max(0.0, bounds[0] - origin_s), bounds[1] - origin_s
