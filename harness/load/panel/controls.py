"""What a person may do to a run: each control reads its body, asks the run, and says what was done.

Every ask is an event of the timeline, with who asked; a refusal is one, too.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from harness.core.experiment import AlarmState, ArrivalRate, Pattern, Rate, Share
from harness.core.rates import WORDS, read, worded
from harness.errors import UsageError
from harness.load.run import Run

Who = Callable[[str | None], str]
Steer = Callable[[Run, bytes, Who], str]


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every body may have: the name of who asks, which a login goes before."""

    by: Annotated[str, Meta(max_length=80)] | None = None


class TrafficAsked(Body, frozen=True, kw_only=True):
    """Another traffic; what is left out stays as it is. A rate may be words, as in `5 for 30s, to 50 in 1m`."""

    error_share: Share | None = None
    arrival_rate: Rate | str | None = None
    pattern: Pattern | None = None


class AlarmAsked(Body, frozen=True, kw_only=True):
    """The state in which the alarm is held."""

    state: AlarmState = "ALARM"


class NoteAsked(Body, frozen=True, kw_only=True):
    """Words for this moment."""

    text: Annotated[str, Meta(min_length=1, max_length=500)]


def _traffic(run: Run, body: bytes, who: Who) -> str:
    asked = _read(body, TrafficAsked)
    by = who(asked.by)
    done = []
    if asked.error_share is not None:
        share = asked.error_share
        run.ask("error_share", f"{share:g}", by, lambda: run.set_error_share(share, by))
        done.append(f"error share {share:g}")
    if asked.arrival_rate is not None:
        rate = _rate(asked.arrival_rate)
        run.ask("arrival_rate", worded(rate), by, lambda: run.set_arrival_rate(rate))
        done.append(f"arrival rate {worded(rate)}")
    if asked.pattern is not None:
        pattern = asked.pattern
        run.ask("pattern", pattern, by, lambda: run.set_pattern(pattern))
        done.append(f"pattern {pattern}")
    return ", ".join(done) or "nothing"


def _rate(asked: float | str) -> ArrivalRate:
    try:
        return read(asked) if isinstance(asked, str) else asked
    except ValueError as error:
        raise UsageError(f"arrival_rate must be a rate such as {WORDS}: {error}") from error


def _force_alarm(run: Run, body: bytes, who: Who) -> str:
    asked = _read(body, AlarmAsked)
    by = who(asked.by)
    run.ask("force_alarm", asked.state, by, lambda: run.force_alarm(asked.state, by))
    return f"the alarm is held in {asked.state}"


def _release_alarm(run: Run, body: bytes, who: Who) -> str:
    by = who(_read(body, Body).by)
    run.ask("release_alarm", "", by, lambda: run.release_alarm(by))
    return "the alarm is released"


def _stop(run: Run, body: bytes, who: Who) -> str:
    by = who(_read(body, Body).by)
    run.ask("stop_faults", "", by, lambda: run.stop_faults(by))
    return "all faults are stopped, and none begins any more in this run"


def _note(run: Run, body: bytes, who: Who) -> str:
    asked = _read(body, NoteAsked)
    run.note(asked.text, who(asked.by))
    return "noted"


def _end(run: Run, body: bytes, who: Who) -> str:
    by = who(_read(body, Body).by)
    run.ask("end", "", by, lambda: run.end(by))
    return "the run ends and is judged"


CONTROLS: Mapping[str, Steer] = {
    "traffic": _traffic,
    "force-alarm": _force_alarm,
    "release-alarm": _release_alarm,
    "stop": _stop,
    "notes": _note,
    "end": _end,
}


Asked = TypeVar("Asked", bound=Struct)


def _read(body: bytes, kind: type[Asked]) -> Asked:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise UsageError(f"the body cannot be read: {error}") from error
