"""Who may talk to the page: requests from foreign pages, or under names that are not ours, are refused.

Locust allows every origin by CORS, and a browser sends a simple POST without asking. So a page anywhere could start a
test or force an alarm in the browser of a person on a game day if it were not refused here.
"""

import ipaddress
import socket
from collections.abc import Iterable
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

_PORTS = {"http": 80, "https": 443}
_OWN_SITES = frozenset({"same-origin", "none"})
_READING = frozenset({"GET", "HEAD"})
_FRAMES = frozenset({"iframe", "frame", "embed", "object"})


class Headers(Protocol):
    """Headers by name, without regard to case."""

    def get(self, name: str, /) -> str | None:
        """The value of a header; None where there is none."""


class Place(NamedTuple):
    """A name or address, and the port at it; None where the scheme has none of its own."""

    name: str
    port: int | None


class Gate(Struct, frozen=True):
    """The places, `name` or `name:port`, under which the page may be reached besides this machine's own names.

    An address is always allowed, since no foreign name can be one. A name must be known, whatever the page is bound to:
    a foreign page could make its own name resolve to this machine, and so share our origin (DNS rebinding).
    """

    listed: frozenset[str] = frozenset()

    def refusal(self, method: str, headers: Headers) -> str | None:
        """Why a request is refused; None if it may go on."""
        host = headers.get("Host") or ""
        if not self._is_ours(host):
            hint = "name it with --canary-web-hosts if it is yours"
            return f"the page is not served under the name {_name(host)[:100]!r}; {hint}"
        if self._is_foreign(method, host, headers):
            return "requests of other pages are refused"
        return None

    def _is_ours(self, host: str) -> bool:
        name = _name(host)
        return name in own_names() or name in map(_name, self.listed) or _is_address(name)

    def _is_foreign(self, method: str, host: str, headers: Headers) -> bool:
        origin = headers.get("Origin")
        if origin is not None and not _is_one_of(origin, (host, *self.listed)):
            return True
        if (headers.get("Sec-Fetch-Site") or "none") in _OWN_SITES:
            return False
        followed_link = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") not in _FRAMES
        return not (method in _READING and followed_link)


def own_names() -> frozenset[str]:
    """The names of this machine that nobody has to give."""
    return frozenset({"localhost", socket.gethostname().lower()})


def _is_one_of(origin: str, places: Iterable[str]) -> bool:
    """Whether an origin is one of these places, each with the default port of the origin's scheme."""
    scheme, _, netloc = origin.partition("://")
    if scheme not in _PORTS:
        return False
    seen = _place(netloc, _PORTS[scheme])
    return bool(seen.name) and seen in (_place(place, _PORTS[scheme]) for place in places)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name(host: str) -> str:
    return _place(host).name


def _place(host: str, port: int | None = None) -> Place:
    """What a `Host` header or an origin names, without a port the one given; no name where it cannot be read."""
    try:
        parts = urlsplit(f"//{host}")
        return Place((parts.hostname or "").rstrip("."), parts.port or port)
    except ValueError:
        return Place("", None)
