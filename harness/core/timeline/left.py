"""What the journal of a run says is left on AWS: every change that was begun, and neither undone nor surely refused."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from harness.core.timeline.events import Event, Write

CREATION = "codedeploy:CreateDeployment"
"""What is asked for by it is the release itself: it is followed, and never undone."""


class Left(Struct, frozen=True, kw_only=True):
    """A change that may still be there, as `write` intended it.

    `answered` says that AWS confirmed the last call that made it, at `at_s`, with `told`; a call without an answer may
    have taken effect, or may still do so. `earlier` is what was known before a call that is under way.
    """

    write: Write
    at_s: float
    answered: bool = False
    told: str = ""
    earlier: "Left | None" = None


def unhealed(events: Iterable[Event]) -> list[Left]:
    """The changes that were begun and never undone, in order; one that was made repeatedly counts once."""
    pending: dict[tuple[str, str, str], Left] = {}
    for event in events:
        if not isinstance(event, Write) or event.call == CREATION or event.after is None:
            continue
        key = event.call, event.subject, event.after
        left = _after(pending.get(key), event)
        if left:
            pending[key] = left
        else:
            pending.pop(key, None)
    return [*pending.values()]


def creation_of(events: Iterable[Event]) -> Left | None:
    """The deployment that the run asked for last, known or not; None where it asked for none or was refused."""
    asked: Left | None = None
    for event in events:
        if isinstance(event, Write) and event.call == CREATION:
            asked = None if event.step == "failed" else _after(None if event.step == "intended" else asked, event)
    return asked


def _after(known: Left | None, event: Write) -> Left | None:
    """What is left of a change after one more step of it."""
    match event.step:
        case "intended":
            return Left(write=known.write if known else event, at_s=event.at_s, earlier=known)
        case "undone":
            return None
        case "refused":
            return known.earlier if known else None
        case "done":
            return known and replace(known, at_s=event.at_s, answered=True, told=event.detail, earlier=None)
        case "unanswered":
            return known and replace(known, at_s=event.at_s, answered=False, earlier=None)
        case "failed":
            return known
