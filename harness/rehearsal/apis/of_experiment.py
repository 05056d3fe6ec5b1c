"""The routes of a rehearsal: which requests of an experiment its function answers, and which a function of its own.

`deployment.requests` names those of the function that is released. What is left runs what is in service, in functions
without an alias, which no deployment and no alarm of the function touches.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from harness import experiments
from harness.core.experiment.parse import parse
from harness.core.experiment.requests import Request
from harness.core.experiment.sendable import names_of
from harness.core.experiment.types import Experiment, Traffic
from harness.errors import ExperimentError
from harness.rehearsal import service
from harness.rehearsal.admission import RouteGuard
from harness.rehearsal.apis.checks import BodyCheck
from harness.rehearsal.apis.http_stage import DEFAULT_ROUTE
from harness.rehearsal.apis.routes import ANY, ApiRoute, Integration

_ALL = ("/", "/{proxy+}")
_LONGEST = 64
"""Characters that the name of a function may have."""

_TOGGLES = BodyCheck(service.is_toggles_question)

Resource = tuple[str, str]
"""A method and a path with parameters."""


class UnreleasedFunction(Struct, frozen=True, kw_only=True):
    """A function that is not released, and the resources that it answers."""

    function: str
    resources: frozenset[Resource]


def beside(experiment: Experiment, application: str) -> Sequence[UnreleasedFunction]:
    """The functions beside the one that is released; raises ExperimentError."""
    released = experiment.deployment.requests
    if not released:
        return ()
    traffic = experiment.traffic if experiment.traffic.requests else _bundled()
    for name in released:
        if name not in (known := names_of(traffic)):
            problem = f"no request is called {name}; known are {', '.join(known)}"
            raise ExperimentError("deployment.requests", problem)
    resources = {name: frozenset(_resources(traffic, name)) for name in names_of(traffic)}
    _check_apart(resources, released)
    return [
        UnreleasedFunction(function=_function(application, name), resources=of_name)
        for name, of_name in resources.items()
        if name not in released
    ]


def routes(
    experiment: Experiment, to: Integration, apart: Sequence[UnreleasedFunction], users: RouteGuard
) -> Iterator[ApiRoute]:
    """The routes of the API: every method and path for services of one's own, else those of the bundled one.

    `users` stands in front of the bundled service's users, unless it is a service at a URL that is asked. A route
    of the experiment that a function beside answers is that function's.
    """
    arms = (experiment.baseline, experiment.canary)
    is_bundled = all(arm.is_bundled for arm in arms)
    if not any(arm.url or arm.code for arm in arms):
        yield ApiRoute(method="GET", path=service.FAKE_USER, integration=to, authorizer=users)
        checks = _TOGGLES if is_bundled else None
        yield ApiRoute(method="POST", path=service.FEATURE_TOGGLES, integration=to, checks=checks)
    if not is_bundled:
        for path in _ALL:
            yield ApiRoute(method=ANY, path=path, integration=to, key=DEFAULT_ROUTE)
    for each in apart:
        for method, path in sorted(each.resources):
            checks = _TOGGLES if is_bundled and path == service.FEATURE_TOGGLES else None
            yield ApiRoute(method=method, path=path, integration=Integration(function=each.function), checks=checks)
    taken = {(method, _shape(path)) for each in apart for method, path in each.resources}
    for key in experiment.api.routes:
        method, _, path = key.partition(" ")
        if (method, _shape(path)) not in taken:
            yield ApiRoute(method=method, path=path, integration=to, key=key)


def _bundled() -> Traffic:
    return parse(experiments.service(), source=experiments.SERVICE).traffic


def _resources(traffic: Traffic, name: str) -> Iterator[Resource]:
    for key, request in traffic.requests.items():
        if (request.name or key) == name:
            overlays = (traffic.fault[one] for one in (key, "all") if one in traffic.fault)
            for path in (None, *(overlay.path for overlay in overlays if overlay.path)):
                yield _resource(request, path)


def _resource(request: Request, path: str | None) -> Resource:
    return request.method.upper(), _with_parameters(path or request.path)


def _shape(path: str) -> str:
    """A path whatever its parameters are called."""
    return re.sub(r"\{[^}+]*", "{", path)


def _with_parameters(path: str) -> str:
    """A path whose segments with placeholders are parameters, without its query."""
    parts = re.sub(r"\{\{.*?\}\}", "\0", path, flags=re.DOTALL).partition("?")[0].split("/")
    return "/".join(f"{{part{index}}}" if "\0" in part else part for index, part in enumerate(parts))


def _check_apart(resources: Mapping[str, frozenset[Resource]], released: Sequence[str]) -> None:
    for name in released:
        for other, of_other in resources.items():
            if other not in released and (shared := resources[name] & of_other):
                method, path = min(shared)
                problem = f"{name} and {other} are both {method} {path}: one route reaches one function"
                raise ExperimentError("deployment.requests", problem)


def _function(application: str, name: str) -> str:
    words = re.findall(r"[A-Za-z0-9]+", name) or ["Other"]
    return f"{application}-{''.join(word[:1].upper() + word[1:] for word in words)}"[:_LONGEST]
