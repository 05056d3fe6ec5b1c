"""Lambda authorizers, whose answers are policies of IAM or, of an HTTP API, a plain yes or no.

Tokens of Cognito and JWTs cannot be verified without a network: such an authorizer lets in whoever has a token.
"""

import fnmatch
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from harness.files import NOT_JSON
from harness.rehearsal import format_2, proxy
from harness.rehearsal.admission import Refused
from harness.rehearsal.apis.places import Place, values_of
from harness.rehearsal.apis.routes import Integration
from harness.rehearsal.functions.engines import Invocation
from harness.rehearsal.proxy import ApiRequest
from harness.rehearsal.refusal import Refusal

DEFAULT_TTL_S = 300
_LONGEST_CACHE = 10_000
_UNAUTHORIZED = "Unauthorized"
"""The one error of an authorizer that is the client's."""

Invoke = Callable[[Integration, bytes, ApiRequest], Awaitable[Invocation]]


class AuthorizerSettings(Struct, frozen=True, kw_only=True):
    """How an authorizer is asked: `sources` are where its identity is found, `pattern` what a token must look like."""

    kind: str
    to: Integration
    sources: Sequence[Place]
    ttl_s: float = DEFAULT_TTL_S
    pattern: str = ""
    simple: bool = False
    version: str = "1.0"


class _Decision(NamedTuple):
    content: Mapping[str, Any]
    until_s: float


class LambdaAuthorizer:
    """Asks a function, and keeps its answers for as long as the API says, in simulated time."""

    def __init__(
        self, settings: AuthorizerSettings, home: proxy.ApiHome, invoke: Invoke, now: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._home = home
        self._invoke = invoke
        self._now = now
        self._known: dict[tuple[str, ...], _Decision] = {}

    async def admit(self, call: ApiRequest) -> Mapping[str, object]:
        """The authorizer's part of the event; raises `Refused`."""
        own, begun = self._settings, time.perf_counter()
        identity = values_of(call, own.sources)
        if own.sources and None in identity:
            raise Refused("unauthorized")
        if own.pattern and not _fits(own.pattern, str(identity[0])):
            raise Refused("unauthorized")
        content = await self._decided(call, tuple(map(str, identity)))
        if own.simple:
            return _simple(content)
        _check_policy(content, self._arn(call))
        context = content.get("context") or {}
        if own.version == "2.0":
            return {"lambda": context}
        told = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in context.items()}
        took_ms = round((time.perf_counter() - begun) * 1000)
        return {**told, "principalId": content["principalId"], "integrationLatency": took_ms}

    async def _decided(self, call: ApiRequest, identity: tuple[str, ...]) -> Mapping[str, Any]:
        known, now_s = self._known.get(identity), self._now()
        if identity and known and now_s < known.until_s:
            return known.content
        try:
            content = _read(await self._invoke(self._settings.to, self._event(call, identity), call))
        except Refusal as refusal:
            raise Refused("authorizer_failed") from refusal
        if identity and self._settings.ttl_s:
            self._known.pop(identity, None)
            while len(self._known) >= _LONGEST_CACHE:
                del self._known[next(iter(self._known))]
            self._known[identity] = _Decision(content, now_s + self._settings.ttl_s)
        return content

    def _arn(self, call: ApiRequest) -> str:
        return self._home.method_arn(call)

    def _event(self, call: ApiRequest, identity: tuple[str, ...]) -> bytes:
        arn = self._arn(call)
        content: Mapping[str, object]
        if self._settings.kind == "TOKEN":
            content = {"type": "TOKEN", "methodArn": arn, "authorizationToken": identity[0]}
        elif self._settings.version == "2.0":
            event = json.loads(format_2.event_of_api(call, home=self._home))
            content = {**event, "type": "REQUEST", "routeArn": arn, "identitySource": list(identity)}
        else:
            event = json.loads(proxy.event(call, home=self._home))
            content = {**event, "type": "REQUEST", "methodArn": arn}
        return msgspec.json.encode(content)


class AnyToken:
    """Lets in whoever has a token, since nothing here can verify one."""

    def __init__(self, sources: Sequence[Place]) -> None:
        self._sources = sources

    async def admit(self, call: ApiRequest) -> Mapping[str, object]:
        """No claims are known; raises `Refused` where there is no token."""
        if None in values_of(call, self._sources):
            raise Refused("unauthorized")
        return {}


def _fits(pattern: str, token: str) -> bool:
    return re.fullmatch(pattern, token) is not None


def _read(done: Invocation) -> Mapping[str, Any]:
    """What an authorizer said; raises `Refused` where it failed or said nothing of use."""
    try:
        content = msgspec.json.decode(done.payload)
    except NOT_JSON:
        content = None
    if done.error and isinstance(content, dict) and content.get("errorMessage") == _UNAUTHORIZED:
        raise Refused("unauthorized")
    if done.error or not isinstance(content, dict):
        raise Refused("authorizer_failed")
    return content


def _simple(content: Mapping[str, Any]) -> Mapping[str, object]:
    if not isinstance(content.get("isAuthorized"), bool):
        raise Refused("authorizer_failed")
    if not content["isAuthorized"]:
        raise Refused("denied")
    return {"lambda": content.get("context") or {}}


def _check_policy(content: Mapping[str, Any], arn: str) -> None:
    """Raises `Refused` where a policy does not allow the method."""
    statements = (content.get("policyDocument") or {}).get("Statement")
    if not isinstance(statements, list) or "principalId" not in content:
        raise Refused("authorizer_failed")
    effects = {one.get("Effect") for one in statements if _covers(one, arn)}
    if "Deny" in effects:
        raise Refused("denied")
    if "Allow" not in effects:
        raise Refused("denied", "User is not authorized to access this resource")


def _covers(statement: Mapping[str, Any], arn: str) -> bool:
    actions, resources = _several(statement.get("Action")), _several(statement.get("Resource"))
    invokes = any(fnmatch.fnmatchcase("execute-api:invoke", str(action).lower()) for action in actions)
    return invokes and any(fnmatch.fnmatchcase(arn, str(one).replace("[", "[[]")) for one in resources)


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]
