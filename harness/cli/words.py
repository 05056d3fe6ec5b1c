"""What several commands share: how they read the words of the command line, and what they print."""

import argparse
import math
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.streams import tell

if TYPE_CHECKING:
    from harness.core.experiment.types import Experiment

REHEARSAL_SPEED = 60.0
HIGHEST_SPEED = 1000.0


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

    given = {name: getattr(options, name, None) for name in (*OPTIONS, "shadow") if name != "command"}
    others = getattr(options, "others", None)
    return {**given, "command": shlex.join(others) if others else None}


def speed(word: str) -> float:
    """Experiment seconds in a second."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0 < value <= HIGHEST_SPEED:
        raise argparse.ArgumentTypeError(f"must be a number above 0 and at most {HIGHEST_SPEED:g}, got {word}")
    return value


def port(word: str) -> int:
    """A port, 0 for any free one."""
    number = whole(word)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"must be between 0 and 65535, got {word}")
    return number


def whole(word: str) -> int:
    """A whole number."""
    try:
        return int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {word}") from None


def picture(word: str) -> Path:
    """A file for a picture, which its end says the kind of."""
    if (path := Path(word)).suffix not in (".svg", ".png", ".html"):
        raise argparse.ArgumentTypeError(f"must end in .svg, .png or .html, got {word}")
    return path


def pair(word: str) -> tuple[str, str]:
    """Name and value of NAME=VALUE; raises UsageError."""
    name, sign, value = word.partition("=")
    if not name or not sign:
        raise UsageError(f"--parameter: must be NAME=VALUE, got {word}")
    if value in _NO_VALUES:
        raise UsageError(f"--parameter {name}: put its value in the place of {value}")
    return name, value


_NO_VALUES = ("…", "...", "***")
"""What stands for a value in advice and in what is told of a command, and comes back where somebody copies that."""


def for_rehearsal(
    word: str, given: Mapping[str, Any], released: "Callable[[Experiment], Experiment] | None" = None
) -> "Experiment":
    """The experiment of a word, with options and a release laid over it, where a rehearsal can play it.

    Raises UsageError.
    """
    from harness.core.experiment.contradictions import contradictions
    from harness.core.experiment.parse import rehearsable
    from harness.run.experiment import asked, naming, webhook_of
    from harness.traffic.feeds import check_values

    with naming(word):
        experiment = asked(word, given)
        if experiment.notify:
            webhook_of(experiment.notify)
        if released:
            experiment = released(experiment)
            for problem in contradictions(experiment):
                raise problem
        rehearsable(experiment)
        check_values(experiment.traffic)
    return experiment


def complain(sentence: str) -> None:
    """Tells what went wrong, without secrets."""
    from harness.report.masking import masked_prose  # only here: `--help` must not wait for it

    tell(f"canary-harness: {masked_prose(sentence)}")
