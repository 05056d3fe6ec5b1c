"""The one request of the doctor, against a real server."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from harness.core.arming import Probed
from harness.core.experiment.requests import Request
from harness.core.experiment.types import Experiment, Target, Traffic
from harness.errors import UsageError
from harness.run.sent import with_requests
from harness.traffic.probe import Prober


class Service:
    """A server on loopback that answers what it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.asked.append((self.path, dict(self.headers)))
                self.send_response(service.status)
                for name, value in {"Content-Length": "0", **service.headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"http://127.0.0.1:{self.server.server_port}/shared"

    def probe(self, intent: Any = "good", **traffic: Any) -> Probed:
        """One probe."""
        experiment = Experiment(name="x", target=Target(host=self.host), traffic=Traffic(**traffic))
        probed = Prober(with_requests(experiment))(intent)
        assert isinstance(probed, Probed)
        return probed


@pytest.fixture
def service() -> Iterator[Service]:
    """A running server."""
    service = Service()
    thread = threading.Thread(target=service.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield service
    service.server.shutdown()
    thread.join()
    service.server.server_close()


@pytest.mark.parametrize(("intent", "user"), [("good", "standarduser@company.com"), ("fault", "erroruser@company.com")])
def test_a_probe_is_a_request_as_the_users_send_it(service: Service, intent: str, user: str) -> None:
    """To the stage that the host names, for the first row of the feed."""
    service.probe(intent)
    path, headers = service.asked[0]
    assert (path, headers["Authorization"], headers["X-Client-Version"]) == ("/shared/fakeUser", user, "1")


SHOP = {
    "list": Request(get="/orders"),
    "order": Request(post="/orders", json={}),
    "drop": Request(delete="/orders/1"),
    "gone": Request(get="/gone", expect=(404,)),
    "off": Request(get="/off", weight=0),
}


def test_only_requests_that_change_nothing_are_sent(service: Service) -> None:
    """The others are named."""
    experiment = Experiment(name="x", target=Target(host=service.host), traffic=Traffic(requests=SHOP))
    prober = Prober(experiment)
    assert prober.unsent == ("POST /orders", "DELETE /orders/1")
    prober("good")
    assert [path for path, _ in service.asked] == ["/shared/orders", "/shared/gone"]
    assert prober("fault") == "no fault request of the experiment changes nothing and stands alone"


@pytest.mark.parametrize(
    ("request_", "status", "good"),
    [
        (Request(get="/", expect=(404,)), 404, True),
        (Request(get="/", expect=(201,)), 200, False),
        (Request(get="/", check="x"), 200, False),
        (Request(get="/"), 302, False),
    ],
)
def test_an_answer_is_good_as_the_experiment_has_it(
    service: Service, request_: Request, status: int, good: bool
) -> None:
    """By its status, and by what its body holds."""
    service.status = status
    assert service.probe(requests={"a": request_}).good is good


def test_status_and_version_are_reported(service: Service) -> None:
    """The version by the header that the service sends."""
    service.headers = {"X-Lambda-Version": "7"}
    probed = service.probe()
    assert (probed.status, probed.version, probed.good) == (200, "7", True)


@pytest.mark.parametrize("status", [403, 404, 429, 502, 504])
def test_a_failure_is_an_answer(service: Service, status: int) -> None:
    """And no exception."""
    service.status = status
    assert service.probe("fault").status == status


def test_a_redirect_is_not_followed(service: Service) -> None:
    """A page to sign in at is no healthy service."""
    service.status, service.headers = 302, {"Location": "/sign-in"}
    probed = service.probe()
    assert (probed.status, probed.good) == (302, False)
    assert len(service.asked) == 1


def test_a_proxy_is_used_where_the_users_use_it(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a service on this machine it is not, for any other it is."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert service.probe().status == 200
    monkeypatch.setenv("http_proxy", service.host.removesuffix("/shared"))
    service.host = "http://service.invalid/shared"
    assert service.probe().status == 200
    assert service.asked[-1][0] == "http://service.invalid/shared/fakeUser"


def test_no_answer_has_a_reason() -> None:
    """Nobody listens there."""
    service = Service()
    service.server.server_close()
    probed = service.probe()
    assert probed.status is None
    assert "refused" in probed.problem


@pytest.mark.parametrize(
    "host", ["shop.example", "ftp://shop.example", "", "http://x/st age", "http://x/日本", "http://ex..ample"]
)
def test_a_host_that_is_no_address_is_a_usage_error(host: str) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match="--host: must be a URL"):
        Prober(Experiment(name="x", target=Target(host=host)))
