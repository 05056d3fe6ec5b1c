"""Runs side by side."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from msgspec.structs import replace

from harness.cli import main as cli
from harness.core.experiment.types import Call, Outcome
from harness.core.verdict.types import Finding, Severity, Verdict
from harness.report.compare import Comparison, compare
from harness.report.compared_numbers import Cell
from harness.report.compared_runs import ComparedRun, Conditions
from harness.report.comparison import because, compared_page, show
from tests.report.reading import Reading

Capture = pytest.CaptureFixture[str]
SAMPLE = Path(__file__).parents[2] / "reports" / "sample"


def against(first: Verdict, *others: Verdict, tolerance: float = 0.2) -> Comparison:
    """The comparison of these verdicts."""
    runs = [ComparedRun(f"run{number}", verdict) for number, verdict in enumerate((first, *others))]
    return compare(runs, tolerance)


def slower(verdict: Verdict, by: float) -> Verdict:
    """The same with a time to detect of so many times."""
    low, high = verdict.detection.time_to_detect_s or (0.0, 0.0)
    return replace(verdict, detection=replace(verdict.detection, time_to_detect_s=(low * by, high * by)))


def test_a_run_compared_with_itself_is_no_regression(caught: Verdict) -> None:
    """Nothing came, nothing went, nothing changed."""
    comparison = against(caught, caught)
    assert comparison.exit_code == 0
    assert not comparison.came
    assert {cell.change for line in comparison.lines for cell in line.cells} == {"same"}


@pytest.mark.parametrize(("by", "exit_code"), [(1.19, 0), (1.21, 3), (0.5, 0)])
def test_slower_detection_beyond_the_tolerance_is_a_regression(caught: Verdict, by: float, exit_code: int) -> None:
    """A fifth more is borne by default."""
    comparison = against(caught, slower(caught, by))
    assert comparison.exit_code == exit_code
    assert ("time to detect" in comparison.regressions) == (exit_code == 3)


@pytest.mark.parametrize(("later_s", "seeds", "exit_code"), [(60.0, "12", 0), (60.0, "11", 3), (150.0, "12", 3)])
def test_times_of_other_seeds_differ_by_the_phase_of_an_alarm(
    later_s: float, seeds: str, exit_code: int, caught: Verdict
) -> None:
    """A failure that came at another second of its minute is seen a period and an evaluation later, and none worse."""
    told = caught.detection
    later = {
        name: (low + later_s, high + later_s)
        for name in ("time_to_detect_s", "time_to_roll_back_s")
        for low, high in [getattr(told, name)]
    }
    failed = round((caught.exposure.failed_requests or 0) * 1.4)
    verdict = replace(
        caught, detection=replace(told, **later), exposure=replace(caught.exposure, failed_requests=failed)
    )
    runs = [
        ComparedRun(f"run{number}", one, Conditions(seed=seed))
        for number, (one, seed) in enumerate(zip((caught, verdict), seeds, strict=True))
    ]
    assert compare(runs).exit_code == exit_code
    assert "where seeds differ, 120 s more, and what fails in them, are borne" in compare(runs).rule


def test_tolerance_is_what_was_asked(caught: Verdict) -> None:
    """Twice as slow is no regression to who tolerates it."""
    assert against(caught, slower(caught, 2.0), tolerance=1.5).exit_code == 0


def test_bounds_that_overlap_are_no_regression(caught: Verdict) -> None:
    """What may be the same is not called worse."""
    wide = replace(caught, detection=replace(caught.detection, time_to_detect_s=(100.0, 900.0)))
    assert against(caught, wide).exit_code == 0


def test_number_that_is_missing_later_is_not_comparable(caught: Verdict) -> None:
    """No data is never health."""
    blind = replace(caught, detection=replace(caught.detection, time_to_detect_s=None))
    comparison = against(caught, blind)
    assert comparison.exit_code == 4
    assert comparison.unknown == ("time to detect",)


def test_number_that_the_first_run_lacks_is_no_measure(caught: Verdict, unmeasured: Verdict) -> None:
    """There is nothing to hold it against."""
    better = replace(unmeasured, result="as_expected")
    assert against(replace(better, arms=caught.arms), caught).exit_code == 0


def test_worse_result_is_a_regression(caught: Verdict) -> None:
    """From as expected to contrary."""
    assert "result" in against(caught, replace(caught, result="contrary")).regressions


def test_findings_come_and_go_and_a_new_error_is_a_regression(caught: Verdict) -> None:
    """By their ids."""
    finding = Finding(id="alarm-no-data", severity="error", text="The alarm was blind.")
    comparison = against(caught, replace(caught, findings=(finding,)))
    assert [each.id for each in comparison.came] == ["alarm-no-data"]
    assert [each.id for each in comparison.went] == ["alarm-covers-all-versions"]
    assert comparison.regressions == ("finding alarm-no-data",)


def test_error_of_a_run_in_between_is_a_regression(caught: Verdict, screen: Callable[..., object]) -> None:
    """Shown with the name of its run, on the terminal and the page, though the last run no longer has it."""
    finding = Finding(id="alarm-not-on-group", severity="error", text="The alarm is not on the group.")
    turned = replace(caught.findings[0], severity="error")
    comparison = against(caught, replace(caught, findings=(finding, turned)), caught)
    assert comparison.regressions == ("finding alarm-not-on-group", "finding alarm-covers-all-versions")
    assert (comparison.exit_code, comparison.went) == (3, ())
    name = comparison.names[1]
    shown = screen(width=120)
    show(comparison, shown.console)  # type: ignore[attr-defined]
    assert f"finding came in {name}: alarm-not-on-group (error)" in shown.text  # type: ignore[attr-defined]
    assert f"finding changed in {name}: alarm-covers-all-versions (warning → error)" in shown.text  # type: ignore[attr-defined]
    assert "The alarm is not on the group." in Reading(compared_page(comparison)).text


def test_miss_after_a_catch_is_a_regression(caught: Verdict) -> None:
    """Outcome and call say so, even where times are missing and nothing was expected."""
    detection = replace(caught.detection, alarm_s=None, time_to_detect_s=None, time_to_roll_back_s=None)
    missed = replace(caught, outcome=Outcome.PROMOTED, call=Call.MISSED, detection=detection)
    comparison = against(caught, missed)
    assert comparison.exit_code == 3
    assert comparison.regressions == ("outcome", "call")
    marked = {line.name: line.cells[1].change for line in comparison.lines}
    assert (marked["outcome"], marked["call"]) == ("worse", "worse")


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (Call.CLEARED, Call.MISSED, "worse"),
        (Call.CLEARED, Call.FALSE_ALARM, "worse"),
        (Call.MISSED, Call.CAUGHT, "better"),
        (Call.CAUGHT, Call.INCONCLUSIVE, "unknown"),
        (Call.CAUGHT, Call.CLEARED, "same"),
    ],
)
def test_call_is_compared(before: Call, after: Call, change: str, caught: Verdict) -> None:
    """Missed and false alarm are wrong calls; no call is no data."""
    lines = against(replace(caught, call=before), replace(caught, call=after)).lines
    assert next(line for line in lines if line.name == "call").cells[1].change == change


@pytest.mark.parametrize(
    ("outcome", "change"),
    [(Outcome.STOPPED, "worse"), (Outcome.FAILED, "worse"), (Outcome.UNKNOWN, "unknown"), (Outcome.PROMOTED, "same")],
)
def test_outcome_without_an_end_is_worse(outcome: Outcome, change: str, caught: Verdict) -> None:
    """A stop without a rollback leaves the alias split; which end is right the call must say."""
    lines = against(caught, replace(caught, outcome=outcome)).lines
    assert next(line for line in lines if line.name == "outcome").cells[1].change == change


@pytest.mark.parametrize(
    ("before", "after", "exit_code"), [("warning", "error", 3), ("note", "warning", 0), ("error", "note", 0)]
)
def test_finding_of_another_severity_is_shown(
    before: Severity, after: Severity, exit_code: int, caught: Verdict, screen: Callable[..., object]
) -> None:
    """On the terminal and the page; what became an error is a regression."""
    finding = Finding(id="alarm-slow", severity=before, text="The alarm is slow.")
    first = replace(caught, findings=(finding,))
    comparison = against(first, replace(caught, findings=(replace(finding, severity=after),)))
    assert (comparison.came, comparison.went, comparison.exit_code) == ((), (), exit_code)
    shown = screen(width=120)
    show(comparison, shown.console)  # type: ignore[attr-defined]
    assert f"finding changed: alarm-slow ({before} → {after})" in shown.text  # type: ignore[attr-defined]
    assert f"{before} → {after}" in Reading(compared_page(comparison)).text


def with_latency(verdict: Verdict, p99_ms: float, low_ms: float, high_ms: float) -> Verdict:
    """The same with another 99th percentile of the canary and its interval."""
    canary = replace(verdict.arms.canary, p99_ms=p99_ms, p99_interval_ms=(low_ms, high_ms))
    return replace(verdict, arms=replace(verdict.arms, canary=canary))


def at(speed: str, *verdicts: Verdict) -> list[ComparedRun]:
    """Runs of this speed."""
    return [ComparedRun(f"at {speed}", verdict, Conditions(speed=speed, seed="1")) for verdict in verdicts]


def cell(comparison: Comparison, line: str, run: int = 1) -> Cell:
    """What a run has in a line."""
    return next(each.cells[run] for each in comparison.lines if each.name == line)


def test_latency_a_few_milliseconds_off_is_the_same(caught: Verdict) -> None:
    """Machines differ by that from one minute to the next."""
    arms = replace(caught.arms, canary=replace(caught.arms.canary, p50_ms=6.0))
    assert against(caught, replace(caught, arms=arms)).exit_code == 0
    arms = replace(caught.arms, canary=replace(caught.arms.canary, p50_ms=60.0))
    assert against(caught, replace(caught, arms=arms)).regressions == ("client p50 of the canary",)


@pytest.mark.parametrize(
    ("p99_ms", "interval", "change"),
    [
        (200.0, (115.0, 900.0), "same"),
        (200.0, (125.0, 900.0), "worse"),
        (115.0, (112.0, 118.0), "same"),
        (50.0, (40.0, 85.0), "same"),
        (50.0, (40.0, 75.0), "better"),
    ],
)
def test_latency_is_worse_only_where_intervals_do_not_overlap(
    p99_ms: float, interval: tuple[float, float], change: str, caught: Verdict
) -> None:
    """And beyond the tolerance: both runs may have met the same slow requests."""
    first = with_latency(caught, 100.0, 80.0, 120.0)
    assert cell(against(first, with_latency(caught, p99_ms, *interval)), "client p99 of the canary").change == change


def test_latency_that_both_arms_share_is_the_machines(caught: Verdict) -> None:
    """Ten times slower on both arms says nothing of the release; nor does a latency without the other arm's."""
    first, tenfold = with_latency(caught, 100.0, 80.0, 120.0), with_latency(caught, 1000.0, 900.0, 1100.0)
    assert against(first, tenfold).regressions == ("client p99 of the canary",)
    for p99_ms in (80.2, None):
        arms = replace(tenfold.arms, baseline=replace(tenfold.arms.baseline, p99_ms=p99_ms))
        assert against(first, replace(tenfold, arms=arms)).regressions == ()


