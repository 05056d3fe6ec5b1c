"""The proxy that the environment names for a service, and what is said to it."""

import base64
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from requests.utils import get_environ_proxies, select_proxy

from harness.core.experiment.hosts import is_loopback, is_url
from harness.errors import UsageError
from harness.traffic.client.address import host_and_port
from harness.traffic.client.prepared import payload_of


def proxy_for(url: SplitResult) -> SplitResult | None:
    """The proxy that the environment names for a service; none for this machine, or where NO_PROXY names the host.

    Raises UsageError if it is no http or https proxy.
    """
    if is_loopback(url.geturl()):
        return None
    address = url.geturl()
    proxy = select_proxy(address, get_environ_proxies(address))
    if proxy is None:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not is_url(proxy):
        raise UsageError(
            f"the environment names the proxy {_without_credentials(proxy)}, and only http and https proxies can be "
            f"used: name one in {url.scheme.upper()}_PROXY, or the service's host in NO_PROXY to send directly"
        )
    return urlsplit(proxy)


def shown(proxy: SplitResult) -> str:
    """A proxy's address without its credentials."""
    return _without_credentials(proxy.geturl())


def credentials_header(proxy: SplitResult) -> dict[str, str]:
    """The header that the proxy knows us by; empty if its address holds no credentials."""
    if proxy.username is None:
        return {}
    credentials = unquote_to_bytes(proxy.username) + b":" + unquote_to_bytes(proxy.password or "")
    return {"Proxy-Authorization": f"Basic {base64.b64encode(credentials).decode('ascii')}"}


def connect_request(proxy: SplitResult, service: SplitResult) -> bytes:
    """Asks a proxy for a tunnel to a service."""
    target = host_and_port(service)
    headers = {"Host": target, "User-Agent": "canary-harness", **credentials_header(proxy)}
    return payload_of("CONNECT", target, headers, b"")


def _without_credentials(proxy: str) -> str:
    scheme, _, rest = proxy.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
