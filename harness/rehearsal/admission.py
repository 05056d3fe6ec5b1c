"""What admits a request before a version is invoked: the authorizer with its cache, and the stage's throttle."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from msgspec import Struct

from harness.rehearsal.apis.own_answers import Occasion
from harness.rehearsal.proxy import ApiRequest

AUTHORIZER_TTL_S = 30.0
LONGEST_TOKEN = 512


class Refused(Exception):
    """The gateway answers by itself, without invoking a version: on what occasion, and its text if that is its own."""

    def __init__(self, occasion: Occasion, text: str | None = None) -> None:
        super().__init__(occasion)
        self.occasion: Occasion = occasion
        self.text = text


class RouteGuard(Protocol):
    """What stands in front of a route."""

    async def admit(self, call: ApiRequest) -> Mapping[str, object]:
        """The authorizer's part of the event for a request that may pass; raises `Refused` for any other."""


class Decision(Struct, frozen=True):
    """The answer of the authorizer for a token, and when it expires."""

    principal: str | None
    until_s: float


class Authorizer:
    """A custom authorizer whose results, also denials, are cached for `ttl_s` of simulated time.

    `decide` gives the principal of a token, or None to deny. At most `capacity` results are kept, the oldest go first.
    """

    def __init__(
        self,
        decide: Callable[[str], str | None],
        *,
        ttl_s: float = AUTHORIZER_TTL_S,
        capacity: int = 10_000,
    ) -> None:
        self._decide = decide
        self._ttl_s = ttl_s
        self._capacity = capacity
        self._known: dict[bytes, Decision] = {}

    async def admit(self, call: ApiRequest) -> Mapping[str, object]:
        """Asks for the principal of the header Authorization, without which it is not asked at all."""
        token = value_of(call.headers, b"authorization")
        if not token:
            raise Refused("unauthorized")
        principal = self.principal(token, call.received_s)
        if principal is None:
            raise Refused("denied")
        return {"principalId": principal, "integrationLatency": 0}

    def principal(self, token: bytes, now_s: float) -> str | None:
        """The principal of a token; None is a denial. A token that is too long is denied without asking."""
        if len(token) > LONGEST_TOKEN:
            return None
        known = self._known.get(token)
        if known is None or now_s >= known.until_s:
            known = self._ask(token, now_s)
        return known.principal

    def _ask(self, token: bytes, now_s: float) -> Decision:
        decision = Decision(self._decide(token.decode("latin-1")), now_s + self._ttl_s)
        self._known.pop(token, None)
        while len(self._known) >= self._capacity:
            del self._known[next(iter(self._known))]
        self._known[token] = decision
        return decision


class Throttle(Struct, frozen=True):
    """A stage's limits: requests per second of simulated time, and how many may come at once."""

    rate: float
    burst: int


class TokenBucket:
    """The token bucket behind a throttle; full at `now_s`."""

    def __init__(self, throttle: Throttle, now_s: float) -> None:
        self._throttle = throttle
        self._tokens = float(throttle.burst)
        self._filled_s = now_s

    def admits(self, now_s: float) -> bool:
        """Takes a token if there is one."""
        grown = self._tokens + max(0.0, now_s - self._filled_s) * self._throttle.rate
        self._tokens = min(float(self._throttle.burst), grown)
        self._filled_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def value_of(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> bytes:
    """The first value of a header, by its name in lower case; empty where there is none."""
    for name, value in headers:
        if name == wanted:
            return value
    return b""
