"""Holds answers of the local cloud against botocore's models: members, types, enum words, limits, timestamps."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from botocore.model import Shape

BEYOND_THE_MODEL = frozenset({("LastUpdateStatusReasonCode", "Creating")})
"""Words that AWS answered in captures although its model does not list them."""
_TEXT_OR_BYTES = (str, bytes, bytearray)


def assert_fits_model(client: Any, operation_name: str, answer: Mapping[str, Any]) -> None:
    """`answer` is what the model of the operation (as in `GetDeployment`) allows, in full depth.

    `answer` comes from boto3 or from a service called in-process; there an instant may also be a number, and a member
    may be None, which the wire leaves out.
    """
    shape = client.meta.service_model.operation_model(operation_name).output_shape
    members = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
    if shape is None:
        assert not members, f"{operation_name} answers nothing, got {members}"
        return
    problems = _problems(shape, members, operation_name)
    assert not problems, "\n".join(problems)


def assert_error_fits_model(client: Any, operation_name: str, error: ClientError) -> None:
    """The error is one that the model lists for the operation, answered with its HTTP status."""
    listed = {_code(shape): shape for shape in client.meta.service_model.operation_model(operation_name).error_shapes}
    code = error.response["Error"]["Code"]
    assert code in listed, f"{operation_name} never answers {code}, only {sorted(listed)}"
    status = listed[code].metadata.get("error", {}).get("httpStatusCode", 400)
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert error.response["Error"]["Message"]


def _code(shape: Shape) -> str:
    return str(shape.metadata.get("error", {}).get("code", shape.name))


def _problems(shape: Shape, value: Any, path: str) -> list[str]:
    return _CHECKS[shape.type_name](shape, value, path)


def _structure(shape: Any, value: Any, path: str) -> list[str]:
    if not isinstance(value, Mapping):
        return [f"{path}: {value!r} is no structure"]
    present = {name: member for name, member in value.items() if member is not None}
    problems = [f"{path}.{name}: unknown member" for name in value if name not in shape.members]
    problems += [f"{path}.{name}: required and missing" for name in shape.required_members if name not in present]
    if getattr(shape, "is_tagged_union", False) and len(present) != 1:
        problems.append(f"{path}: a union has one member, got {sorted(present)}")
    for name, member in present.items():
        if name in shape.members:
            problems += _problems(shape.members[name], member, f"{path}.{name}")
    return problems


def _list(shape: Any, value: Any, path: str) -> list[str]:
    if not isinstance(value, Sequence) or isinstance(value, _TEXT_OR_BYTES):
        return [f"{path}: {value!r} is no list"]
    problems = _outside(shape, len(value), path, "length")
    for index, item in enumerate(value):
        problems += _problems(shape.member, item, f"{path}[{index}]")
    return problems


def _map(shape: Any, value: Any, path: str) -> list[str]:
    if not isinstance(value, Mapping):
        return [f"{path}: {value!r} is no map"]
    problems = []
    for key, item in value.items():
        problems += _problems(shape.key, key, f"{path} key") + _problems(shape.value, item, f"{path}[{key!r}]")
    return problems


def _string(shape: Any, value: Any, path: str) -> list[str]:
    if not isinstance(value, str):
        return [f"{path}: {value!r} is no string"]
    if shape.enum and value not in shape.enum and (shape.name, value) not in BEYOND_THE_MODEL:
        return [f"{path}: {value!r} is none of {shape.enum}"]
    return _outside(shape, len(value), path, "length")


def _integer(shape: Any, value: Any, path: str) -> list[str]:
    if not isinstance(value, int) or isinstance(value, bool):
        return [f"{path}: {value!r} is no integer"]
    return _outside(shape, value, path, "value")


def _float(shape: Any, value: Any, path: str) -> list[str]:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return [f"{path}: {value!r} is no number"]
    return _outside(shape, value, path, "value")


def _boolean(_shape: Any, value: Any, path: str) -> list[str]:
    return [] if isinstance(value, bool) else [f"{path}: {value!r} is no boolean"]


def _timestamp(_shape: Any, value: Any, path: str) -> list[str]:
    if isinstance(value, datetime):
        return [] if value.tzinfo else [f"{path}: {value!r} has no time zone"]
    return [] if isinstance(value, int | float) and value > 0 else [f"{path}: {value!r} is no instant"]


def _blob(_shape: Any, value: Any, path: str) -> list[str]:
    readable = isinstance(value, _TEXT_OR_BYTES) or hasattr(value, "read")
    return [] if readable else [f"{path}: {value!r} is no blob"]


def _outside(shape: Any, number: float, path: str, what: str) -> list[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    problems = [] if low is None or number >= low else [f"{path}: {what} {number} is below {low}"]
    return problems if high is None or number <= high else [*problems, f"{path}: {what} {number} is above {high}"]


_CHECKS = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "character": _string,
    "integer": _integer,
    "long": _integer,
    "float": _float,
    "double": _float,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "blob": _blob,
}
