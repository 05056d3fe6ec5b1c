"""What a person wants played: the options of `run` and `plan`, Locust's own and its variables, as one experiment."""

import argparse
import math
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from harness.cli.words import given_of
from harness.core.experiment.overlay import OPTIONS
from harness.core.experiment.types import Experiment
from harness.errors import UsageError
from harness.processes import check_locustfile, locust_command
from harness.run.experiment import CLOCK, SHADOW, check_host, clock_of, playable, watched

_OF_LOCUST = (*(name for name in OPTIONS if name not in ("host", "give_up", "name")), SHADOW)
"""Options that Locust has, too, with the prefix `--canary-`."""


@dataclass(frozen=True)
class Wanted:
    """What `run` is to play, and the Locust process that plays it.

    `rehearsal` says that a clock was given, `own_users` that the locustfile is the person's own.
    """

    experiment: Experiment
    rehearsal: bool
    command: list[str]
    own_users: bool = False


def wanted_of(options: argparse.Namespace, *printing: str) -> Wanted:
    """What the options of `run` and `plan` ask; raises UsageError if it cannot be played.

    `printing` tells Locust what to print, unless `--locust` says otherwise.
    """
    check_locustfile(options.locustfile)
    words = [word for text in options.locust for word in _split(text)]
    flags = {name: value for name, value in given_of(options).items() if value not in (None, False)}
    told = {**_told_by_environment(), **flags, **_told_to_locust(words)}
    named = told.get("experiment") or options.experiment or os.environ.get("LOCUST_CANARY_EXPERIMENT")
    clock = told.get("clock") or os.environ.get(CLOCK)
    experiment = playable(named, told, clock_of(clock))
    host = experiment.target.host
    own = options.locustfile or told.get("locustfile")
    own_users = bool(own)
    if not own_users:  # one of one's own may have a host for its users
        check_host(host, tuple(filter(None, (host,))), experiment.rails.hosts)
    command = locust_command(
        *printing, *_lasting(told, experiment), *words, *(("--host", host) if host else ()), own=own
    )
    return Wanted(experiment, bool(clock), command, own_users)


def _lasting(told: Mapping[str, Any], experiment: Experiment) -> Sequence[str]:
    """How long Locust sends where no deployment ends the run."""
    asked_s = told.get("give_up")
    return ("--run-time", f"{math.ceil(asked_s)}s") if asked_s and not watched(experiment) else ()


def _told_by_environment() -> dict[str, Any]:
    """What Locust's variables say about the experiment."""
    variables = {"host": "LOCUST_HOST", **{name: f"LOCUST_CANARY_{name.upper()}" for name in _OF_LOCUST}}
    told = {name: os.environ[variable] for name, variable in variables.items() if os.environ.get(variable)}
    return {
        name: _is_on(value) if name in OPTIONS and OPTIONS[name].is_switch else value for name, value in told.items()
    }


def _is_on(value: str) -> bool:
    return value.lower() in ("1", "true", "yes")


def _told_to_locust(words: Sequence[str]) -> dict[str, Any]:
    """What options for Locust say about the experiment; all others are Locust's own to read."""
    parser = _Reader(add_help=False, argument_default=argparse.SUPPRESS)
    parser.add_argument("--host", "-H")
    parser.add_argument("--locustfile", "-f")
    for name in (*_OF_LOCUST, "experiment", "clock"):
        is_switch = name in OPTIONS and OPTIONS[name].is_switch
        flag = f"--canary-{name.replace('_', '-')}"
        parser.add_argument(flag, dest=name, action="store_true" if is_switch else "store")
    known, _ = parser.parse_known_args(words)
    return vars(known)


class _Reader(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        raise UsageError(f"--locust: {message}")


def _split(text: str) -> Sequence[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--locust: {error} in {text!r}") from error
