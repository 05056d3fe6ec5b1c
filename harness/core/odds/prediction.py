"""What is predicted of one release, as types: every number says how it came about."""

from msgspec import Struct

from harness.core.odds.outlook import By, Outlook


class PredictedNumber(Struct, frozen=True, kw_only=True):
    """One number; `text` is the sentence for a person. `value` is None where there is none, and the sentence why."""

    id: str
    value: float | None
    unit: str
    by: By
    text: str


class Preset(Struct, frozen=True, kw_only=True):
    """A deployment configuration of AWS, and the chance that it catches the fault before its last shift."""

    name: str
    chance: float
    by: By


class Prediction(Struct, frozen=True, kw_only=True):
    """All that is said of a release before it.

    `lines` are the numbers in order. `presets` are AWS's configurations by their length. `binding` is the sentence of
    what decides, `cause` its one word. `assumed` are the sentences on what was taken for granted, `unsaid` those on
    what cannot be said. Without an alarm that can be reckoned with there is no `outlook`.
    """

    schema: int = 1
    subject: str = ""
    question: str = ""
    outlook: Outlook | None = None
    lines: tuple[PredictedNumber, ...] = ()
    presets: tuple[Preset, ...] = ()
    cause: str | None = None
    binding: str = ""
    assumed: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()
