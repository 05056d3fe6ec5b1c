"""Operations on functions and their versions."""

from types import MappingProxyType

from msgspec.structs import replace

from harness.rehearsal.functions import answers, settings
from harness.rehearsal.functions.layers import LayerOperations
from harness.rehearsal.functions.names import LATEST, FunctionName, is_version
from harness.rehearsal.functions.records import Code, Configuration, Function, Package
from harness.rehearsal.functions.registry import change, check_revision
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal


class VersionOperations(LayerOperations):
    """Functions and versions, operation by operation."""

    @operation
    def create_function(self, params: Params) -> Answer:
        """CreateFunction."""
        name = self._address.parse(params["FunctionName"]).name
        if name in self._functions:
            raise Refusal("ResourceConflictException", f"Function already exist: {name}")
        settings.check(params)
        package = self._packages.package(params["Code"])
        settings.check_package(package, params.get("Runtime"), params.get("Handler"))
        function = Function(name, self._first(name, package, params))
        function.tags.update(params.get("Tags") or {})
        self._functions[name] = function
        return self._changed(function, params)

    @operation
    def get_function(self, params: Params) -> Answer:
        """GetFunction."""
        name = self._asked(params)
        function, version = self._function(name), self._configuration(name)
        answer = {
            "Configuration": self._described(name, version),
            "Code": answers.location(version.code.package, self._address),
        }
        if function.tags:
            answer["Tags"] = dict(function.tags)
        if function.slots.limit is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": function.slots.limit}
        return answer

    @operation
    def get_function_configuration(self, params: Params) -> Answer:
        """GetFunctionConfiguration."""
        name = self._asked(params)
        return self._described(name, self._configuration(name))

    @operation
    def update_function_code(self, params: Params) -> Answer:
        """UpdateFunctionCode: changes $LATEST, and publishes it where asked."""
        function = self._function(self._asked(params))
        self._check_latest(function, params)
        package = self._packages.package(params)
        _check_same_type(function.latest.code.package, package)
        code = replace(function.latest.code, package=package, entry=package.entry or function.latest.handler)
        changed = replace(function.latest, code=code)
        if params.get("DryRun"):
            return answers.configuration(changed, self._now())
        self._change_latest(function, changed)
        return self._changed(function, params)

    @operation
    def update_function_configuration(self, params: Params) -> Answer:
        """UpdateFunctionConfiguration: changes the settings of $LATEST that are named."""
        function = self._function(self._asked(params))
        self._check_latest(function, params)
        settings.check(params)
        if not function.latest.code.package.root:
            settings.check_package(function.latest.code.package, params.get("Runtime"), params.get("Handler"))
        self._change_latest(function, self._with_layers(settings.applied(function.latest, params), params))
        return answers.configuration(function.latest, self._now())

    @operation
    def publish_version(self, params: Params) -> Answer:
        """PublishVersion: freezes $LATEST, or returns the last version where nothing has changed since."""
        function = self._function(self._asked(params))
        self._check_latest(function, params)
        current, given = function.latest.code.package.sha256, params.get("CodeSha256")
        if given and given != current:
            raise settings.invalid(
                f"CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). "
                "Please try again with the CodeSHA256 in $LATEST."
            )
        return answers.configuration(self._publish(function, params.get("Description")), self._now())

    @operation
    def list_versions_by_function(self, params: Params) -> Answer:
        """ListVersionsByFunction: $LATEST first, then as they were published."""
        return answers.page("Versions", self._all_versions(self._function(self._asked(params))), params)

    @operation
    def list_functions(self, params: Params) -> Answer:
        """ListFunctions: each once, or with all of its versions."""
        functions = list(self._functions.values())
        if params.get("FunctionVersion") == "ALL":
            return answers.page("Functions", [one for each in functions for one in self._all_versions(each)], params)
        return answers.page("Functions", [answers.listed(each.latest, self._now()) for each in functions], params)

    @operation
    def delete_function(self, params: Params) -> Answer:
        """DeleteFunction: the whole function, or one version that no alias points to."""
        name = self._asked(params)
        function = self._function(name)
        if name.qualifier is None:
            self._delete(function)
        else:
            self._delete_version(function, name.qualifier)
        return {"StatusCode": 204}

    def _first(self, name: str, package: Package, params: Params) -> Configuration:
        code = Code(
            function=name,
            version=LATEST,
            arn=self._address.arn(name),
            package=package,
            entry=package.entry,
            environment=MappingProxyType({}),
            timeout_s=settings.DEFAULT_TIMEOUT_S,
            memory_mb=settings.DEFAULT_MEMORY_MB,
        )
        empty = Configuration(
            code=code,
            role=params["Role"],
            runtime=None,
            handler=None,
            description="",
            echoed=settings.default_echo(name),
            last_modified_s=self._now(),
            change=change(self._now(), created=True, settles_in_s=self.settles_in_s),
        )
        return self._with_layers(settings.applied(empty, params), params)

    def _change_latest(self, function: Function, changed: Configuration) -> None:
        replaced = function.latest.code
        now_s = self._now()
        function.latest = replace(changed, last_modified_s=now_s, change=change(now_s, settles_in_s=self.settles_in_s))
        if function.latest.code is not replaced:
            self._retire(replaced)

    def _publish(self, function: Function, description: str | None = None) -> Configuration:
        last = function.versions.get(str(function.published))
        # Lambda compares no values: any update of $LATEST makes a new version, also one that changes nothing.
        if last and function.published_change == function.latest.change:
            return last
        function.published += 1
        function.published_change = function.latest.change
        version = str(function.published)
        arn = self._address.arn(function.name, version)
        function.versions[version] = replace(
            function.latest,
            code=replace(function.latest.code, version=version, arn=arn),
            description=function.latest.description if description is None else description,
            change=change(self._now(), settles_in_s=0.0),
        )
        return function.versions[version]

    def _changed(self, function: Function, params: Params) -> Answer:
        """The answer to a change of $LATEST: of the version made of it where that was asked for, by the same ARN."""
        version = self._publish(function) if params.get("Publish") else function.latest
        told = replace(version, change=function.latest.change)
        return answers.configuration(told, self._now(), arn=self._address.arn(function.name))

    def _check_latest(self, function: Function, params: Params) -> None:
        """Refuses a change of what is still being made or updated, or that was meant for another revision."""
        if self._now() < function.latest.change.settles_s:
            message = "The operation cannot be performed at this time. "
            if function.latest.change.created:
                message += "The function is currently in the following state: Pending"
            else:
                message += f"An update is in progress for resource: {self._address.arn(function.name)}"
            raise Refusal("ResourceConflictException", message)
        check_revision(params.get("RevisionId"), function.latest.change.revision(self._now()))

    def _described(self, name: FunctionName, version: Configuration) -> Answer:
        """A configuration under the ARN it was asked by: of an alias, with the qualifier, or without."""
        return answers.configuration(version, self._now(), arn=self._address.arn(name.name, name.qualifier))

    def _all_versions(self, function: Function) -> list[Answer]:
        latest = answers.listed(function.latest, self._now(), arn=self._address.arn(function.name, LATEST))
        return [latest, *(answers.listed(version, self._now()) for version in function.versions.values())]

    def _delete(self, function: Function) -> None:
        del self._functions[function.name]
        for alias in function.aliases:
            self._routes.pop((function.name, alias), None)
        for version in [function.latest, *function.versions.values()]:
            self._retire(version.code)

    def _delete_version(self, function: Function, version: str) -> None:
        if version == LATEST:
            raise settings.invalid("$LATEST version cannot be deleted without deleting the function.")
        if not is_version(version):
            raise settings.invalid("Deletion of aliases is not currently supported.")
        users = [alias.name for alias in function.aliases.values() if version in (alias.version, *alias.weights)]
        if users:
            raise Refusal(
                "ResourceConflictException",
                f"Unable to delete version because the following aliases reference it: [{', '.join(users)}]",
            )
        if version in function.versions:
            self._retire(function.versions.pop(version).code)


def _check_same_type(known: Package, given: Package) -> None:
    if known.root and not given.root:
        raise settings.invalid("Please don't provide ImageUri when updating a function with packageType Zip.")
    if given.root and not known.root:
        raise settings.invalid("Please provide ImageUri when updating a function with packageType Image.")
