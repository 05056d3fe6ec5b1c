"""A second opinion on the release, beside the alarm's: when a comparison of both versions would have stopped it.

It is a measure, and no part of outcome, call or result. Failures of good requests are compared, and answers that took
longer than a limit, each by an e-process (`timeline/sequential.py`). Both together would stop a canary that is no worse
than the baseline in one of 20 releases at the most, looked at as often as one likes.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from harness.core.timeline.bounds import Bounds
from harness.core.timeline.events import EvidenceFound, Requests
from harness.core.timeline.histogram import bin_of, merge, quantile_s
from harness.core.timeline.sequential import Numbers, log_e_values
from harness.core.verdict.evidence import Evidence, count, failed
from harness.core.verdict.latency import DIFFERENCE_S, FEWEST, RATIO, Q, answered_well
from harness.core.verdict.measure import MINUTE_S, alarm_start, arms_window, headers_tell
from harness.core.verdict.types import EProcess, SecondOpinion

ALPHA = 0.05
"""A canary that is no worse than the baseline would be stopped this often at the most."""
COLD_S = 30.0
"""After each shift new environments start, and answer late. That is no slowness of the new version."""
SURE = 4.0
"""Standard deviations by which the canary must have more requests than its weight says for that to be no chance."""
MOST_E = 1e9
"""Beyond this an e-value says nothing more."""


class Moment(Struct, frozen=True, kw_only=True):
    """What both versions answered in one second, or one period of CloudWatch; `known_s` is when that was known.

    `share` is the canary's share of the traffic.
    """

    known_s: float
    share: float
    canary: int
    answers: int
    canary_bad: int
    bad: int


class EvidenceCourse(Struct, frozen=True):
    """How evidence against the canary grew: the e-value after each moment, and `least` as what it takes to stop."""

    moments: tuple[Moment, ...]
    e_values: tuple[float, ...]
    least: float

    @property
    def stop(self) -> int | None:
        """The moment that would have stopped the release."""
        return next((at for at, value in enumerate(self.e_values) if value >= self.least), None)

    @property
    def stop_s(self) -> float | None:
        """When that moment was known, and all before it."""
        return None if self.stop is None else max(one.known_s for one in self.moments[: self.stop + 1])


class Courses(Struct, frozen=True, kw_only=True):
    """Both comparisons; None of one that could not be made. `limit_s` is what a slow answer takes longer than."""

    failures: EvidenceCourse | None = None
    slowness: EvidenceCourse | None = None
    limit_s: float | None = None

    @property
    def told(self) -> Mapping[Literal["failures", "slowness"], EvidenceCourse]:
        """Those that could be made, by what they compare."""
        made: tuple[tuple[Literal["failures", "slowness"], EvidenceCourse | None], ...]
        made = (("failures", self.failures), ("slowness", self.slowness))
        return {name: course for name, course in made if course}

    @property
    def slow_above_ms(self) -> float | None:
        """What a slow answer takes longer than, in milliseconds."""
        return None if self.limit_s is None else self.limit_s * 1000


def courses_of(evidence: Evidence) -> Courses:
    """Both comparisons over the time in which canary and baseline shared the traffic."""
    window = arms_window(evidence)
    if window is None or not evidence.release.shared or not evidence.release.baseline:
        return Courses()
    # What the weight was is known until the last look at it.
    until_s = min(window[1], _last_look_s(evidence))
    within = [seen for seen in evidence.since if window[0] <= seen.at_s and seen.at_s + 1 <= until_s]
    if not headers_tell(within):
        return Courses(failures=_course(_periods(evidence, window), 1 / ALPHA))
    limit_s = _limit_s(evidence)
    least = (1 if limit_s is None else 2) / ALPHA
    good = [seen for seen in within if seen.intent == "good"]
    return Courses(
        failures=_course(_seconds(evidence, good, _failures, _longest_s), least),
        slowness=None if limit_s is None else _course(_slow_seconds(evidence, good, limit_s), least),
        limit_s=limit_s,
    )


def second_opinion(evidence: Evidence) -> SecondOpinion | None:
    """When the comparisons would have stopped the release; None where nothing tells the versions apart."""
    courses, created_s = courses_of(evidence), evidence.release.created_s
    if created_s is None or not courses.told:
        return None
    stops = [course.stop_s for course in courses.told.values() if course.stop_s is not None]
    stop_s, alarm = min(stops, default=None), alarm_start(evidence)
    return SecondOpinion(
        failures=_facts(courses.failures, created_s),
        slowness=_facts(courses.slowness, created_s),
        slow_above_ms=courses.slow_above_ms,
        stop_s=None if stop_s is None else stop_s - created_s,
        lead_s=None if stop_s is None or alarm is None else (alarm[0] - stop_s, alarm[1] - stop_s),
        spared=None if stop_s is None else _after(evidence, stop_s),
        spared_failures=None if stop_s is None else _after(evidence, stop_s, failed),
    )


def found_by(courses: Courses, at_s: float) -> EvidenceFound | None:
    """The evidence on which the release is to be stopped, as it is at `at_s`; None while it does not suffice."""
    stops = [
        (stop_s, course.e_values[stop], name, course)
        for name, course in courses.told.items()
        if (stop := course.stop) is not None and (stop_s := course.stop_s) is not None
    ]
    if not stops:
        return None
    _, e_value, name, course = min(stops, key=lambda stop: stop[0])
    canary, baseline = _answers(course)
    return EvidenceFound(
        at_s=at_s,
        of=name,
        e_value=e_value,
        least=course.least,
        canary=canary,
        baseline=baseline,
        slow_above_ms=courses.slow_above_ms if name == "slowness" else None,
    )


def told_of(found: EvidenceFound) -> str:
    """The evidence in words: how many answers of each version were bad, and what that comes to."""
    bad = "failed" if found.of == "failures" else f"took more than {found.slow_above_ms or 0.0:.4g} ms at the client"
    (hurt, answers), (others_hurt, others) = found.canary, found.baseline
    told = f"{hurt:,} of {answers:,} answers of the canary {bad}, and {others_hurt:,} of {others:,} of the baseline"
    return f"{told} (e-value {found.e_value:.3g}, and {found.least:g} suffices)"


def _course(moments: Iterable[Moment], least: float) -> EvidenceCourse | None:
    """The course of the e-process; None where one of the versions never answered."""
    told = tuple(one for one in moments if one.answers and 0 < one.share < 1)
    if not 0 < sum(one.canary for one in told) < sum(one.answers for one in told):
        return None
    of_canary, bad = (np.array([getattr(one, name) for one in told], float) for name in ("canary_bad", "bad"))
    logs = log_e_values(of_canary, bad, _shares(told))
    return EvidenceCourse(told, tuple(np.exp(np.minimum(logs, math.log(MOST_E))).tolist()), least)


_SHARED = ("canary", "answers", "share")


def _shares(moments: Sequence[Moment]) -> Numbers:
    """The canary's share of the traffic; that of the answers where it surely got more than its weight at any time."""
    canary, answers, share = (np.array([getattr(one, name) for one in moments], float) for name in _SHARED)
    all_canary = np.cumsum(canary)
    surely = (all_canary - SURE * np.sqrt(all_canary)) / np.cumsum(answers)
    told: Numbers = np.maximum(share, canary / answers) if (surely > share).any() else share
    return told


