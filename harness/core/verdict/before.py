"""Failures of good requests held against those from before the deployment, which nobody can blame on the canary.

The baseline says what is usual only while the release does not hurt it too, and a header only if failures carry it.
Before the creation no release had done anything. So what failed since, and did not fail at that rate before, may be
the release's doing, whichever version answered; where nothing is known from before, nothing says that it is usual.
"""

import math
from collections.abc import Iterator

from msgspec.structs import replace

from harness.core.timeline.alarm_rules import UNHANDLED_STATUS
from harness.core.timeline.bounds import Bounds
from harness.core.timeline.events import ANYONE, Answer, MetricSeen, Requests
from harness.core.timeline.stats import clopper_pearson, fisher_worse
from harness.core.verdict.evidence import Evidence, by_status, count, failed, is_fault, server_failed
from harness.core.verdict.failures import SURE, is_borne
from harness.core.verdict.measure import MINUTE_S, SIGNIFICANT, arms_window, good_failures, headers_tell

Counts = dict[tuple[str | None, float], float]
"""What CloudWatch counted, by version and by when the period began."""

HALF = 0.5
"""The share of today's failure rate that the one from before must reach, to show that it is usual."""
MOST_UNANSWERED = 0.01
"""The share of requests without an answer that is usual where no traffic from before says what is."""


def failures_of_nobody(evidence: Evidence) -> str | None:
    """Failed answers that nothing gives to a version, too many to be what failed before."""
    nameless = nameless_failures(evidence)
    told = min(_counted_errors(evidence), count(nameless, lambda seen: server_failed(seen) or not seen.http))
    if not _beyond_the_usual(evidence, count(nameless), good_failures(before_creation(evidence)), told):
        return None
    return (
        f"{count(nameless)} good requests failed ({by_status(nameless)}), and nothing tells which version answered them"
    )


def unanswered(evidence: Evidence) -> str | None:
    """Requests without an answer, more than there were before: no version is known that did not answer."""
    (silent, total), usual = _silent(evidence.since), _silent(before_creation(evidence))
    is_usual = not _beyond_the_usual(evidence, silent, usual, 0) if usual[1] else silent <= MOST_UNANSWERED * total
    if is_usual:
        return None
    return f"{silent} of {total} good requests got no answer, and nothing tells which version they went to"


def more_than_before(evidence: Evidence) -> str | None:
    """Good requests that failed more since the creation than before it, on whichever version, beyond what is borne."""
    usual = good_failures(before_creation(evidence))
    for began_s, ended_s in _spans(evidence):
        within = [seen for seen in evidence.since if began_s <= seen.at_s < ended_s]
        hurt = good_failures(within)
        is_shown = is_usual(hurt, usual) and not _says_too_little(evidence, hurt, usual)
        if not hurt[0] or is_shown or is_borne(evidence, within, _good_failed):
            continue
        then = f"{usual[0]} of {usual[1]} did before the deployment" if usual[1] else "nothing says how many did before"
        return (
            f"{hurt[0]} of {hurt[1]} good requests failed after the creation, and {then}: the release may hurt both "
            "versions"
        )
    return None


def more_errors_than_before(evidence: Evidence) -> str | None:
    """The same by what CloudWatch counted, where this run sent no requests."""
    if evidence.rollout.run.sends:
        return None
    said = more_than_before(_as_counted(evidence))
    return f"by CloudWatch, {said}" if said else None


def before_creation(evidence: Evidence) -> list[Requests]:
    """The requests that no release can have hurt yet; none where no creation is known."""
    created_s = evidence.release.created_s
    return [seen for seen in evidence.requests if created_s is not None and seen.at_s + 1 <= created_s]


def is_usual(hurt: tuple[int, int], usual: tuple[int, int]) -> bool:
    """Whether failures are not significantly more than the usual ones; not where nothing says what is usual."""
    chance = fisher_worse(hurt, usual)
    return chance is not None and chance >= SIGNIFICANT


def _says_too_little(evidence: Evidence, hurt: tuple[int, int], usual: tuple[int, int]) -> bool:
    """Whether failures surely beyond the objective are usual only in that too little was sent before to tell."""
    surely = clopper_pearson(*hurt, confidence=SURE)
    is_beyond = surely is not None and surely[0] > 1 - evidence.experiment.objective.availability
    return is_beyond and usual[0] * hurt[1] < HALF * hurt[0] * usual[1]


def _spans(evidence: Evidence) -> Iterator[Bounds]:
    """The time on trial, and all that the release can have hurt: a promoted canary goes on answering."""
    window, gone_s = arms_window(evidence), evidence.release.canary_gone_s
    if window is None:
        return
    yield window
    if gone_s is None or evidence.release.promoted:
        yield window[0], evidence.until_s + 1


