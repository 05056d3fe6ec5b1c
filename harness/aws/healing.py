"""Healing after a crash: what a run's journal says was changed on AWS and never undone, and undoing it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, cast

from msgspec import Struct

from harness.aws.clients import Aws
from harness.aws.concurrency import THROTTLING, ReservedConcurrency
from harness.aws.fis import STARTING, FisExperiment
from harness.aws.forced_alarm import FORCING, ForcedAlarm
from harness.aws.journal import AS_BEFORE, Journal
from harness.aws.redeploy import DESCRIBING, RETURNING, Description, PlacedAlias
from harness.core.experiment import AlarmState
from harness.core.timeline import Event, Write
from harness.errors import HarnessError


class Left(Protocol):
    """A change that may still be there."""

    def exists(self) -> bool:
        """Whether what was changed is found at all; raises HarnessError where nobody says."""

    def heal(self) -> bool:
        """Undoes it; whether nothing is left."""


class Healed(Struct, frozen=True, kw_only=True):
    """What became of one change: `told` is a sentence for a person.

    `healed` says that nothing is left of it, `found` that it was there when it was to be undone.
    """

    call: str
    subject: str
    healed: bool
    told: str
    found: bool = True


def unhealed(events: Iterable[Event]) -> list[Write]:
    """The intentions that nothing undid, in their order; one that was repeated counts once."""
    pending: dict[tuple[str, str, str | None], Write] = {}
    for event in events:
        if not isinstance(event, Write) or event.call not in _MAKERS or event.after is None:
            continue
        key = event.call, event.subject, event.after
        if event.step == "intended":
            pending.setdefault(key, event)
        elif event.step == "undone":
            pending.pop(key, None)
    return [*pending.values()]


def heal(aws: Aws, writes: Iterable[Write], record: Callable[[Event], None], now: Callable[[], float]) -> list[Healed]:
    """Undoes each of these changes that is still there, and journals that; never raises for what AWS answers."""
    notes: list[Write] = []

    def take(event: Event) -> None:
        record(event)
        notes.append(cast(Write, event))

    journal = Journal(take, now)
    return [_heal(write, _MAKERS[write.call](aws, write, journal), notes) for write in writes]


def _heal(write: Write, left: Left, notes: list[Write]) -> Healed:
    try:
        if not left.exists():
            told = f"{write.subject} is not found here: are these the account and region of the run?"
            return Healed(call=write.call, subject=write.subject, healed=False, told=told)
    except HarnessError as error:
        return Healed(call=write.call, subject=write.subject, healed=False, told=str(error))
    healed = left.heal()
    told = notes[-1].detail
    return Healed(call=write.call, subject=write.subject, healed=healed, told=told, found=told != AS_BEFORE)


def _alarm(aws: Aws, write: Write, journal: Journal) -> Left:
    reason = "canary-harness: taken back after a crash"
    state = cast(AlarmState, write.after)
    return ForcedAlarm(
        aws, name=write.subject, state=state, reason=reason, journal=journal, before=write.before or "OK"
    )


def _concurrency(aws: Aws, write: Write, journal: Journal) -> Left:
    before = None if write.before is None else int(write.before)
    limit = int(write.after or 0)
    return ReservedConcurrency(aws, function=write.subject, limit=limit, journal=journal, before=before, left=True)


def _fis(aws: Aws, write: Write, journal: Journal) -> Left:
    return FisExperiment(aws, template=write.subject, journal=journal, mark=write.after)


def _description(aws: Aws, write: Write, journal: Journal) -> Left:
    before, mark = write.before or "", write.after or ""
    return Description(aws, function=write.subject, mark=mark, journal=journal, before=before, left=True)


def _alias(aws: Aws, write: Write, journal: Journal) -> Left:
    function, _, alias = write.subject.rpartition(":")
    before, after = write.before or "", write.after or ""
    return PlacedAlias(aws, function=function, alias=alias, before=before, after=after, journal=journal)


_MAKERS: Mapping[str, Callable[[Aws, Write, Journal], Left]] = {
    FORCING: _alarm,
    THROTTLING: _concurrency,
    STARTING: _fis,
    DESCRIBING: _description,
    RETURNING: _alias,
}
