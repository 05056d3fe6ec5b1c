"""junit.xml: a test case for the verdict, for each criterion and for each step of the detection."""

from collections.abc import Iterator
from typing import Literal
from xml.etree import ElementTree

from msgspec import Struct

from harness.core.experiment.criteria import limit_word
from harness.core.experiment.types import Outcome
from harness.core.verdict.types import Result, Verdict, result_in_words
from harness.errors import ExitCode
from harness.report import facts

State = Literal["passed", "failure", "error", "skipped"]

_BY_RESULT: dict[Result, State] = {
    "as_expected": "passed",
    "contrary": "failure",
    "inconclusive": "skipped",
    "aborted": "error",
}
_BY_MET: dict[bool | None, State] = {True: "passed", False: "failure", None: "skipped"}


class Case(Struct, frozen=True):
    """One test case; `took_s` is its time, `said` why it did not pass."""

    name: str
    state: State
    said: str = ""
    took_s: float = 0.0


def junit(verdict: Verdict) -> str:
    """The verdict as a JUnit file; it holds a failure or an error if the exit code is neither success nor doubt.

    What is inconclusive is skipped, as JUnit knows no other word for it: the exit code says the rest.
    """
    told = cases(verdict)
    suite = ElementTree.Element("testsuite", name=facts.plain(verdict.experiment), tests=str(len(told)))
    for state, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.state == state for case in told)))
    suite.set("time", f"{_lasted(verdict):.3f}")
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(verdict):
        ElementTree.SubElement(properties, "property", name=name, value=facts.plain(value))
    for case in told:
        _add(suite, case, verdict.experiment)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def cases(verdict: Verdict) -> list[Case]:
    """The verdict first, then one for each of several groups, then criteria, then steps."""
    return [_whole(verdict), *_groups(verdict), *_expectations(verdict), *_criteria(verdict), *_steps(verdict)]


def _whole(verdict: Verdict) -> Case:
    state: State = "error" if verdict.exit_code == ExitCode.HARNESS_FAILED else _BY_RESULT[verdict.result]
    if state == "passed" and verdict.exit_code:
        state = "failure"  # the locustfile asked for it
    return Case("verdict", state, f"{facts.headline(verdict)}. {' '.join(verdict.because)}")


def _groups(verdict: Verdict) -> Iterator[Case]:
    for name, group in verdict.groups.items():
        state: State = "error" if group.exit_code == ExitCode.HARNESS_FAILED else _BY_RESULT[group.result]
        expected = f", {facts.words(group.expected)} was expected" if group.expected else ""
        said = f"{facts.words(group.outcome)}, {facts.words(group.call)}, {result_in_words(group)}{expected}"
        yield Case(f"group {name}", state, said)


def _expectations(verdict: Verdict) -> Iterator[Case]:
    if verdict.expected is not None:
        known = verdict.outcome not in (Outcome.UNKNOWN, Outcome.NOT_STARTED)
        met = verdict.outcome == verdict.expected or (False if known else None)
        said = f"the outcome is {facts.words(verdict.outcome)}"
        yield Case(f"outcome is {facts.words(verdict.expected)}", _BY_MET[met], said)
    if verdict.expected_call is not None:
        met = verdict.call == verdict.expected_call or (None if verdict.call == "inconclusive" else False)
        said = f"the call is {facts.words(verdict.call)}"
        yield Case(f"call is {facts.words(verdict.expected_call)}", _BY_MET[met], said)


def _criteria(verdict: Verdict) -> Iterator[Case]:
    for criterion in verdict.criteria:
        limit = f"{limit_word(criterion.name)} {criterion.limit:g}"
        said = f"it was {facts.number(criterion.value)}" if criterion.met is not None else "it was not measured"
        yield Case(f"criterion {facts.criterion(criterion.name)} {limit}", _BY_MET[criterion.met], said)


def _steps(verdict: Verdict) -> Iterator[Case]:
    for step in facts.timed(verdict):
        took_s = step.took[1] if step.took else 0.0
        yield Case(f"step {step.name}", "passed" if step.at else "skipped", "it was not seen", took_s)


def _add(suite: ElementTree.Element, case: Case, experiment: str) -> None:
    element = ElementTree.SubElement(
        suite, "testcase", classname=f"canary.{facts.plain(experiment)}", name=facts.plain(case.name)
    )
    element.set("time", f"{case.took_s:.3f}")
    if case.state != "passed":
        ElementTree.SubElement(element, case.state, message=facts.plain(case.said))


def _lasted(verdict: Verdict) -> float:
    """Until when the last step was seen, in seconds since the creation."""
    return max((step.at[1] for step in facts.timed(verdict) if step.at), default=0.0)


def _properties(verdict: Verdict) -> Iterator[tuple[str, str]]:
    yield "outcome", verdict.outcome
    yield "call", verdict.call
    if verdict.has_expectation or verdict.result != "as_expected":
        yield "result", verdict.result
    yield "exit_code", str(verdict.exit_code)
    yield "time_to_detect", facts.span(verdict.detection.time_to_detect_s)
    yield "time_to_roll_back", facts.span(verdict.detection.time_to_roll_back_s)
    yield "blast_radius", facts.percent(verdict.exposure.blast_radius)
    yield "failed_requests", facts.count(verdict.exposure.failed_requests)
