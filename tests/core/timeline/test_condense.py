"""A condensed timeline."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from harness.core.timeline.condense import Condensed, condensed
from harness.core.timeline.events import Requests
from harness.core.verdict.judge import judge
from harness.report.folder import RunFolder

SAMPLE = RunFolder(Path(__file__).parents[3] / "reports" / "sample")


@pytest.mark.parametrize("upto", [0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
def test_the_verdict_of_a_condensed_timeline_is_the_same(upto: float) -> None:
    """At every moment of a real run."""
    events, experiment = SAMPLE.read_events(), SAMPLE.read_experiment()
    seen = events[: int(len(events) * upto)]
    assert judge(experiment, condensed(seen)) == judge(experiment, seen)


def test_condensed_rows_are_a_fraction() -> None:
    """Of users who are told apart, each on workers of their own; otherwise there were no point."""
    rows = [row for row in SAMPLE.read_events() if isinstance(row, Requests)]
    every = [replace(row, persona=f"customer {number}", worker=f"{number % 2}") for row in rows for number in range(7)]
    few = [row for row in condensed(every) if isinstance(row, Requests)]
    assert len(few) < len(every) / 2
    assert sum(row.count for row in few) == sum(row.count for row in every)


def test_what_was_handed_out_does_not_change() -> None:
    """A judge in another thread keeps what it got."""
    events = SAMPLE.read_events()
    small = Condensed()
    for event in events[:1500]:
        small.add(event)
    before = small.events()
    kept = judge(SAMPLE.read_experiment(), before)
    for event in events[1500:]:
        small.add(event)
    assert judge(SAMPLE.read_experiment(), before) == kept


def test_endpoints_and_who_was_meant_to_fail_are_kept_apart() -> None:
    """A group may answer some endpoints alone, and an exemplar dates the first fault by its persona."""
    events, experiment = SAMPLE.read_events(), SAMPLE.read_experiment()
    for endpoint in {event.endpoint for event in events if isinstance(event, Requests)}:
        narrow = replace(experiment, deployment=replace(experiment.deployment, requests=(endpoint,)))
        assert judge(narrow, condensed(events)) == judge(narrow, events)
    personas = {event.persona for event in condensed(events) if isinstance(event, Requests) and event.intent == "fault"}
    assert "" not in personas
