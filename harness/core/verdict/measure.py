"""What was measured: traffic, arms, exposure, attribution and the detection ledger, from the evidence of a run."""

import itertools
import math
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from harness.core.timeline.bounds import Bounds, Interval
from harness.core.timeline.events import ANYONE, Exemplar, Requests
from harness.core.timeline.histogram import merge, quantile_s
from harness.core.timeline.stats import clopper_pearson, fisher_worse, fisher_worse_in_all
from harness.core.verdict.composed import breach_of
from harness.core.verdict.evidence import (
    Evidence,
    answers,
    count,
    failed,
    first_s,
    is_fault,
    planned_share,
    planned_shares,
    server_failed,
)
from harness.core.verdict.guards import guards_of, rules_of
from harness.core.verdict.latency import Compared, compared, interval_s
from harness.core.verdict.types import (
    ArmFacts,
    Arms,
    Attribution,
    Detection,
    Exposure,
    RequestHurt,
    Source,
    TrafficFacts,
)

# API Gateway answers 502 for a function that threw, and a service behind it cannot put its version in that answer. Only
# where nearly all failures carry a version do headers tell the arms apart without a bias towards health.
TOLD_BY_HEADERS = 0.95
SIGNIFICANT = 0.005
"""A canary that is as good as the baseline is called worse once in 200 times at the most."""
MINUTE_S = 60.0
DAY_S = 86_400.0
REQUESTS_TOLD, ROWS_TOLD = 10, 20
"""Of requests that failed, and of the rows of the feed that they hit."""


class Measures(Struct, frozen=True, kw_only=True):
    """All numbers of a verdict."""

    traffic: TrafficFacts
    arms: Arms
    exposure: Exposure
    attribution: Attribution
    detection: Detection
    latencies: Compared | None = None


def measure(evidence: Evidence) -> Measures:
    """All numbers of a verdict."""
    latencies = latencies_of(evidence)
    arms = replace(arms_of(evidence), latency=latencies.facts if latencies else None)
    return Measures(
        traffic=traffic_of(evidence),
        arms=arms,
        latencies=latencies,
        exposure=exposure_of(evidence, arms.canary),
        attribution=attribution_of(evidence),
        detection=detection_of(evidence),
    )


# Traffic


def traffic_of(evidence: Evidence) -> TrafficFacts:
    """What was sent over the whole run."""
    lag = quantile_s(merge(second.lag for second in evidence.arrivals), 0.99)
    return TrafficFacts(
        planned=sum(second.planned for second in evidence.arrivals) if evidence.arrivals else None,
        sent=sum(seen.count for seen in evidence.requests),
        unstarted=sum(second.unstarted for second in evidence.arrivals) if evidence.arrivals else None,
        lost=lost_of(evidence),
        good=answers(evidence.requests, "good"),
        fault=answers(evidence.requests, "fault"),
        error_share=achieved_share(evidence),
        schedule_lag_p99_s=lag,
    )


def lost_of(evidence: Evidence) -> int | None:
    """How many planned requests were neither sent nor given up: nobody knows of them; None without a plan.

    None before the run has ended too: the last seconds may still be under way.
    """
    if not evidence.arrivals or evidence.rollout.run.ended is None:
        return None
    return max(0, sum(second.planned - second.unstarted for second in evidence.arrivals) - evidence.sent)


def achieved_share(evidence: Evidence) -> float | None:
    """The share of fault requests while one was planned, or over all if none was; None without traffic."""
    shares = planned_shares(evidence)
    planned = [seen for seen in evidence.since if shares[seen.at_s] > 0] or evidence.since
    total = count(planned)
    return count(planned, is_fault) / total if total else None


# Arms


def arms_of(evidence: Evidence) -> Arms:
    """Both arms over the time in which they shared the traffic; if they never did, from the creation on.

    Where the canary's weight and the faults changed meanwhile, they are compared over `comparable` time alone.
    `p_value` compares them, and only where they shared the traffic. By response headers it looks at good requests
    alone, weight by weight over the whole time: fault requests fail on every version, so they would only add noise.
    """
    window = arms_window(evidence)
    if window is None:
        return Arms(
            baseline=ArmFacts(version=evidence.release.baseline), canary=ArmFacts(version=evidence.release.canary)
        )
    within = [seen for seen in evidence.since if window[0] <= seen.at_s < window[1]]
    if headers_tell(within):
        return _arms_by_header(evidence, within)
    if any(metric.version for metric in evidence.metrics):
        return _arms_by_metric(evidence, window)
    return Arms(baseline=ArmFacts(version=evidence.release.baseline), canary=ArmFacts(version=evidence.release.canary))