def test_latencies_of_different_speeds_are_not_compared(caught: Verdict, screen: Callable[..., object]) -> None:
    """They are wall time; the row says so, and no green comes of it. What is experiment time is compared."""
    slow = with_latency(caught, 900.0, 800.0, 950.0)
    comparison = compare([*at("10", with_latency(caught, 9.0, 8.0, 9.5)), *at("60", slow)])
    assert cell(comparison, "client p99 of the canary") == Cell("not comparable: speed 60 against 10", "incomparable")
    assert cell(comparison, "time to detect").change == "same"
    assert (comparison.exit_code, comparison.regressions) == (4, ())
    assert "client p99 of the canary" in comparison.incomparable
    shown = screen(width=1000)
    show(comparison, shown.console)  # type: ignore[attr-defined]
    for text in (shown.text, Reading(compared_page(comparison)).text):  # type: ignore[attr-defined]
        assert "not comparable: speed 60 against 10" in text
        assert "The runs were not made alike: speed 60 against 10." in text


def test_regression_at_another_speed_is_still_one(caught: Verdict) -> None:
    """A slower detection counts, whatever latencies say."""
    assert compare([*at("10", caught), *at("60", slower(caught, 2.0))]).exit_code == 3


@pytest.mark.parametrize("name", ["seed", "rate", "harness"])
def test_conditions_that_differ_are_told(name: str, caught: Verdict) -> None:
    """Two conditions make two numbers; where one is not known, nothing is said of it."""
    known, other = (ComparedRun(value, caught, Conditions(**{name: value})) for value in ("7", "8"))
    unknown = ComparedRun("unknown", caught)
    comparison = compare([known, other, unknown])
    assert comparison.differences == (f"{name} 8 against 7",)
    assert f"{name} 8 against 7" in because(comparison)
    assert [cell(comparison, name, run).change for run in range(3)] == ["same", "differs", "same"]
    assert comparison.exit_code == 0


