"""The assembled cloud over real sockets and as a real process."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from harness.core.experiment.types import Arm, Deployment, Experiment
from harness.errors import ExperimentError, UsageError
from harness.rehearsal.cloud import Cloud
from harness.rehearsal.fixtures import CloudFactory

READY_KEYS = {
    *(
        "endpoint_url",
        "service_url",
        "region",
        "account",
        "api",
        "api_id",
        "stack",
        "function",
        "alias",
        "application",
        "group",
        "alarm",
    ),
    *("speed", "now", "epoch", "clock", "baseline", "canary", "config", "hooks"),
}
BETA = {"Authorization": "betauser@company.com", "X-Client-Version": "2"}
ERROR = {**BETA, "Authorization": "erroruser@company.com"}


@pytest.fixture(scope="module")
def lasting_cloud() -> Iterator[Cloud]:
    """One cloud for all tests that change nothing in it."""
    with Cloud(speed=0) as cloud:
        yield cloud


def ask(
    cloud: Cloud, path: str = "/fakeUser", headers: Mapping[str, str] = BETA, *, method: str = "GET", body: str = ""
) -> http.client.HTTPResponse:
    """One HTTP request through the gateway; the answer is read already."""
    url = urlsplit(f"{cloud.ready['service_url']}{path}")
    with closing(http.client.HTTPConnection(url.netloc, timeout=5)) as connection:
        connection.request(method, url.path, body=body or None, headers=dict(headers))
        answer = connection.getresponse()
        answer.read()
        return answer


def say(url: str, raw: bytes, *, hang_up: bool = True) -> bytes:
    """What a server says to raw bytes, until it closes or is silent for a moment."""
    address = urlsplit(url)
    chunks = []
    # Silence and resets end an answer too.
    with socket.create_connection((address.hostname, address.port), timeout=1) as connection, suppress(OSError):
        connection.sendall(raw)
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks)


# Over the wire


def test_both_endpoints_answer(lasting_cloud: Cloud) -> None:
    """GET /fakeUser and POST /featureToggles, by the version in service."""
    users = ask(lasting_cloud)
    toggles = ask(lasting_cloud, "/featureToggles", {}, method="POST", body='{"userName": "qauser@company.com"}')
    assert [(answer.status, answer.headers["X-Lambda-Version"]) for answer in (users, toggles)] == [(200, "1")] * 2


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (BETA, 200),
        (ERROR, 502),
        ({**BETA, "X-Client-Version": "9"}, 502),
        ({"Authorization": BETA["Authorization"]}, 502),
        ({**BETA, "Authorization": "malformed"}, 502),
        ({**BETA, "Authorization": "malformed!"}, 403),
        ({"X-Client-Version": "1"}, 401),
    ],
)
def test_statuses_are_those_of_the_service(lasting_cloud: Cloud, headers: dict[str, str], status: int) -> None:
    """What production answers."""
    assert ask(lasting_cloud, headers=headers).status == status


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT"])
def test_other_methods_are_unknown_routes(lasting_cloud: Cloud, method: str) -> None:
    """403 as for any route that is not there."""
    assert ask(lasting_cloud, method=method).status == 403


def test_metrics_equal_the_requests_sent(canary_cloud: Cloud, canary_aws: Mapping[str, str]) -> None:
    """What CloudWatch counts is what clients sent, error for error."""
    canary_cloud.advance(60 - canary_cloud.ready["now"] % 60)  # one whole minute
    statuses = [ask(canary_cloud, headers=headers).status for headers in [BETA] * 20 + [ERROR] * 7]
    canary_cloud.advance(180)
    assert counted(canary_cloud, "Invocations") == 27
    assert counted(canary_cloud, "Errors") == statuses.count(502) == 7


def counted(cloud: Cloud, metric: str) -> float:
    """The sum of a metric of the function over the last ten minutes."""
    now = cloud.ready["now"]
    statistics = boto3.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName=metric,
        Dimensions=[{"Name": "FunctionName", "Value": cloud.ready["function"]}],
        StartTime=now - 600,
        EndTime=now + 60,
        Period=60,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in statistics["Datapoints"])


def test_reserved_concurrency_of_0_throttles_the_bundled_service(
    canary_cloud: Cloud, canary_aws: Mapping[str, str]
) -> None:
    """Lambda rejects every invocation, so API Gateway answers 500 and Throttles counts."""
    function = canary_cloud.ready["function"]
    boto3.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    assert ask(canary_cloud).status == 500
    canary_cloud.advance(180)
    assert counted(canary_cloud, "Throttles") == 1


def test_an_operation_that_is_not_there_is_a_proper_aws_error(
    canary_cloud: Cloud, canary_aws: Mapping[str, str]
) -> None:
    """Of our services and of others alike, and without a row of retries."""
    calls: list[Callable[[], Any]] = [
        lambda: boto3.client("codedeploy").list_git_hub_account_token_names(),
        lambda: boto3.client("cloudwatch").list_dashboards(),
        lambda: boto3.client("lambda").list_code_signing_configs(),
    ]
    for call in calls:
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == "UnknownOperationException"


GARBAGE = [
    b"",
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /shared/f\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /shared/%ff%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"CONNECT example.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /shared/featureToggles HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /shared/featureToggles HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nshort",
    b"POST /shared/featureToggles HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /shared/fakeUser HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET /shared/fakeUser HTTP/1.1\r\nHost: localhost\r\nAuthorization: \xff\xfe\r\n\r\n",
    b"GET /shared/fakeUser HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    bytes(range(256)) * 20,
]


@pytest.mark.parametrize("raw", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_does_not_hurt_the_gateway(lasting_cloud: Cloud, raw: bytes) -> None:
    """A bad request gets at most a 4xx, and the next good one its answer."""
    assert not say(lasting_cloud.ready["service_url"], raw).startswith((b"HTTP/1.1 2", b"HTTP/1.1 5"))
    assert ask(lasting_cloud).status == 200


@pytest.mark.parametrize("raw", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_does_not_hurt_the_control_plane(lasting_cloud: Cloud, raw: bytes) -> None:
    """The next good call gets its answer."""
    say(lasting_cloud.ready["endpoint_url"], raw)
    codedeploy = boto3.client(
        "codedeploy",
        endpoint_url=lasting_cloud.ready["endpoint_url"],
        region_name="eu-north-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    assert codedeploy.list_applications()["applications"]


def test_pipelined_requests_are_answered_in_order(lasting_cloud: Cloud) -> None:
    """HTTP/1.1 allows several requests at once on a connection."""
    paths = (b"fakeUser", b"nowhere", b"fakeUser")
    raw = b"".join(b"GET /shared/%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in paths)
    last = raw[:-2] + b"Connection: close\r\n\r\n"
    answers = say(lasting_cloud.ready["service_url"], last, hang_up=False)
    assert [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]] == [b"401", b"403", b"401"]


# Somebody's own two versions


HANDLER = """
import os


