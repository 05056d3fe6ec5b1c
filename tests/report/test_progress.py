from collections.abc import Callable
from typing import Any

import pytest

from harness.core.rollout import Rollout
from harness.core.timeline import AlarmSeen, AliasSeen
from harness.report import progress
from harness.report.progress import Progress, Tally

Screens = Callable[..., Any]


def rollout(alarm: str = "OK", weight: float = 0.0) -> Rollout:
    """A release whose alarm and alias were seen."""
    weights = {"2": weight} if weight else {}
    return Rollout(
        alarms={"Errors": AlarmSeen(at_s=1.0, asked_s=0.9, name="Errors", state=alarm)},  # type: ignore[arg-type]
        alias=AliasSeen(at_s=1.0, asked_s=0.9, function="f", alias="Live", version="1", weights=weights),
    )


def test_each_change_is_one_line(screen: Screens) -> None:
    """Off a terminal only transitions are told."""
    shown = screen()
    live = Progress(shown.console)
    for at_s, state in ((0.0, "OK"), (1.0, "OK"), (2.0, "ALARM"), (3.0, "ALARM")):
        live.show(rollout(state), Tally(good_ok=7, fault_failed=2), at_s)
    lines = shown.text.splitlines()
    assert len(lines) == 2
    assert "Errors OK" in lines[0]
    assert "Errors ALARM" in lines[1]
    assert "good 7 (0 failed) · fault 2 (2 failed)" in lines[1]


def test_a_minute_without_change_is_one_line(screen: Screens) -> None:
    """A heartbeat says that the run lives."""
    shown = screen()
    live = Progress(shown.console)
    for at_s in range(0, 121, 5):
        live.show(rollout(), Tally(), float(at_s))
    assert len(shown.text.splitlines()) == 3


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


def test_closing_twice_is_harmless(screen: Screens) -> None:
    """Cleanup may come from two sides."""
    live = Progress(screen().console)
    live.close()
    live.close()


def test_nothing_seen_yet_can_be_shown(screen: Screens) -> None:
    """The first call comes before the first look."""
    shown = screen()
    Progress(shown.console).show(Rollout(), Tally(), 0.0)
    assert "waiting" in shown.text
    assert "– on the canary" in shown.text
