"""Smithy's rpc-v2-cbor, which SDKs of other languages speak to CloudWatch, and newer ones to CodeDeploy.

A request is a POST to `/service/<service>/operation/<Operation>` with the header `smithy-protocol: rpc-v2-cbor`. The
members of a body are those of AWS's model, and an instant is a number of seconds since 1970 under CBOR's tag 1.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import cbor2
from moto.core.request import Request

PROTOCOL = "smithy-rpc-v2-cbor"
CONTENT_TYPE = "application/cbor"

_PATH = re.compile(r"/service/(?P<service>[^/]+)/operation/(?P<operation>[^/]+)/?")
_INSTANT = 1


def is_asked(request: Request) -> bool:
    """Whether a request says that it speaks this protocol."""
    return bool(request.headers.get("Smithy-Protocol") == "rpc-v2-cbor")


def target_of(request: Request) -> tuple[str, str]:
    """The service, as its model calls its target, and the operation of a request; empty where its path names none."""
    found = _PATH.fullmatch(request.path)
    return (found["service"], found["operation"]) if found else ("", "")


def decoded(body: bytes) -> dict[str, Any]:
    """The members of a request; raises ValueError for what is no map of CBOR."""
    try:
        content = cbor2.loads(body) if body else {}
    except (cbor2.CBORError, EOFError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError("not CBOR") from error
    if not isinstance(content, dict):
        raise ValueError("not a map")
    return content


def encoded(shape: Any, answer: object) -> bytes:
    """An answer by the shape of AWS's model; None leaves a member out."""
    return cbor2.dumps({} if shape is None else shaped(shape, answer, _as_instant))


def encoded_error(content: Mapping[str, Any]) -> bytes:
    """The body of an error."""
    return cbor2.dumps(content)


def shaped(shape: Any, value: Any, instant: Callable[[Any], Any] = lambda value: value) -> Any:
    """A value with the members and the types of a shape; what the shape does not know is dropped."""
    match shape.type_name:
        case "structure":
            known = ((name, member, value.get(name)) for name, member in shape.members.items())
            return {name: shaped(member, one, instant) for name, member, one in known if one is not None}
        case "list":
            return [shaped(shape.member, one, instant) for one in value]
        case "map":
            return {name: shaped(shape.value, one, instant) for name, one in value.items()}
        case "timestamp":
            return instant(value)
        case "double" | "float":
            return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
        case _:
            return value


def _as_instant(value: datetime | float) -> cbor2.CBORTag:
    return cbor2.CBORTag(_INSTANT, value.timestamp() if isinstance(value, datetime) else float(value))
