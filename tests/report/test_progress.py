import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.core.timeline.alarm_states import AlarmStates
from harness.core.timeline.events import AlarmSeen, AliasSeen, Shadow
from harness.core.timeline.release import Release
from harness.core.timeline.rollout import Rollout
from harness.report import progress
from harness.report.progress import Progress, Tally

Screens = Callable[..., Any]
CURSOR_SHOWN = "\x1b[?25h"


def rollout(alarm: str = "OK", weight: float = 0.0) -> Rollout:
    """A release whose alarm and alias were seen."""
    weights = {"2": weight} if weight else {}
    errors = AlarmSeen(at_s=1.0, asked_s=0.9, name="Errors", state=alarm)  # type: ignore[arg-type]
    return Rollout(
        alarms=AlarmStates(states={"Errors": errors}),
        release=Release(
            alias=AliasSeen(at_s=1.0, asked_s=0.9, function="f", alias="Live", version="1", weights=weights)
        ),
    )


def looks(*states: str) -> Iterator[tuple[AlarmSeen, Rollout]]:
    """One look at the alarm a second, and the rollout that it leads to."""
    known = Rollout()
    for at_s, state in enumerate(states):
        seen = AlarmSeen(at_s=float(at_s), asked_s=float(at_s), name="Errors", state=state)  # type: ignore[arg-type]
        known = known.step(seen)
        yield seen, known


def test_each_transition_is_one_line(screen: Screens) -> None:
    """Off a terminal, where the log goes elsewhere."""
    shown = screen()
    live = Progress(shown.console)
    for seen, known in looks("OK", "OK", "ALARM", "ALARM"):
        live.tell(seen, known)
    assert shown.text.splitlines() == ["0 s · Errors is OK", "2 s · Errors is ALARM"]


def test_each_transition_is_logged(screen: Screens, caplog: pytest.LogCaptureFixture) -> None:
    """Also beside the panel, which leaves no trace."""
    caplog.set_level("INFO")
    shown = screen(colour=True)
    live = Progress(shown.console)
    for seen, known in looks("OK", "ALARM"):
        live.tell(seen, known)
    assert [record.getMessage() for record in caplog.records] == ["0 s · Errors is OK", "1 s · Errors is ALARM"]
    assert shown.text == ""


def test_a_line_is_printed_once(
    screen: Screens, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By the log alone, where that goes to the terminal."""
    caplog.set_level("INFO")
    told = io.StringIO()
    monkeypatch.setattr("sys.stderr", told)
    handler = logging.StreamHandler()
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    shown = screen()
    live = Progress(shown.console)
    for seen, known in looks("OK"):
        live.tell(seen, known)
    assert (told.getvalue(), shown.text) == ("0 s · Errors is OK\n", "")


def test_the_log_goes_above_the_panel(screen: Screens, monkeypatch: pytest.MonkeyPatch) -> None:
    """And back to where it went when the panel is gone."""
    monkeypatch.setattr("sys.stderr", io.StringIO())
    monkeypatch.setenv("TERM", "xterm")
    handler = logging.StreamHandler()
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    before = handler.stream
    shown = screen(colour=True)
    with Progress(shown.console) as live:
        live.show(rollout(), Tally(), 1.0)
        logging.getLogger().error("a worker is gone")
        assert "a worker is gone" in shown.text
    assert handler.stream is before
    assert before.getvalue() == ""


def test_beside_a_table_of_locust_no_panel_is_drawn(screen: Screens, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two would overwrite each other."""
    monkeypatch.setenv("TERM", "xterm")
    shown = screen(colour=True)
    Progress(shown.console, free=False).show(rollout(), Tally(), 1.0)
    assert "╭" not in shown.text
    assert "1 s · waiting" in shown.text


def test_a_minute_without_change_is_one_line(screen: Screens) -> None:
    """A heartbeat says that the run lives."""
    shown = screen()
    live = Progress(shown.console)
    for at_s in range(0, 121, 5):
        live.show(rollout(), Tally(), float(at_s))
    assert len(shown.text.splitlines()) == 3


def test_the_evidence_stands_behind_the_requests(screen: Screens) -> None:
    """In the heartbeat as in the panel."""
    shown = screen()
    Progress(shown.console).show(
        rollout(), Tally(good_ok=7), 60.0, evidence="evidence against the canary: 12 of 20 needed"
    )
    assert " · fault 0 (0 failed) · evidence against the canary: 12 of 20 needed" in shown.text


def test_terminal_shows_a_panel(screen: Screens, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal one panel is drawn over and over, and taken away at the end."""
    monkeypatch.setattr(progress, "FRAME_S", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    shown = screen(colour=True)
    with Progress(shown.console) as live:
        live.show(rollout("ALARM", 0.1), Tally(good_ok=7), 42.0)
    assert "42 s" in shown.text
    assert "ALARM" in shown.text
    assert "╭" in shown.text


def test_terminal_is_not_drawn_more_often_than_the_eye_sees(screen: Screens, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand calls in a moment cost a few frames."""
    monkeypatch.setenv("TERM", "xterm")
    shown = screen(colour=True)
    with Progress(shown.console) as live:
        for at_s in range(1000):
            live.show(rollout(), Tally(), float(at_s))
    assert shown.text.count("╭") < 50


def test_closing_twice_takes_the_panel_away_once(screen: Screens, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call gives the cursor back; the second one writes nothing."""
    monkeypatch.setenv("TERM", "xterm")
    shown = screen(colour=True)
    live = Progress(shown.console)
    live.show(rollout(), Tally(), 1.0)
    live.close()
    closed = shown.text
    live.close()
    assert CURSOR_SHOWN in closed
    assert shown.text == closed


def test_nothing_seen_yet_can_be_shown(screen: Screens) -> None:
    """The first call comes before the first look."""
    shown = screen()
    Progress(shown.console).show(Rollout(), Tally(), 0.0)
    assert "waiting" in shown.text
    assert "– on the canary" in shown.text


def test_the_panel_ends_with_what_happened_last(screen: Screens, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each on one line, however long."""
    monkeypatch.setenv("TERM", "xterm")
    shown = screen(colour=True)
    with Progress(shown.console) as live:
        for seen, known in looks("OK", "ALARM"):
            live.tell(seen, known)
        live.show(known, Tally(), 3.0)
    assert "1 s · Errors is ALARM" in shown.text


def test_shadow_alarms_stand_beside_the_real_ones(screen: Screens) -> None:
    """Each says that it is one."""
    shown = screen()
    seen = AlarmSeen(at_s=1.0, asked_s=0.9, name="strict", state="ALARM")
    Progress(shown.console).show(rollout().step(Shadow(at_s=1.0, seen=seen)), None, 60.0)
    assert "Errors OK · shadow strict ALARM" in shown.text
