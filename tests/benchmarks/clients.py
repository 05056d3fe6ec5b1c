"""Load generators that all send the same request to one service, each in a process of its own on one core."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from harness.core.timeline.events import Event, decode
from tests.benchmarks.processes import running
from tests.benchmarks.service import CORE, Service

CLIENT_CORE = CORE + 1
CONNECTIONS = 32
"""Users, virtual users or connections of a closed loop."""
PACED_USERS = 10
K6_USERS = 50
"""Virtual users with which k6 keeps its arrival rate best: with more of them it drops more."""
BEYOND_CAPACITY = 80_000
"""Open arrivals per second that no core can send."""
FOR_EVER_S = 600
"""Longer than any benchmark lets a client run."""
SCRIPTS = Path(__file__).parent / "scripts"
HEADERS = ("Authorization: standarduser@company.com", "X-Client-Version: 2")
EXPERIMENT = """\
name: benchmark
traffic:
  arrivals: even
  requests:
    fakeUser: {get: /fakeUser, headers: {Authorization: standarduser@company.com, X-Client-Version: "2"}}
"""

FEED_ROWS = 10_000
MIX = """\
name: benchmark
traffic:
  arrivals: even
  requests:
    search: {get: "/search?q={{term}}", headers: {Authorization: "{{email}}"}, weight: 4%(check)s}
    orders: {get: "/orders/{{number}}", headers: {Authorization: "{{email}}"}, weight: 3%(check)s}
    profile: {get: /profile, headers: {Authorization: "{{email}}", X-Request-Id: "{{uuid}}"}, weight: 2%(check)s}
    order: {post: /orders, json: {user: "{{email}}", count: "{{random.int(1,9)}}"}, weight: 1%(check)s}
    health: {get: /health, weight: 1%(check)s}
  feed: feed.csv
"""
"""Five requests of data."""
CHECK = ", check: $.userName"


class Client(Struct, frozen=True, kw_only=True):
    """A command that sends requests until it is ended, and what it needs in its environment."""

    command: list[str]
    env: Mapping[str, str] = {}

    def environment(self, service: Service) -> dict[str, str]:
        """The whole environment of its process."""
        return {**os.environ, **service.trust, **self.env}


@contextmanager
def sending(client: Client, service: Service) -> Iterator[int]:
    """A client that sends until the end of the block; its process id."""
    environment, quiet = client.environment(service), subprocess.DEVNULL
    with running(client.command, core=CLIENT_CORE, env=environment, stdout=quiet, stderr=quiet) as process:
        yield process.pid


def played(client: Client, service: Service, within_s: float = 300.0) -> None:
    """Runs a client that ends by itself; one that does not is ended."""
    environment, quiet = client.environment(service), subprocess.DEVNULL
    with (
        running(client.command, core=CLIENT_CORE, env=environment, stdout=quiet, stderr=quiet) as process,
        suppress(subprocess.TimeoutExpired),
    ):
        process.wait(within_s)


def timeline(folder: Path) -> list[Event]:
    """What ours recorded in `folder`."""
    (file,) = folder.glob("benchmark/*Z/timeline.jsonl")
    with file.open("rb") as lines:
        return list(decode(lines))


def installed(name: str) -> str | None:
    """Where a program is: beside this Python, as a wheel installs it, or on the PATH; absent if it is in neither."""
    return shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")


def canary(service: Service, folder: Path, *options: str, env: Mapping[str, str] | None = None) -> Client:
    """Ours: a whole Locust process with our users, timeline and all; its run folder comes to be in `folder`."""
    experiment = folder / "benchmark.yaml"
    experiment.write_text(EXPERIMENT)
    ours = ["--canary-experiment", str(experiment), "--canary-reports", str(folder), *options]
    return Client(command=_locust("canary.py", service, *ours), env=env or {})


def closed_canary(service: Service, folder: Path, *, recorder: bool = True) -> Client:
    """Ours in a closed loop as fast as it goes."""
    env = {} if recorder else {"BENCHMARK_RECORDER": "off"}
    return canary(service, folder, "--canary-users", str(CONNECTIONS), env=env)


def traced_canary(service: Service, folder: Path) -> Client:
    """The same with OpenTelemetry, whose collector is the service: it answers whatever comes."""
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": service.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    if authority := service.trust.get("REQUESTS_CA_BUNDLE"):
        env["OTEL_EXPORTER_OTLP_CERTIFICATE"] = authority
    return canary(service, folder, "--canary-users", str(CONNECTIONS), "--otel", env=env)


def data_driven(service: Service, folder: Path, *, check: str = "") -> Client:
    """The same with a mix of five requests and a feed of ten thousand rows."""
    client = closed_canary(service, folder)
    rows = (f"customer{number}@example.com,shoes {number},{number}" for number in range(FEED_ROWS))
    (folder / "feed.csv").write_text("\n".join(["email,term,number", *rows]))
    (folder / "benchmark.yaml").write_text(MIX % {"check": check})
    return client


def open_canary(service: Service, folder: Path) -> Client:
    """Ours with open arrivals, more of them than can be sent."""
    return canary(service, folder, "--canary-arrival-rate", str(BEYOND_CAPACITY))


def bare(service: Service) -> Client:
    """Our client in a loop, without Locust and without records."""
    return Client(command=[sys.executable, "-m", "tests.benchmarks.scripts.bare_client", service.url, str(CONNECTIONS)])


def fast_http_user(service: Service) -> Client:
    """Locust's FastHttpUser."""
    return Client(command=_locust("fast_http.py", service, "--users", str(CONNECTIONS)))


