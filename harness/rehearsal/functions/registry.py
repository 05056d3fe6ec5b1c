"""The functions that exist, and how operations find them."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from harness.rehearsal.clock import Schedule
from harness.rehearsal.functions.engines import Engine
from harness.rehearsal.functions.names import LATEST, Address, FunctionName, is_version, qualified
from harness.rehearsal.functions.packages import Packages
from harness.rehearsal.functions.records import Alias, Code, Configuration, EngineKind, Function, LayerVersion, Settling
from harness.rehearsal.functions.routing import Route, route
from harness.rehearsal.kept import Kept
from harness.rehearsal.operations import AwsService
from harness.rehearsal.refusal import Refusal

SETTLES_IN_S = 1.0
"""Experiment seconds until a function that was created or updated is Active and Successful. Assumption: AWS says that
it takes seconds for a function without a VPC."""
STALE_REVISION = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
)


class Registry(AwsService):
    """The state that all operations share. Changes need the schedule's lock, reads do not."""

    def __init__(
        self,
        schedule: Schedule,
        engines: Mapping[EngineKind, Engine],
        *,
        account: str,
        region: str,
        settles_in_s: float,
    ) -> None:
        super().__init__(schedule)
        self.settles_in_s = settles_in_s
        self._engines = engines
        self._address = Address(account, region)
        self._packages = Packages(Kept(account, region).content)
        self._functions: dict[str, Function] = {}
        self._routes: dict[tuple[str, str], Route] = {}
        self._layers: dict[str, dict[int, LayerVersion]] = {}
        self._layers_deleted: dict[str, int] = {}

    def _asked(self, params: Mapping[str, Any]) -> FunctionName:
        return qualified(self._address.parse(params["FunctionName"]), dict(params))

    def _function(self, name: FunctionName | str) -> Function:
        function = self._functions.get(name if isinstance(name, str) else name.name)
        if function is None:
            asked = FunctionName(name, None) if isinstance(name, str) else name
            raise self._not_found(asked.name, asked.qualifier)
        return function

    def _configuration(self, name: FunctionName) -> Configuration:
        """The version that a name means; of a weighted alias it is the one that the alias itself has."""
        function, qualifier = self._function(name), name.qualifier or LATEST
        if not is_version(qualifier):
            if qualifier not in function.aliases:
                raise self._not_found(name.name, qualifier)
            qualifier = function.aliases[qualifier].version
        return self._version(function, qualifier)

    def _version(self, function: Function, version: str) -> Configuration:
        if version == LATEST:
            return function.latest
        if version not in function.versions:
            raise self._not_found(function.name, version)
        return function.versions[version]

    def _not_found(self, name: str, qualifier: str | None) -> Refusal:
        return Refusal("ResourceNotFoundException", f"Function not found: {self._address.arn(name, qualifier)}")

    def _put_alias(self, function: Function, alias: Alias) -> None:
        function.aliases[alias.name] = alias
        key = function.name, alias.name
        self._routes[key] = route(alias, self._schedule.instant(), self._routes.get(key))

    def _retire(self, code: Code) -> None:
        self._engines[code.kind].retire(code)


def check_revision(given: str | None, known: str) -> None:
    """Refuses a change that was meant for another revision; without one, any revision is meant."""
    if given and given != known:
        raise Refusal("PreconditionFailedException", STALE_REVISION)


def change(now_s: float, *, created: bool = False, settles_in_s: float) -> Settling:
    """A change that was made now."""
    first = new_revision()
    later = new_revision() if settles_in_s else first
    return Settling(created=created, settles_s=now_s + settles_in_s, revision_id=first, settled_revision_id=later)


def new_revision() -> str:
    """A revision id; each change makes a new one."""
    return str(uuid4())
