"""The address of a service: what it may be, and its parts as they go on the wire."""

from urllib.parse import SplitResult, urlsplit

from harness.core.experiment.hosts import is_url
from harness.errors import UsageError

_PORTS = {"http": 80, "https": 443}


def service_url(host: str) -> SplitResult:
    """A service's address in parts; raises UsageError if it is no plain http or https address."""
    url = urlsplit(host.strip()) if is_url(host.strip()) else None
    if url is None or url.query or url.fragment or url.username is not None:
        raise UsageError(f"the host must be an http or https address such as https://example.com/stage, not {host!r}")
    return url


def host_name(url: SplitResult) -> str:
    """The host in ASCII, as it is resolved and as certificates name it."""
    host = url.hostname or ""
    return host if host.isascii() else host.encode("idna").decode("ascii")


def port_of(url: SplitResult) -> int:
    """The port, the scheme's own unless the address names one."""
    return url.port or _PORTS[url.scheme]


def host_and_port(url: SplitResult) -> str:
    """Host and port as in `CONNECT host:port`; an IPv6 address stands in brackets."""
    host = host_name(url)
    return f"[{host}]:{port_of(url)}" if ":" in host else f"{host}:{port_of(url)}"


def authority(url: SplitResult) -> str:
    """Host and port as in the header Host, which leaves out the scheme's own port."""
    whole = host_and_port(url)
    return whole.removesuffix(f":{_PORTS[url.scheme]}")