def answer(event, context):
    if event["headers"].get("Authorization", "").startswith("error"):
        raise RuntimeError("on purpose")
    user = event["requestContext"]["authorizer"]["principalId"]
    return {"statusCode": 200, "headers": {"X-Build": os.environ["BUILD"]}, "body": user}
"""


def test_own_handlers_answer_behind_the_gateway(
    canary_cloud_factory: CloudFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two Python handlers, one a version, with the environment of their arm."""
    (tmp_path / "mine.py").write_text(HANDLER)
    monkeypatch.chdir(tmp_path)
    baseline = Arm(handler="mine:answer", env={"BUILD": "old"})
    canary = Arm(handler="mine:answer", env={"BUILD": "new"})
    cloud = canary_cloud_factory(Experiment(name="own", baseline=baseline, canary=canary))
    good, bad = ask(cloud), ask(cloud, headers=ERROR)
    assert (good.status, good.headers["X-Build"], good.headers["X-Lambda-Version"]) == (200, "old", "1")
    assert (bad.status, bad.headers["X-Lambda-Version"]) == (502, "1")


class OwnService(BaseHTTPRequestHandler):
    """A team's own service, which answers what it was asked."""

    def do_GET(self) -> None:
        """Says the path and the user."""
        body = json.dumps([self.path, self.headers["Authorization"]]).encode()
        self.send_response(203)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def own_service() -> Iterator[str]:
    """The URL of a running `OwnService`."""
    server = HTTPServer(("127.0.0.1", 0), OwnService)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_own_services_answer_behind_the_gateway(canary_cloud_factory: CloudFactory) -> None:
    """A base URL on loopback, in any language."""
    with own_service() as url:
        cloud = canary_cloud_factory(Experiment(name="own", baseline=Arm(url=url), canary=Arm(url=url)))
        answer = ask(cloud)
    assert (answer.status, answer.headers["X-Lambda-Version"]) == (203, "1")


