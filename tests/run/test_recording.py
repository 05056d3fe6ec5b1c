"""What becomes of events: the timeline, what is known by it, and whoever listens."""

import os
from pathlib import Path

import pytest

from harness.core.timeline.events import Event, Note, Requests, RunStarted, decode
from harness.core.timeline.rollout import Rollout
from harness.errors import HarnessError
from harness.run.ending import Ending
from harness.run.recording import Recording
from harness.traffic.steering import Timebase

STARTED = RunStarted(at_s=0.0, experiment="test", epoch_s=1000.0)
NOTE = Note(at_s=1.0, text="look", by="ana")


def row(count: int, *, ok: bool) -> Requests:
    """Good requests of one second."""
    return Requests(
        at_s=1.0,
        intent="good",
        persona="standard",
        endpoint="/fakeUser",
        version=None,
        outcome="ok" if ok else "failed",
        status=200 if ok else 502,
        count=count,
        latency={},
        service_time={},
    )


def test_events_are_written_in_their_order_and_told_to_listeners(tmp_path: Path) -> None:
    """A listener gets each with the rollout that it led to."""
    recording, heard = Recording(tmp_path / "timeline.jsonl", pytest.fail), list[tuple[Event, Rollout]]()
    recording.listeners.append(lambda event, rollout: heard.append((event, rollout)))
    recording.record(STARTED, NOTE)
    assert [*decode((tmp_path / "timeline.jsonl").read_bytes().splitlines())] == [STARTED, NOTE]
    assert heard == [(STARTED, Rollout().step(STARTED)), (NOTE, recording.rollout)]


def test_requests_are_counted(tmp_path: Path) -> None:
    """By intent and answer."""
    recording = Recording(tmp_path / "timeline.jsonl", pytest.fail)
    recording.record(row(3, ok=True), row(2, ok=False), row(1, ok=True))
    assert (recording.tally.good_ok, recording.tally.good_failed) == (4, 2)


def test_nothing_is_recorded_after_the_end(tmp_path: Path) -> None:
    """The verdict is on what was there when the run was closed."""
    recording = Recording(tmp_path / "timeline.jsonl", pytest.fail)
    recording.close()
    recording.record(NOTE)
    assert (tmp_path / "timeline.jsonl").read_bytes() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_timeline_that_cannot_be_written_is_told_once() -> None:
    """Then the run ends, since nobody could judge it."""
    problems: list[str] = []
    recording = Recording(Path("/dev/full"), problems.append)
    recording.record(NOTE)
    recording.record(NOTE)
    recording.close()
    assert problems == ["the timeline cannot be written: [Errno 28] No space left on device"]


def test_the_first_reason_for_the_end_counts() -> None:
    """What ends a run that is ending already is told to nobody."""
    told: list[str] = []
    ending = Ending(Timebase(0.0), lambda over: told.append(over.detail))
    ending.end("stopped", "SIGINT came", "SIGINT")
    ending.end("failed", "the disk is full")
    assert told == ["SIGINT came"]
    assert ending.note("settled").why == "stopped"


def test_an_end_that_is_only_noted_calls_nobody() -> None:
    """Traffic has stopped already, so nobody has to stop it."""
    ending = Ending(Timebase(0.0), lambda _: pytest.fail("it was called"))
    assert ending.note("stopped", "a person stopped it").detail == "a person stopped it"
    ending.end("settled")
    assert ending.over
    assert ending.over.why == "stopped"


def test_what_is_kept_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written, and the disk has confirmed it, when the call returns."""
    on_disk: list[bytes] = []
    path = tmp_path / "timeline.jsonl"
    recording = Recording(path, pytest.fail)
    monkeypatch.setattr(os, "fsync", lambda _: on_disk.append(path.read_bytes()))
    recording.keep(NOTE)
    assert [*decode(on_disk[-1].splitlines())] == [NOTE]


def test_what_cannot_be_kept_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was about to change something on AWS does not; nor does anybody after the end."""
    problems: list[str] = []
    recording = Recording(tmp_path / "timeline.jsonl", problems.append)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for _ in range(2):
        with pytest.raises(HarnessError, match="nothing is changed on AWS"):
            recording.keep(NOTE)
    assert len(problems) == 1