def test_runs_before_say_how_far_repeated_runs_scatter(caught: Verdict) -> None:
    """What is within the spread of the runs before is the same, and so is what one of several runs after had alone."""
    before = [with_latency(caught, p99_ms, p99_ms, p99_ms) for p99_ms in (100.0, 200.0)]
    after = [with_latency(caught, p99_ms, p99_ms, p99_ms) for p99_ms in (230.0, 900.0)]
    assert compare([*at("10", *before), *at("10", after[0])], before=2).exit_code == 0
    assert compare([*at("10", *before), *at("10", after[1])], before=2).regressions == ("client p99 of the canary",)
    assert compare([*at("10", *before), *at("10", *after)], before=2).exit_code == 0
    assert compare([*at("10", before[0]), *at("10", after[1])]).exit_code == 3


def test_spread_of_times_counts_too(caught: Verdict) -> None:
    """One of the runs before was as slow."""
    runs = [ComparedRun("run", verdict) for verdict in (caught, slower(caught, 2.0), slower(caught, 2.1))]
    assert compare(runs, before=2).exit_code == 0
    assert compare(runs).exit_code == 3


def test_finding_of_any_run_before_is_not_new(caught: Verdict) -> None:
    """It comes and goes by itself."""
    finding = Finding(id="alarm-no-data", severity="error", text="The alarm was blind.")
    flawed = replace(caught, findings=(finding,))
    runs = [ComparedRun("run", verdict) for verdict in (caught, flawed, flawed)]
    assert compare(runs, before=2).regressions == ()


