"""The stages that the gateway serves, and how a request finds its own."""

from collections.abc import Sequence
from functools import cached_property

from msgspec import Struct

from harness.rehearsal.admission import TokenBucket
from harness.rehearsal.apis.own_answers import REST, OwnAnswers
from harness.rehearsal.apis.routes import Routes
from harness.rehearsal.cloudwatch.api_requests import DEFAULT_STAGE, ApiName
from harness.rehearsal.proxy import ApiHome

BY_PATH = "/restapis/"
"""How the path begins that names an API: `/restapis/ID/STAGE/_user_request_/PATH`, as other local clouds have it."""
_IN_PATH = "_user_request_"
_IN_HOST = ".execute-api."


class Stage(Struct, frozen=True, kw_only=True, dict=True):
    """A stage of an API with its routes; `answers` are those that the gateway gives itself, `bucket` its throttle."""

    home: ApiHome
    routes: Routes
    answers: OwnAnswers = REST
    bucket: TokenBucket | None = None

    @cached_property
    def name(self) -> ApiName:
        """What its metrics call it."""
        return self.home.name

    @cached_property
    def base(self) -> str:
        """What the paths of its requests begin with where no host or path names it: `/STAGE/`."""
        return f"{self.name.path}/"


class Found(Struct, frozen=True):
    """The stage of a request, and the path below it."""

    stage: Stage
    path: str


class Stages:
    """All stages: `main`, that of the rehearsal, whose paths begin with its name, and those of the control plane.

    The latter are found by the host `ID.execute-api.localhost`, or by a path that begins with `BY_PATH`.
    """

    def __init__(self) -> None:
        self.main: Stage | None = None
        self._served: dict[tuple[str, str], Stage] = {}

    def names(self) -> Sequence[ApiName]:
        """What their metrics call them."""
        stages = [self.main, *self._served.values()]
        return [stage.name for stage in stages if stage]

    def put(self, stage: Stage) -> None:
        """Serves a stage, in the place of what it was before."""
        self._served[stage.name.id, stage.name.stage] = stage

    def remove(self, api_id: str, stage: str | None) -> None:
        """Serves a stage, or all of an API, no longer."""
        for key in [key for key in self._served if key[0] == api_id and stage in (None, key[1])]:
            del self._served[key]

    def is_named(self, host: str) -> bool:
        """Whether a host is the name on AWS of an API that is served: the URL in the outputs of its template."""
        domain = host.partition(":")[0].lower()
        return _IN_HOST in domain and any(stage.home.domain == domain for stage in [*self._served.values()])

    def find(self, host: str, path: str) -> Found | None:
        """The stage that a request reaches; None where there is none."""
        if path.startswith(BY_PATH):
            return self._by_path(path)
        if _IN_HOST in host:
            return self._by_host(host.partition(".")[0], path)
        main = self.main
        if main and f"{path}/".startswith(main.base):
            return Found(main, path[len(main.base) - 1 :] or "/")
        return None

    def _by_path(self, path: str) -> Found | None:
        api_id, _, rest = path.removeprefix(BY_PATH).partition("/")
        stage, _, rest = rest.partition("/")
        mark, _, below = rest.partition("/")
        served = self._served.get((api_id, stage))
        return Found(served, f"/{below}") if served and mark == _IN_PATH else None

    def _by_host(self, api_id: str, path: str) -> Found | None:
        stage, _, below = path.lstrip("/").partition("/")
        if served := self._served.get((api_id, stage)):
            return Found(served, f"/{below}")
        served = self._served.get((api_id, DEFAULT_STAGE))
        return Found(served, path) if served else None
