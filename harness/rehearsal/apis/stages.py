"""The stages that the gateway serves, and how a request finds its own."""

from typing import NamedTuple

from msgspec import Struct

from harness.rehearsal.admission import TokenBucket
from harness.rehearsal.apis.routes import Routes
from harness.rehearsal.cloudwatch.api_requests import ApiName


class Stage(Struct, frozen=True, kw_only=True):
    """A stage of an API with its routes; `name` is what its metrics call it, `bucket` its throttle."""

    name: ApiName
    routes: Routes
    bucket: TokenBucket | None = None


class Found(NamedTuple):
    """The stage of a request, and the path below it."""

    stage: Stage
    path: str


class Stages:
    """All stages. That of the rehearsal, `main`, has its name as the first part of the path."""

    def __init__(self, main: Stage) -> None:
        self._main = main
        self._base = main.name.path

    def find(self, path: str) -> Found | None:
        """The stage that a request reaches; None where there is none."""
        base = self._base
        if path == base or path.startswith(f"{base}/"):
            return Found(self._main, path[len(base) :] or "/")
        return None
