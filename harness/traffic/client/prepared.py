"""A request as bytes, made once and sent many times."""

from collections.abc import Mapping

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose requests say the length of their body even where they have none."""


class Prepared:
    """A request as bytes; `method` and `name` are what Locust's statistics call it.

    `timeout_s` is wall time for the whole answer; without it the client's own limit holds.
    """

    __slots__ = ("head_only", "idempotent", "method", "name", "payload", "timeout_s")

    def __init__(self, method: str, name: str, payload: bytes, timeout_s: float | None = None) -> None:
        self.method = method
        self.name = name
        self.payload = payload
        self.timeout_s = timeout_s
        self.head_only = method == "HEAD"
        self.idempotent = method in IDEMPOTENT


def payload_of(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """The bytes of a request; raises ValueError if one of its parts holds what would break the request apart."""
    length = {"Content-Length": str(len(body))} if body or method in WITH_BODY else {}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in {**headers, **length}.items())]
    if any(character in line for line in lines for character in "\r\n\0") or " " in method + target:
        raise ValueError(f"{method} {target!r} cannot be sent: its path or a header holds a space or a line break")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
