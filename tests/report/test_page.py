"""report.html: what it says, of whatever run."""

import dataclasses
import html
import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from harness.core.experiment.types import Experiment
from harness.core.timeline.events import (
    AlarmChanged,
    AlarmDefined,
    AlarmSeen,
    Asked,
    DeploymentSeen,
    Event,
    FaultStarted,
    GroupSeen,
    LookFailed,
    Note,
    Requests,
    RunStarted,
    Trouble,
)
from harness.report.chart import chart
from harness.report.folder import RunFolder
from harness.report.in_words import alternative, faults, occasion
from harness.report.judged_run import JudgedRun
from harness.report.markdown import markdown
from harness.report.page import Tile, page, tiles
from tests.report.reading import Reading

Past = Callable[..., JudgedRun]
SAMPLE = Path(__file__).parents[2] / "reports" / "sample"
HOSTILE = "</script><img src=x onerror=alert(1)>\u2028<b>&amp;{{ 7*7 }}\x1b[2J"
MOST_BYTES = 3 * 2**20


def reading(run: JudgedRun) -> Reading:
    """The page of a run."""
    return Reading(page(run, chart(run)))


@pytest.fixture(scope="module")
def shown(sample: JudgedRun) -> Reading:
    """The page of the sample."""
    return reading(sample)


