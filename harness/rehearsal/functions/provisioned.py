"""Operations on provisioned concurrency. It is allocated after a moment, and makes no run faster here."""

from harness.rehearsal.functions import answers
from harness.rehearsal.functions.concurrency import ACCOUNT_LIMIT, UNRESERVED_MINIMUM
from harness.rehearsal.functions.names import LATEST, FunctionName, is_version
from harness.rehearsal.functions.records import Function, Provisioned
from harness.rehearsal.functions.registry import Registry
from harness.rehearsal.functions.settings import check_range, invalid
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

ALLOCATES_IN_S = 60.0
"""Experiment seconds until it is READY. Assumption: AWS says that it takes a minute or two."""


class ProvisionedOperations(Registry):
    """Provisioned concurrency, operation by operation."""

    @operation
    def put_provisioned_concurrency_config(self, params: Params) -> Answer:
        """PutProvisionedConcurrencyConfig.

        An alias that has weights is refused. One that has it may get weights: CodeDeploy shifts such aliases
        (API reference, AllocatedProvisionedConcurrentExecutions).
        """
        name, wanted = self._asked(params), params["ProvisionedConcurrentExecutions"]
        check_range("ProvisionedConcurrentExecutions", wanted, 1, None)
        function, qualifier = self._provisionable(name)
        others = sum(one.executions for key, one in function.provisioned.items() if key != qualifier)
        _check_room(function, others + wanted)
        provisioned = Provisioned(executions=wanted, asked_s=self._now())
        function.provisioned[qualifier] = provisioned
        return self._described_provision(provisioned)

    @operation
    def get_provisioned_concurrency_config(self, params: Params) -> Answer:
        """GetProvisionedConcurrencyConfig."""
        function, qualifier = self._qualified(self._asked(params))
        if qualifier not in function.provisioned:
            message = "No Provisioned Concurrency Config found for this function"
            raise Refusal("ProvisionedConcurrencyConfigNotFoundException", message)
        return self._described_provision(function.provisioned[qualifier])

    @operation
    def delete_provisioned_concurrency_config(self, params: Params) -> Answer:
        """DeleteProvisionedConcurrencyConfig; none there is no error."""
        function, qualifier = self._qualified(self._asked(params))
        function.provisioned.pop(qualifier, None)
        return {}

    @operation
    def list_provisioned_concurrency_configs(self, params: Params) -> Answer:
        """ListProvisionedConcurrencyConfigs."""
        function = self._function(self._asked(params))
        found = [
            {"FunctionArn": self._address.arn(function.name, qualifier), **self._described_provision(one)}
            for qualifier, one in function.provisioned.items()
        ]
        return answers.page("ProvisionedConcurrencyConfigs", found, params)

    def _described_provision(self, provisioned: Provisioned) -> Answer:
        ready = self._now() >= provisioned.asked_s + ALLOCATES_IN_S
        allocated = provisioned.executions if ready else 0
        return {
            "RequestedProvisionedConcurrentExecutions": provisioned.executions,
            "AvailableProvisionedConcurrentExecutions": allocated,
            "AllocatedProvisionedConcurrentExecutions": allocated,
            "Status": "READY" if ready else "IN_PROGRESS",
            "LastModified": answers.timestamp(provisioned.asked_s),
        }

    def _qualified(self, name: FunctionName) -> tuple[Function, str]:
        """The function and the version or alias, which exists."""
        function, qualifier = self._function(name), name.qualifier or LATEST
        if qualifier == LATEST:
            raise invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
        if not is_version(qualifier) and qualifier not in function.aliases:
            message = f"Cannot find alias arn: {self._address.arn(name.name, qualifier)}"
            raise Refusal("ResourceNotFoundException", message)
        self._configuration(FunctionName(name.name, qualifier))
        return function, qualifier

    def _provisionable(self, name: FunctionName) -> tuple[Function, str]:
        """The same, once nothing stands against provisioning it."""
        function, qualifier = self._qualified(name)
        alias = function.aliases.get(qualifier)
        if alias and alias.weights:
            raise invalid("Alias with weights can not be used with Provisioned Concurrency")
        if alias and alias.version in function.provisioned:
            message = "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
            raise Refusal("ResourceConflictException", message)
        pointing = (one.name for one in function.aliases.values() if one.version == qualifier)
        if any(one in function.provisioned for one in pointing):
            raise Refusal("ResourceConflictException", "Version is pointed by a Provisioned Concurrency alias")
        return function, qualifier


def _check_room(function: Function, wanted: int) -> None:
    reserved, most = function.slots.limit, ACCOUNT_LIMIT - UNRESERVED_MINIMUM
    if reserved is not None and wanted > reserved:
        raise invalid(
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
        )
    if reserved is None and wanted > most:
        raise invalid(
            f"Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [{most}]."
        )