def test_rule_is_told_wherever_a_comparison_is(caught: Verdict, screen: Callable[..., object]) -> None:
    """On the terminal, on the page, and as JSON."""
    comparison = against(caught, caught)
    assert "exact 99 % intervals must not overlap" in comparison.rule
    assert "first 2 runs" in compare([ComparedRun("run", caught)] * 3, before=2).rule
    shown = screen(width=1000)
    show(comparison, shown.console)  # type: ignore[attr-defined]
    assert comparison.rule in shown.text  # type: ignore[attr-defined]
    assert comparison.rule in Reading(compared_page(comparison)).text


def test_terminal_says_what_got_worse(caught: Verdict, screen: Callable[..., object]) -> None:
    """The answer first, then the numbers."""
    shown = screen(width=100)
    show(against(caught, slower(caught, 2.0)), shown.console)  # type: ignore[attr-defined]
    text = shown.text  # type: ignore[attr-defined]
    assert text.strip().startswith("REGRESSION (exit 3)")
    assert "235.0 s WORSE" in text


def test_runs_of_different_experiments_are_told(caught: Verdict) -> None:
    """What differs may be what was asked; of one experiment nothing is said."""
    other = replace(caught, experiment="healthy")
    assert "different experiments (erroruser, healthy)" in because(against(caught, other))
    assert "experiments" not in because(against(caught, caught))