def arms_window(evidence: Evidence) -> Bounds | None:
    """The time over which the arms are compared; None before the creation."""
    if evidence.release.created_s is None:
        return None
    began_s, ended_s = evidence.release.shared or (evidence.release.created_s, None)
    return began_s, evidence.release.superseded_s if ended_s is None else ended_s


def comparable(evidence: Evidence) -> list[Requests]:
    """The requests over which the arms are compared: as many faults were planned for each of them.

    A fault that comes when the canary has much of the traffic hits more of the canary's requests than of the
    baseline's, though both fail alike. So where the weight changed, this is the time of the gravest faults alone.
    """
    window = arms_window(evidence)
    if window is None:
        return []
    within = [seen for seen in evidence.since if window[0] <= seen.at_s < window[1]]
    if len(evidence.release.weights.splits) < 2 or not within:
        return within
    plans = {at_s: _plan(evidence, at_s) for at_s in {seen.at_s for seen in within}}
    gravest = max(plans.values())
    return [seen for seen in within if plans[seen.at_s] == gravest]


def trouble_hit_both(evidence: Evidence) -> bool:
    """Whether the baseline, too, failed more while both had traffic than before, and the canary not more than it."""
    window, created_s = arms_window(evidence), evidence.release.created_s
    if window is None or created_s is None or not evidence.release.shared:
        return False
    within = [seen for seen in evidence.since if window[0] <= seen.at_s < window[1]]
    if headers_tell(within):
        worse = _worse_by_weight(evidence, within)
        before = [seen for seen in evidence.requests if seen.at_s + 1 <= created_s]
        hurt, usual = (
            good_failures([seen for seen in some if evidence.is_baseline(seen.version)]) for some in (within, before)
        )
    else:
        worse = worse_by_period(evidence, window, whole=False)
        of_baseline = _by_period(evidence, evidence.release.baseline, window, False)
        before_s = (-math.inf, created_s)
        hurt, usual = (
            (sum(errors for errors, _ in periods.values()), sum(requests for _, requests in periods.values()))
            for periods in (of_baseline, _before(evidence, before_s))
        )
    risen = fisher_worse(hurt, usual)
    return worse is not None and worse >= SIGNIFICANT and risen is not None and risen < SIGNIFICANT


def _before(evidence: Evidence, window: Bounds) -> dict[float, tuple[int, int]]:
    return {
        start_s: counts
        for start_s, counts in _by_period(evidence, evidence.release.baseline, window, False).items()
        if start_s + MINUTE_S <= window[1]
    }


def is_comparable_in_part(evidence: Evidence) -> bool:
    """Whether the arms are compared over less than all the time in which they shared the traffic."""
    window = arms_window(evidence)
    whole = count(seen for seen in evidence.since if window and window[0] <= seen.at_s < window[1])
    return count(comparable(evidence)) < whole


def _plan(evidence: Evidence, at_s: float) -> tuple[bool, float]:
    """What our own faults did in a second, so that the graver of two is the greater."""
    # A fault that began within the second counts from the next on: in its own, only a part of the requests met it.
    hurts = any(fault.hurts_service and fault.lasts(at_s) for fault in evidence.faults)
    return hurts, planned_share(evidence, at_s)


def headers_tell(requests: Sequence[Requests]) -> bool:
    """Whether response headers say which version answered, failures included."""
    told = [seen for seen in requests if seen.version is not None]
    reached = [seen for seen in requests if server_failed(seen)]
    if not told:
        return False
    return count(reached, lambda seen: seen.version is not None) >= TOLD_BY_HEADERS * count(reached)


def _arms_by_header(evidence: Evidence, within: Sequence[Requests]) -> Arms:
    compared, release = comparable(evidence), evidence.release
    baseline = [seen for seen in compared if evidence.is_baseline(seen.version)] if release.baseline else None
    canary = [seen for seen in compared if evidence.is_canary(seen.version)] if evidence.knows_canary else None
    are_told = baseline is not None and canary is not None
    return Arms(
        baseline=_arm(release.baseline, baseline),
        canary=_arm(release.canary, canary),
        source="response header",
        p_value=_worse_by_weight(evidence, within) if release.shared and are_told else None,
    )