# Start and end


def test_a_port_in_use_is_one_clear_sentence() -> None:
    """The error names option and port, and nothing is left running."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        for option, ports in {"--port": {"port": port}, "--service-port": {"service_port": port}}.items():
            with pytest.raises(UsageError, match=rf"{option}: cannot listen on 127.0.0.1:{port}"):
                Cloud(speed=0, **ports).start()


@pytest.mark.parametrize("port", [-1, 65536])
def test_an_impossible_port_is_one_clear_sentence(port: int) -> None:
    """Port numbers have bounds."""
    with pytest.raises(UsageError, match="--port"):
        Cloud(speed=0, port=port).start()


def test_a_port_is_free_again_after_the_end() -> None:
    """Both ports can be taken at once by the next cloud."""
    with Cloud(speed=0) as first:
        ports = [urlsplit(first.ready[key]).port for key in ("endpoint_url", "service_url")]
        ask(first)
    with Cloud(speed=0, port=ports[0] or 0, service_port=ports[1] or 0) as second:
        assert ask(second).status == 200


def test_a_cloud_that_cannot_start_leaves_nothing_behind() -> None:
    """A stack that is refused frees ports and threads."""
    before = threading.active_count()
    with pytest.raises(ExperimentError):
        Cloud(Experiment(name="bad", deployment=Deployment(config="Canary0Percent5Minutes")), speed=0).start()
    assert threading.active_count() == before


def test_the_same_seed_draws_the_same_versions() -> None:
    """Traffic is split alike for the same seed, and differently for another."""

    def drawn(seed: int) -> list[str]:
        with Cloud(speed=0, seed=seed) as cloud:
            cloud.functions.shift(cloud.ready["function"], cloud.ready["alias"], "1", {"2": 0.5})
            return [ask(cloud).headers["X-Lambda-Version"] for _ in range(40)]

    assert drawn(1) == drawn(1) != drawn(2)


def test_version_header_of_answers_only() -> None:
    """As on AWS, where API Gateway makes the 502."""
    with Cloud(speed=0, version_header="answers") as cloud:
        assert ask(cloud).headers["X-Lambda-Version"] == "1"
        assert ask(cloud, headers=ERROR).headers["X-Lambda-Version"] is None


# The process


@contextmanager
def process(arguments: str = "", *, lines: str = "") -> Iterator["subprocess.Popen[str]"]:
    """A cloud of its own process, before its ready line."""
    program = f"import sys\nfrom harness.rehearsal.cloud import serve\n{lines}\nsys.exit(serve({arguments}))"
    cloud = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        yield cloud
    finally:
        cloud.kill()
        cloud.wait()
        assert cloud.stdout
        cloud.stdout.close()


def ready_of(cloud: "subprocess.Popen[str]") -> dict[str, Any]:
    """Its ready line."""
    assert cloud.stdout
    ready: dict[str, Any] = json.loads(cloud.stdout.readline())
    return ready


def children_of(pid: int) -> list[int]:
    """Processes that a process started, by procfs."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid: int, *, within_s: float = 20.0) -> bool:
    """Whether a process ends in time; a zombie has ended."""
    give_up = time.monotonic() + within_s
    while time.monotonic() < give_up:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_and_its_children(number: int, tmp_path: Path) -> None:
    """The ready line has every key; SIGINT and SIGTERM end all with exit code 0, user code included."""
    (tmp_path / "mine.py").write_text(HANDLER)
    lines = (
        f"import os; os.chdir({str(tmp_path)!r})\n"
        "from harness.core.experiment.types import Arm, Experiment\n"
        "own = Experiment(name='own', canary=Arm(handler='mine:answer', env={'BUILD': 'new'}))"
    )
    with process("own, speed=60", lines=lines) as cloud:
        ready = ready_of(cloud)
        children = children_of(cloud.pid)
        cloud.send_signal(number)
        code = cloud.wait(timeout=20)
    assert set(ready) == READY_KEYS
    assert children
    assert all(gone(child) for child in children)
    assert code == 0


