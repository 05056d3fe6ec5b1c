"""What comes out for one setting: the chance of a rollback in time, and how long it takes."""

from typing import Literal

from msgspec import Struct

RUNS = 40_000
"""Releases that are played for one answer."""
By = Literal["exact", "simulated", "assumed"]
"""How a number came about."""
LEVELS = (0.05, 0.5, 0.95)
"""The quantiles that are told of each time."""


class Chance(Struct, frozen=True, kw_only=True):
    """A chance, 0 to 1, with its interval.

    Of an exact one, `low` and `high` are those of accounts whose alarm is slow, and quick: the second of the minute at
    which an alarm is evaluated, and the delay of its metric, stay as they are for a day and more. Of a simulated one
    they are the 95 % interval of the simulation.
    """

    value: float
    low: float
    high: float
    by: By


class Quantiles(Struct, frozen=True, kw_only=True):
    """5 %, 50 % and 95 % of the rollbacks take at most this long, in seconds."""

    p05: float
    p50: float
    p95: float


class Outlook(Struct, frozen=True, kw_only=True):
    """What the alarms do with one setting.

    `rolled_back` is the chance that the deployment stops before its last shift; `at_all` that it stops before it has
    succeeded, which is a second or two later. `at_start` is the chance that an alarm is in ALARM already, and
    `too_early` that of a rollback before the last shift by an alarm from before the fault's begin, `at_start` among
    them. The times count from the fault's begin, over the other rollbacks before the last shift; None where there is
    none.
    """

    rolled_back: Chance
    at_all: float
    at_start: float = 0.0
    too_early: float = 0.0
    detect_s: Quantiles | None = None
    roll_back_s: Quantiles | None = None
    runs: int = 0
