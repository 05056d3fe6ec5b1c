"""The fake-user service: what runs as the Lambda function of a rehearsal unless you bring your own.

`answer` is the whole service without its wrapping, so that the gateway can run it in-process; `handler` is the same as
a Lambda handler behind an API Gateway REST proxy integration. `principal` is the service's authorizer.
"""

import random
import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

FAKE_USER = "/fakeUser"
FEATURE_TOGGLES = "/featureToggles"
MAX_LATENCY_MS = 900_000.0

GROUPS = {
    f"{group}user@company.com": group for group in ("legacy", "standard", "beta", "qa", "dev", "devnewfeature", "error")
}
TOGGLES: dict[str, tuple[str, ...]] = {
    "legacy": (),
    "standard": ("contact",),
    "beta": ("contact", "preferences"),
    "qa": ("contact", "preferences", "diagnostics"),
    "dev": ("contact", "preferences", "diagnostics"),
    "devnewfeature": ("contact", "preferences", "diagnostics", "recommendations"),
    "error": ("contact",),
}
_FIELDS: dict[str, object] = {
    "contact": {"city": "Uppsala", "country": "Sweden", "phone": "+46 18 555 01 00"},
    "preferences": {"language": "sv", "newsletter": False, "theme": "dark"},
    "diagnostics": {"build": "nightly", "shard": 3},
    "recommendations": [{"title": "The second mile", "score": 0.93}, {"title": "Slow rivers", "score": 0.88}],
}
_LEGACY_SHAPE = {"name": "Someguy Someguyson"}

_COMPANY_EMAIL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@company\.com", re.IGNORECASE)
_EMAIL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,4}")


class ServiceFailure(Exception):
    """The service throws: an unhandled exception of the function."""


class BadEnvironment(ValueError):
    """An environment variable of a version has a value that the service cannot use."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable} {problem}")
        self.variable = variable
        self.problem = problem


class ServiceRequest(msgspec.Struct, frozen=True):
    """What the service reads of a request; `user` is the authorizer's principal, empty on routes without one."""

    path: str
    user: str = ""
    client_version: str | None = None
    body: bytes = b""


class ServiceResponse(NamedTuple):
    """What the service answers; the body is JSON."""

    status: int
    body: bytes


class Behaviour(NamedTuple):
    """How a version misbehaves: `fail_ratio` of its requests throw, and each takes `latency_s` of wall time longer."""

    fail_ratio: float = 0.0
    latency_s: float = 0.0

    def fails(self, draw: float) -> bool:
        """Whether the request with this draw from [0, 1) is one that throws."""
        return draw < self.fail_ratio


class TogglesQuestion(msgspec.Struct, frozen=True):
    """The body of POST /featureToggles."""

    user_name: str = msgspec.field(name="userName")


_read_question = msgspec.json.Decoder(TogglesQuestion).decode


def behaviour(environment: Mapping[str, str]) -> Behaviour:
    """Reads FAIL_RATIO (0..1) and LATENCY_MS (0..900000) of a version; raises BadEnvironment."""
    return Behaviour(
        fail_ratio=_number(environment, "FAIL_RATIO", highest=1.0),
        latency_s=_number(environment, "LATENCY_MS", highest=MAX_LATENCY_MS) / 1000,
    )


def _number(environment: Mapping[str, str], variable: str, *, highest: float) -> float:
    text = environment.get(variable) or "0"
    problem = f"must be a number from 0 to {highest:g}, not {text!r}"
    try:
        value = float(text)
    except ValueError as error:
        raise BadEnvironment(variable, problem) from error
    if not 0 <= value <= highest:
        raise BadEnvironment(variable, problem)
    return value


def principal(token: str) -> str | None:
    """The authorizer: the user's email, lower case, or None for a token that is not an email of the company."""
    return token.lower() if _COMPANY_EMAIL.fullmatch(token) else None


def answer(request: ServiceRequest) -> ServiceResponse:
    """Answers one request; raises ServiceFailure if the service throws."""
    if request.path == FAKE_USER:
        return _fake_user(request)
    if request.path == FEATURE_TOGGLES:
        return _feature_toggles(request.body)
    raise ServiceFailure(f"No such path: {request.path}")


def _fake_user(request: ServiceRequest) -> ServiceResponse:
    group = GROUPS.get(request.user, "standard")
    if group == "error":
        raise ServiceFailure("The error user always fails.")
    try:
        return _FAKE_USERS[group, request.client_version]
    except KeyError as error:
        raise ServiceFailure(f"X-Client-Version must be 1 or 2, not {request.client_version!r}") from error


def _feature_toggles(body: bytes) -> ServiceResponse:
    try:
        question = _read_question(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return _NO_USER_NAME
    if not _EMAIL.fullmatch(question.user_name):
        return _NO_USER_NAME
    return _FEATURE_TOGGLES[GROUPS.get(question.user_name.lower(), "standard")]


def _json(status: int, content: object) -> ServiceResponse:
    return ServiceResponse(status, msgspec.json.encode(content))


def _rich_shape(group: str) -> dict[str, object]:
    return {**_LEGACY_SHAPE, "userGroup": group, **{toggle: _FIELDS[toggle] for toggle in TOGGLES[group]}}


def _toggles_of(group: str) -> dict[str, object]:
    return {"userGroup": group, **{toggle: toggle in TOGGLES[group] for toggle in _FIELDS}}


_FAKE_USERS: dict[tuple[str, str | None], ServiceResponse] = {
    **{(group, "1"): _json(200, _LEGACY_SHAPE) for group in TOGGLES},
    **{(group, "2"): _json(200, _rich_shape(group)) for group in TOGGLES},
}
_FEATURE_TOGGLES = {group: _json(200, _toggles_of(group)) for group in TOGGLES}
_NO_USER_NAME = _json(400, {"message": 'The body must be {"userName": "<email>"}.'})


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """The Lambda handler; `context` is Lambda's, and its `environment` holds the variables of the running version."""
    own = behaviour(context.environment)
    time.sleep(own.latency_s)
    if own.fails(random.random()):
        raise ServiceFailure("FAIL_RATIO chose this request.")
    response = answer(request_of(event))
    return {
        "statusCode": response.status,
        "headers": {"Content-Type": "application/json", "X-Lambda-Version": context.function_version},
        "body": response.body.decode(),
    }


def request_of(event: Mapping[str, Any]) -> ServiceRequest:
    """What the service reads of an event of an API or a function URL; the user is the authorizer's, or the header's."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
    return ServiceRequest(
        path=event.get("path") or event.get("rawPath", ""),
        user=authorizer.get("principalId") or headers.get("authorization", "").lower(),
        client_version=headers.get("x-client-version"),
        body=(event.get("body") or "").encode(errors="replace"),
    )