def _facts(course: EvidenceCourse | None, created_s: float) -> EProcess | None:
    if course is None:
        return None
    canary, baseline = _answers(course)
    return EProcess(
        e_value=max(course.e_values),
        least=course.least,
        stop_s=None if course.stop_s is None else course.stop_s - created_s,
        canary=canary,
        baseline=baseline,
    )


def _answers(course: EvidenceCourse) -> tuple[tuple[int, int], tuple[int, int]]:
    """(bad answers, answers) of the canary and of the baseline, until the stop or of all the time."""
    upto = course.moments if course.stop is None else course.moments[: course.stop + 1]
    canary, bad = sum(one.canary for one in upto), sum(one.canary_bad for one in upto)
    return (bad, canary), (sum(one.bad for one in upto) - bad, sum(one.answers for one in upto) - canary)


# By response header


Bad = Callable[[Requests], int]
Until = Callable[[Sequence[Requests]], float]


def _seconds(evidence: Evidence, good: Sequence[Requests], bad: Bad, until: Until) -> Iterator[Moment]:
    """The answers second by second; `until` says how long after their second bad ones were known to be bad."""
    for at_s, rows in sorted(_by_second(good).items()):
        canary = [seen for seen in rows if evidence.is_canary(seen.version)]
        both = [*canary, *(seen for seen in rows if evidence.is_baseline(seen.version))]
        hurt = [seen for seen in both if bad(seen)]
        yield Moment(
            known_s=at_s + 1 + until(hurt),
            share=_weight(evidence, at_s),
            canary=count(canary),
            answers=count(both),
            canary_bad=sum(map(bad, canary)),
            bad=sum(map(bad, hurt)),
        )


def _weight(evidence: Evidence, at_s: float) -> float:
    """The canary's weight in a second, the highest that it can have been; 1 where no look showed one."""
    shifts = evidence.release.weights.splits
    return max((shift.weight for shift in shifts if shift.at_s[0] < at_s + 1), default=1.0)


def _last_look_s(evidence: Evidence) -> float:
    seen = (evidence.release.alias, evidence.release.weighed)
    return max((look.asked_s for look in seen if look), default=-math.inf)


