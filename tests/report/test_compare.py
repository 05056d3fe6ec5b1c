"""Runs side by side."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from harness.cli import main as cli
from harness.core.experiment.types import Call, Outcome
from harness.core.verdict.types import Finding, Severity, Verdict
from harness.report.compare import Comparison, compare
from harness.report.comparison import because, compared_page, show
from tests.report.reading import Reading

Capture = pytest.CaptureFixture[str]
SAMPLE = Path(__file__).parents[2] / "reports" / "sample"


def against(first: Verdict, *others: Verdict, tolerance: float = 0.2) -> Comparison:
    """The comparison of these verdicts."""
    return compare([(Path(f"run{number}"), verdict) for number, verdict in enumerate((first, *others))], tolerance)


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


def test_latency_a_few_milliseconds_off_is_the_same(caught: Verdict) -> None:
    """Machines differ by that from one minute to the next."""
    arms = replace(caught.arms, canary=replace(caught.arms.canary, p50_ms=6.0))
    assert against(caught, replace(caught, arms=arms)).exit_code == 0
    arms = replace(caught.arms, canary=replace(caught.arms.canary, p50_ms=60.0))
    assert against(caught, replace(caught, arms=arms)).regressions == ("canary p50",)


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


def test_command_compares_run_folders(tmp_path: Path, capsys: Capture) -> None:
    """As JSON, and as a page."""
    page = tmp_path / "compared.html"
    code = cli.main(["compare", str(SAMPLE), str(SAMPLE), "--json", "--html", str(page)])
    told = json.loads(capsys.readouterr().out)
    assert (code, told["exit_code"], told["regressions"]) == (0, 0, [])
    assert "No regression" in page.read_text()


def test_one_run_is_nothing_to_compare(capsys: Capture) -> None:
    """Usage, in one sentence."""
    assert cli.main(["compare", str(SAMPLE)]) == 2
    assert "two runs or more" in capsys.readouterr().err
