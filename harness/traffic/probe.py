"""Requests to the service, the same as the users send, without any load."""

import itertools
from collections.abc import Iterator

from harness.core.arming import Probed
from harness.core.experiment.hosts import is_url
from harness.core.experiment.requests import HARMLESS, Request
from harness.core.experiment.sendable import fault_of, name_of, sent_of
from harness.core.experiment.types import Experiment
from harness.core.timeline.events import Intent
from harness.errors import UsageError
from harness.traffic.client.address import service_url
from harness.traffic.client.answer import HttpAnswer
from harness.traffic.client.client import Client
from harness.traffic.client.connection import Timeouts
from harness.traffic.client.failures import NoAnswer
from harness.traffic.client.proxies import proxy_for
from harness.traffic.feeds import read_feed
from harness.traffic.fired import VERSION_HEADER
from harness.traffic.judging import FAILED_FROM
from harness.traffic.kinds import RequestKind, Workshop
from harness.traffic.rendering import Values

# API Gateway gives an integration 29 s.
TIMEOUTS = Timeouts(read_s=30.0, total_s=30.0)
MOST = 20
"""Good requests that are sent; a service with more of them answers the others alike."""


class Prober:
    """Sends requests of an experiment that change nothing, each over a connection of its own, for the feed's first row.

    Steps of a flow are left out: they need answers that came before.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._host = experiment.target.host or ""
        if not is_url(self._host):
            raise UsageError(f"--host: must be a URL such as https://example.com/stage, not {self._host!r}")
        self._proxy = proxy_for(service_url(self._host))
        self._experiment = experiment
        self._feed = read_feed(experiment.traffic)

    @property
    def unsent(self) -> tuple[str, ...]:
        """The requests that are not sent, because they might change something, as `POST /orders`."""
        requests = self._experiment.traffic.requests
        keys = (key for key in sent_of(self._experiment.traffic) if requests[key].method not in HARMLESS)
        return tuple(dict.fromkeys(f"{requests[key].method.upper()} {requests[key].path}" for key in keys))

    def __call__(self, intent: Intent) -> Probed | str:
        """How good requests were answered, by the first bad answer where there is one, or a fault request.

        A text says why none was sent.
        """
        answers: list[Probed] = []
        for key in itertools.islice(self._sent(intent), MOST):
            answers.append(self._asked(key, intent))
            if intent == "fault" or not answers[-1].good:
                return answers[-1]
        return answers[0] if answers else f"no {intent} request of the experiment changes nothing and stands alone"

    def _sent(self, intent: Intent) -> Iterator[str]:
        traffic = self._experiment.traffic
        steps = {step for flow in traffic.flow.values() for step in flow.steps}
        answered = self._experiment.deployment.requests
        for key in sent_of(traffic):
            request = traffic.requests[key]
            ours = not answered or name_of(key, request) in answered
            if (
                request.method in HARMLESS
                and key not in steps
                and ours
                and (intent == "good" or fault_of(traffic, key))
            ):
                yield key

    def _asked(self, key: str, intent: Intent) -> Probed:
        client = Client(self._host, TIMEOUTS, proxy=self._proxy)
        workshop = Workshop(self._experiment.traffic, client, Values(self._feed))
        kind = workshop.good(key) if intent == "good" else workshop.fault(key)
        assert kind is not None
        planned = kind.planned(0)
        try:
            return _probed(kind, self._experiment.traffic.requests[key], client.send(planned), planned.row)
        except NoAnswer as reason:
            return Probed(None, problem=str(reason), request=kind.features.endpoint)
        finally:
            client.close()


def _probed(kind: RequestKind, request: Request, answer: HttpAnswer, row: int | None) -> Probed:
    failure = kind.judge.failure(answer, row) or ""
    expected = answer.status in request.expect
    wrong = failure if answer.status < FAILED_FROM or expected else ""
    version = answer.header(VERSION_HEADER)
    return Probed(answer.status, version, request=kind.features.endpoint, expected=expected, wrong=wrong)
