"""report.html: the page that a release meeting decides from, in one file that needs no network."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from harness.core.experiment.group_names import inner_name
from harness.core.experiment.types import Objective
from harness.core.verdict.guards import rules_of
from harness.core.verdict.types import ArmFacts, Verdict
from harness.report import facts, shadows
from harness.report.datapoints import AlarmPeriod, chance_again, datapoints
from harness.report.drawing import javascript
from harness.report.in_words import alternative, counted_from, drawn_alarms, faults, occasion
from harness.report.judged_run import JudgedRun
from harness.report.odds_of_run import DrawnOdds
from harness.report.panels import Spec
from harness.report.recommended import Recommendation
from harness.report.second_opinion import second_opinion
from harness.report.seconds import CELLS, Slice
from harness.report.templating import render

MOST_ROWS = 40
"""Rows of the tables under the chart; the rest is in timeline.jsonl."""
MOST_DATAPOINTS = 60

MINUTES_HEAD: facts.Row = (
    "from", "sent/s", "fault/s", "canary/s", "failed/s",
    "client p50 ms", "client p95 ms", "client p99 ms", "weight", "alarm",
)  # fmt: skip
DATAPOINTS_HEAD: facts.Row = ("period", "CloudWatch", "canary", "clients saw", "threshold", "breaching", "alarm")


def page(
    run: JudgedRun, spec: Spec | None, advised: Recommendation | None = None, odds: DrawnOdds | None = None
) -> str:
    """The whole page; `spec` is the chart of the run, None where there is nothing to draw."""
    points = datapoints(run)
    return render(
        "report.html",
        occasion=occasion(run),
        subject=facts.deployment(run.verdict),
        title=f"{run.verdict.experiment}: {facts.headline(run.verdict)}",
        run=run,
        verdict=run.verdict,
        facts=facts,
        result=facts.result(run.verdict),
        groups=groups(run.verdict),
        tiles=tiles(run.verdict, run.evidence.experiment.objective),
        asks=asks(run.verdict),
        advised=advised,
        odds=odds,
        spec=spec,
        alternative=alternative(run),
        counted_from=counted_from(run),
        minutes_head=MINUTES_HEAD,
        minutes=minutes(run),
        ledger=ledger_bars(run.verdict),
        arms=arm_bars(run.verdict),
        captions=captions(run, points),
        rules=rules(run),
        counting=counting(run),
        of_alarm=of_alarm(run),
        second_opinion=second_opinion(run.verdict),
        shadows=shadows,
        chance=chance_again(run),
        datapoints_head=DATAPOINTS_HEAD,
        datapoints=[_datapoint(point, run.origin_s) for point in points[:MOST_DATAPOINTS]],
        datapoints_left=max(0, len(points) - MOST_DATAPOINTS),
        manifest=manifest_rows(run),
        script=javascript() if spec else "",
    )


def groups(verdict: Verdict) -> list[dict[str, Any]]:
    """One row for each of several groups, with the page of its own."""
    return [
        {"cells": cells, "href": f"{inner_name(cells[0])}/report.html", "result": verdict.groups[cells[0]].result}
        for cells in facts.groups(verdict)
    ]


class Tile(Struct, frozen=True):
    """A number that is asked for first, and what it is of."""

    name: str
    value: str
    what: str


def tiles(verdict: Verdict, objective: Objective) -> list[Tile]:
    """The numbers that are asked for first."""
    seen, hurt, unseen = verdict.detection, verdict.exposure, _unmeasured(verdict)
    return [
        _tile(
            "time to detect", facts.span(seen.time_to_detect_s), "from first fault or harm to ALARM", _unseen(verdict)
        ),
        _tile(
            "time to roll back",
            facts.span(seen.time_to_roll_back_s),
            "until all traffic is on the baseline again",
            _unseen(verdict),
        ),
        _failed_tile(verdict),
        _tile("blast radius", facts.percent(hurt.blast_radius), "of all requests failed", unseen),
        _tile("users hit", facts.count(hurt.users), facts.USERS_HIT, unseen),
        _tile("error budget used", facts.percent(hurt.error_budget_share), f"of {facts.budget(objective)}", unseen),
    ]


def _tile(name: str, value: str, what: str, unseen: str) -> Tile:
    return Tile(name, value, unseen if value == facts.NOT_MEASURED else what)


def _failed_tile(verdict: Verdict) -> Tile:
    if facts.unheld(verdict):
        return Tile("failed requests", facts.count(facts.failures(verdict)), "in the whole run: no deployment was seen")
    hurt = verdict.exposure
    good = f"{facts.count(hurt.failed_good_requests)} of them good"
    return _tile("failed requests", facts.count(hurt.failed_requests), good, _unmeasured(verdict))


def _unmeasured(verdict: Verdict) -> str:
    return "no deployment was seen" if facts.unheld(verdict) else "not measured"


def _unseen(verdict: Verdict) -> str:
    """Why there is no time to detect or to roll back."""
    if verdict.detection.first_fault_s is not None:
        return "not seen after the first fault"
    if verdict.exposure.failed_requests:
        return "not seen after the first failure"
    return _unmeasured(verdict) if verdict.exposure.failed_requests is None else "no fault and no failed request"


def asks(verdict: Verdict) -> str:
    """How many findings of each severity there are, the gravest first; empty where there is none."""
    counts = Counter(finding.severity for finding in verdict.findings)
    return ", ".join(f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts.items())


def rules(run: JudgedRun) -> dict[str, str]:
    """Each rule of an alarm that counts failures, and the names of the alarms that have it."""
    named: dict[str, list[str]] = {}
    for rule in rules_of(run.evidence):
        named.setdefault(str(rule), []).extend([rule.name] if rule.name else [])
    return {rule: ", ".join(names) for rule, names in named.items()}


def counting(run: JudgedRun) -> str:
    """Which alarm the attribution is about: of several the first, unless CloudWatch told the errors of all."""
    names = [rule.name for rule in rules_of(run.evidence) if rule.name]
    if len(names) > 1 and run.verdict.attribution.source == "cloudwatch":
        return "the alarms"
    return f"the alarm {names[0]}" if names else "the alarm"


def of_alarm(run: JudgedRun) -> str:
    """Which alarm the chance is about, where there are several."""
    names = [rule.name for rule in rules_of(run.evidence) if rule.name]
    return f"of {facts.plain(names[0])} (the first of {len(names)} alarms)" if len(names) > 1 else ""


def captions(run: JudgedRun, points: Sequence[AlarmPeriod]) -> list[str]:
    """What the chart has no room to say: its faults, and the alarms whose datapoints it leaves to the table."""
    left = [name for name in dict.fromkeys(point.alarm for point in points) if name not in drawn_alarms(points)]
    silent = run.seconds.slices(run.seconds.width_for(MOST_ROWS)) and not run.verdict.traffic.sent
    return [
        *(["No request was sent, so there is no traffic to draw."] if silent else []),
        *([told] if (told := faults(run)) else []),
        *([f"Not drawn, but in the table of datapoints: {', '.join(left)}."] if left else []),
    ]


def ledger_bars(verdict: Verdict) -> list[dict[str, Any]]:
    """The ledger with a bar a step: where it begins and how long it is, in percent of all steps."""
    rows: list[dict[str, Any]] = []
    begins = 0.0
    for number, step in enumerate(facts.timed(verdict), 1):
        share = step.share or 0.0
        rows.append(
            {
                "number": number,
                "name": step.name,
                "at": facts.span(step.at),
                "took": facts.span(step.took),
                "share": facts.percent(step.share),
                "begins": round(begins * 100, 2),
                "lasts": round(share * 100, 2),
                "seen": step.at is not None,
            }
        )
        begins += share
    return rows


def arm_bars(verdict: Verdict) -> list[dict[str, Any]]:
    """Both arms side by side, each with its interval in percent of the widest."""
    arms = {"baseline": verdict.arms.baseline, "canary": verdict.arms.canary}
    most = max((arm.failure_interval[1] for arm in arms.values() if arm.failure_interval), default=0.0)
    cells = dict(zip(arms, facts.arms(verdict), strict=True))
    return [{"cells": cells[name], "bar": _bar(arm, most)} for name, arm in arms.items()]


def _bar(arm: ArmFacts, most: float) -> dict[str, float] | None:
    if arm.failure_interval is None or not arm.requests or not most:
        return None
    low, high = arm.failure_interval
    rate = (arm.failures or 0) / arm.requests
    return {name: round(100 * value / most, 2) for name, value in (("low", low), ("high", high), ("rate", rate))}


def minutes(run: JudgedRun) -> list[facts.Row]:
    """The chart as a table of at most MOST_ROWS rows."""
    width_s = run.seconds.width_for(MOST_ROWS)
    return [_minute(part, width_s, run.origin_s) for part in run.seconds.slices(width_s)]


def _minute(part: Slice, width_s: float, origin_s: float) -> facts.Row:
    fault = sum(count for (intent, _), count in zip(CELLS, part.sent, strict=True) if intent == "fault")
    canary = sum(count for (_, arm), count in zip(CELLS, part.sent, strict=True) if arm == "canary")
    rates = (sum(part.sent), fault, canary, sum(part.failures))
    quantiles = (part.p50_ms, part.p95_ms, part.p99_ms)
    return (
        facts.span((part.at_s - origin_s, part.at_s - origin_s), digits=0),
        *(facts.number(count / width_s) for count in rates),
        *map(facts.number, quantiles),
        facts.percent(part.weight),
        _ALARM_WORDS[part.in_alarm],
    )


_ALARM_WORDS: Mapping[bool | None, str] = {True: "ALARM", False: "not in ALARM", None: facts.NOT_MEASURED}
_BREACHING_WORDS: Mapping[bool | None, str] = {True: "yes", False: "no", None: facts.NOT_MEASURED}
BY_CLIENTS = " by clients' count"


def _datapoint(point: AlarmPeriod, origin_s: float) -> facts.Row:
    numbers = (point.value, point.of_canary, point.seen, point.threshold)
    by = BY_CLIENTS if point.counted_by == "clients" and point.breaching is not None else ""
    return (
        facts.span((point.from_s - origin_s, point.to_s - origin_s), digits=0),
        *map(facts.number, numbers),
        _BREACHING_WORDS[point.breaching] + by,
        facts.plain(point.alarm),
    )


def manifest_rows(run: JudgedRun) -> list[tuple[str, str]]:
    """How the run was made, as far as its folder says."""
    experiment, rollout = run.evidence.experiment, run.rollout
    rows = [
        ("experiment", f"{experiment.name}: {experiment.description}" if experiment.description else experiment.name),
        ("seed", str(experiment.seed)),
        ("speed", f"{rollout.run.speed:g}"),
        ("lasted", f"{run.evidence.end_s:.0f} s of experiment time"),
        ("ended", _how_it_ended(run)),
        ("looks at AWS", f"{facts.count(rollout.run.looks)}, and {facts.count(len(run.evidence.blind))} failed"),
    ]
    if run.manifest:
        rows[1:1] = [
            ("started", run.manifest.started),
            ("run by", run.manifest.by or facts.NOT_MEASURED),
            ("command", " ".join(run.manifest.command)),
        ]
        rows.append(("versions", ", ".join(f"{name} {version}" for name, version in run.manifest.versions.items())))
        rows.append(("git commit", run.manifest.git_commit or facts.NOT_MEASURED))
    elif run.asked_in:
        rows.insert(0, ("manifest.json", _MISSING.get(run.asked_in, "missing")))
    return [(name, facts.plain(value)) for name, value in rows]


_MISSING: Mapping[str, str] = {
    "experiment.yaml": "missing; what was asked is read from experiment.yaml",
    "timeline.jsonl": "missing, and experiment.yaml too: the timeline does not say what was expected",
}


def _how_it_ended(run: JudgedRun) -> str:
    ended = run.rollout.run.ended
    if ended is None:
        return "the timeline has no end: the run was cut off, or still lasts"
    return facts.words(ended.why) + (f": {ended.detail}" if ended.detail else "")
