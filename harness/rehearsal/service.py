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

USERS: Mapping[str, str] = {
    "legacyuser@company.com": "legacy",
    "standarduser@company.com": "standard",
    "betauser@company.com": "beta",
    "qauser@company.com": "qa",
    "devuser@company.com": "dev",
    "devnewfeatureuser@company.com": "devNewFeature",
    "erroruser@company.com": "error",
}
"""The groups of the users that are known, exactly as they are written; any other is a standard user."""
_EXTENDED = ("beta", "dev", "devNewFeature")
"""The groups with the features that are tried out."""
_SHORTEST, _LONGEST = 4, 30
"""Characters that a user may have, for the authorizer as for the function."""
_ADMITTED = re.compile(r"[-A-Za-z0-9_@.]{4}\Z")
"""What the authorizer looks for: only the end of a user, so that `a+b@company.com` and `nobody` pass it."""
_EMAIL = re.compile(r"[\w.-]+@([\w-]+\.)+[\w-]{2,4}", re.ASCII)
_NAME = re.compile(r"[-A-Za-z0-9_@.]{4,30}")
_LEGACY_SHAPE = {"name": "Someguy Someguyson"}
_IMAGE = "https://cats.example.com/imgs/1206c62.jpg"
_SHAPE = {"name": "Leanne Graham", "image": _IMAGE}
_EXTENDED_SHAPE = {**_SHAPE, "id": "123-abc-asdf", "email": "some_test_email@company.com"}
_NEW_SHAPE = {
    "name": "Amelia Noel",
    "image": _IMAGE,
    "id": "1cbde270-5267-4402-8dde-604172f7cb75",
    "email": "amelia.noel@example.com",
}


class ServiceFailure(Exception):
    """The service throws: an unhandled exception of the function."""


class BadEnvironment(ValueError):
    """An environment variable of a version has a value that the service cannot use."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable} {problem}")
        self.variable = variable
        self.problem = problem


class ServiceRequest(msgspec.Struct, frozen=True):
    """What the service reads of a request; `user` is the authorizer's principal, empty on routes without one.

    `upstream_fails` is whether the service that it asks itself, for those of version 2, fails this time.
    """

    path: str
    user: str = ""
    client_version: str | None = None
    body: bytes = b""
    upstream_fails: bool = False


class ServiceResponse(NamedTuple):
    """What the service answers; the body is JSON."""

    status: int
    body: bytes


class Behaviour(NamedTuple):
    """How a version misbehaves: `fail_ratio` of its requests throw, and each takes `latency_s` of wall time longer.

    For `upstream_fail_ratio` of them the service behind it fails, which it answers by a 500 of its own.
    """

    fail_ratio: float = 0.0
    latency_s: float = 0.0
    upstream_fail_ratio: float = 0.0

    def fails(self, draw: float) -> bool:
        """Whether the request with this draw from [0, 1) is one that throws."""
        return draw < self.fail_ratio


class TogglesQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /featureToggles."""

    user_name: str = msgspec.field(name="userName")


_read_question = msgspec.json.Decoder(TogglesQuestion).decode


def behaviour(environment: Mapping[str, str]) -> Behaviour:
    """Reads FAIL_RATIO and UPSTREAM_FAIL_RATIO (0..1), and LATENCY_MS (0..900000); raises BadEnvironment."""
    return Behaviour(
        fail_ratio=_number(environment, "FAIL_RATIO", highest=1.0),
        latency_s=_number(environment, "LATENCY_MS", highest=MAX_LATENCY_MS) / 1000,
        upstream_fail_ratio=_number(environment, "UPSTREAM_FAIL_RATIO", highest=1.0),
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
    """The authorizer: the user as it is, or None for a token that it denies."""
    return token if _SHORTEST <= len(token) <= _LONGEST and _ADMITTED.search(token) else None


def answer(request: ServiceRequest) -> ServiceResponse:
    """Answers one request; raises ServiceFailure if the service throws."""
    if request.path == FAKE_USER:
        return _fake_user(request)
    if request.path == FEATURE_TOGGLES:
        return _feature_toggles(request.body)
    raise ServiceFailure(f"No such path: {request.path}")


def _fake_user(request: ServiceRequest) -> ServiceResponse:
    if request.client_version not in ("1", "2") or not _is_user(request.user):
        raise ServiceFailure("Invalid client version or user!")
    group = USERS.get(request.user, "standard")
    if group == "error":
        raise ServiceFailure("Canned, simulated error")
    if request.client_version == "1" or group == "legacy":
        return _LEGACY_USER
    return _NO_UPSTREAM if request.upstream_fails else _FAKE_USERS[group]


def _is_user(user: str) -> bool:
    return _SHORTEST <= len(user) <= _LONGEST and _EMAIL.fullmatch(user) is not None


def is_toggles_question(body: bytes) -> bool:
    """Whether a body is what the API lets through to POST /featureToggles."""
    try:
        return _NAME.fullmatch(_read_question(body).user_name) is not None
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False


def _feature_toggles(body: bytes) -> ServiceResponse:
    if not is_toggles_question(body):
        return _NO_USER_NAME
    return _FEATURE_TOGGLES[USERS.get(_read_question(body).user_name, "standard")]


def _json(status: int, content: object) -> ServiceResponse:
    return ServiceResponse(status, msgspec.json.encode(content))


def _toggles_of(group: str) -> dict[str, object]:
    new = {"enableNewUserApi": True} if group == "devNewFeature" else {}
    return {"enableBetaFeatures": group in _EXTENDED, **new, "userGroup": group}


_LEGACY_USER = _json(200, _LEGACY_SHAPE)
_FAKE_USERS = {
    "standard": _json(200, _SHAPE),
    "qa": _json(200, _SHAPE),
    "beta": _json(200, _EXTENDED_SHAPE),
    "dev": _json(200, _EXTENDED_SHAPE),
    "devNewFeature": _json(200, _NEW_SHAPE),
}
_FEATURE_TOGGLES = {group: _json(200, _toggles_of(group)) for group in USERS.values()}
_NO_USER_NAME = _json(400, "Missing or invalid userName!")
_NO_UPSTREAM = _json(500, "No imageResponse!")
"""The service catches what goes wrong behind it: no error of the function, so that `Errors` does not count it."""


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """The Lambda handler; `context` is Lambda's, and its `environment` holds the variables of the running version."""
    own = behaviour(context.environment)
    time.sleep(own.latency_s)
    if own.fails(random.random()):
        raise ServiceFailure("FAIL_RATIO chose this request.")
    request = request_of(event)
    if own.upstream_fail_ratio and random.random() < own.upstream_fail_ratio:
        request = msgspec.structs.replace(request, upstream_fails=True)
    response = answer(request)
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
        user=authorizer.get("principalId") or headers.get("authorization", ""),
        client_version=headers.get("x-client-version"),
        body=(event.get("body") or "").encode(errors="replace"),
    )
