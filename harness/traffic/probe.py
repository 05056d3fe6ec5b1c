"""One request to the service, sent from this process without any load generator."""

import os
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any, Literal

from harness.core.arming import Probed
from harness.core.experiment.rails import is_url
from harness.core.experiment.types import ERROR_PERSONA, Experiment
from harness.errors import UsageError

TIMEOUT_S = 30.0
"""API Gateway gives an integration 29 s."""
VERSION_HEADER = "X-Lambda-Version"


class Prober:
    """Sends requests of the kind that the experiment's users send, each over a connection of its own.

    Directly, as they do: a proxy in the environment is not used, and a redirect is an answer and not followed.
    """

    def __init__(self, experiment: Experiment) -> None:
        host = experiment.target.host or ""
        if not is_url(host):
            raise UsageError(f"--host: must be a URL such as https://example.com/stage, not {host!r}")
        self._url = f"{host.rstrip('/')}/fakeUser"
        traffic = experiment.traffic
        self._persona = max(traffic.personas, key=lambda name: traffic.personas[name])
        self._client_version = max(traffic.client_versions, key=lambda version: traffic.client_versions[version])
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_trust()), _AsItIs()
        )

    def __call__(self, intent: Literal["good", "fault"]) -> Probed:
        """How one request of this intent was answered."""
        persona = self._persona if intent == "good" else ERROR_PERSONA
        headers = {"Authorization": f"{persona}user@company.com", "X-Client-Version": self._client_version}
        request = urllib.request.Request(self._url, headers=headers)  # noqa: S310 - __init__ lets http and https in only
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                return Probed(answer.status, answer.headers.get(VERSION_HEADER))
        except urllib.error.HTTPError as error:
            with error:
                return Probed(error.code, error.headers.get(VERSION_HEADER))
        except (OSError, HTTPException, ValueError) as error:
            return Probed(None, problem=str(getattr(error, "reason", error)))


class _AsItIs(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for the answer that it is."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """Follows nothing."""


def _trust() -> ssl.SSLContext:
    """The system's trust store, or the bundle that the environment names."""
    return ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE"))