def _by_second(requests: Iterable[Requests]) -> Mapping[float, list[Requests]]:
    found: defaultdict[float, list[Requests]] = defaultdict(list)
    for seen in requests:
        found[seen.at_s].append(seen)
    return found


def _failures(seen: Requests) -> int:
    return seen.count if failed(seen) else 0


def _longest_s(requests: Sequence[Requests]) -> float:
    return (quantile_s(merge(seen.latency for seen in requests), 1.0) or 0.0) if requests else 0.0


def _slow_seconds(evidence: Evidence, good: Sequence[Requests], limit_s: float) -> Iterator[Moment]:
    shifts = [shift.at_s for shift in evidence.release.weights.splits]
    warm = [seen for seen in answered_well(good) if not any(low <= seen.at_s < high + COLD_S for low, high in shifts)]
    limit = bin_of(limit_s)
    return _seconds(evidence, warm, lambda seen: _above(seen, limit), lambda hurt: limit_s if hurt else 0.0)


def _above(seen: Requests, limit: int) -> int:
    # A second has few bins: an array of them would take longer to make than they to be added up.
    return sum(count for bin_, count in seen.latency.items() if bin_ > limit)


def _limit_s(evidence: Evidence) -> float | None:
    """What a slow answer takes longer than, as it was known at the creation; None where too little was.

    The objective's 99th percentile, else so much more than that of the answers before the creation.
    """
    objective, created_s = evidence.experiment.objective.latency, evidence.release.created_s
    if objective and objective.p99_s is not None:
        return objective.p99_s
    own = evidence.own(evidence.requests)
    before = answered_well([seen for seen in own if created_s is not None and seen.at_s + 1 <= created_s])
    usual_s = quantile_s(merge(seen.latency for seen in before), Q)
    if usual_s is None or count(before) < FEWEST:
        return None
    if objective and objective.ratio is not None:
        return usual_s * objective.ratio
    return max(usual_s * RATIO, usual_s + DIFFERENCE_S)


# By CloudWatch


def _periods(evidence: Evidence, window: Bounds) -> Iterator[Moment]:
    """The periods of CloudWatch in which the weight held, in the order in which they became known."""
    told = _Told(evidence)
    moments = [told.moment(start_s) for start_s in told.starts if _held(evidence, window, start_s)]
    return iter(sorted((one for one in moments if one), key=lambda one: one.known_s))


def _held(evidence: Evidence, window: Bounds, start_s: float) -> bool:
    """Whether a period lies in the window, and no shift in the period: trouble of both may have come with a shift."""
    end_s = start_s + MINUTE_S
    shifts = (shift.at_s for shift in evidence.release.weights.splits)
    return (
        window[0] <= start_s and end_s <= window[1] and not any(low < end_s and start_s < high for low, high in shifts)
    )


class _Told:
    """What CloudWatch told last of each period that was over, and since when it told so."""

    def __init__(self, evidence: Evidence) -> None:
        self._values: dict[tuple[float, str, str], float] = {}
        self._known_s: dict[float, float] = {}
        self._versions = evidence.release.canary or "", evidence.release.baseline or ""
        for seen in evidence.metrics:
            if seen.version in self._versions:
                for start_s, value in seen.points:
                    if start_s + MINUTE_S <= seen.at_s:
                        self._learn(start_s, seen.metric, seen.version, value, seen.at_s)

    @property
    def starts(self) -> list[float]:
        """When the periods began of which something was told."""
        return sorted(self._known_s)

    def moment(self, start_s: float) -> Moment | None:
        """What both versions did in a period; None where one of them did nothing."""
        (canary, bad), (others, others_bad) = (self._arm(start_s, version) for version in self._versions)
        if not canary or not others:
            return None
        return Moment(
            known_s=self._known_s[start_s],
            share=canary / (canary + others),
            canary=canary,
            answers=canary + others,
            canary_bad=bad,
            bad=bad + others_bad,
        )

    def _arm(self, start_s: float, version: str) -> tuple[int, int]:
        requests, errors = (
            round(self._values.get((start_s, metric, version), 0)) for metric in ("Invocations", "Errors")
        )
        return requests, min(errors, requests)

    def _learn(self, start_s: float, metric: str, version: str, value: float, at_s: float) -> None:
        key = start_s, metric, version
        if metric in ("Invocations", "Errors") and self._values.get(key) != value:
            self._values[key] = value
            self._known_s[start_s] = max(at_s, self._known_s.get(start_s, at_s))


# What came after the stop


def _after(evidence: Evidence, stop_s: float, fits: Callable[[Requests], bool] = lambda _: True) -> int | None:
    """How many of our requests went to the canary after that; None where nothing tells which did."""
    if not headers_tell(evidence.since):
        return None
    return count(
        seen for seen in evidence.since if seen.at_s >= stop_s and evidence.is_canary(seen.version) and fits(seen)
    )