def _worse_by_weight(evidence: Evidence, within: Sequence[Requests]) -> float | None:
    """The canary against the baseline within each weight and each plan of faults, all taken together."""
    strata: dict[tuple[int, tuple[bool, float]], list[Requests]] = {}
    # Between two looks nobody knows which of two weights held: that time is a stratum of its own.
    starts = [bound for shift in evidence.release.weights.splits for bound in shift.at_s]
    keys = {at_s: (bisect(starts, at_s), _plan(evidence, at_s)) for at_s in {seen.at_s for seen in within}}
    for seen in within:
        strata.setdefault(keys[seen.at_s], []).append(seen)
    return fisher_worse_in_all(
        (
            good_failures([seen for seen in stratum if evidence.is_canary(seen.version)]),
            good_failures([seen for seen in stratum if evidence.is_baseline(seen.version)]),
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
        p50_interval_ms=_interval_ms(interval_s(latency, 0.50)),
        p95_interval_ms=_interval_ms(interval_s(latency, 0.95)),
        p99_interval_ms=_interval_ms(interval_s(latency, 0.99)),
    )


def _arms_by_metric(evidence: Evidence, window: Bounds) -> Arms:
    whole = is_comparable_in_part(evidence)
    if whole:
        times = [seen.at_s for seen in comparable(evidence)]
        window = min(times), max(times) + 1
        if len({_plan(evidence, at_s) for at_s in range(int(window[0]), int(window[1]))}) > 1:
            # Faults that came and went: no period is known to be of one kind.
            return Arms(
                baseline=ArmFacts(version=evidence.release.baseline), canary=ArmFacts(version=evidence.release.canary)
            )
    baseline = _metric_arm(evidence, evidence.release.baseline, window, whole)
    canary = _metric_arm(evidence, evidence.release.canary, window, whole)
    worse = worse_by_period(evidence, window, whole=whole) if evidence.release.shared else None
    return Arms(baseline=baseline, canary=canary, source="cloudwatch", p_value=worse)


def worse_by_period(evidence: Evidence, window: Bounds, *, whole: bool) -> float | None:
    """The canary against the baseline within each period, all taken together.

    Over all the time at once, trouble of both versions that came when the canary had more traffic would be its fault.
    """
    versions = (evidence.release.canary, evidence.release.baseline)
    arms = [_by_period(evidence, version, window, whole) for version in versions]
    if not all(arms):
        return None
    canary, baseline = arms
    return fisher_worse_in_all((canary[start_s], baseline[start_s]) for start_s in canary.keys() & baseline.keys())


def _by_period(evidence: Evidence, version: str | None, window: Bounds, whole: bool) -> dict[float, tuple[int, int]]:
    """Errors and invocations of a version by when their period began."""
    if version is None:
        return {}
    errors, invocations = (
        metric_points(evidence, metric, version, window, whole) for metric in ("Errors", "Invocations")
    )
    return {
        start_s: (round(min(errors.get(start_s, 0), requests)), round(requests))
        for start_s, requests in invocations.items()
    }


def _metric_arm(evidence: Evidence, version: str | None, window: Bounds, whole: bool) -> ArmFacts:
    requests = metric_sum(evidence, "Invocations", version, window, whole=whole) if version else None
    if requests is None:
        return ArmFacts(version=version)
    failures = min(requests, metric_sum(evidence, "Errors", version, window, whole=whole) or 0)
    interval = clopper_pearson(failures, requests)
    return ArmFacts(version=version, requests=requests, failures=failures, failure_interval=interval)


def metric_sum(
    evidence: Evidence, metric: str, version: str | None, window: Bounds, *, whole: bool = False
) -> int | None:
    """A Lambda metric added up over the periods of a window, of `whole` ones alone; the last look at a period wins.

    `version` None is the series of all versions. None if the series has no datapoint there. A period that straddles the
    end counts, but not after a promotion: most of it would be the time in which the canary had all the traffic. None
    counts that reaches into the group's next deployment.
    """
    points = metric_points(evidence, metric, version, window, whole)
    return round(sum(points.values())) if points else None


def metric_points(
    evidence: Evidence, metric: str, version: str | None, window: Bounds, whole: bool
) -> dict[float, float]:
    """The values of a series by when their period began, of a window as `metric_sum` takes it."""
    ends_s = min(evidence.release.superseded_s, window[1] if whole or evidence.release.promoted else math.inf)
    points: dict[float, float] = {}
    for seen in evidence.metrics:
        if seen.metric == metric and seen.version == version:
            points |= {
                start_s: value
                for start_s, value in seen.points
                if (start_s >= window[0] if whole else start_s + seen.period_s > window[0])
                and start_s < window[1]
                and start_s + seen.period_s <= ends_s
            }
    return points


def metric_periods(evidence: Evidence, metric: str, version: str) -> set[float]:
    """When the periods began of which CloudWatch told a metric of a version."""
    series = (seen for seen in evidence.metrics if seen.metric == metric and seen.version == version)
    return {start_s for seen in series for start_s, _ in seen.points}


# Exposure


def exposure_of(evidence: Evidence, canary: ArmFacts) -> Exposure:
    """Who got hurt from the deployment's creation on."""
    total = count(evidence.since)
    if not total:
        return Exposure()
    hurt = [seen for seen in evidence.since if failed(seen)]
    return Exposure(
        failed_requests=count(hurt),
        failed_good_requests=count(hurt, lambda seen: seen.intent == "good"),
        users=_users(hurt),
        blast_radius=count(hurt) / total,
        error_budget_share=_budget_share(evidence, count(hurt)),
        all_at_once_failures=_all_at_once(evidence, canary),
        requests=tuple(itertools.islice(by_request(hurt), REQUESTS_TOLD)),
    )


def _users(hurt: Sequence[Requests]) -> int | None:
    """How many users these requests were for: rows of the feed and personas; None where nothing tells them apart."""
    personas = {seen.persona for seen in hurt} - {ANYONE, ""}
    known = len(personas) + len({row for seen in hurt for row in seen.rows})
    return known or (None if hurt else 0)


def by_request(hurt: Sequence[Requests]) -> Iterator[RequestHurt]:
    """The failures of each request, the most first."""
    by_name: dict[str, list[Requests]] = {}
    for seen in hurt:
        by_name.setdefault(seen.endpoint, []).append(seen)
    for name, failures in sorted(by_name.items(), key=lambda pair: -count(pair[1])):
        yield RequestHurt(
            name=name,
            failed=count(failures),
            failed_good=count(failures, lambda seen: not is_fault(seen)),
            users=_users(failures),
            rows=tuple(sorted({row for seen in failures for row in seen.rows})[:ROWS_TOLD]),
        )


def requests_per_s(evidence: Evidence) -> float | None:
    """The planned rate from the deployment's creation on, or that of the requests where no plan was kept.

    It is over the time that had traffic: not the waiting before it and the looks after it.
    """
    created_s = evidence.release.created_s
    if created_s is None:
        return None
    planned = {second.at_s: 0 for second in evidence.arrivals if second.at_s >= created_s}
    for second in evidence.arrivals:
        if second.at_s in planned:
            planned[second.at_s] += second.planned
    if not any(planned.values()):
        return _sent_per_s(evidence, created_s)
    return sum(planned.values()) / (max(planned) + 1 - min(planned))


def _sent_per_s(evidence: Evidence, created_s: float) -> float | None:
    whole = [seen for seen in evidence.since if seen.count and seen.at_s >= created_s]
    if not whole:
        return None
    times = [seen.at_s for seen in whole]
    return count(whole) / (max(times) + 1 - min(times))


def _budget_share(evidence: Evidence, failures: int) -> float | None:
    rate, objective = requests_per_s(evidence), evidence.experiment.objective
    if rate is None:
        return None
    return failures / ((1 - objective.availability) * rate * objective.days * DAY_S)


def _all_at_once(evidence: Evidence, canary: ArmFacts) -> Bounds | None:
    if evidence.release.shared is None or canary.failure_interval is None:
        return None
    during = count(comparable(evidence))
    low, high = canary.failure_interval
    return low * during, high * during


# Attribution


def attribution_of(evidence: Evidence) -> Attribution:
    """Whose errors the alarm counted: by CloudWatch if it told the versions apart, else by response headers."""
    created_s = evidence.release.created_s
    if created_s is None:
        return Attribution()
    gone_s = evidence.release.canary_gone_s
    window = (created_s, math.inf if gone_s is None else gone_s)
    return _attributed_by_metric(evidence, window) or _attributed_by_header(evidence, window)


def _attributed_by_metric(evidence: Evidence, window: Bounds) -> Attribution | None:
    versions = {seen.version for seen in evidence.metrics if seen.metric == "Errors" and seen.version is not None}
    sums = {version: metric_sum(evidence, "Errors", version, window) for version in versions}
    told = {version: errors for version, errors in sums.items() if errors is not None}
    if not told:
        return None
    from_canary = sum(errors for version, errors in told.items() if evidence.is_canary(version))
    # Both series are published minutes late and not at once: neither may count less than the other shows.
    of_all = max(sum(told.values()), metric_sum(evidence, "Errors", None, window) or 0)
    return _attribution(evidence, of_all, from_canary, "cloudwatch")


def _attributed_by_header(evidence: Evidence, window: Bounds) -> Attribution:
    rule = next(iter(rules_of(evidence)), None)
    within = [seen for seen in evidence.since if window[0] <= seen.at_s < window[1]]
    if rule is None or not headers_tell(within):
        return Attribution()
    errors = [seen for seen in within if failed(seen) and rule.counts(seen.status)]
    from_canary = count(errors, lambda seen: evidence.is_canary(seen.version))
    return _attribution(evidence, count(errors), from_canary, "response header")


def _attribution(evidence: Evidence, of_all: int, from_canary: int, source: Source) -> Attribution:
    rules = rules_of(evidence)
    if not evidence.knows_canary:
        counts_all = not any(rule.version for rule in rules)
        return Attribution(counted_errors=of_all, source=source) if counts_all else Attribution()
    # An alarm on one executed version counts no other.
    only_canary = rules and all(evidence.is_canary(rule.version) for rule in rules)
    counted = from_canary if only_canary else of_all
    if rules and all(rule.version and not evidence.is_canary(rule.version) for rule in rules):
        counted, from_canary = of_all - from_canary, 0
    share = from_canary / counted if counted else None
    return Attribution(counted_errors=counted, from_canary=from_canary, canary_share=share, source=source)


# Detection


def detection_of(evidence: Evidence) -> Detection:
    """The detection ledger, in seconds since the deployment's creation; empty before one is known."""
    created_s = evidence.release.created_s
    if created_s is None:
        return Detection()
    alarm, restored, origin_s = alarm_start(evidence), evidence.release.restored, origin(evidence)
    return Detection(
        first_fault_s=_since(created_s, first_fault(evidence)),
        first_fault_requested=_first_fault_requested(evidence),
        first_error_s=_since(created_s, _first_instant(evidence, failed)),
        breach_s=_since(created_s, first_breach(evidence)),
        alarm_s=_bounds_since(created_s, alarm),
        stopped_s=_bounds_since(created_s, evidence.release.stopped),
        restored_s=_bounds_since(created_s, restored),
        clean_s=_since(created_s, first_clean_minute(evidence)),
        time_to_detect_s=_took(origin_s, alarm),
        time_to_roll_back_s=_took(origin_s, restored),
    )


def origin(evidence: Evidence) -> float | None:
    """Where both times are counted from: the first fault or the first harm on the canary, whichever came first."""
    on_canary = _first_instant(evidence, lambda seen: failed(seen) and evidence.is_canary(seen.version))
    starts = [at_s for at_s in (first_fault(evidence), on_canary) if at_s is not None]
    return min(starts, default=None)


def first_fault(evidence: Evidence) -> float | None:
    """The first fault request or tampering with the alarm or the function, from the creation on."""
    starts = (_first_tampering(evidence), _first_instant(evidence, is_fault))
    return min((at_s for at_s in starts if at_s is not None), default=None)


def _first_fault_requested(evidence: Evidence) -> bool | None:
    tampered_s, requested_s = _first_tampering(evidence), _first_instant(evidence, is_fault)
    if tampered_s is None and requested_s is None:
        return None
    return requested_s is not None and (tampered_s is None or requested_s <= tampered_s)


def _first_tampering(evidence: Evidence) -> float | None:
    created_s = evidence.release.created_s
    done = (fault.began_s for fault in evidence.faults if fault.forces_alarm or fault.hurts_service)
    return min((at_s for at_s in done if created_s is not None and at_s >= created_s), default=None)


def _first_instant(evidence: Evidence, fits: Callable[[Requests], bool]) -> float | None:
    """When the first request that fits was due: to the second, and closer where an exemplar or a fault's start tells.

    Whole seconds are counted; a fault request is never due before the fault or the creation, in whose second it counts.
    """
    own = evidence.own(evidence.since)
    second_s = first_s(own, fits)
    if second_s is None:
        return None
    first = [seen for seen in own if seen.at_s == second_s and seen.count and fits(seen)]
    features = {_features(seen) for seen in first}
    sampled = [
        one.at_s for one in evidence.exemplars if math.floor(one.at_s) == second_s and _features(one) in features
    ]
    return max(min(sampled, default=second_s), _earliest(evidence, second_s, first))


def _features(seen: Requests | Exemplar) -> tuple[str, str, str, str | None, int]:
    return seen.intent, seen.persona, seen.endpoint, seen.version, seen.status


def _earliest(evidence: Evidence, second_s: float, first: Sequence[Requests]) -> float:
    """The earliest instant of the second at which these requests can have been due."""
    if evidence.release.created_s is None or not all(map(is_fault, first)):
        return second_s
    begun = [
        fault.began_s for fault in evidence.faults if fault.plans_requests and math.floor(fault.began_s) == second_s
    ]
    before = planned_share(evidence, second_s) > 0
    return max(second_s, evidence.release.created_s, *([] if before or not begun else [min(begun)]))


def first_clean_minute(evidence: Evidence) -> float | None:
    """The beginning of the first minute with traffic and no failure after the deployment was over, if any failed.

    Over is when all traffic was on one version for certain. A minute that the run did not see to its end is none.
    """
    over_s = evidence.release.canary_gone_s
    failures = sorted({seen.at_s for seen in evidence.since if failed(seen)})
    if over_s is None or not failures:
        return None
    starts = (over_s, *(second + 1 for second in failures if second + 1 > over_s))
    ends = (*(second for second in failures if second + 1 > over_s), evidence.until_s)
    gaps = (start for start, end in zip(starts, ends, strict=True) if end - start >= MINUTE_S)
    return next((start for start in gaps if _busy(evidence, start)), None)


def _busy(evidence: Evidence, start_s: float) -> bool:
    return any(start_s <= seen.at_s < start_s + MINUTE_S for seen in evidence.since)


def first_breach(evidence: Evidence) -> float | None:
    """The end of the period in which the failures that clients saw would have breached an alarm of the group.

    None until the timeline reached it, though the period may be certain to breach before.
    """
    ends = (breach_of(evidence, guard, lambda _: server_failed) for guard in guards_of(evidence))
    return min((end for end in ends if end is not None and end <= evidence.end_s), default=None)


def latencies_of(evidence: Evidence) -> Compared | None:
    """The latencies of both arms over the same time and under the same faults; None where nothing tells them apart."""
    arms = told_apart(evidence)
    return compared(*arms) if arms else None


def told_apart(evidence: Evidence) -> tuple[list[Requests], list[Requests]] | None:
    """The requests of the canary and of the baseline over the same time; None where nothing tells them apart."""
    requests = comparable(evidence)
    if not evidence.release.shared or not headers_tell(requests):
        return None
    canary = [seen for seen in requests if evidence.is_canary(seen.version)]
    return canary, [seen for seen in requests if evidence.is_baseline(seen.version)]


def alarm_start(evidence: Evidence) -> Bounds | None:
    """When the first alarm of the group went to ALARM, or was in it already when the deployment was created."""
    created_s = evidence.release.created_s
    if created_s is None:
        return None
    lasting = (
        episode.start
        for name in evidence.rollout.yardsticks
        for episode in evidence.rollout.alarms.episodes(name)
        if (episode.end is None or episode.end[1] > created_s) and episode.start[0] < evidence.release.superseded_s
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


def _interval_ms(interval: Interval | None) -> Interval | None:
    return (interval[0] * 1000, _ms(interval[1])) if interval else None


def _since(created_s: float, at_s: float | None) -> float | None:
    return None if at_s is None else at_s - created_s


def _bounds_since(created_s: float, bounds: Bounds | None) -> Bounds | None:
    return (bounds[0] - created_s, bounds[1] - created_s) if bounds else None


def _took(origin_s: float | None, bounds: Bounds | None) -> Bounds | None:
    """How long after the origin; None if the end lies before it and so was no answer to it."""
    if origin_s is None or bounds is None or bounds[1] < origin_s:
        return None
    return max(0.0, bounds[0] - origin_s), bounds[1] - origin_s
