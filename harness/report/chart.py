"""The main chart: one aligned timeline of lanes, weight, traffic, failures, latency and alarms, as Vega-Lite.

Nothing is imported to write the specification, because a run writes its report while somebody waits. `panels` says how
each part looks; `drawing` turns the whole into pictures, and the page into something to zoom in.
"""

from collections.abc import Iterable, Iterator, Sequence

from harness.report import facts, panels
from harness.report.datapoints import AlarmPeriod, datapoints
from harness.report.in_words import alternative, counted_from, drawn_alarms, when
from harness.report.judged_run import JudgedRun
from harness.report.lanes import Span, spans
from harness.report.panels import NOT_OVER, STEPS_LANE, Spec
from harness.report.second_opinion import evidence_rows
from harness.report.seconds import CELLS, Slice

MOST_SLICES = 600
"""One for each pixel or two; twice as many would take twice as long to draw and show nothing more."""
MOST_MOMENTS = 500
LETTER_PX = 7.0
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"


def chart(run: JudgedRun, width: int = 860) -> Spec | None:
    """The main chart of a run, `width` pixels wide; None of a run in which nothing was seen or sent."""
    parts = run.seconds.slices(width_s := run.seconds.width_for(MOST_SLICES))
    lanes, points, evidence, origin_s = spans(run), datapoints(run), evidence_rows(run), run.origin_s
    if not (parts or lanes):
        return None
    shown = list(_panels(run, lanes, parts, points))
    shown += [panels.evidence()] if evidence else []
    ends = [*(part.at_s + width_s for part in parts), *(span.to_s for span in lanes)]
    starts = [*(part.at_s for part in parts), *(span.from_s for span in lanes)]
    domain = [min(starts) - origin_s, max(ends) - origin_s]
    return {
        "$schema": SCHEMA,
        "description": alternative(run),
        "datasets": {
            "slices": [_row(part, width_s, origin_s) for part in parts],
            "spans": [_span(span, origin_s, (domain[1] - domain[0]) / width) for span in _fewer(lanes)],
            "steps": (marks := steps(run)),
            "numbers": numbers(marks, (domain[1] - domain[0]) / width),
            "points": [_point(point, origin_s) for point in points],
            "evidence": evidence,
        },
        "vconcat": panels.aligned(shown, domain, width, counted_from(run)),
        "spacing": 10,
        "params": [panels.zoom(len(shown))],
        "resolve": {"scale": {"x": "shared", "color": "independent", "stroke": "independent"}},
        "config": panels.CONFIG,
    }


def _panels(
    run: JudgedRun, lanes: Sequence[Span], parts: Sequence[Slice], points: Sequence[AlarmPeriod]
) -> Iterator[Spec]:
    """The panels that have something to show, from the top."""
    if lanes:
        numbered = [STEPS_LANE] if facts.any_step(run.verdict) else []
        order = [*numbered, *dict.fromkeys(span.lane for span in lanes)]
        yield panels.lanes(order, {span.kind for span in lanes})
    if any(part.weight is not None for part in parts):
        yield panels.weight()
    if sent := _present(part.sent for part in parts):
        yield panels.stacked("sent", "requests/s", 120, sent)
    if failing := _present(part.failures for part in parts):
        yield panels.stacked("failed", "failures/s", 80, failing)
    if any(part.p50_ms is not None for part in parts):
        yield panels.latency()
    alarms = [facts.plain(name) for name in drawn_alarms(points)]
    yield from panels.counted(alarms, {_breaching(point) for point in points})


def steps(run: JudgedRun) -> list[Spec]:
    """The steps of the ledger that were seen, by number, at the middle of their bounds: lines across all panels."""
    return [
        {"n": number, "t": round(sum(bounds) / 2, 2), "what": f"{number}. {name}, {facts.span(bounds)}"}
        for number, (name, bounds) in enumerate(facts.steps(run.verdict), 1)
        if bounds is not None
    ]


def numbers(marks: Sequence[Spec], s_per_px: float) -> list[Spec]:
    """The numbers over the lines; those that would overprint share a label, which may then reach the one before it."""
    labels: list[Spec] = []
    for mark in sorted(marks, key=lambda mark: (mark["t"], mark["n"])):
        label: Spec = {"t": mark["t"], "label": str(mark["n"]), "lane": STEPS_LANE}
        while labels and _overprint(labels[-1], label, s_per_px):
            label = _joined(labels.pop(), label)
        labels.append(label)
    return labels


def _overprint(one: Spec, following: Spec, s_per_px: float) -> bool:
    """Whether two labels, each in the middle over its instant, would be less than half a letter apart."""
    letters = (len(one["label"]) + len(following["label"])) / 2 + 0.5
    return bool(following["t"] - one["t"] < letters * LETTER_PX * s_per_px)


def _joined(one: Spec, following: Spec) -> Spec:
    middle = round((one["t"] + following["t"]) / 2, 2)
    return {**one, "t": middle, "label": f"{one['label']} {following['label']}"}


def _present(rows: Iterable[Sequence[int]]) -> list[int]:
    """The cells that any row counts something in."""
    totals = [sum(column) for column in zip(*rows, strict=True)]
    return [index for index, total in enumerate(totals) if total]


def _fewer(lanes: Sequence[Span]) -> list[Span]:
    """Moments may be many, such as a failed look a second all day; spans are few."""
    moments = [span for span in lanes if span.from_s == span.to_s]
    step = max(1, -(-len(moments) // MOST_MOMENTS))
    kept = {id(span) for span in moments[::step]}
    return [span for span in lanes if span.from_s != span.to_s or id(span) in kept]


def _row(part: Slice, width_s: float, origin_s: float) -> Spec:
    row: Spec = {"t": round(part.at_s - origin_s, 2), "u": round(part.at_s - origin_s + width_s, 2)}
    for index in range(len(CELLS)):
        row[f"sent{index}"] = _rate(part.sent[index], width_s)
        row[f"failed{index}"] = _rate(part.failures[index], width_s)
    for name, value in (("p50", part.p50_ms), ("p95", part.p95_ms), ("p99", part.p99_ms)):
        row[name] = None if value is None else round(value, 3)
    row["weight"] = part.weight
    return row


def _rate(count: int, width_s: float) -> float:
    """Requests a second in six digits that count: one request in a day is not none."""
    return float(f"{count / width_s:.6g}") if count else 0.0


def _span(span: Span, origin_s: float, s_per_px: float) -> Spec:
    fits = len(span.label) * LETTER_PX * s_per_px < span.to_s - span.from_s
    return {
        "lane": span.lane,
        "kind": span.kind,
        "name": span.label,
        "label": span.label if fits else "",
        "t": (begins := round(span.from_s - origin_s, 2)),
        "u": round(span.to_s - origin_s, 2),
        "at": begins,
        "what": f"{span.detail} ({when(span, origin_s)})",
    }


def _point(point: AlarmPeriod, origin_s: float) -> Spec:
    value = point.value if point.value is not None else point.seen
    told = "CloudWatch" if point.value is not None else "clients"
    return {
        "alarm": facts.plain(point.alarm),
        "t": round(point.from_s - origin_s, 2),
        "u": round(point.to_s - origin_s, 2),
        "value": value,
        "threshold": point.threshold,
        "breaching": _breaching(point),
        "what": f"{facts.number(value)} counted by {told}, threshold {facts.number(point.threshold)}",
    }


def _breaching(point: AlarmPeriod) -> str:
    if point.breaching is None:
        return NOT_OVER
    word = "breaching" if point.breaching else "not breaching"
    return word if point.counted_by == "CloudWatch" else f"{word} by clients' count"
