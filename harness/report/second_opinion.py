"""The second opinion on a release in words, and its evidence as the rows of a chart."""

from collections.abc import Iterator, Mapping

from harness.core.verdict.second_opinion import ALPHA, Courses, EvidenceCourse, courses_of
from harness.core.verdict.types import EProcess, SecondOpinion, Verdict
from harness.report import facts
from harness.report.judged_run import JudgedRun

NAME = "Second opinion, a measure beside the verdict"
UNKNOWN = f"{NAME}: none, since nothing tells which version answered, or both never shared the traffic."
CHANCE = f"A canary as good as the baseline is stopped so in {facts.percent(ALPHA)} of releases at the most."
MOST_POINTS = 400
DRAWN = (0.01, 1e4)
"""E-values that are drawn; what lies beyond is drawn at the edge."""


def second_opinion(verdict: Verdict) -> str:
    """When a comparison of both versions would have stopped the release, in one or two sentences."""
    seen = verdict.second_opinion
    if seen is None:
        return UNKNOWN
    if seen.stop_s is None:
        return f"{NAME}: a comparison of canary and baseline would not have stopped the release; {_evidence(seen)}."
    stopped = f"a comparison of canary and baseline {_would_stop(verdict)} {seen.stop_s:.1f} s after its creation"
    return f"{NAME}: {stopped}, {_lead(seen)}: {_because(seen)}.{_spared(seen)} {CHANCE}"


def _would_stop(verdict: Verdict) -> str:
    if verdict.deployment.stopped_on:
        return "had enough to stop the release, and the harness did:"
    return "would have stopped the release"


def live(courses: Courses) -> str:
    """How much evidence against the canary there is by now, in one line; empty where nothing is compared yet."""
    if not courses.told:
        return ""
    name, course = max(courses.told.items(), key=lambda told: told[1].e_values[-1] / told[1].least)
    of = "" if name == "failures" else f" ({name})"
    value = max(course.e_values) if course.stop is not None else course.e_values[-1]
    told = f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
    return f"evidence against the canary{of}: {told} of {course.least:g} needed"


def _evidence(seen: SecondOpinion) -> str:
    told = _compared(seen)
    came = " and ".join(f"of {name} {course.e_value:.3g}" for name, course in told.items())
    least = max(course.least for course in told.values())
    return f"the highest e-value {came}, where {least:g} stops it"


def _compared(seen: SecondOpinion) -> dict[str, EProcess]:
    told = {"failures": seen.failures, "slowness": seen.slowness}
    return {name: course for name, course in told.items() if course}


def _because(seen: SecondOpinion) -> str:
    stopping = {name: course for name, course in _compared(seen).items() if course.stop_s is not None}
    name, course = min(stopping.items(), key=lambda told: told[1].stop_s or 0.0)
    bad = "failed" if name == "failures" else f"took more than {facts.number(seen.slow_above_ms)} ms at the client"
    canary, baseline = (f"{facts.count(bad)} of {facts.count(all_)}" for bad, all_ in (course.canary, course.baseline))
    return f"{canary} answers of the canary {bad}, and {baseline} of the baseline"


def _lead(seen: SecondOpinion) -> str:
    if seen.lead_s is None:
        return "and no alarm was seen to ring"
    low, high = seen.lead_s
    if high < 0:
        return f"{facts.span((-high, -low))} after the alarm"
    return f"{facts.span(seen.lead_s)} before the alarm" if low >= 0 else "about when the alarm rang"


def _spared(seen: SecondOpinion) -> str:
    if not seen.spared:
        return ""
    return f" After that {facts.count(seen.spared)} requests went to the canary, and {_failed(seen)} of them failed."


def _failed(seen: SecondOpinion) -> str:
    return facts.count(seen.spared_failures) if seen.spared_failures else "none"


def evidence_rows(run: JudgedRun) -> list[Mapping[str, object]]:
    """How the evidence grew, where any answer was bad: by kind of bad answer, in the seconds of the time axis."""
    told = courses_of(run.evidence).told
    if not any(one.bad for course in told.values() for one in course.moments):
        return []
    return [row for name, course in told.items() for row in _rows(name, course, run.origin_s)]


def _rows(name: str, course: EvidenceCourse, origin_s: float) -> Iterator[Mapping[str, object]]:
    points = list(_changes(course))
    step = max(1, -(-len(points) // MOST_POINTS))
    kept = {*range(0, len(points), step), len(points) - 1}
    for known_s, value in (point for at, point in enumerate(points) if at in kept or point[1] >= course.least):
        yield {
            "t": round(known_s - origin_s, 2),
            "of": name,
            "e": min(max(value, DRAWN[0]), DRAWN[1]),
            "least": course.least,
            "what": f"e-value {value:.3g} of the {course.least:g} that stop",
        }


def _changes(course: EvidenceCourse) -> Iterator[tuple[float, float]]:
    """When the e-value changed, and the last one."""
    known_s, before = course.moments[0].known_s, 0.0
    for moment, value in zip(course.moments, course.e_values, strict=True):
        known_s = max(known_s, moment.known_s)
        if value != before or moment is course.moments[-1]:
            yield known_s, value
        before = value
