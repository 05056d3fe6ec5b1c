"""A client for a service behind a proxy that the environment names: the one of requests, far slower than ours."""

import ssl
import time
from collections.abc import Iterator, Mapping
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult

import gevent
import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ReadTimeoutError

from harness.core.experiment.rails import is_url
from harness.errors import UsageError
from harness.traffic.client import (
    AT_ONCE_S,
    BODY_KEPT,
    PATIENT,
    Client,
    ClosedEarly,
    NoAnswer,
    Prepared,
    Response,
    Timeouts,
    reason_of,
)

CONNECTIONS_KEPT = 1000
_READ = 64 * 1024


def proxy_for(url: SplitResult) -> str | None:
    """The proxy that the environment names for a service; none for this machine, or where NO_PROXY names the host.

    Raises UsageError if it is no http or https proxy.
    """
    if _is_loopback(url.hostname or ""):
        return None
    address = url.geturl()
    proxy = select_proxy(address, get_environ_proxies(address))
    if proxy is None:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not is_url(proxy):
        raise UsageError(
            f"the environment names the proxy {without_credentials(proxy)}, and only http and https proxies can be "
            f"used: name one in {url.scheme.upper()}_PROXY, or the service's host in NO_PROXY to send directly"
        )
    return proxy


def without_credentials(proxy: str) -> str:
    """A proxy's address as it may be shown."""
    scheme, _, rest = proxy.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


class ProxiedRequest(Prepared):
    """A request in parts, because requests puts its bytes together itself."""

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
        self._session = _Session()
        self._session.trust_env = False  # or requests would send what ~/.netrc says instead of our Authorization
        self._session.proxies = {"http": proxy, "https": proxy}
        self._session.headers.clear()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
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
        """Sends a request and waits for the whole answer, once more where `Client.send` does; raises NoAnswer."""
        assert isinstance(request, ProxiedRequest)
        limit_s = self._timeouts.total_s
        with gevent.Timeout(limit_s, NoAnswer(f"the answer was not whole after {limit_s:g} s")):
            asked = time.monotonic()
            try:
                return self._exchange(request)
            except ClosedEarly:
                if not (request.idempotent and time.monotonic() - asked < AT_ONCE_S):
                    raise
            return self._exchange(request)

    def _exchange(self, request: ProxiedRequest) -> Response:
        """The answer to one sending; raises NoAnswer, ClosedEarly if it met a kept connection that ended before one."""
        limits = self._timeouts
        try:
            with self._session.request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body or None,
                timeout=(limits.connect_s, limits.read_s),
                allow_redirects=False,
                stream=True,
            ) as answer:
                return _read(answer)
        except (requests.RequestException, HTTPError) as error:
            kept = any(isinstance(cause, _KeptConnectionClosed) for cause in _chain(error))
            raise (ClosedEarly if kept else NoAnswer)(_reason(error, limits)) from error

    def warm(self) -> None:
        """Does nothing: only requests go through a proxy."""

    def close(self) -> None:
        """Ends all connections."""
        super().close()
        self._session.close()


def _read(answer: requests.Response) -> Response:
    """An answer with its body as it came, which is decoded only if it is read; a long one is counted and not kept."""
    kept, length = bytearray(), 0
    for piece in answer.raw.stream(_READ, decode_content=False):
        length += len(piece)
        kept += piece if length <= BODY_KEPT else b""
    headers = {name.encode("latin-1"): value.encode("latin-1") for name, value in answer.headers.items()}
    return Response(answer.status_code, headers, [bytes(kept)], length)


class _KeptConnectionClosed(ConnectionError):
    """A connection that had brought an answer before ended without another."""


class _Remembering(HTTPConnection):
    """A connection that knows whether it has brought an answer."""

    _answered = False

    def connect(self) -> None:
        """Starts anew, as urllib3 does with the object of a connection that was closed."""
        self._answered = False
        super().connect()

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3's own
        """The answer; raises _KeptConnectionClosed."""
        try:
            response = super().getresponse()
        except ConnectionError as error:
            if self._answered:
                raise _KeptConnectionClosed from error
            raise
        self._answered = True
        return response


class _RememberingTls(_Remembering, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Remembering


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _RememberingTls


class _Session(requests.Session):
    """A session that follows nothing."""

    def get_redirect_target(self, _answer: requests.Response) -> None:
        """None, or requests would decode the body of a redirect to be ready to follow it."""


class _Adapter(HTTPAdapter):
    """The usual one, with the trust of our client and connections that know whether they are new."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        super().__init__(pool_maxsize=CONNECTIONS_KEPT)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """For connections without a proxy."""
        super().init_poolmanager(*arguments, ssl_context=self._tls, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """For connections by the proxy."""
        manager = super().proxy_manager_for(proxy, ssl_context=self._tls, proxy_ssl_context=self._tls, **options)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(error: BaseException, limits: Timeouts) -> str:
    """Why there was no answer, in words that hold no addresses of objects, so that equal failures count as one."""
    if isinstance(error, requests.ConnectTimeout):
        return "no connection: timed out"
    if isinstance(error, requests.Timeout | ReadTimeoutError):
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
