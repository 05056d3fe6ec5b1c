"""Hosts and URLs by their words alone: no name is looked up."""

import ipaddress
import re
from urllib.parse import urlsplit

_HOST = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:]+")
_NAME = re.compile(r"[A-Za-z0-9._:%-]+")  # also an IPv4 address, and an IPv6 one with or without its zone
_VISIBLE = re.compile(r"[!-~]*")


def is_host(name: str) -> bool:
    """Whether a name may stand on a list of hosts."""
    return bool(_HOST.fullmatch(name))


def is_url(text: str) -> bool:
    """Whether requests can be sent to an http or https URL: its host is a name or an address, the rest visible ASCII.

    A host may have letters of any script; a path with them must be percent-encoded.
    """
    try:
        parts = urlsplit(text)
        name = (parts.hostname or "").encode("idna").decode("ascii")
        whole = parts.scheme in ("http", "https") and parts.port != 0 and text.isprintable()
    except ValueError:
        return False
    return whole and bool(_NAME.fullmatch(name) and _VISIBLE.fullmatch(parts.path + parts.query))


def host_of(url: str) -> str:
    """The host name of a URL, in lower case; empty where there is none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine by its words alone; no name is looked up."""
    host = host_of(url)
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
