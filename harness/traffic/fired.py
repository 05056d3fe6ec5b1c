"""What an event `request` of Locust tells: anybody may fire one, so any value may be odd, and is then left out."""

import math
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from harness.core.experiment.requests import FaultWhen
from harness.core.timeline.events import ANYONE, Intent

VERSION_HEADER = b"X-Lambda-Version"
MOST_CHARACTERS = 200
"""Of a text that a row is known by."""
SHOWN = 40
"""Characters of an odd value that people are shown."""
MOST_S = 1e6
"""No request takes longer."""
EARLIER_S = 3600.0
"""So long before its run a request may have begun; anything else is no time of day, such as that of another clock."""
HTTP_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"})
_HIGHEST_STATUS = 999


class Features(Struct, frozen=True, cache_hash=True):
    """What is known of a request before it is sent."""

    intent: Intent
    persona: str
    endpoint: str


class Reply(Struct, frozen=True, gc=False):
    """What came back: `status` 0 is no answer, or none of HTTP where `http` is false; `reason` says what failed."""

    status: int
    version: str | None = None
    reason: str | None = None
    http: bool = True


class Fired(Struct, frozen=True):
    """A request as its event tells it; `began_wall_s` is None where it does not say, `odd` the values that are odd."""

    features: Features
    reply: Reply
    service_s: float
    began_wall_s: float | None
    odd: Mapping[str, str]


def fired(told: Mapping[str, Any], run_wall_s: float, now_wall_s: float, fault_when: FaultWhen | None = None) -> Fired:
    """Reads an event, whatever its values are, of a run that began at `run_wall_s`.

    It is a fault request if its context says so, or if it fits `fault_when`.
    """
    odd: dict[str, str] = {}
    try:
        context, reply = _context(told, odd), _reply(told, odd)
        is_fault = context.get("intent") == "fault" or (fault_when is not None and _fits(told, fault_when))
    except Exception as error:  # noqa: BLE001 - objects of any client may raise anything
        odd["response or context"] = bounded(repr(error))
        context, reply, is_fault = {}, _outcome(told), False
    features = Features(
        "fault" if is_fault else "good",
        bounded(context.get("persona", ANYONE)),
        _name(told.get("name"), odd),
    )
    took_ms, began_s = told.get("response_time"), told.get("start_time")
    took_s = _number(took_ms, "response_time", odd, 0, 1000 * MOST_S) / 1000
    began_wall_s = _number(began_s, "start_time", odd, run_wall_s - EARLIER_S, now_wall_s + 1)
    return Fired(features, reply, took_s, began_wall_s or None, odd)


def _fits(told: Mapping[str, Any], when: FaultWhen) -> bool:
    """Whether a request is one of these; the response of any client of Locust knows the request that it answers."""
    if when.name is not None and told.get("name") != when.name:
        return False
    headers = getattr(getattr(told.get("response"), "request", None), "headers", None) or {}
    sent = {_plain(name).lower(): _plain(value) for name, value in headers.items()} if when.header else {}
    return all(sent.get(name.lower()) == value for name, value in when.header.items())


def _plain(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def bounded(value: Any) -> str:
    """A value as text that a timeline can hold."""
    if type(value) is str and len(value) <= MOST_CHARACTERS and value.isascii():
        return value
    try:
        text = "none" if value is None else str(value)
    except Exception:  # noqa: BLE001 - the class is not ours
        text = type(value).__name__
    return text[:MOST_CHARACTERS].encode("utf-8", "replace").decode()


def _name(value: Any, odd: dict[str, str]) -> str:
    text = bounded(value)
    if type(value) is not str or text != value:
        odd["name"] = text[:SHOWN]
    return text


def _number(value: Any, what: str, odd: dict[str, str], least: float, most: float) -> float:
    """A number within these bounds; 0 where there is none."""
    if value is None:
        return 0.0
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if least <= number <= most:
        return number
    odd[what] = bounded(value)[:SHOWN]
    return 0.0


def _context(told: Mapping[str, Any], odd: dict[str, str]) -> Mapping[str, Any]:
    context = told.get("context")
    if isinstance(context, Mapping):
        return context
    if context is not None:
        odd["context"] = type(context).__name__
    return {}


def _reply(told: Mapping[str, Any], odd: dict[str, str]) -> Reply:
    """What came back, from the response object of any client."""
    response, outcome = told.get("response"), _outcome(told)
    code = getattr(response, "status_code", None)
    version = (getattr(response, "headers", None) or {}).get(VERSION_HEADER.decode())
    status = int(_number(code, "status_code", odd, 0, _HIGHEST_STATUS))
    http = code is not None or outcome.http
    return Reply(status, None if version is None else bounded(version), outcome.reason, http)


def _outcome(told: Mapping[str, Any]) -> Reply:
    """What its exception alone says: as for Locust, one that is not true is none."""
    error = told.get("exception")
    if not error:
        return Reply(0, http=False)
    return Reply(
        0, None, bounded(error) or type(error).__name__, http=bounded(told.get("request_type")) in HTTP_METHODS
    )
