"""Who may talk to our servers: the web page of a test, and the local cloud.

A browser sends a simple POST to any address without asking. So a page anywhere could start a test in the browser of a
person on a game day, or upload code to the local cloud and run it, if it were not refused here.
"""

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

_PORTS = {"http": 80, "https": 443}
_OWN_SITES = frozenset({"same-origin", "none"})
_READING = frozenset({"GET", "HEAD"})
_FRAMES = frozenset({"iframe", "frame", "embed", "object"})
# A browser leaves the first out of a plain GET, and the others where a page came by http from another machine.
_OF_BROWSERS = ("Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest")
_BROWSER = "Mozilla/"
"""How the `User-Agent` of every browser begins."""


class Headers(Protocol):
    """Headers by name, without regard to case."""

    def get(self, name: str, /) -> str | None:
        """The value of a header; None where there is none."""


class Authority(NamedTuple):
    """A name or address, and the port at it; None where the scheme has none of its own."""

    name: str
    port: int | None


class Gate(Struct, frozen=True):
    """The places, `name` or `name:port`, under which a server may be reached besides localhost and its `machine`.

    An address is always allowed, since no foreign name can be one. A name must be known, whatever the server is bound
    to: a foreign page could make its own name resolve to this machine, and so share our origin (DNS rebinding).
    """

    listed: frozenset[str] = frozenset()
    machine: str = ""

    def refusal_by_page(self, method: str, headers: Headers) -> str | None:
        """Why our web page refuses a request; None if it may go on."""
        host = headers.get("Host") or ""
        if not self.lets_in(host):
            hint = "name it with --canary-web-hosts if it is yours"
            return f"the page is not served under the name {_name(host)[:100]!r}; {hint}"
        if self._is_foreign(method, host, headers):
            return "requests of other pages are refused"
        return None

    def refusal_by_cloud(self, headers: Headers) -> str | None:
        """Why the control plane of the local cloud refuses a request, as every browser's; None if it may go on."""
        host = headers.get("Host") or ""
        if not self.lets_in(host):
            return foreign_host(host)
        sent = _sent_by_browser(headers)
        return f"The local cloud answers no browser, and this request has a browser's {sent}." if sent else None

    def lets_in(self, host: str) -> bool:
        """Whether a `Host` header names this machine or a listed place."""
        name = _name(host)
        if not name:
            return False
        own = name in ("localhost", self.machine.lower()) or name.endswith(".localhost")
        return own or name in map(_name, self.listed) or _is_address(name)

    def _is_foreign(self, method: str, host: str, headers: Headers) -> bool:
        origin = headers.get("Origin")
        if origin is not None and not _is_one_of(origin, (host, *self.listed)):
            return True
        if (headers.get("Sec-Fetch-Site") or "none") in _OWN_SITES:
            return False
        followed_link = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") not in _FRAMES
        return not (method in _READING and followed_link)


def _sent_by_browser(headers: Headers) -> str | None:
    """A header that gives a browser away; None where there is none.

    The `fetch` of Node sends a mode, which is `cors`, and nothing else of these: a page's request of that mode always
    has an `Origin`, whatever its method.
    """
    sent = [name for name in _OF_BROWSERS if headers.get(name) is not None]
    if sent == ["Sec-Fetch-Mode"] and headers.get("Sec-Fetch-Mode") == "cors":
        sent = []
    if not sent and (headers.get("User-Agent") or "").startswith(_BROWSER):
        sent = ["User-Agent"]
    return next(iter(sent), None)


def foreign_host(host: str) -> str:
    """What the local cloud says to a `Host` header that is not let in."""
    ways = "use localhost, an address, or the name given to --host"
    return f"The local cloud is not served under the name {_name(host)[:100]!r}; {ways}."


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


def _place(host: str, port: int | None = None) -> Authority:
    """What a `Host` header or an origin names, without a port the one given; no name where it cannot be read."""
    try:
        parts = urlsplit(f"//{host}")
        return Authority((parts.hostname or "").rstrip("."), parts.port or port)
    except ValueError:
        return Authority("", None)
