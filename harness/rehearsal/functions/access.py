"""Operations on who may invoke a function, on its tags, and on its concurrency. Permissions are kept, not enforced."""

import json
import logging
from typing import Any

from harness.rehearsal.cloudwatch.fed import concurrency_at
from harness.rehearsal.functions.concurrency import ACCOUNT_LIMIT, UNRESERVED_MINIMUM
from harness.rehearsal.functions.names import LATEST, FunctionName
from harness.rehearsal.functions.records import Function
from harness.rehearsal.functions.registry import Registry, check_revision
from harness.rehearsal.functions.settings import check_pattern, check_range, invalid
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

Statement = dict[str, Any]

_PATTERNS = {"StatementId": r"([a-zA-Z0-9-_]+)", "Action": r"(lambda:[*]|lambda:[a-zA-Z]+|[*])"}
_CONDITIONS = {
    "SourceArn": ("ArnLike", "AWS:SourceArn"),
    "SourceAccount": ("StringEquals", "AWS:SourceAccount"),
    "PrincipalOrgID": ("StringEquals", "aws:PrincipalOrgID"),
    "EventSourceToken": ("StringEquals", "lambda:EventSourceToken"),
    "FunctionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
    "InvokedViaFunctionUrl": ("Bool", "lambda:InvokedViaFunctionUrl"),
}
"""What a permission may depend on: the parameter, and what AWS makes of it in the policy."""

log = logging.getLogger(__name__)


class AccessOperations(Registry):
    """Permissions, tags and concurrency, operation by operation."""

    @operation
    def add_permission(self, params: Params) -> Answer:
        """AddPermission."""
        for member, pattern in _PATTERNS.items():
            check_pattern(member, params[member], pattern)
        name, statements = self._statements(params)
        if name.qualifier == LATEST:
            raise invalid("We currently do not support adding policies for $LATEST.")
        sid = params["StatementId"]
        if any(statement["Sid"] == sid for statement in statements):
            raise Refusal(
                "ResourceConflictException",
                f"The statement id ({sid}) provided already exists. Please provide a new statement id, "
                "or remove the existing statement.",
            )
        statement = _statement(params, self._address.arn(name.name, name.qualifier))
        statements.append(statement)
        return {"Statement": json.dumps(statement)}

    @operation
    def remove_permission(self, params: Params) -> Answer:
        """RemovePermission."""
        _, statements = self._statements(params)
        kept = [statement for statement in statements if statement["Sid"] != params["StatementId"]]
        if len(kept) == len(statements):
            message = f"Statement {params['StatementId']} is not found in resource policy."
            raise Refusal("ResourceNotFoundException", message)
        statements[:] = kept
        return {}

    @operation
    def get_policy(self, params: Params) -> Answer:
        """GetPolicy."""
        name, statements = self._statements(params)
        if not statements:
            raise Refusal("ResourceNotFoundException", "The resource you requested does not exist.")
        policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
        return {"Policy": json.dumps(policy), "RevisionId": self._configuration(name).change.revision(self._now())}

    @operation
    def get_function_code_signing_config(self, params: Params) -> Answer:
        """GetFunctionCodeSigningConfig: empty, as on AWS where a function has none, although the model requires it."""
        self._function(self._asked(params))
        return {}

    @operation
    def list_tags(self, params: Params) -> Answer:
        """ListTags."""
        return {"Tags": dict(self._tagged(params).tags)}

    @operation
    def tag_resource(self, params: Params) -> Answer:
        """TagResource."""
        self._tagged(params).tags.update(params["Tags"])
        return {}

    @operation
    def untag_resource(self, params: Params) -> Answer:
        """UntagResource."""
        tags = self._tagged(params).tags
        for key in params["TagKeys"]:
            tags.pop(key, None)
        return {}

    @operation
    def put_function_concurrency(self, params: Params) -> Answer:
        """PutFunctionConcurrency: 0 throttles every run."""
        function, limit = self._whole(params), params["ReservedConcurrentExecutions"]
        check_range("ReservedConcurrentExecutions", limit, 0, None)
        provisioned = sum(one.executions for one in function.provisioned.values())
        if limit < provisioned:
            raise invalid(
                f"ReservedConcurrentExecutions {limit} should not be lower than function's total provisioned "
                f"concurrency [{provisioned}]."
            )
        others = sum(each.slots.limit or 0 for each in self._functions.values() if each is not function)
        if ACCOUNT_LIMIT - others - limit < UNRESERVED_MINIMUM:
            raise invalid(
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MINIMUM}]."
            )
        if limit and (reason := concurrency_at(self._schedule.clock.speed)):
            log.warning("The function %s: %s", function.name, reason)
        function.slots.limit = limit
        return {"ReservedConcurrentExecutions": limit}

    @operation
    def get_function_concurrency(self, params: Params) -> Answer:
        """GetFunctionConcurrency: empty where nothing is reserved."""
        limit = self._whole(params).slots.limit
        return {} if limit is None else {"ReservedConcurrentExecutions": limit}

    @operation
    def delete_function_concurrency(self, params: Params) -> Answer:
        """DeleteFunctionConcurrency."""
        self._whole(params).slots.limit = None
        return {}

    @operation
    def get_account_settings(self, params: Params) -> Answer:  # noqa: ARG002 - the operation has no parameters
        """GetAccountSettings: a new account's limits, and what is used of them."""
        functions = self._functions.values()
        versions = [version for each in functions for version in (each.latest, *each.versions.values())]
        reserved = sum(each.slots.limit or 0 for each in functions)
        return {
            "AccountLimit": {
                "TotalCodeSize": 80_530_636_800,
                "CodeSizeUnzipped": 262_144_000,
                "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": ACCOUNT_LIMIT,
                "UnreservedConcurrentExecutions": ACCOUNT_LIMIT - reserved,
            },
            "AccountUsage": {
                "TotalCodeSize": sum(version.code.package.size for version in versions),
                "FunctionCount": len(functions),
            },
        }

    def _statements(self, params: Params) -> tuple[FunctionName, list[Statement]]:
        """The statements of the function, version or alias that is asked for, once it is known to be that revision."""
        name = self._asked(params)
        check_revision(params.get("RevisionId"), self._configuration(name).change.revision(self._now()))
        return name, self._function(name).policies.setdefault(name.qualifier or "", [])

    def _whole(self, params: Params) -> Function:
        """The function that is meant as a whole: what is asked of all versions cannot be asked of one."""
        name = self._asked(params)
        if name.qualifier:
            raise invalid(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support this "
                "operation. Please specify either a function name or an unqualified function ARN."
            )
        return self._function(name)

    def _tagged(self, params: Params) -> Function:
        return self._function(self._address.parse(params["Resource"]))


def _statement(params: Params, arn: str) -> Statement:
    statement = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(params["Principal"]),
        "Action": params["Action"],
        "Resource": arn,
    }
    condition: Statement = {}
    for member, (test, key) in _CONDITIONS.items():
        if (given := params.get(member)) is not None:
            condition.setdefault(test, {})[key] = str(given).lower() if isinstance(given, bool) else given
    return {**statement, "Condition": condition} if condition else statement


def _principal(principal: str) -> Any:
    if principal == "*":
        return principal
    if principal.isdecimal():
        return {"AWS": f"arn:aws:iam::{principal}:root"}
    return {"AWS" if principal.startswith("arn:") else "Service": principal}
