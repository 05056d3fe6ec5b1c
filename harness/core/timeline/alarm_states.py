"""The states that an alarm took, and when it was in ALARM."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from harness.core.timeline.bounds import Bounds
from harness.core.timeline.events import AlarmChanged


class Turn(Struct, frozen=True):
    """An alarm took a state, at some instant within `since`."""

    state: str
    since: Bounds


class Episode(Struct, frozen=True):
    """A time in ALARM; `end` is None while it lasts."""

    start: Bounds
    end: Bounds | None = None


def turns(history: Iterable[AlarmChanged], looks: Sequence[Turn]) -> tuple[Turn, ...]:
    """The states of one alarm in order: its history, exact, and what only looks saw.

    A short episode may lie between two looks, and history may be older than the last look: each fills in for the other.
    """
    exact = sorted((Turn(change.to_state, (change.changed_s, change.changed_s)) for change in history), key=_start)
    unexplained = [look for look in looks if not _explained(look, exact)]
    return _without_repeats(sorted([*exact, *unexplained], key=_start))


def episodes(states: Sequence[Turn]) -> tuple[Episode, ...]:
    """The times in ALARM among the states of one alarm."""
    ends: list[Bounds | None] = [turn.since for turn in states[1:]]
    following = zip(states, [*ends, None], strict=True) if states else ()
    return tuple(Episode(turn.since, end) for turn, end in following if turn.state == "ALARM")


def _start(turn: Turn) -> float:
    return turn.since[0]


def _explained(look: Turn, exact: Sequence[Turn]) -> bool:
    until_look = [turn for turn in exact if turn.since[0] <= look.since[1]]
    in_between = any(turn.state == look.state and turn.since[0] >= look.since[0] for turn in until_look)
    return in_between or (bool(until_look) and until_look[-1].state == look.state)


def _without_repeats(states: Sequence[Turn]) -> tuple[Turn, ...]:
    kept: list[Turn] = []
    for turn in states:
        if not kept or kept[-1].state != turn.state:
            kept.append(turn)
    return tuple(kept)
