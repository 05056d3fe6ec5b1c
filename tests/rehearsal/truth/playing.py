"""Plays a row against anything that answers as AWS: this cloud, or another emulator."""

import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from string import Template
from typing import Any, Protocol

import jmespath
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct

from tests.rehearsal.truth.rows import Refused, Row, Step, givens

LOOK_S = 0.5
"""How long a step with `within_s` waits between two calls."""


class World(Protocol):
    """Something that answers as AWS."""

    samples: Mapping[str, Callable[[Any], float]]

    def client(self, service: str) -> Any:
        """A boto3 client."""

    def now(self) -> float:
        """Seconds since 1970, as this world has them."""

    def wait(self, seconds: float) -> None:
        """Lets time pass; raises Unplayable where that would take too long."""

    def begin(self) -> None:
        """Waits for the full minute where a row begins, if this world can."""


class Unplayable(Exception):
    """A world cannot play a row at all."""


class Outcome(Struct, frozen=True):
    """How a row came out: `held` None says that the world cannot play it; `why` says why it is not held."""

    held: bool | None
    why: str = ""


class _NotHeld(Exception):
    """The answer is another than the captured one."""


def play(row: Row, world: World) -> Outcome:
    """Sets up what the row needs, asks, and holds the answers."""
    try:
        world.begin()
        kept = _set_up(row.given, world)
        for step in row.steps:
            _play_step(step, world, kept)
    except Unplayable as reason:
        return Outcome(None, str(reason))
    except _NotHeld as difference:
        return Outcome(False, str(difference))
    return Outcome(True)


def _set_up(names: Sequence[str], world: World) -> dict[str, Any]:
    known, kept = givens(), {"start": world.now()}
    for step in (step for name in names for step in known[name]):
        try:
            _play_step(step, world, kept)
        except _NotHeld as difference:
            raise Unplayable(f"what it needs cannot be set up: {step.call}: {difference}") from difference
    return kept


def _play_step(step: Step, world: World, kept: dict[str, Any]) -> None:
    if step.wait_s:
        world.wait(step.wait_s)
    if step.sample:
        _hold_sample(step, world)
    elif step.within_s:
        _hold_within(step, step.within_s, world, kept)
    elif step.call:
        for number in range(1, step.times + 1):
            kept["n"] = f"{number:02d}"
            _hold_once(step, world, kept)


def _hold_within(step: Step, within_s: tuple[float, float], world: World, kept: dict[str, Any]) -> None:
    began_s, (least_s, most_s) = world.now(), within_s
    while True:
        waited_s = world.now() - began_s
        try:
            _hold_once(step, world, kept)
            break
        except _NotHeld as difference:
            if waited_s >= most_s:
                raise _NotHeld(f"after {waited_s:.1f} s still: {difference}") from difference
        world.wait(LOOK_S)
    if waited_s < least_s:
        raise _NotHeld(f"held after {waited_s:.1f} s, which is too early: {least_s:g} to {most_s:g} s")


def _hold_once(step: Step, world: World, kept: dict[str, Any]) -> None:
    service, _, operation = step.call.partition(".")
    asked = _filled(step.parameters, kept)
    try:
        answer = getattr(world.client(service), xform_name(operation))(**asked)
    except ClientError as error:
        _hold_refusal(step.refused, error, kept)
        return
    except BotoCoreError as error:
        raise _NotHeld(f"no answer: {error}") from error
    if step.refused:
        raise _NotHeld(f"{operation} is answered and not refused as {step.refused.code}")
    for path, expected in step.hold.items():
        _hold_value(path, _found(path, answer), _filled(expected, kept), kept["start"])
    kept.update({_filled(name, kept): _found(path, answer) for name, path in step.keep.items()})


def _hold_refusal(refused: Refused | None, error: ClientError, kept: Mapping[str, Any]) -> None:
    found, status = error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    if refused is None:
        raise _NotHeld(f"refused as {found.get('Code')}: {found.get('Message')}") from error
    _hold_value("code", found.get("Code"), refused.code, 0.0)
    if refused.message is not None:
        _hold_value("message", found.get("Message", ""), _filled(refused.message, kept), 0.0)
    if refused.type is not None:
        _hold_value("type", error.response.get("Type"), refused.type, 0.0)
    if refused.status is not None:
        _hold_value("status", status, refused.status, 0.0)


def _hold_value(path: str, found: Any, expected: Any, start_s: float) -> None:
    if not _fits(found, expected, start_s):
        raise _NotHeld(f"{path} is {found!r} and not {expected!r}")


def _fits(found: Any, expected: Any, start_s: float) -> bool:
    match expected:
        case {"matches": pattern}:
            return isinstance(found, str) and re.fullmatch(pattern, found) is not None
        case {"between": [low, high]}:
            return found is not None and low <= found <= high
        case {"between_s": [low, high]}:
            return isinstance(found, datetime) and low <= found.timestamp() - start_s <= high
        case {"has": members}:
            return isinstance(found, list) and all(member in found for member in members)
        case {"one_of": choices}:
            return any(_fits(found, choice, start_s) for choice in choices)
        case _:
            return bool(found == expected)


def _found(path: str, answer: Any) -> Any:
    """What lies at a path of JMESPath; ` > ` goes on inside a text of JSON, and `text` is the answer's whole JSON."""
    first, *inner = path.split(" > ")
    found = jmespath.search(first, answer)
    for further in inner:
        try:
            found = jmespath.search(further, json.loads(found))
        except (TypeError, ValueError):
            return None
    return found


def _filled(value: Any, kept: Mapping[str, Any]) -> Any:
    """A value with what was kept in it; `{at_s: …}`, `{json: …}` and the like become what they say."""
    if isinstance(value, str):
        whole = value[1:] if value.startswith("$") else ""
        return kept[whole] if whole in kept else Template(value).safe_substitute(kept)
    if isinstance(value, list):
        return [_filled(one, kept) for one in value]
    if not isinstance(value, Mapping):
        return value
    for name, make in _MADE.items():
        if name in value:
            return make(value, kept)
    return {name: _filled(one, kept) for name, one in value.items()}


_MADE: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Any]] = {
    "at_s": lambda value, kept: datetime.fromtimestamp(kept["start"] + value["at_s"], UTC),
    "json": lambda value, kept: json.dumps(_filled(value["json"], kept)),
    "zip": lambda value, _: _zipped(value["zip"]),
    "each": lambda value, kept: [_filled(value["each"], {**kept, "n": f"{n + 1:02d}"}) for n in range(value["times"])],
}


def _zipped(source: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py", source)
    return content.getvalue()


def _hold_sample(step: Step, world: World) -> None:
    from scipy.stats import ks_2samp

    if step.sample not in world.samples:
        raise Unplayable("this many deployments would take days of real time")
    drawn = [world.samples[step.sample](seed) for seed in range(1, 201)]
    chance = float(ks_2samp(drawn, step.like).pvalue)
    if chance < 0.05:
        raise _NotHeld(f"200 of {step.sample} are not like the captured ones: p = {chance:.3g}")
