"""The states that alarms took, and when they were in ALARM."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness.core.timeline.bounds import Bounds, exactly
from harness.core.timeline.events import AlarmChanged, AlarmDefined, AlarmGone, AlarmSeen, Event


class Turn(Struct, frozen=True):
    """An alarm took a state, at some instant within `since`."""

    state: str
    since: Bounds


class Episode(Struct, frozen=True):
    """A time in ALARM; `end` is None while it lasts."""

    start: Bounds
    end: Bounds | None = None


class AlarmStates(Struct, frozen=True, kw_only=True):
    """All that is known of alarms at one point of the timeline, each by the alarm's name.

    `states` are the last looks, `looked` the turns that only looks bracket, `history` the changes that CloudWatch
    dated, and `missing` the alarms that it does not know.
    """

    states: dict[str, AlarmSeen] = {}
    definitions: dict[str, AlarmDefined] = {}
    missing: frozenset[str] = frozenset()
    looked: dict[str, tuple[Turn, ...]] = {}
    history: dict[str, tuple[AlarmChanged, ...]] = {}

    def step(self, event: Event) -> "AlarmStates":
        """These states with one more event."""
        fold = _FOLDS.get(type(event))
        return fold(self, event) if fold else self

    def turns(self, name: str) -> tuple[Turn, ...]:
        """The states of an alarm in order, from its history and from looks."""
        return turns(self.history.get(name, ()), self.looked.get(name, ()))

    def episodes(self, name: str) -> tuple[Episode, ...]:
        """The times an alarm was in ALARM."""
        return episodes(self.turns(name))

    def has(self, change: AlarmChanged) -> bool:
        """Whether a change of the history was read before."""
        told = self.history.get(change.name, ())
        return any(old.changed_s == change.changed_s and old.to_state == change.to_state for old in told)


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


def _defined(known: AlarmStates, seen: AlarmDefined) -> AlarmStates:
    return replace(known, definitions={**known.definitions, seen.name: seen})


def _seen(known: AlarmStates, seen: AlarmSeen) -> AlarmStates:
    before = known.states.get(seen.name)
    known = replace(known, states={**known.states, seen.name: seen}, missing=known.missing - {seen.name})
    if before and before.state == seen.state:
        return known
    turned = (*known.looked.get(seen.name, ()), Turn(seen.state, _turned(before, seen)))
    return replace(known, looked={**known.looked, seen.name: turned})


def _turned(before: AlarmSeen | None, seen: AlarmSeen) -> Bounds:
    """When an alarm took the state it shows; CloudWatch's own date counts if it fits what was seen before."""
    if before is None:
        return exactly(seen.since_s) or (min(0.0, seen.asked_s), seen.at_s)
    if seen.since_s is not None and before.asked_s <= seen.since_s <= seen.at_s:
        return seen.since_s, seen.since_s
    return before.asked_s, seen.at_s


def _changed(known: AlarmStates, change: AlarmChanged) -> AlarmStates:
    if known.has(change):
        return known
    return replace(known, history={**known.history, change.name: (*known.history.get(change.name, ()), change)})


def _gone(known: AlarmStates, seen: AlarmGone) -> AlarmStates:
    left = {name: alarm for name, alarm in known.states.items() if name != seen.name}
    return replace(known, states=left, missing=known.missing | {seen.name})


_FOLDS: Mapping[type, Callable[[AlarmStates, Any], AlarmStates]] = {
    AlarmDefined: _defined,
    AlarmSeen: _seen,
    AlarmChanged: _changed,
    AlarmGone: _gone,
}
