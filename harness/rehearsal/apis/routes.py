"""The routes of an API: what each invokes, and which of them a request takes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from harness.rehearsal.admission import RouteGuard
from harness.rehearsal.apis.checks import BodyCheck, Checks
from harness.rehearsal.proxy import GatewayAnswer

INTEGRATION_TIMEOUT_S = 29.0
ANY = "ANY"
GREEDY = "+"
"""What the name of a path parameter ends with that takes all that is left of a path."""


class Integration(Struct, frozen=True, kw_only=True, dict=True):
    """The function that a route invokes, by `qualifier`, a version or an alias; without one it is $LATEST.

    `timeout_s` is how long the gateway waits for its answer, in AWS's time, `payload` the version of its event.
    """

    function: str
    qualifier: str | None = None
    timeout_s: float = INTEGRATION_TIMEOUT_S
    payload: str = "1.0"

    @cached_property
    def alias(self) -> str | None:
        """The alias, where the qualifier is one: a version is a number."""
        return self.qualifier if self.qualifier and not self.qualifier.isdecimal() else None


class Fixed(Struct, frozen=True):
    """An answer without a function: that of a mock, or of what is not played here."""

    answer: GatewayAnswer


class ApiRoute(Struct, frozen=True, kw_only=True):
    """A method, or ANY, on a path such as `/orders/{id}` or `/{proxy+}`, and what stands in front of the function.

    `key` is what an HTTP API calls it.
    """

    method: str
    path: str
    integration: Integration | Fixed
    authorizer: RouteGuard | None = None
    checks: Checks | BodyCheck | None = None
    key: str = ""


class Matched(Struct, frozen=True):
    """The route that a request takes, and its path parameters by name."""

    route: ApiRoute
    parameters: Mapping[str, str]


_NONE: Mapping[str, str] = {}


class Routes:
    """The routes of an API, the most specific path first: fixed parts before parameters, those before greedy ones.

    Where the path that fits best lacks the method, a REST API knows no route, and one that `falls_back`, as HTTP APIs
    do, tries the next. Assumption for REST APIs: AWS states it nowhere.
    """

    def __init__(self, routes: Iterable[ApiRoute], *, falls_back: bool = True) -> None:
        self._falls_back = falls_back
        self._fixed: dict[str, dict[str, ApiRoute]] = {}
        self._patterns: dict[str, dict[str, ApiRoute]] = {}
        for route in routes:
            paths = self._patterns if "{" in route.path else self._fixed
            paths.setdefault(route.path, {})[route.method] = route
        ordered = sorted(self._patterns, key=_generality)
        self._ordered = [(_pattern(path), _names(path), self._patterns[path]) for path in ordered]

    def match(self, method: str, path: str) -> Matched | None:
        """The route that a request takes; None where there is none."""
        if methods := self._fixed.get(path):
            route = _of_method(methods, method)
            if route or not self._falls_back:
                return Matched(route, _NONE) if route else None
        for pattern, names, methods in self._ordered:
            if not (found := pattern.fullmatch(path)):
                continue
            route = _of_method(methods, method)
            if route or not self._falls_back:
                return Matched(route, dict(zip(names, found.groups(), strict=True))) if route else None
        return None


def _of_method(methods: Mapping[str, ApiRoute], method: str) -> ApiRoute | None:
    return methods.get(method) or methods.get(ANY)


def _generality(path: str) -> list[int]:
    return [2 if part.endswith(f"{GREEDY}}}") else 1 if part.startswith("{") else 0 for part in path.split("/")]


def _pattern(path: str) -> re.Pattern[str]:
    parts = (
        (".+" if part.endswith(f"{GREEDY}}}") else "[^/]+", True) if part.startswith("{") else (re.escape(part), False)
        for part in path.split("/")
    )
    return re.compile("/".join(f"({text})" if is_parameter else text for text, is_parameter in parts), re.DOTALL)


def _names(path: str) -> Sequence[str]:
    return [part[1:-1].removesuffix(GREEDY) for part in path.split("/") if part.startswith("{")]
