"""What a person may change in a run: each control reads its body, asks the run, and says what was done.

The timeline notes every ask and who asked, also if it was refused, and also if its body cannot be read.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, Struct

from harness.core.experiment.part import Rate, Share
from harness.core.experiment.rates import WORDS, read, worded
from harness.core.experiment.types import MAX_USERS, AlarmState, ArrivalRate, Arrivals, Pattern
from harness.errors import NotAllowed, UsageError
from harness.files import NOT_JSON
from harness.run.by_hand import ByHand

Name = Annotated[str, Meta(max_length=300)]
Who = Callable[[str | None], str]
Steer = Callable[[ByHand, bytes, Who], str]
SHOWN_OF_A_BODY = 200
"""Characters that the timeline keeps of a body that cannot be read."""


class Unreadable(UsageError):
    """A body that cannot be understood."""


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every body may have: the name of who asks. The name of a login counts more."""

    by: Annotated[str, Meta(max_length=80)] | None = None


class TrafficAsked(Body, frozen=True, kw_only=True):
    """Another traffic; what is left out stays as it is. A rate may be words, as in `5 for 30s, to 50 in 1m`."""

    error_share: Share | None = None
    arrival_rate: Rate | str | None = None
    pattern: Pattern | None = None


class AlarmAsked(Body, frozen=True, kw_only=True):
    """The state in which the alarm is held."""

    state: AlarmState = "ALARM"


class StartAsked(Body, frozen=True, kw_only=True):
    """Another test. What is left out stays as in the last one; an empty text leaves it to the experiment.

    `users` is for closed loops; a rate may be words.
    """

    host: Annotated[str, Meta(max_length=2000)] | None = None
    users: Annotated[int, Meta(ge=1, le=MAX_USERS)] | None = None
    arrival_rate: Rate | Annotated[str, Meta(max_length=500)] | None = None
    error_share: Share | Literal[""] | None = None
    pattern: Pattern | Literal[""] | None = None
    arrivals: Arrivals | Literal[""] | None = None
    application: Name | None = None
    group: Name | None = None
    deployment: Name | None = None
    target_version: Name | None = None
    redeploy: bool | None = None
    expect: Name | None = None
    allow_writes: bool | None = None

    @property
    def options(self) -> dict[str, str | bool]:
        """What is asked for, by the names and in the words of Locust's options."""
        given = {name: getattr(self, name) for name in self.__struct_fields__ if name not in ("by", "host", "users")}
        return {
            f"canary_{name}": value if isinstance(value, bool) else str(value)
            for name, value in given.items()
            if value is not None
        }


class NoteAsked(Body, frozen=True, kw_only=True):
    """Words for this moment."""

    text: Annotated[str, Meta(min_length=1, max_length=500)]


class Change(NamedTuple):
    """One change of the traffic that is asked for, and why it may not be."""

    what: str
    value: str
    refused: str | None
    apply: Callable[[], None]


def _traffic(run: ByHand, body: bytes, who: Who) -> str:
    """Changes everything that is asked for, or nothing if any of it is refused."""
    asked = _read(body, TrafficAsked)
    by = who(asked.by)
    changes = [*_changes(run, asked, by)]
    refused = next((change.refused for change in changes if change.refused), None)
    if refused:
        for change in changes:
            run.refuse(change.what, change.value, by, change.refused or f"asked for with what is refused: {refused}")
        raise NotAllowed(refused)
    for change in changes:
        run.ask(change.what, change.value, by, change.apply)
    return ", ".join(f"{change.what.replace('_', ' ')} {change.value}" for change in changes) or "nothing"


def _changes(run: ByHand, asked: TrafficAsked, by: str) -> Iterator[Change]:
    share, pattern = asked.error_share, asked.pattern
    if share is not None:
        refused = run.share_refusal(share)
        yield Change("error_share", f"{share:g}", refused, lambda: run.set_error_share(share, by))
    if asked.arrival_rate is not None:
        rate = _rate(asked.arrival_rate)
        refused = run.rate_refusal(rate)
        yield Change("arrival_rate", worded(rate), refused, lambda: run.set_arrival_rate(rate))
    if pattern is not None:
        yield Change("pattern", pattern, None, lambda: run.set_pattern(pattern))


def _rate(asked: float | str) -> ArrivalRate:
    try:
        return read(asked) if isinstance(asked, str) else asked
    except ValueError as error:
        raise Unreadable(f"arrival_rate must be a rate such as {WORDS}: {error}") from error


def _force_alarm(run: ByHand, body: bytes, who: Who) -> str:
    asked = _read(body, AlarmAsked)
    by = who(asked.by)
    run.ask("force_alarm", asked.state, by, lambda: run.force_alarm(asked.state, by))
    return f"the alarm is held in {asked.state}"


def _release_alarm(run: ByHand, body: bytes, who: Who) -> str:
    by = who(_read(body, Body).by)
    run.ask("release_alarm", "", by, lambda: run.release_alarm(by))
    return "the alarm is released"


def _stop(run: ByHand, body: bytes, who: Who) -> str:
    by = who(_read(body, Body).by)
    run.ask("stop_faults", "", by, lambda: run.stop_faults(by))
    return "all faults are stopped, and none begins any more in this run"


def _roll_back(run: ByHand, body: bytes, who: Who) -> str:
    by = who(_read(body, Body).by)
    run.ask("roll_back", run.followed, by, lambda: run.roll_back(by))
    return "CodeDeploy was told to stop the deployment and to roll it back"


def _note(run: ByHand, body: bytes, who: Who) -> str:
    asked = _read(body, NoteAsked)
    if not asked.text.strip():
        raise Unreadable("text must say something, not only be blank")
    run.note(asked.text.strip(), who(asked.by))
    return "noted"


def _end(run: ByHand, body: bytes, who: Who) -> str:
    by = who(_read(body, Body).by)
    run.ask("end", "", by, lambda: run.end(by))
    return "the run ends and is judged"


CONTROLS: Mapping[str, Steer] = {
    "traffic": _traffic,
    "force-alarm": _force_alarm,
    "release-alarm": _release_alarm,
    "stop": _stop,
    "roll-back": _roll_back,
    "notes": _note,
    "end": _end,
}


def steer(name: str, run: ByHand, body: bytes, who: Who) -> str:
    """Does what a control is asked for, and says what was done; raises HarnessError."""
    try:
        return CONTROLS[name](run, body, who)
    except Unreadable as error:
        shown = body.decode(errors="replace")[:SHOWN_OF_A_BODY]
        run.refuse(name.replace("-", "_"), shown, who(_given_by(body)), str(error))
        raise


def start_asked(body: bytes) -> StartAsked:
    """What a start asks for; raises Unreadable."""
    return _read(body, StartAsked)


class _By(Struct, frozen=True):
    by: str | None = None


def _given_by(body: bytes) -> str | None:
    """Who asks, by a body whose other parts cannot be read."""
    try:
        return (msgspec.json.decode(body, type=_By).by or "")[:80] or None
    except NOT_JSON:
        return None


Asked = TypeVar("Asked", bound=Struct)


def _read(body: bytes, kind: type[Asked]) -> Asked:
    try:
        return msgspec.json.decode(body, type=kind)
    except NOT_JSON as error:
        raise Unreadable(f"the body cannot be read: {error}") from error
