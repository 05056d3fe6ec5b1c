"""One request to the service, the same as the users send, without any load."""

from typing import Literal

from harness.core.arming import Probed
from harness.core.experiment.hosts import is_url
from harness.core.experiment.requests import request_of
from harness.core.experiment.types import ERROR_PERSONA, Experiment
from harness.errors import UsageError
from harness.traffic.client.address import service_url
from harness.traffic.client.client import Client
from harness.traffic.client.connection import Timeouts
from harness.traffic.client.failures import NoAnswer
from harness.traffic.client.proxies import proxy_for
from harness.traffic.fired import VERSION_HEADER

# API Gateway gives an integration 29 s.
TIMEOUTS = Timeouts(read_s=30.0, total_s=30.0)


class Prober:
    """Sends requests of the kind that most of the experiment's users send, each over a connection of its own."""

    def __init__(self, experiment: Experiment) -> None:
        self._host = experiment.target.host or ""
        if not is_url(self._host):
            raise UsageError(f"--host: must be a URL such as https://example.com/stage, not {self._host!r}")
        self._proxy = proxy_for(service_url(self._host))
        traffic = experiment.traffic
        self._persona = max(traffic.personas, key=lambda name: traffic.personas[name])
        self._client_version = max(traffic.client_versions, key=lambda version: traffic.client_versions[version])
        answered = experiment.deployment.endpoints or tuple(traffic.endpoints)
        self._endpoint = max(answered, key=lambda endpoint: traffic.endpoints.get(endpoint, 0.0))

    def __call__(self, intent: Literal["good", "fault"]) -> Probed:
        """How one request of this intent was answered."""
        persona = self._persona if intent == "good" else ERROR_PERSONA
        request = request_of(persona, self._endpoint, self._client_version)
        client = Client(self._host, TIMEOUTS, proxy=self._proxy)
        try:
            answer = client.send(
                client.prepare(request.method, request.path, headers=request.headers, body=request.body)
            )
        except NoAnswer as reason:
            return Probed(None, problem=str(reason))
        finally:
            client.close()
        return Probed(answer.status, answer.header(VERSION_HEADER))
