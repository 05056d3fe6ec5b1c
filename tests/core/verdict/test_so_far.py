"""What a verdict says while the run lasts."""

import inspect
from pathlib import Path

import pytest

from harness.core.timeline.events import Event, Requests
from harness.core.timeline.rollout import Rollout
from harness.core.verdict import findings
from harness.core.verdict import judge as core_judge
from harness.core.verdict import so_far as core_so_far
from harness.core.verdict.judge import judge
from harness.core.verdict.so_far import HELD_FINDINGS, HELD_REASONS, so_far
from harness.report.folder import RunFolder

SAMPLE = RunFolder(Path(__file__).parents[3] / "reports" / "sample")
EXPERIMENT, EVENTS = SAMPLE.read_experiment(), SAMPLE.read_events()


def just_created() -> list[Event]:
    """The sample's events until the deployment is there, without a request since."""
    rollout, seen = Rollout(), list[Event]()
    for event in (one for one in EVENTS if not isinstance(one, Requests)):
        rollout = rollout.step(event)
        seen.append(event)
        if rollout.release.created_s is not None:
            break
    return seen


def test_what_only_the_end_can_tell_is_not_said_before() -> None:
    """A good release that has just begun has proved nothing yet, which is no finding."""
    early = judge(EXPERIMENT, just_created())
    assert "no-traffic" in [finding.id for finding in early.findings]
    assert any("nothing was proved" in reason for reason in early.because)
    told = so_far(early)
    assert "no-traffic" not in [finding.id for finding in told.findings]
    assert not [reason for reason in told.because if "nothing was proved" in reason or "is not known" in reason]
    assert (told.outcome, told.call) == (early.outcome, early.call)


def test_what_was_seen_is_said_at_once() -> None:
    """A deployment that rolled back, and the harm that was found."""
    seen = judge(EXPERIMENT, EVENTS)
    assert so_far(seen) == seen


@pytest.mark.parametrize("id_", sorted(HELD_FINDINGS))
def test_findings_that_wait_for_the_end_are_some_that_there_are(id_: str) -> None:
    """A name that changed would be shown too early."""
    sources = (path.read_text() for path in Path(inspect.getfile(findings)).parent.glob("*.py"))
    assert f'"{id_}"' in "".join(sources)


@pytest.mark.parametrize("words", HELD_REASONS)
def test_reasons_that_wait_for_the_end_are_some_that_there_are(words: str) -> None:
    """The same of words."""
    sources = "".join(path.read_text() for path in Path(inspect.getfile(core_judge)).parent.glob("*.py"))
    assert sources.replace(inspect.getsource(core_so_far), "").count(words) > 0