@pytest.mark.slow
def test_a_signal_before_it_is_ready_ends_it_with_the_signals_code(tmp_path: Path) -> None:
    """A handler that hangs while it is imported does not make Ctrl-C wait."""
    started = tmp_path / "started"
    (tmp_path / "slow.py").write_text(f"import time\nopen({str(started)!r}, 'w').close()\ntime.sleep(60)\n")
    lines = (
        f"import os; os.chdir({str(tmp_path)!r})\n"
        "from harness.core.experiment.types import Arm, Experiment\n"
        "own = Experiment(name='own', canary=Arm(handler='slow:answer'))"
    )
    with process("own", lines=lines) as cloud:
        give_up = time.monotonic() + 30
        while not started.exists() and time.monotonic() < give_up:
            time.sleep(0.02)
        children = children_of(cloud.pid)
        cloud.send_signal(signal.SIGINT)
        assert cloud.wait(timeout=20) == 130
    assert all(gone(child) for child in children)


@pytest.mark.slow
def test_a_hanging_service_does_not_make_the_end_wait(capfd: pytest.CaptureFixture[str]) -> None:
    """SIGINT ends the cloud at once and in silence while somebody's own service owes an answer."""
    with closing(socket.create_server(("127.0.0.1", 0))) as hanging:
        lines = (
            "from harness.core.experiment.types import Arm, Experiment\n"
            f"arm = Arm(url='http://127.0.0.1:{hanging.getsockname()[1]}')\n"
            "own = Experiment(name='own', baseline=arm, canary=arm)"
        )
        with process("own", lines=lines) as cloud:
            gateway = urlsplit(ready_of(cloud)["service_url"])
            with closing(http.client.HTTPConnection(gateway.netloc, timeout=5)) as connection:
                connection.request("GET", f"{gateway.path}/fakeUser", headers=BETA)
                hanging.accept()[0].close()  # the stack's look whether something listens
                with hanging.accept()[0]:
                    cloud.send_signal(signal.SIGINT)
                    assert cloud.wait(timeout=10) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_a_killed_cloud_leaves_no_user_code_running(tmp_path: Path) -> None:
    """Execution environments end with the cloud, however it ended."""
    (tmp_path / "mine.py").write_text(HANDLER)
    lines = (
        f"import os; os.chdir({str(tmp_path)!r})\n"
        "from harness.core.experiment.types import Arm, Experiment\n"
        "own = Experiment(name='own', canary=Arm(handler='mine:answer', env={'BUILD': 'new'}))"
    )
    with process("own", lines=lines) as cloud:
        ready_of(cloud)
        children = children_of(cloud.pid)
        cloud.kill()
    assert children
    assert all(gone(child) for child in children)


@pytest.mark.slow
def test_with_its_parent_gone_the_cloud_ends() -> None:
    """kill -9 of the process that started it leaves nothing behind."""
    parent = (
        "import subprocess, sys\n"
        "serve = 'from harness.rehearsal.cloud import serve; serve(with_parent=True)'\n"
        "cloud = subprocess.Popen([sys.executable, '-c', serve], stdout=subprocess.PIPE, text=True)\n"
        "print(cloud.pid, flush=True)\nprint(cloud.stdout.readline(), flush=True)\ncloud.wait()\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    assert starter.stdout
    with starter, starter.stdout:
        pid = int(starter.stdout.readline())
        assert json.loads(starter.stdout.readline())
        starter.kill()
    assert gone(pid)
