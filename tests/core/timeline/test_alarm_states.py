"""The states of an alarm, from its history and from looks."""

from harness.core.timeline.alarm_states import Episode, Turn, episodes, turns
from harness.core.timeline.events import AlarmChanged


def changed(at_s: float, state: str) -> AlarmChanged:
    """A state change from the history."""
    return AlarmChanged(at_s=at_s + 5, asked_s=at_s + 4, name="errors", changed_s=at_s, from_state="?", to_state=state)


def test_history_dates_what_looks_only_bracket() -> None:
    """Where both saw a change, the exact date counts."""
    looks = [Turn("OK", (0.0, 0.1)), Turn("ALARM", (110.0, 120.1)), Turn("OK", (170.0, 180.1))]
    states = turns([changed(112.5, "ALARM"), changed(171.5, "OK")], looks)
    assert episodes(states) == (Episode((112.5, 112.5), (171.5, 171.5)),)


def test_history_shows_an_episode_between_two_looks() -> None:
    """A forced state may last seconds only."""
    states = turns([changed(112.5, "ALARM"), changed(114.0, "OK")], [Turn("OK", (0.0, 0.1))])
    assert episodes(states) == (Episode((112.5, 112.5), (114.0, 114.0)),)


def test_looks_show_an_episode_that_history_has_not_yet() -> None:
    """A history that could not be read does not hide what was seen."""
    states = turns([changed(20.0, "OK")], [Turn("OK", (0.0, 30.1)), Turn("ALARM", (110.0, 120.1))])
    assert episodes(states) == (Episode((110.0, 120.1), None),)


def test_an_alarm_nobody_saw_was_never_on() -> None:
    """No looks and no history give no episodes."""
    assert episodes(turns([], [])) == ()
