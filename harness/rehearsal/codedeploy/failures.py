"""What ends a deployment before its time, in AWS's words."""

from collections.abc import Mapping

from harness.rehearsal.cloudwatch.evaluation import ALARM
from harness.rehearsal.codedeploy.appspec import AppSpec
from harness.rehearsal.codedeploy.records import Alarming, ErrorInformation
from harness.rehearsal.functions.functions import Functions
from harness.rehearsal.refusal import Refusal

_BAD_APPSPEC = (
    "The deployment failed because the AppSpec file that specifies the AWS Lambda deployment configuration is missing "
    "or has an invalid configuration."
)
_OTHER_VERSION = "The Lambda function alias version does not match the current version in AppSpec file."
_ALARM_ACTIVE = (
    "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, and the affected "
    "deployments have been stopped. Activated alarms: "
)

HOOK_FAILED = ErrorInformation(
    "HOOK_EXECUTION_FAILURE",
    "The deployment failed because one or more of the lifecycle event validation functions failed.",
)

STOPPED_BY_USER = ErrorInformation("MANUAL_STOP", "The deployment was stopped by a user.")
"""Assumption: neither the code nor the sentence of a StopDeployment is documented; the code is from AWS's list."""


def bad_configuration(detail: str = "") -> ErrorInformation:
    """The AppSpec is not usable; AWS leaves `detail` out where the target is the current version."""
    return ErrorInformation("INVALID_LAMBDA_CONFIGURATION", f"{_BAD_APPSPEC} {detail}".rstrip())


def bad_function(refusal: Refusal) -> ErrorInformation:
    """Lambda does not have, or does not change, what the AppSpec names.

    Assumption: the sentence; the code is AWS's.
    """
    message = f"The deployment failed because a Lambda function in the AppSpec file is not valid. {refusal.message}"
    return ErrorInformation("INVALID_LAMBDA_FUNCTION", message)


def throttled(role: str) -> ErrorInformation:
    """Lambda throttles CodeDeploy under a service role.

    Assumption: the code, which is from AWS's list, and the end of the sentence, which the capture cuts off.
    """
    message = (
        f"The deployment failed because the number of requests by the IAM role {role} exceeded the request limit for "
        "AWSLambda. Avoid retrying the deployment at once."
    )
    return ErrorInformation("THROTTLED", message)


def spec_problem(spec: AppSpec, functions: Functions) -> ErrorInformation | None:
    """What is wrong with the AppSpec at the start of a deployment: versions, alias, left-over weights."""
    try:
        alias = functions.alias_state(spec.function, spec.alias)
    except Refusal as refusal:
        return bad_function(refusal)
    for version in (spec.current, spec.target):
        if not functions.has_version(spec.function, version):
            missing = f"Function {spec.function} has no version {version}."
            return bad_function(Refusal("ResourceNotFoundException", missing))
    if alias.version != spec.current or alias.weights:
        return bad_configuration(_OTHER_VERSION)
    return bad_configuration() if spec.target == spec.current else None


def alias_problem(spec: AppSpec, functions: Functions) -> ErrorInformation | None:
    """Whether the alias exists; a rollback needs nothing more."""
    try:
        functions.alias_state(spec.function, spec.alias)
    except Refusal as refusal:
        return bad_function(refusal)
    return None


def alarm_problem(alarms: Alarming, states: Mapping[str, str]) -> ErrorInformation | None:
    """Why the alarms stop the deployment: one is in ALARM, or cannot be read.

    Assumption: the code and sentence for an alarm that does not exist; that it stops the deployment is documented.
    """
    active = [name for name in alarms.watched if states.get(name) == ALARM]
    if active:
        return ErrorInformation("ALARM_ACTIVE", _ALARM_ACTIVE + " ".join(f"<{name}>" for name in active))
    unread = [name for name in alarms.watched if name not in states]
    if unread and not alarms.ignore_poll_failure:
        names = " ".join(f"<{name}>" for name in unread)
        message = f"The deployment was stopped because the state of these alarms could not be retrieved: {names}"
        return ErrorInformation("CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND", message)
    return None
