"""The functions that exist, and how operations find them."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from harness.rehearsal.clock import Schedule
from harness.rehearsal.functions.engines import Engine
from harness.rehearsal.functions.names import LATEST, Address, FunctionName, is_version, qualified
from harness.rehearsal.functions.packages import Packages
from harness.rehearsal.functions.records import Alias, Code, Configuration, EngineKind, Function
from harness.rehearsal.functions.routing import Route, route
from harness.rehearsal.operations import AwsService
from harness.rehearsal.refusal import Refusal

STALE_REVISION = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
)


class Registry(AwsService):
    """The state that all operations share. Changes need the schedule's lock, reads do not."""

    def __init__(self, schedule: Schedule, engines: Mapping[EngineKind, Engine], *, account: str, region: str) -> None:
        super().__init__(schedule)
        self._engines = engines
        self._address = Address(account, region)
        self._packages = Packages()
        self._functions: dict[str, Function] = {}
        self._routes: dict[tuple[str, str], Route] = {}

    def _asked(self, params: Mapping[str, Any]) -> FunctionName:
        return qualified(self._address.parse(params["FunctionName"]), dict(params))

    def _function(self, name: FunctionName | str) -> Function:
        name = FunctionName(name, None) if isinstance(name, str) else name
        if name.name not in self._functions:
            raise self._not_found(name.name, name.qualifier)
        return self._functions[name.name]

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
        self._routes[function.name, alias.name] = route(alias)

    def _retire(self, code: Code) -> None:
        self._engines[code.kind].retire(code)


def check_revision(given: str | None, known: str) -> None:
    """Refuses a change that was meant for another revision; without one, any revision is meant."""
    if given and given != known:
        raise Refusal("PreconditionFailedException", STALE_REVISION)


def new_revision() -> str:
    """A revision id; each change makes a new one."""
    return str(uuid4())
