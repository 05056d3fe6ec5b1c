"""The edge: what a request must be by CloudWatch's service model, and its values as ours."""

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from harness.rehearsal.operations import AwsService, Params
from harness.rehearsal.refusal import Refusal
from harness.rehearsal.service_models import service_model

DATA_OPERATIONS = frozenset({"PutMetricData", "ListMetrics", "GetMetricStatistics"})
"""The operations whose model names InvalidParameterValue and MissingParameter; all others say ValidationError."""


_ENUMS = {"StateValue": ("INSUFFICIENT_DATA", "ALARM", "OK")}
"""Enums that AWS lists in another order than its model does (captured)."""


class _Flaw(Struct, frozen=True):
    path: tuple[str | int, ...]
    value: object
    constraint: str


class CheckedService(AwsService):
    """A service that holds each request against CloudWatch's model before it answers."""

    def _check(self, operation: str, params: Params) -> None:
        check(operation, params)


def check(operation_name: str, params: Params) -> None:
    """Raises the refusal of AWS when a value is missing, no member of its enum, too long, too short or malformed."""
    shape = service_model("cloudwatch").operation_model(operation_name).input_shape
    flaws = list(_flaws(shape, params, ()))
    if not flaws:
        return
    if operation_name in DATA_OPERATIONS:
        raise _as_parameter_error(flaws[0])
    raise _as_validation_error(flaws)


def invalid(message: str) -> Refusal:
    """The refusal of a request that breaks a rule the service model does not know."""
    return Refusal("ValidationError", message)


def seconds(value: datetime | float | str) -> float:
    """A timestamp of a request in seconds since 1970; one without a time zone is UTC."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value)


def timestamp(at_s: float) -> datetime:
    """An instant as answers carry it: UTC, to the millisecond."""
    return datetime.fromtimestamp(round(at_s, 3), UTC)


def _flaws(shape: Any, value: Any, path: tuple[str | int, ...]) -> Iterator[_Flaw]:
    if shape.type_name == "structure":
        yield from _flaws_of_structure(shape, value, path)
    elif shape.type_name == "list":
        yield from _flaws_of_size(shape, len(value), value, path)
        for index, item in enumerate(value, start=1):
            yield from _flaws(shape.member, item, (*path, index))
    elif shape.type_name == "string":
        yield from _flaws_of_string(shape, value, path)
    elif shape.type_name in ("integer", "double"):
        yield from _flaws_of_number(shape, value, path)


def _flaws_of_structure(shape: Any, value: Params, path: tuple[str | int, ...]) -> Iterator[_Flaw]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield _Flaw((*path, name), None, "Member must not be null")
    for name, member in shape.members.items():
        if value.get(name) is not None:
            yield from _flaws(member, value[name], (*path, name))


def _flaws_of_string(shape: Any, value: str, path: tuple[str | int, ...]) -> Iterator[_Flaw]:
    yield from _flaws_of_size(shape, len(value), value, path)
    members = _ENUMS.get(shape.name, shape.enum)
    if members and value not in members:
        yield _Flaw(path, value, f"Member must satisfy enum value set: [{', '.join(members)}]")
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        yield _Flaw(path, value, f"Member must satisfy regular expression pattern: {pattern}")


def _flaws_of_size(shape: Any, size: int, value: object, path: tuple[str | int, ...]) -> Iterator[_Flaw]:
    if size < shape.metadata.get("min", 0):
        yield _Flaw(path, value, f"Member must have length greater than or equal to {shape.metadata['min']}")
    if size > shape.metadata.get("max", math.inf):
        yield _Flaw(path, value, f"Member must have length less than or equal to {shape.metadata['max']}")


def _flaws_of_number(shape: Any, value: float, path: tuple[str | int, ...]) -> Iterator[_Flaw]:
    if value < shape.metadata.get("min", -math.inf):
        yield _Flaw(path, value, f"Member must have value greater than or equal to {shape.metadata['min']}")
    if value > shape.metadata.get("max", math.inf):
        yield _Flaw(path, value, f"Member must have value less than or equal to {shape.metadata['max']}")


def _as_parameter_error(flaw: _Flaw) -> Refusal:
    parameter = ".".join(f"member.{part}" if isinstance(part, int) else part for part in flaw.path)
    if flaw.value is None:
        return Refusal("MissingParameter", f"The parameter {parameter} is required.")
    return Refusal("InvalidParameterValue", f"The value {flaw.value} for parameter {parameter} is invalid.")


def _as_validation_error(flaws: list[_Flaw]) -> Refusal:
    complaints = [
        f"Value {'null' if flaw.value is None else repr(str(flaw.value))} at '{_member_path(flaw.path)}' "
        f"failed to satisfy constraint: {flaw.constraint}"
        for flaw in flaws
    ]
    errors = "error" if len(flaws) == 1 else "errors"
    return invalid(f"{len(flaws)} validation {errors} detected: {'; '.join(complaints)}")


def _member_path(path: tuple[str | int, ...]) -> str:
    return ".".join(f"{part}.member" if isinstance(part, int) else part[0].lower() + part[1:] for part in path)
