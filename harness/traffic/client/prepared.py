"""A request as bytes, made once and sent many times."""

from collections.abc import Mapping

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Prepared:
    """A request as bytes; `method` and `name` are what Locust's statistics call it."""

    __slots__ = ("head_only", "idempotent", "method", "name", "payload")

    def __init__(self, method: str, name: str, payload: bytes) -> None:
        self.method = method
        self.name = name
        self.payload = payload
        self.head_only = method == "HEAD"
        self.idempotent = method in IDEMPOTENT


def payload_of(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """The bytes of a request; raises ValueError if one of its parts holds what would break the request apart."""
    length = {"Content-Length": str(len(body))} if body or method in _WITH_BODY else {}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in {**headers, **length}.items())]
    if any(character in line for line in lines for character in "\r\n\0") or " " in method + target:
        raise ValueError(f"{method} {target!r} cannot be sent: its path or a header holds a space or a line break")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