def _good_failed(seen: Requests) -> bool:
    return failed(seen) and not is_fault(seen)


def nameless_failures(evidence: Evidence) -> list[Requests]:
    """Failed answers that may be the canary's, and are not known to be."""
    failures = [seen for seen in evidence.since if _good_failed(seen) and (seen.answered or not seen.http)]
    if headers_tell(evidence.since):
        return [seen for seen in failures if seen.version is None]
    return [seen for seen in failures if not evidence.is_baseline(seen.version)]


def _beyond_the_usual(evidence: Evidence, hurt: int, usual: tuple[int, int], told: int) -> bool:
    """Whether the canary may have failed more than was usual: all failures are its, but those that others explain.

    The baseline explains those that CloudWatch `told` of, or as many as failed before the creation.
    """
    good = [seen for seen in evidence.since if not is_fault(seen)]
    of_canary = round(sum(seen.count * _share(evidence, seen.at_s) for seen in good))
    of_baseline = (count(good) - of_canary) * usual[0] / usual[1] if usual[1] else 0.0
    rest = hurt - max(told, round(of_baseline))
    return rest > 0 and not is_usual((rest, max(rest, of_canary)), usual)


def _share(evidence: Evidence, at_s: float) -> float:
    """The canary's share of the traffic at an instant, as looks showed it."""
    weights = evidence.release.weights
    if weights.whole and at_s >= weights.whole[1]:
        return 1.0
    return next((shift.weight for shift in reversed(weights.splits) if shift.at_s[1] <= at_s), 0.0)


def _counted_errors(evidence: Evidence) -> int:
    """How many of our good requests surely failed by CloudWatch's word, which tells the version.

    It counts others' requests, too: each invocation more than we sent may be an error that is none of ours.
    """
    created_s = evidence.release.created_s or 0.0
    lasting = [seen.period_s for seen in _series(evidence, "Invocations")]
    invocations, errors = (_by_period(evidence, metric, created_s) for metric in ("Invocations", "Errors"))
    if not invocations:
        return 0
    first_s, last_s = min(at for _, at in invocations), max(at for _, at in invocations) + max(lasting)
    ours = [seen for seen in evidence.requests if first_s <= seen.at_s < last_s]
    not_meant = count(ours, lambda seen: server_failed(seen) and (is_fault(seen) or seen.at_s < created_s))
    of_others = max(0.0, sum(invocations.values()) - count(ours))
    return max(0, round(sum(errors.values()) - of_others) - not_meant)


def _by_period(evidence: Evidence, metric: str, since_s: float) -> Counts:
    """A metric of both versions by when the period began, of those that last after an instant."""
    points: Counts = {}
    for seen in _series(evidence, metric):
        points |= {(seen.version, at_s): value for at_s, value in seen.points if at_s + seen.period_s > since_s}
    return points


def _as_counted(evidence: Evidence) -> Evidence:
    """The evidence with the invocations that CloudWatch counted as its requests, each in the second of its period."""
    calls, errors = (_by_period(evidence, metric, -math.inf) for metric in ("Invocations", "Errors"))
    rows = tuple(_rows(evidence, calls, errors))
    created_s = evidence.release.created_s or 0.0
    return replace(evidence, requests=rows, since=tuple(seen for seen in rows if seen.at_s >= created_s))


def _rows(evidence: Evidence, calls: Counts, errors: Counts) -> Iterator[Requests]:
    created_s, window = evidence.release.created_s or 0.0, arms_window(evidence)
    began_s = window[0] if window else created_s
    for (version, start_s), called in calls.items():
        at_s = start_s if start_s + MINUTE_S <= created_s else max(start_s, began_s)
        failures = min(round(errors.get((version, start_s), 0)), round(called))
        answers: tuple[tuple[Answer, int, int], ...] = (
            ("failed", UNHANDLED_STATUS, failures),
            ("ok", 200, round(called) - failures),
        )
        for outcome, status, number in answers:
            if number:
                yield Requests(
                    at_s=at_s,
                    intent="good",
                    persona=ANYONE,
                    endpoint="",
                    version=version,
                    outcome=outcome,
                    status=status,
                    count=number,
                    latency={},
                    service_time={},
                )


def _series(evidence: Evidence, metric: str) -> Iterator[MetricSeen]:
    versions = {evidence.release.baseline, evidence.release.canary} - {None}
    return (seen for seen in evidence.metrics if seen.metric == metric and seen.version in versions)


def _silent(requests: list[Requests] | tuple[Requests, ...]) -> tuple[int, int]:
    good = [seen for seen in requests if not is_fault(seen) and seen.http]
    return count(good, lambda seen: not seen.answered), count(good)
