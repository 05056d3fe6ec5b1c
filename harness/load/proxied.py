"""A client for a service behind a proxy that the environment names: Locust's own, far slower than ours."""

import ssl
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

import gevent
import requests
from locust.clients import HttpSession, LocustHttpAdapter
from locust.event import EventHook
from requests.utils import get_environ_proxies, select_proxy

from harness.load.client import PATIENT, Client, NoAnswer, Prepared, Response, Timeouts, reason_of

CONNECTIONS_KEPT = 1000


def proxy_for(url: SplitResult) -> str | None:
    """The proxy that the environment names for a service; none for this machine, or where NO_PROXY names the host."""
    if _is_loopback(url.hostname or ""):
        return None
    address = url.geturl()
    proxy = select_proxy(address, get_environ_proxies(address))
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def without_credentials(proxy: str) -> str:
    """A proxy's address as it may be shown."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class ProxiedRequest(Prepared):
    """A request in parts, because Locust's client puts its bytes together itself."""

    __slots__ = ("body", "headers", "url")

    def __init__(self, plain: Prepared, url: str, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(plain.method, plain.name, plain.payload)
        self.url = url
        self.headers = headers
        self.body = body


class ProxiedClient(Client):
    """A client that sends everything through `proxy`; otherwise it keeps the promises of `Client`."""

    def __init__(self, host: str, proxy: str, timeouts: Timeouts = PATIENT) -> None:
        super().__init__(host, timeouts)
        self._session = HttpSession(self.url.geturl(), EventHook(), user=None)
        self._session.trust_env = False  # or requests would send what ~/.netrc says instead of our Authorization
        self._session.proxies = {"http": proxy, "https": proxy}
        self._session.headers.clear()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(self._tls))

    def prepare(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"", name: str = ""
    ) -> Prepared:
        """A request for this client alone, below the base path; raises ValueError as `Client.prepare` does."""
        plain = super().prepare(method, path, headers=headers, body=body, name=name)
        url = f"{self.url.scheme}://{self._authority()}{plain.payload.split(b' ', 2)[1].decode('latin-1')}"
        return ProxiedRequest(plain, url, {"User-Agent": "canary-harness", "Accept": "*/*", **(headers or {})}, body)

    def send(self, request: Prepared) -> Response:
        """Sends a request and waits for the whole answer; raises NoAnswer."""
        assert isinstance(request, ProxiedRequest)
        limits = self._timeouts
        with gevent.Timeout(limits.total_s, NoAnswer(f"the answer was not whole after {limits.total_s:g} s")):
            answer = self._session.request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body or None,
                timeout=(limits.connect_s, limits.read_s),
                allow_redirects=False,
            )
        self._session.cookies.clear()
        if not answer.status_code:
            raise NoAnswer(_reason(answer.error, limits))
        headers = {name.encode("latin-1"): value.encode("latin-1") for name, value in answer.headers.items()}
        headers.pop(b"Content-Encoding", None)  # the body is decoded already
        return Response(answer.status_code, headers, [answer.content], len(answer.content))

    def warm(self) -> None:
        """Does nothing: only requests go through a proxy."""

    def close(self) -> None:
        """Ends all connections."""
        super().close()
        self._session.close()


class _Adapter(LocustHttpAdapter):  # type: ignore[misc]
    """Locust's, with the trust of our client."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        super().__init__(None, pool_maxsize=CONNECTIONS_KEPT)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """For connections without a proxy."""
        super().init_poolmanager(*arguments, ssl_context=self._tls, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """For connections by the proxy."""
        return super().proxy_manager_for(proxy, ssl_context=self._tls, proxy_ssl_context=self._tls, **options)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(error: BaseException, limits: Timeouts) -> str:
    """Why there was no answer, in words that hold no addresses of objects, so that equal failures count as one."""
    if isinstance(error, requests.ConnectTimeout):
        return "no connection: timed out"
    if isinstance(error, requests.Timeout):
        return f"nothing came for {limits.read_s:g} s"
    by = "the proxy failed" if isinstance(error, requests.exceptions.ProxyError) else "no answer"
    deepest = [*_chain(error)][-1]
    words = reason_of(deepest) if isinstance(deepest, OSError) and deepest.errno else str(deepest).lower()
    return f"{by}: {words}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, in turn."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
