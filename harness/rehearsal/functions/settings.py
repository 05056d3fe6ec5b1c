"""The settings of a request: checked by Lambda's rules, then applied to a configuration."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from harness.rehearsal.functions import runtimes
from harness.rehearsal.functions.names import invalid_value
from harness.rehearsal.functions.records import Configuration, Package
from harness.rehearsal.refusal import Refusal

DEFAULT_TIMEOUT_S = 3
DEFAULT_MEMORY_MB = 128

_ENVIRONMENT_LIMIT = 4096
_VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_RESERVED = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)
_ROLE = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
_RANGES = {"Timeout": (1, 900), "MemorySize": (128, 10_240)}
_ECHOED = ("Architectures", "DeadLetterConfig", "EphemeralStorage", "LoggingConfig", "TracingConfig")


def default_echo(name: str) -> dict[str, Any]:
    """What AWS answers for settings that were not given and that have no effect here."""
    return {
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "TracingConfig": {"Mode": "PassThrough"},
    }


def check(params: Mapping[str, Any]) -> None:
    """Refuses settings that are out of Lambda's ranges, and those that this cloud cannot honour."""
    for name, (low, high) in _RANGES.items():
        check_range(name, params.get(name), low, high)
    if "Role" in params and not re.fullmatch(_ROLE, params["Role"]):
        raise invalid_value(params["Role"], "role", f"Member must satisfy regular expression pattern: {_ROLE}")
    if len(params.get("Description") or "") > 256:
        constraint = "Member must have length less than or equal to 256"
        raise invalid_value(params["Description"], "description", constraint)
    _check_runtime(params.get("Runtime"))
    _check_environment(variables(params))


def check_package(package: Package, runtime: str | None, entry: str | None) -> None:
    """Refuses a zip without runtime and handler, and an image with one."""
    if package.root and not (runtime and entry):
        raise invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
    if not package.root and (runtime or entry):
        raise invalid(
            "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image."
        )


def applied(known: Configuration, params: Mapping[str, Any]) -> Configuration:
    """The configuration with the settings that a request names, and the others as they were."""
    code = replace(
        known.code,
        timeout_s=params.get("Timeout", known.code.timeout_s),
        memory_mb=params.get("MemorySize", known.code.memory_mb),
        environment=_frozen(params) if "Environment" in params else known.code.environment,
        entry=params.get("Handler", known.code.entry),
        runtime=params.get("Runtime", known.code.runtime),
    )
    return replace(
        known,
        code=code,
        role=params.get("Role", known.role),
        runtime=params.get("Runtime", known.runtime),
        handler=params.get("Handler", known.handler),
        description=params.get("Description", known.description),
        echoed={**known.echoed, **{name: params[name] for name in _ECHOED if params.get(name)}},
    )


def variables(params: Mapping[str, Any]) -> dict[str, str]:
    """The environment variables that a request gives."""
    return dict((params.get("Environment") or {}).get("Variables") or {})


def invalid(message: str) -> Refusal:
    """AWS's answer to a parameter with a wrong value."""
    return Refusal("InvalidParameterValueException", message)


def _frozen(params: Mapping[str, Any]) -> Mapping[str, str]:
    return MappingProxyType(variables(params))


def check_range(name: str, value: int | None, low: int, high: int | None) -> None:
    """Refuses a value outside of a setting's range; without `high` there is no upper end."""
    field = name[0].lower() + name[1:]
    if value is not None and value < low:
        raise invalid_value(value, field, f"Member must have value greater than or equal to {low}")
    if value is not None and high is not None and value > high:
        raise invalid_value(value, field, f"Member must have value less than or equal to {high}")


def check_pattern(name: str, value: str, pattern: str) -> None:
    """Refuses a value that is not of a setting's form."""
    if not re.fullmatch(pattern, value):
        field = name[0].lower() + name[1:]
        raise invalid_value(value, field, f"Member must satisfy regular expression pattern: {pattern}")


def _check_runtime(runtime: str | None) -> None:
    if runtime is not None and (reason := runtimes.unknown(runtime)):
        raise invalid(f"Value {runtime} at 'runtime' failed to satisfy constraint: {reason}.")


def _check_environment(given: Mapping[str, str]) -> None:
    prefix = "Lambda was unable to configure your environment variables because the environment variables you have"
    reserved = sorted(_RESERVED & given.keys())
    if reserved:
        raise invalid(
            f"{prefix} provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    for name in given:
        if not _VARIABLE.fullmatch(name):
            pattern = f"[Member must satisfy regular expression pattern: {_VARIABLE.pattern}]"
            constraint = f"Map keys must satisfy constraint: {pattern}"
            raise invalid_value(f"{{{name}}}", "environment.variables", constraint)
    if sum(len(name.encode()) + len(value.encode()) for name, value in given.items()) > _ENVIRONMENT_LIMIT:
        raise invalid(f"{prefix} provided exceeded the 4KB limit.")
