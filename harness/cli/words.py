"""Words of the command line that several commands read."""

import argparse
import shlex
from typing import Any


def duration(word: str) -> float:
    """The seconds of `30s`, `5m` or `1h30m`."""
    return _duration_s(word)


def duration_or_zero(word: str) -> float:
    """The same, where 0 means not at all."""
    return _duration_s(word, may_be_zero=True)


def _duration_s(word: str, *, may_be_zero: bool = False) -> float:
    from harness.core.experiment.durations import duration_s

    try:
        return duration_s(word, may_be_zero=may_be_zero)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def given_of(options: argparse.Namespace) -> dict[str, Any]:
    """What the options of a command say about the experiment, by the names of the overlay."""
    from harness.core.experiment.overlay import OPTIONS

    given = {name: getattr(options, name, None) for name in OPTIONS if name != "command"}
    others = getattr(options, "others", None)
    return {**given, "command": shlex.join(others) if others else None}