def paced_fast_http_user(service: Service, rate: int, *options: str) -> Client:
    """Locust's FastHttpUser in a closed loop that sends at most `rate` requests a second."""
    command = _locust("fast_http.py", service, "--users", str(PACED_USERS), *options)
    return Client(command=command, env={"BENCHMARK_PACE_S": str(PACED_USERS / rate)})


def http_user(service: Service) -> Client:
    """Locust's HttpUser."""
    return Client(command=_locust("http.py", service, "--users", str(CONNECTIONS)))


def k6(service: Service, *, rate: int = 0, seconds: int = FOR_EVER_S) -> Client | None:
    """k6 in a closed loop, or with constant arrivals at `rate`; its wheel on PyPI carries the program."""
    program = installed("k6")
    settings = {"URL": f"{service.url}/fakeUser", "DURATION": f"{seconds}s", "USERS": str(CONNECTIONS)}
    settings |= {"RATE": str(rate), "USERS": str(K6_USERS)} if rate else {}
    flags = [flag for name, value in settings.items() for flag in ("-e", f"{name}={value}")]
    command = ["run", "--quiet", "--no-usage-report", "--address", "", *flags, str(SCRIPTS / "k6.js")]
    return Client(command=[program, *command]) if program else None


def hey(service: Service) -> Client | None:
    """hey, from Debian."""
    program = installed("hey")
    command = ["-z", f"{FOR_EVER_S}s", "-c", str(CONNECTIONS), "-cpus", "1", *_header_flags()]
    return Client(command=[program, *command, f"{service.url}/fakeUser"]) if program else None


def wrk(service: Service) -> Client | None:
    """wrk, from Debian."""
    program = installed("wrk")
    command = ["-t1", f"-c{CONNECTIONS}", f"-d{FOR_EVER_S}s", *_header_flags()]
    return Client(command=[program, *command, f"{service.url}/fakeUser"]) if program else None


def _locust(script: str, service: Service, *options: str) -> list[str]:
    flags = ["--headless", "--only-summary", "--spawn-rate", "1000", "--host", service.url, *options]
    return [sys.executable, "-m", "locust", "-f", str(SCRIPTS / script), *flags]


def _header_flags() -> list[str]:
    return [flag for header in HEADERS for flag in ("-H", header)]
