"""Who may talk to the page: requests of foreign pages and of names that are not ours are refused.

Locust allows every origin by CORS, and a browser sends a simple POST without asking. So a page anywhere could start a
test or force an alarm in the browser of a person on a game day, were it not refused here.
"""

import ipaddress
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import Struct

LOOPBACK_NAMES = frozenset({"localhost"})
_OWN_SITES = frozenset({"same-origin", "none"})
_READING = frozenset({"GET", "HEAD"})
_FRAMES = frozenset({"iframe", "frame", "embed", "object"})


class Headers(Protocol):
    """Headers by name, without regard to case."""

    def get(self, name: str, /) -> str | None:
        """The value of a header; None where there is none."""


class Gate(Struct, frozen=True):
    """Where the page is bound to, and the names besides it under which it may be reached, such as a proxy's."""

    bound: str
    names: frozenset[str] = frozenset()

    def refusal(self, method: str, headers: Headers) -> str | None:
        """Why a request is refused; None if it may go on."""
        host = headers.get("Host") or ""
        if not self._is_ours(host):
            hint = "name it with --canary-web-hosts if it is yours"
            return f"the page is not served under the name {_name(host)!r}; {hint}"
        if self._is_foreign(method, host, headers):
            return "requests of other pages are refused"
        return None

    def _is_ours(self, host: str) -> bool:
        """On loopback only its own names are, or a foreign name that resolves to it would be the same origin."""
        name = _name(host)
        return name in self.names or not is_loopback(self.bound) or is_loopback(name)

    def _is_foreign(self, method: str, host: str, headers: Headers) -> bool:
        origin = headers.get("Origin")
        if origin is not None:
            return urlsplit(origin).netloc.lower() != host.lower() and _name(urlsplit(origin).netloc) not in self.names
        if (headers.get("Sec-Fetch-Site") or "none") in _OWN_SITES:
            return False
        followed_link = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") not in _FRAMES
        return not (method in _READING and followed_link)


def is_loopback(name: str) -> bool:
    """Whether a name or address is this machine's own."""
    if name in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _name(host: str) -> str:
    """The name of a `Host` header or an origin's place, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