def test_page_has_a_row_a_number_and_a_column_a_run(caught: Verdict) -> None:
    """And names hostile findings without becoming them."""
    finding = Finding(id="x", severity="error", text="<script>alert(1)</script>")
    shown = Reading(compared_page(against(caught, slower(caught, 2.0), replace(caught, findings=(finding,)))))
    rows = {name: cells for name, *cells in shown.table("compared")}
    assert rows["time to detect"][0] == "117.5 s"
    assert "WORSE" in rows["time to detect"][1]
    assert "script" not in {tag for tag, _ in shown.elements}
    assert re.search(r"error\s*in \S+: <script>alert", shown.text.replace("\u200b", ""))


def test_command_compares_run_folders(tmp_path: Path, capsys: Capture) -> None:
    """As JSON, and as a page."""
    page = tmp_path / "compared.html"
    code = cli.main(["compare", str(SAMPLE), str(SAMPLE), "--json", "--html", str(page)])
    told = json.loads(capsys.readouterr().out)
    assert (code, told["exit_code"], told["regressions"]) == (0, 0, [])
    shown = Reading(page.read_text())
    assert "No regression" in shown.text
    links = {str(given["href"]) for tag, given in shown.elements if tag == "a" and "report" in str(given["href"])}
    assert [(tmp_path / unquote(link)).resolve() for link in links] == [SAMPLE / "report.html"]


def test_page_draws_both_arms_of_each_run(caught: Verdict) -> None:
    """Without scripts, and hostile names stay text; of what nobody measured there is no chart."""
    hostile = "<script>alert(1)</script>/1"
    runs = [ComparedRun(hostile, caught), ComparedRun("b/2", slower(caught, 2.0))]
    shown = Reading(compared_page(compare(runs), runs, ["", "b/2/report.html"]))
    tags = [tag for tag, _ in shown.elements]
    assert tags.count("svg") == 3
    assert "script" not in tags
    assert "failure rate of both arms (95 % interval)" in shown.text
    rows = {name: cells for name, *cells in shown.table("arms")}
    assert rows["baseline, failed"] == ["115", "115"]
    assert rows["canary, client p99 ms"] == ["–", "–"]


def test_speed_seed_and_rate_have_rows_of_their_own(caught: Verdict) -> None:
    """Those of each run, in the page as on the terminal."""
    rows = {name: cells for name, *cells in Reading(compared_page(compare(at("10", caught, caught)))).table("compared")}
    assert rows["speed"] == ["10", "10"]
    assert {"seed", "rate"} <= rows.keys()


def test_one_run_is_nothing_to_compare(capsys: Capture) -> None:
    """Usage, in one sentence."""
    assert cli.main(["compare", str(SAMPLE)]) == 2
    assert "two runs or more" in capsys.readouterr().err


@pytest.mark.parametrize("before", ["0", "2"])
def test_measure_must_leave_a_run_to_compare(before: str, capsys: Capture) -> None:
    """Usage, in one sentence."""
    assert cli.main(["compare", str(SAMPLE), str(SAMPLE), "--before", before]) == 2
    assert "--before must leave a run" in capsys.readouterr().err


def test_conditions_come_from_the_folder(capsys: Capture) -> None:
    """Speed from the timeline, seed and rate from the experiment, the version from the manifest."""
    assert cli.main(["compare", str(SAMPLE), str(SAMPLE), "--json"]) == 0
    lines = {line["name"]: line["cells"][0]["told"] for line in json.loads(capsys.readouterr().out)["lines"]}
    assert (lines["seed"], lines["rate"]) == ("1", "20/s")
    assert float(lines["speed"]) > 1
    assert lines["harness"][0].isdigit()
