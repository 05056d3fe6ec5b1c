"""junit.xml: a build server shows what the exit code says."""

from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from harness.core.experiment.types import Outcome
from harness.core.verdict.types import Criterion, Verdict
from harness.report import facts
from harness.report.junit import cases, junit


def states(verdict: Verdict) -> dict[str, str]:
    """The state of each test case by its name."""
    return {case.name: case.state for case in cases(verdict)}


def test_as_expected_holds_no_failure(caught: Verdict) -> None:
    """Steps that were not seen are skipped, and nothing else."""
    suite = ElementTree.fromstring(junit(caught)).find("testsuite")
    assert suite is not None
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    assert int(suite.get("tests", 0)) == len(suite.findall("testcase"))
    assert [case.get("name") for case in suite.iter("testcase") if case.find("skipped") is not None] == [
        "step first clean minute began"
    ]


@pytest.mark.parametrize(
    ("result", "exit_code", "state"),
    [("contrary", 3, "failure"), ("inconclusive", 4, "skipped"), ("aborted", 5, "error"), ("inconclusive", 1, "error")],
)
def test_verdict_is_a_case_of_its_own(caught: Verdict, result: str, exit_code: int, state: str) -> None:
    """Contrary fails, doubt is skipped, and trouble of the harness is an error."""
    assert states(replace(caught, result=result, exit_code=exit_code))["verdict"] == state


def test_other_outcome_fails_and_an_unknown_one_is_skipped(caught: Verdict, unmeasured: Verdict) -> None:
    """No data is no failure, either."""
    assert states(replace(caught, expected=Outcome.PROMOTED))["outcome is promoted"] == "failure"
    assert states(unmeasured)["outcome is promoted"] == "skipped"


@pytest.mark.parametrize(("met", "state"), [(True, "passed"), (False, "failure"), (None, "skipped")])
def test_each_criterion_is_a_case(caught: Verdict, met: bool | None, state: str) -> None:
    """With its limit in the name."""
    criterion = Criterion(name="users", limit=2.0, value=None if met is None else 3.0, met=met)
    assert states(replace(caught, criteria=(criterion,)))["criterion users at most 2"] == state


def test_a_criterion_of_latency_says_which_one_it_is(caught: Verdict) -> None:
    """As the tables do, beside the number."""
    criterion = Criterion(name="arms.canary.p99_ms", limit=200.0, value=90.0, met=True)
    verdict = replace(caught, criteria=(criterion,))
    assert states(verdict)["criterion arms.canary.p99_ms (client latency) at most 200"] == "passed"
    assert facts.criteria(verdict)[0][0] == "arms.canary.p99_ms (client latency)"


def test_each_step_is_a_case_with_the_time_it_took(caught: Verdict) -> None:
    """The later bound, so that it is not called faster than it was."""
    took = {case.name: case.took_s for case in cases(caught)}
    assert took["step alarm in ALARM"] == pytest.approx(114.75)
    assert took["step deployment stopped"] == pytest.approx(11.0)


def test_hostile_text_is_xml_all_the_same(caught: Verdict) -> None:
    """Control characters and markup do not break the file."""
    hostile = 'x\x00\x1b</testsuite><!-- "&'
    told = ElementTree.fromstring(junit(replace(caught, experiment=hostile, because=(hostile,), result="contrary")))
    assert len(told.findall("testsuite")) == 1