# Every number again, from the lines of the timeline alone and without a line of the harness


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """The timeline of the sample as plain JSON."""
    return [json.loads(line) for line in (SAMPLE / "timeline.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def created_s(lines: list[dict[str, Any]]) -> float:
    """The creation of the deployment."""
    return float(next(line["created_s"] for line in lines if line["type"] == "deployment_seen"))


def of(lines: Iterable[dict[str, Any]], kind: str, **fields: Any) -> list[dict[str, Any]]:
    """The events of a kind with these values."""
    return [line for line in lines if line["type"] == kind and all(line[key] == fields[key] for key in fields)]


def total(rows: Iterable[dict[str, Any]]) -> int:
    """How many requests."""
    return sum(row["count"] for row in rows)


def quantile_ms(rows: Iterable[dict[str, Any]], share: float) -> float:
    """A quantile of the latencies by sorting every one of them."""
    every = sorted(int(bin_) for row in rows for bin_, count in row["latency"].items() for _ in range(count))
    bin_ = every[max(1, -int(-share * len(every) // 1)) - 1]
    exponent = max((bin_ >> 7) - 1, 0)
    return (((bin_ - (exponent << 7)) << exponent) + ((1 << exponent) - 1) / 2) / 1e3


def since(lines: list[dict[str, Any]], created_s: float) -> list[dict[str, Any]]:
    """Requests from the creation on: fault requests of the second of the creation are from after it."""
    begins = {"good": created_s, "fault": created_s // 1}
    return [row for row in of(lines, "requests") if row["at_s"] >= begins[row["intent"]]]


def number(text: str) -> float:
    """A printed number."""
    return float(text.split()[0].replace(",", ""))


def test_matrix_counts_what_the_timeline_does(shown: Reading, lines: list[dict[str, Any]]) -> None:
    """Intent by outcome, over the whole run."""
    for intent, *cells in shown.table("matrix"):
        counted = [total(of(lines, "requests", intent=intent, outcome=outcome)) for outcome in ("ok", "failed")]
        assert [number(cell) for cell in cells] == counted


def test_ledger_dates_what_the_timeline_does(shown: Reading, lines: list[dict[str, Any]], created_s: float) -> None:
    """Each step, in seconds since the creation."""
    at = {step.split(".")[1]: cells[0] for step, *cells in shown.table("ledger")}
    forward = next(line for line in of(lines, "deployment_seen", status="Stopped"))
    alarm_s = next(line["changed_s"] for line in of(lines, "alarm_changed", to_state="ALARM"))
    first = of(lines, "fault_started")[0]["at_s"]
    sampled = of(lines, "exemplar")
    assert number(at["first fault request"]) == pytest.approx(
        max(first, min(row["at_s"] for row in sampled if row["intent"] == "fault")) - created_s, abs=0.06
    )
    assert number(at["first fault request"]) == pytest.approx(first - created_s, abs=1.0)
    assert number(at["first failed request"]) == pytest.approx(
        max(first, min(row["at_s"] for row in sampled)) - created_s, abs=0.06
    )
    assert number(at["alarm in ALARM"]) == pytest.approx(alarm_s - created_s, abs=0.06)
    assert number(at["deployment stopped"]) == pytest.approx(forward["completed_s"] - created_s, abs=0.06)
    done_s = max(line["completed_s"] or 0 for line in of(lines, "deployment_seen", status="Succeeded"))
    assert number(at["all traffic on the baseline"].split("–")[1]) == pytest.approx(done_s - created_s, abs=0.06)


def test_ledger_shares_are_those_of_its_steps(shown: Reading) -> None:
    """They add up to the whole."""
    shares = [number(cells[2]) for _, *cells in shown.table("ledger") if cells[2] != "–"]
    assert sum(shares) == pytest.approx(100, abs=0.2)


def test_arms_count_the_time_that_both_shared(shown: Reading, lines: list[dict[str, Any]], created_s: float) -> None:
    """Requests, failures and latencies of each version between the looks that bracket the split."""
    split = [line for line in of(lines, "alias_seen") if line["weights"]]
    before = [line["asked_s"] for line in of(lines, "alias_seen") if line["at_s"] < split[0]["at_s"]]
    began_s = max(created_s, *before)
    ended_s = max(line["completed_s"] or 0 for line in of(lines, "deployment_seen", status="Succeeded"))
    for cells in shown.table("arms"):
        name, version, requests, failures, rate, p50, p95, p99 = cells[:8]
        rows = [
            row for row in since(lines, created_s) if began_s <= row["at_s"] < ended_s and row["version"] == version
        ]
        failed = total(of(rows, "requests", outcome="failed"))
        assert (number(requests), number(failures)) == (total(rows), failed), name
        assert float(rate.split("%")[0]) == pytest.approx(100 * failed / total(rows), abs=0.06)
        for told, share in ((p50, 0.5), (p95, 0.95), (p99, 0.99)):
            assert number(told) == pytest.approx(quantile_ms(rows, share), rel=1e-3)


def test_exposure_counts_what_the_timeline_does(shown: Reading, lines: list[dict[str, Any]], created_s: float) -> None:
    """From the creation on."""
    told = {name: value for name, value, _ in shown.table("exposure")}
    rows = since(lines, created_s)
    hurt = of(rows, "requests", outcome="failed")
    assert number(told["failed requests"]) == total(hurt)
    assert number(told["good requests among them"]) == total(of(hurt, "requests", intent="good"))
    personas = {row["persona"] for row in hurt} - {"anyone"}
    assert number(told["users hit"]) == len(personas) + len({number for row in hurt for number in row.get("rows", ())})
    assert number(told["blast radius"]) == pytest.approx(100 * total(hurt) / total(rows), abs=0.06)
    planned = sum(line["planned"] for line in of(lines, "arrivals") if line["at_s"] >= created_s)
    seconds = [line["at_s"] for line in of(lines, "arrivals") if line["at_s"] >= created_s]
    rate = planned / (max(seconds) + 1 - min(seconds))
    budget = 0.001 * rate * 30 * 86_400
    assert number(told["error budget used"]) == pytest.approx(100 * total(hurt) / budget, rel=0.03)


def test_datapoints_are_cloudwatchs_and_the_clients(
    shown: Reading, lines: list[dict[str, Any]], created_s: float
) -> None:
    """The last look at a period wins; clients count 502 in whole minutes of the wall clock."""
    epoch_s = lines[0]["epoch_s"]
    points: dict[float, float] = {}
    for line in of(lines, "metric_seen", metric="Errors", version=None):
        points |= {round(start + epoch_s): value for start, value in line["points"]}
    seen: Counter[int] = Counter()
    for row in of(lines, "requests", outcome="failed", status=502):
        seen[int((epoch_s + row["at_s"]) // 60 * 60)] += row["count"]
    for period, value, _, clients, threshold, breaching, _ in shown.table("datapoints"):
        start = round(float(period.replace("–", " ").split()[0]) + created_s + epoch_s)
        start = round(start / 60) * 60
        assert value == "–" or number(value) == points[start]
        assert number(clients) == seen[start]
        counted = number(clients) if value == "–" else number(value)
        by = " by clients' count" if value == "–" else ""
        assert breaching == ("yes" if counted >= number(threshold) else "no") + by


def test_attribution_is_the_sum_of_the_periods_until_the_canary_was_gone(
    shown: Reading, lines: list[dict[str, Any]]
) -> None:
    """As CloudWatch counted the canary's errors."""
    points: dict[float, float] = {}
    for line in of(lines, "metric_seen", metric="Errors", version="2"):
        points |= dict(map(tuple, line["points"]))
    assert f"{sum(points.values()):.0f} from the canary" in shown.text


def test_chart_in_numbers_adds_up_to_the_timeline(shown: Reading, lines: list[dict[str, Any]]) -> None:
    """Rates of all parts together are all requests."""
    rows = shown.table("minutes")
    begins = [number(row[0]) for row in rows]
    width = begins[1] - begins[0]
    everything = of(lines, "requests")
    wanted = (
        total(everything),
        total(of(everything, "requests", intent="fault")),
        total(of(everything, "requests", version="2")),
        total(of(everything, "requests", outcome="failed")),
    )
    for column, count in enumerate(wanted, 1):
        assert sum(number(row[column]) for row in rows) * width == pytest.approx(count, rel=0.002)


def test_chart_draws_each_second_of_the_timeline(shown: Reading, lines: list[dict[str, Any]]) -> None:
    """By intent and version, sent and failed."""
    counted: dict[int, Counter[str]] = defaultdict(Counter)
    cell = {("good", "1"): 0, ("good", "2"): 1, ("good", None): 2, ("fault", "1"): 3, ("fault", "2"): 4}
    for row in of(lines, "requests"):
        index = cell[row["intent"], row["version"]]
        counted[int(row["at_s"])][f"sent{index}"] += row["count"]
        counted[int(row["at_s"])][f"failed{index}"] += row["count"] * (row["outcome"] == "failed")
    drawn = shown.spec["datasets"]["slices"]
    first = min(counted)
    for second, row in enumerate(drawn, first):
        for name, rate in row.items():
            if name.startswith(("sent", "failed")):
                assert rate == counted[second][name], (second, name)
        latencies = [line for line in of(lines, "requests") if int(line["at_s"]) == second]
        assert row["p95"] == pytest.approx(quantile_ms(latencies, 0.95), abs=0.001)
    assert len(drawn) == max(counted) - first + 1


# What it is


def test_verdict_is_the_first_thing_on_the_page(shown: Reading) -> None:
    """Outcome, call, result, and why."""
    assert shown.text.index("ROLLED BACK") < shown.text.index("caught") < shown.text.index("as expected")
    assert shown.text.index("as expected") < shown.text.index("CodeDeploy stopped") < shown.text.index("Timeline")


def test_page_loads_nothing_from_anywhere(sample: JudgedRun) -> None:
    """It is one file, below three megabytes, and links only to its neighbours."""
    text = page(sample, chart(sample))
    addresses = [
        str(value)
        for _, given in Reading(text).elements
        for name, value in given.items()
        if name in ("src", "href", "data", "action", "srcset")
    ]
    neighbours = {"timeline.jsonl", "verdict.json", "report.md", "junit.xml", "#content", "#findings-title", "data:,"}
    assert set(addresses) == neighbours
    assert len(text.encode()) < MOST_BYTES


def test_page_has_the_semantics_that_a_screen_reader_needs(shown: Reading) -> None:
    """One h1, no skipped level, named tables with header cells, and words for the chart."""
    levels = [int(tag[1]) for tag, _ in shown.elements if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    tables = sum(tag == "table" for tag, _ in shown.elements)
    assert tables == sum(tag == "caption" for tag, _ in shown.elements) > 5
    assert all("scope" in given for tag, given in shown.elements if tag == "th")
    described = [given["aria-label"] for tag, given in shown.elements if given.get("role") == "img"]
    assert described
    assert all("alarm in ALARM" in str(words) for words in described)


# Whatever run


def all_kinds(text: str) -> list[Event]:
    """Events with hostile text wherever a stranger may put some."""
    return [
        Note(at_s=61.0, text=text, by=text),
        Asked(at_s=62.0, what=text, value=text, by=text, refused=text),
        Trouble(at_s=63.0, what=text, message=text),
        LookFailed(at_s=64.0, asked_s=63.5, call=text, code=text, message=text),
        FaultStarted(at_s=65.0, fault=text, kind="error_share", value=text),
        AlarmSeen(at_s=66.0, asked_s=65.9, name=text, state="ALARM", reason=text),
        AlarmChanged(at_s=67.0, asked_s=66.9, name=text, changed_s=66.0, from_state=text, to_state=text, reason=text),
    ]


def test_hostile_text_stays_text(past: Past, row: Any) -> None:
    """In names, reasons, messages, personas and versions."""
    events: list[Event] = []
    for event in row("erroruser"):
        if isinstance(event, GroupSeen):
            event = replace(event, group=HOSTILE, alarms=(*event.alarms, HOSTILE))
        elif isinstance(event, DeploymentSeen):
            event = replace(event, config=HOSTILE, error_code=event.error_code and HOSTILE)
        elif isinstance(event, Requests):
            event = replace(event, persona=HOSTILE, endpoint=HOSTILE)
        events.append(event)
    run = past([*events[:-1], *all_kinds(HOSTILE), events[-1]], description=HOSTILE)
    text = page(run, chart(run))
    shown = Reading(text)
    assert "img" not in {tag for tag, _ in shown.elements}
    assert all("style" in given for tag, given in shown.elements if tag == "b")
    assert [tag for tag, _ in shown.elements].count("script") == 3
    assert "onerror=alert(1)>" in shown.text
    assert "7*7" in shown.text
    assert "\x1b" not in text
    assert "\u2028" not in text


def test_nothing_measured_is_said_and_not_drawn(past: Past) -> None:
    """No axes without anything on them."""
    shown = reading(past([]))
    assert "OUTCOME UNKNOWN" in shown.text
    assert "Nothing was seen and nothing was sent" in shown.text
    assert "spec" not in shown.scripts
    assert "minutes" not in shown.tables
    assert "matrix" not in shown.tables
    assert "exposure" not in shown.tables


def test_run_without_a_deployment_counts_from_its_own_beginning(past: Past, sent: Any) -> None:
    """Traffic is shown all the same."""
    shown = reading(past([RunStarted(at_s=0.0, experiment="x", epoch_s=0.0), *(sent(float(at)) for at in range(90))]))
    assert "seconds since the run began" in shown.text
    assert shown.table("matrix")[0] == ["good", "90", "0"]
    assert "0 of 90 requests failed, and no deployment was seen to hold them against" in shown.text


def test_failures_without_a_deployment_are_counted_and_held_against_none(past: Past) -> None:
    """The page contradicts itself nowhere: there was traffic, some of it failed, and nobody saw a deployment."""
    gone = ("DeploymentSeen", "TargetSeen", "Write")
    run = past([event for event in RunFolder(SAMPLE).read_events() if type(event).__name__ not in gone])
    shown = reading(run)
    good, fault = shown.table("matrix")
    failed = int(number(good[2]) + number(fault[2]))
    assert failed > 0
    told = {tile.name: tile for tile in tiles(run.verdict, Experiment(name="built").objective)}
    assert told["failed requests"].value == str(failed)
    assert told["blast radius"].what == told["time to detect"].what == "no deployment was seen"
    assert f"requests were sent and {failed} failed, but no deployment was seen" in shown.text
    assert "after the creation" not in shown.text
    assert "deployment's creation" not in markdown(run.verdict)


def test_run_without_traffic_says_that_nothing_was_measured(past: Past, row: Any) -> None:
    """The lifecycle is drawn, and no requests."""
    shown = reading(past(row("healthy", rate=0, metrics=False)))
    assert "No request was sent" in shown.text
    assert "matrix" not in shown.tables
    assert {span["lane"] for span in shown.spec["datasets"]["spans"]} >= {"deployment", "alarm"}


def test_run_without_an_alarm_says_that_it_cannot_tell(past: Past, row: Any) -> None:
    """A group without alarms has no alarm lane."""
    events = [replace(each, alarms=()) if isinstance(each, GroupSeen) else each for each in row("healthy")]
    events = [each for each in events if not type(each).__name__.startswith("Alarm")]
    shown = reading(past(events))
    assert "alarm" not in {span["lane"] for span in shown.spec["datasets"]["spans"]}
    assert "alarm-not-on-group" in shown.text


def test_only_faults_are_all_drawn_as_faults(past: Past, row: Any) -> None:
    """Every request fails."""
    shown = reading(past(row("erroruser", faults=((-60, 9e9, 1.0),))))
    good, fault = shown.table("matrix")
    assert good[1:] == ["0", "0"]
    assert number(fault[2]) > 1000


def test_chart_without_traffic_is_told_in_words(past: Past) -> None:
    """What is drawn, and that nothing was sent; the faults in Markdown, too."""
    began = [FaultStarted(at_s=float(at), fault=f"f{at}", kind="error_share", value="0.05") for at in (10, 20)]
    run = past([RunStarted(at_s=0.0, experiment="x", epoch_s=0.0), *began, Note(at_s=60.0, text="over", by="me")])
    told = alternative(run)
    assert "faults: error share 5 % (10.0–60.0 s), error share 5 % (20.0–60.0 s)." in told
    assert "No request was sent." in told
    assert ". ." not in told
    assert "Faults: error share 5 % from 10–60 s, error share 5 % from 20–60 s." in markdown(run.verdict, faults(run))


def test_many_moments_are_counted_in_words(past: Past) -> None:
    """Sixty looks that failed are not read out one by one."""
    blind = LookFailed(at_s=0.0, asked_s=0.0, call="codedeploy:GetDeployment", code="Throttling", message="slow down")
    assert "failed looks: 60 (0.0–59.0 s)." in alternative(past([replace(blind, at_s=float(at)) for at in range(60)]))


def test_ten_alarms_have_a_lane_each(past: Past, row: Any) -> None:
    """By their names."""
    names = tuple(f"alarm-{number}" for number in range(10))
    events: list[Event] = []
    for event in row("erroruser"):
        if isinstance(event, GroupSeen):
            event = replace(event, alarms=names)
        if type(event).__name__.startswith("Alarm"):
            events.extend(replace(event, name=name) for name in names)
        else:
            events.append(event)
    shown = reading(past(events))
    assert {span["lane"] for span in shown.spec["datasets"]["spans"]} >= set(names)


def test_linear_release_shows_every_shift(past: Past, row: Any) -> None:
    """Ten steps of ten percent."""
    steps = tuple((5.0 + 60 * step, (step + 1) / 10) for step in range(10))
    run = past(row("linear", end="promoted", end_s=606.0, faults=(), alarms=(), shifts=steps))
    weights = {slice_["weight"] for slice_ in reading(run).spec["datasets"]["slices"]}
    assert {round(weight, 1) for weight in weights if weight is not None} == {step / 10 for step in range(11)}


@pytest.mark.parametrize("upto", range(40))
def test_run_that_was_cut_off_has_a_true_page(past: Past, upto: int) -> None:
    """Wherever it was cut, the page says of the rest that it is not known, and the chart ends where the lines do."""
    events = RunFolder(SAMPLE).read_events()
    events = events[: len(events) * upto // 40]
    run = past(events, expect={"outcome": "rolled_back"})
    shown = reading(run)
    assert "the run was cut off, or still lasts" in shown.text
    if run.verdict.outcome == "unknown":
        assert "OUTCOME UNKNOWN" in shown.text
    if "spec" in shown.scripts:
        ends = max(slice_["u"] for slice_ in shown.spec["datasets"]["slices"]) if run.evidence.requests else 0
        assert ends <= run.evidence.end_s - run.origin_s + 1.1


def test_several_alarms_are_told_apart(past: Past, build: Any) -> None:
    """A panel each for a few, the others by name; rule, attribution and chance say whose they are."""
    names = tuple(f"fake-user-errors-of-{number}" for number in range(10))
    events: list[Event] = []
    for event in build():
        if isinstance(event, GroupSeen):
            event = replace(event, alarms=names)
        known = isinstance(event, AlarmDefined)
        events.extend([replace(event, name=name) for name in names] if known else [event])
    shown = reading(past(events))
    panels = [panel for panel in shown.spec["vconcat"] if panel["data"]["name"] == "points"]
    assert [panel["layer"][0]["transform"][0]["filter"]["equal"] for panel in panels] == [*names[:3]]
    assert "Not drawn, but in the table of datapoints: " + ", ".join(names[3:]) in shown.text
    assert all(name in shown.text for name in names)
    assert "of fake-user-errors-of-0 (the first of 10 alarms)" in shown.text


def test_run_without_traffic_has_no_empty_axis(past: Past, row: Any) -> None:
    """What was seen is drawn, and that nothing was sent is said."""
    shown = reading(past(row("healthy", rate=0)))
    assert {panel["data"]["name"] for panel in shown.spec["vconcat"]} == {"spans", "slices"}
    assert len(shown.spec["vconcat"]) == 2
    assert "No request was sent, so there is no traffic to draw." in shown.text


def test_first_numbers_say_what_they_are_of(past: Past, row: Any) -> None:
    """And why there is none, where there is none."""
    objective = Experiment(name="built").objective
    hurt = {tile.name: tile for tile in tiles(past(row("erroruser")).verdict, objective)}
    assert hurt["failed requests"].what == "0 of them good"
    assert hurt["error budget used"].what == "of 99.9 % over 30 days"
    fine = {tile.name: tile for tile in tiles(past(row("healthy")).verdict, objective)}
    assert fine["time to detect"] == Tile("time to detect", "–", "no fault and no failed request")
    silent = tiles(past(row("healthy", rate=0)).verdict, objective)
    assert {tile.what for tile in silent} == {"not measured"}


def test_findings_are_announced_at_the_top(past: Past, row: Any) -> None:
    """With a link to them, the gravest first; a run without findings announces none."""
    run = past(row("wrong-dimension"))
    severities = Counter(finding.severity for finding in run.verdict.findings)
    assert severities
    text = reading(run).text
    announced = text[text.index("What should we change?") :].splitlines()[0]
    assert all(f"{count} {severity}" in announced for severity, count in severities.items())


def test_the_top_says_when_which_service_versions_and_who(sample: JudgedRun) -> None:
    """What a release meeting asks for first; what is not known is left out."""
    assert sample.manifest
    told = dataclasses.replace(sample, manifest=replace(sample.manifest, by="ann"))
    day = sample.manifest.started[:10]
    assert re.fullmatch(
        rf"{day} \d\d:\d\d UTC · fake-user-FakeUser:Live · version 1 → 2 · run by ann · at speed 60", occasion(told)
    )
    assert occasion(told) in html.unescape(page(told, None))
    assert occasion(dataclasses.replace(sample, manifest=None)).startswith("fake-user-FakeUser:Live · version 1 → 2")
