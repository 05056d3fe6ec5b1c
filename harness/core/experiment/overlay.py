"""Options laid over an experiment: the one place that knows what each of them says.

Command lines, environments and web forms all give texts by the names of `OPTIONS`. An option goes before the file.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_args

from msgspec.structs import replace

from harness.core.experiment import rates
from harness.core.experiment.durations import duration_s
from harness.core.experiment.hosts import is_host
from harness.core.experiment.qualified import with_a_bare_function
from harness.core.experiment.types import (
    MAX_USERS,
    NAME,
    Arrivals,
    Deployment,
    Experiment,
    Outcome,
    Pattern,
    StopOn,
    Traffic,
)
from harness.errors import UsageError

WAYS = ("id", "target_version", "redeploy", "command")
"""The fields of a deployment that say how it comes about; only one of them can hold."""


class Option(NamedTuple):
    """Where a value goes: a field of a part, or of the experiment itself where `part` is empty.

    `read` raises ValueError, with a sentence, for a text that cannot be.
    """

    part: str
    field: str
    read: Callable[[str], Any] = str
    is_switch: bool = False


def overlaid(experiment: Experiment, given: Mapping[str, Any]) -> Experiment:
    """The experiment with what is given by the names of `OPTIONS`; None, False and "" are left out.

    Raises UsageError for a value that cannot be, and names its option.
    """
    for part in dict.fromkeys(option.part for option in OPTIONS.values()):
        changes = {
            option.field: _value(name, option, given[name])
            for name, option in OPTIONS.items()
            if option.part == part and _is_given(given.get(name))
        }
        experiment = _changed(experiment, part, changes)
    return experiment


def _is_given(value: Any) -> bool:
    return value is not None and value is not False and value != ""


def _changed(experiment: Experiment, part: str, changes: dict[str, Any]) -> Experiment:
    if not part:
        return replace(experiment, **changes)
    if part == "deployment":
        changes = _with_one_way(with_a_bare_function(changes))
    if part == "traffic":
        changes = _with_one_loop(changes)
    return replace(experiment, **{part: replace(getattr(experiment, part), **changes)})


def _with_one_way(changes: dict[str, Any]) -> dict[str, Any]:
    """What deploys excludes what else does: one way that is given replaces the other one of the file."""
    if not any(way in changes for way in WAYS):
        return changes
    return {way: getattr(Deployment(), way) for way in WAYS} | changes


def _with_one_loop(changes: dict[str, Any]) -> dict[str, Any]:
    """Users and a rate exclude each other: one that is given replaces the other one of the file."""
    if "users" in changes:
        return {**changes, "arrival_rate": Traffic().arrival_rate}
    return {**changes, "users": None} if "arrival_rate" in changes else changes


def _value(name: str, option: Option, given: Any) -> Any:
    if given is True:
        return True
    try:
        return option.read(str(given))
    except ValueError as error:
        raise UsageError(f"--canary-{name.replace('_', '-')}: {error}") from error


# What values may be


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"must be a number, not {text!r}")
    return value


def _rate(text: str) -> Any:
    try:
        return rates.read(text)
    except ValueError as error:
        raise ValueError(f"must be a rate such as {rates.WORDS}, not {text!r}: {error}") from error


def _share(text: str) -> float:
    share = _number(text)
    if not 0 <= share <= 1:
        raise ValueError(f"must be between 0 and 1, not {text!r}")
    return share


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"must be a whole number, not {text!r}") from None


def _not_negative(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def checked(text: str) -> Any:
        value = read(text)
        if value < 0:
            raise ValueError(f"must not be negative, not {text!r}")
        return value

    return checked


def _users(text: str) -> int:
    users = _whole(text)
    if not 1 <= users <= MAX_USERS:
        raise ValueError(f"must be at least 1 and at most {MAX_USERS:,}, not {text!r}")
    return users


def one_of(*words: str) -> Callable[[str], str]:
    """Reads one of a few words."""

    def checked(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}, not {text!r}")
        return text

    return checked


def _name(text: str) -> str:
    if not re.search(NAME, text):
        raise ValueError(f"must be 1 to 64 letters, digits, dots, dashes and underscores, not {text!r}")
    return text


def _outcome(text: str) -> Outcome:
    return Outcome(one_of(*Outcome)(text))


def _hosts(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if not is_host(name):
            raise ValueError(f"must be names of hosts such as api.example.com or *.example.com, not {name!r}")
    return names


OPTIONS: Mapping[str, Option] = {
    "host": Option("target", "host"),
    "arrival_rate": Option("traffic", "arrival_rate", _rate),
    "error_share": Option("traffic", "error_share", _share),
    "pattern": Option("traffic", "pattern", one_of(*get_args(Pattern))),
    "arrivals": Option("traffic", "arrivals", one_of(*get_args(Arrivals))),
    "users": Option("traffic", "users", _users),
    "stack": Option("deployment", "stack"),
    "application": Option("deployment", "application"),
    "group": Option("deployment", "group"),
    "deployment": Option("deployment", "id"),
    "target_version": Option("deployment", "target_version"),
    "redeploy": Option("deployment", "redeploy", is_switch=True),
    "command": Option("deployment", "command"),
    "function": Option("deployment", "function"),
    "alias": Option("deployment", "alias"),
    "alarm": Option("alarm", "name"),
    "hosts": Option("rails", "hosts", _hosts),
    "max_arrival_rate": Option("rails", "arrival_rate", _not_negative(_number)),
    "max_error_share": Option("rails", "error_share", _share),
    "max_fault_requests": Option("rails", "fault_requests", _not_negative(_whole)),
    "max_wall_time": Option("rails", "wall_time_s", duration_s),
    "max_blind": Option("rails", "blind_s", duration_s),
    "expect": Option("expect", "outcome", _outcome),
    "name": Option("", "name", _name),
    "stop_on": Option("", "stop_on", one_of(*get_args(StopOn))),
    "give_up": Option("", "give_up_s", duration_s),
    "seed": Option("", "seed", _whole),
    "allow_writes": Option("", "allow_writes", is_switch=True),
}
