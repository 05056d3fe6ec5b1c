"""What the requests of the bundled service look like: the one place that knows its paths, headers and bodies."""

from msgspec import Struct


class RequestParts(Struct, frozen=True):
    """A request before it is put into bytes; `path` is relative to the host that the experiment names."""

    method: str
    path: str
    headers: dict[str, str] = {}
    body: bytes = b""


def email_of(persona: str) -> str:
    """The user that a persona's requests are sent for."""
    return f"{persona}user@company.com"


def request_of(persona: str, endpoint: str, client_version: str) -> RequestParts:
    """The request of one persona.

    An empty client version means a request without any, which like a wrong one is meant to fail.
    """
    version = {"X-Client-Version": client_version} if client_version else {}
    if endpoint == "featureToggles":
        headers = {"Content-Type": "application/json", **version}
        return RequestParts("POST", "/featureToggles", headers, b'{"userName": "%s"}' % email_of(persona).encode())
    return RequestParts("GET", "/fakeUser", {"Authorization": email_of(persona), **version})
