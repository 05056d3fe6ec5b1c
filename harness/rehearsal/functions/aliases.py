"""Operations on aliases."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from harness.rehearsal.functions import answers
from harness.rehearsal.functions.names import check_alias_name
from harness.rehearsal.functions.records import Alias, Function
from harness.rehearsal.functions.registry import Registry, check_revision, new_revision
from harness.rehearsal.functions.routing import check_weights
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal


class AliasOperations(Registry):
    """Aliases, operation by operation."""

    @operation
    def create_alias(self, params: Params) -> Answer:
        """CreateAlias."""
        function, name = self._function(self._asked(params)), params["Name"]
        check_alias_name(name)
        if name in function.aliases:
            message = f"Alias already exists: {self._address.arn(function.name, name)}"
            raise Refusal("ResourceConflictException", message)
        alias = Alias(
            name=name,
            version=params["FunctionVersion"],
            weights=_weights(params.get("RoutingConfig")),
            description=params.get("Description") or "",
            revision_id=new_revision(),
        )
        return self._set_alias(function, alias)

    @operation
    def get_alias(self, params: Params) -> Answer:
        """GetAlias."""
        function, name = self._function(self._asked(params)), params["Name"]
        if name not in function.aliases:
            message = f"Cannot find alias arn: {self._address.arn(function.name, name)}"
            raise Refusal("ResourceNotFoundException", message)
        return self._alias_answer(function, function.aliases[name])

    @operation
    def update_alias(self, params: Params) -> Answer:
        """UpdateAlias: what is not given stays. A RoutingConfig replaces all weights; an empty one clears them."""
        function = self._function(self._asked(params))
        alias = self._alias(function, params["Name"])
        check_revision(params.get("RevisionId"), alias.revision_id)
        routing = params.get("RoutingConfig")
        changed = replace(
            alias,
            version=params.get("FunctionVersion") or alias.version,
            weights=alias.weights if routing is None else _weights(routing),
            description=params.get("Description", alias.description),
            revision_id=new_revision(),
        )
        return self._set_alias(function, changed)

    @operation
    def delete_alias(self, params: Params) -> Answer:
        """DeleteAlias; one that does not exist is no error."""
        function = self._function(self._asked(params))
        function.aliases.pop(params["Name"], None)
        self._routes.pop((function.name, params["Name"]), None)
        return {}

    @operation
    def list_aliases(self, params: Params) -> Answer:
        """ListAliases: all, or those that point to `FunctionVersion`."""
        function, version = self._function(self._asked(params)), params.get("FunctionVersion")
        known = [alias for alias in function.aliases.values() if version in (None, alias.version, *alias.weights)]
        return answers.page("Aliases", [self._alias_answer(function, alias) for alias in known], params)

    def _alias(self, function: Function, name: str) -> Alias:
        if name not in function.aliases:
            message = f"Alias not found: {self._address.arn(function.name, name)}"
            raise Refusal("ResourceNotFoundException", message)
        return function.aliases[name]

    def _set_alias(self, function: Function, alias: Alias) -> Answer:
        self._version(function, alias.version)
        check_weights(alias.version, alias.weights)
        for version in alias.weights:
            self._version(function, version)
        self._put_alias(function, alias)
        return self._alias_answer(function, alias)

    def _alias_answer(self, function: Function, alias: Alias) -> Answer:
        return answers.alias(alias, self._address.arn(function.name, alias.name))


def _weights(routing: Mapping[str, Any] | None) -> dict[str, float]:
    return dict((routing or {}).get("AdditionalVersionWeights") or {})
