"""OpenTelemetry by Locust's `--otel`: what is told of each request, in this process and over OTLP."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from harness.core.experiment.requests import FaultWhen
from harness.core.experiment.types import Traffic
from harness.traffic.client.answer import HttpAnswer
from harness.traffic.kinds import OWN
from harness.traffic.steering import Steering, Timebase

with pytest.MonkeyPatch.context() as environment_variables:
    environment_variables.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")  # other tests need sockets as they are
    from locust.env import Environment

    from harness.plugin.telemetry import DURATION, Telemetry, tell_opentelemetry

ROOT = Path(__file__).parents[2]
ANSWER = HttpAnswer(502, {b"x-lambda-version": b"2"}, [], 0)
OURS = {
    "request_type": "GET",
    "name": "search (fault)",
    "response_time": 250.0,
    "response_length": 0,
    "response": ANSWER,
    "context": {OWN: True, "intent": "fault", "persona": "beta"},
    "exception": "HTTP 502",
}


class Collector:
    """OpenTelemetry that keeps what it is told, with our listener before it."""

    def __init__(self, *, fault_when: FaultWhen | None = None) -> None:
        self._spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        meters = MeterProvider([self._reader])
        traffic = Traffic(fault_when=fault_when)
        steering = Steering(timebase=Timebase(0.0), traffic=traffic, seed=1, experiment="game-day")
        crew: Any = SimpleNamespace(steering=steering)
        self.tell = Telemetry(tracers.get_tracer("test"), meters.get_meter("test"), crew).on_request

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """All spans that ended."""
        return self._spans.get_finished_spans()

    @property
    def durations(self) -> list[tuple[dict[str, Any], int, float]]:
        """Attributes, count and sum of the histogram, for each set of attributes."""
        data: Any = self._reader.get_metrics_data()
        metrics = [metric for one in data.resource_metrics[0].scope_metrics for metric in one.metrics] if data else []
        return [
            (dict(point.attributes), point.count, point.sum)
            for metric in metrics
            if metric.name == DURATION
            for point in metric.data.data_points
        ]


@pytest.fixture(name="collector")
def _collector() -> Collector:
    return Collector()


def test_a_request_of_ours_is_a_span(collector: Collector) -> None:
    """It has what is known of the request, and lasts as long."""
    collector.tell(**OURS)
    (span,) = collector.spans
    assert span.name == "GET search (fault)"
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.response.status_code": 502,
        "intent": "fault",
        "version": "2",
        "experiment": "game-day",
        "error.type": "502",
    }
    assert span.start_time
    assert span.end_time
    assert span.end_time - span.start_time == 250_000_000
    assert span.status.description == "HTTP 502"


def test_the_duration_of_a_request_is_known_by_intent_version_and_experiment(collector: Collector) -> None:
    """In seconds, as Locust's own histogram has it."""
    collector.tell(**OURS)
    collector.tell(**OURS)
    attributes = {"name": "search (fault)", "intent": "fault", "version": "2", "experiment": "game-day"}
    assert collector.durations == [({**attributes, "error.type": "502"}, 2, 0.5)]


def test_without_an_answer_neither_version_nor_status_is_made_up(collector: Collector) -> None:
    """What nobody knows is left out."""
    collector.tell(**{**OURS, "response": None, "exception": "connection refused"})
    (span,) = collector.spans
    attributes = span.attributes or {}
    assert attributes["error.type"] == "no answer"
    assert not {"version", "http.response.status_code"} & {*attributes}


def test_requests_of_others_have_a_duration_and_no_second_span() -> None:
    """Those of `requests` have one by Locust; the experiment says which of them are faults."""
    collector = Collector(fault_when=FaultWhen(name="/erroruser"))
    response = SimpleNamespace(status_code=200, headers={"X-Lambda-Version": "1"})
    told = {"request_type": "GET", "response_length": 0, "exception": None, "context": {}, "response": response}
    collector.tell(**told, name="/erroruser", response_time=1000.0)
    assert collector.durations == [
        ({"name": "/erroruser", "intent": "fault", "version": "1", "experiment": "game-day"}, 1, 1.0)
    ]
    assert collector.spans == ()


@pytest.mark.parametrize("odd", [{}, {"context": 3, "response": object()}, {"name": 7, "exception": ValueError("x")}])
def test_odd_events_raise_nothing(odd: dict[str, Any], collector: Collector) -> None:
    """Locust would end with an exit code of its own; one without a time has none."""
    collector.tell(**odd)
    assert collector.durations == []
    assert collector.spans == ()


def test_names_are_bounded(collector: Collector) -> None:
    """As Locust bounds its own, since each is a series for ever."""
    for number in range(30):
        collector.tell(**{**OURS, "name": f"/{number}"})
    assert len(collector.durations) == 21


def locusts_own(**_: Any) -> None:
    """Listens to requests."""


locusts_own.__module__ = "locust.opentelemetry"


@pytest.mark.parametrize("otel", [True, False])
def test_ours_takes_the_place_of_locusts_listener(*, otel: bool) -> None:
    """So that no request is counted twice; without `--otel` nothing listens to single requests."""
    environment = Environment(parsed_options=SimpleNamespace(otel=otel))
    listeners = environment.events.request._handlers
    before = [*listeners]
    environment.events.request.add_listener(locusts_own)
    crew: Any = SimpleNamespace(steering=None)
    tell_opentelemetry(environment, crew)
    added = [getattr(one, "__qualname__", "") for one in environment.events.request._handlers if one not in before]
    assert added == (["Telemetry.on_request"] if otel else ["locusts_own"])


@contextmanager
def served(answer: Callable[[BaseHTTPRequestHandler, bytes], bytes]) -> Iterator[str]:
    """A server on a port of this machine that answers each request with 200; its address."""

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = answer(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self.send_response(200)
            self.send_header("X-Lambda-Version", "7")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - http.server calls it

        def log_message(self, *_: Any) -> None:
            """Is quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.slow
def test_a_whole_run_reaches_a_collector(tmp_path: Path) -> None:
    """Over OTLP: as many spans as the service answered, and their durations once."""
    taken: list[tuple[str, bytes]] = []
    answered: list[str] = []

    def collect(request: BaseHTTPRequestHandler, body: bytes) -> bytes:
        taken.append((request.path, body))
        return b""

    def serve(request: BaseHTTPRequestHandler, _: bytes) -> bytes:
        answered.append(request.path)
        return b"{}"

    with served(collect) as collector, served(serve) as service:
        experiment = tmp_path / "mine.yaml"
        experiment.write_text("name: mine\ntraffic: {arrival_rate: 40, requests: {home: {get: /}}}\n")
        command = [
            sys.executable,
            "-m",
            "locust",
            "-f",
            str(ROOT / "locustfiles" / "canary.py"),
            "--headless",
            "--otel",
        ]
        command += ["--host", service, "-t", "2s", "--only-summary", "--canary-reports", str(tmp_path)]
        command += ["--canary-experiment", str(experiment)]
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        ended = subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, timeout=60)
    spans = [span for path, body in taken if path == "/v1/traces" for span in _spans(body)]
    own = [span for span in spans if span.name == "GET home"]
    assert len(own) == len(answered) > 0, ended.stderr[-2000:]
    known = {one.key: one.value.string_value for one in own[0].attributes}
    assert {"intent": "good", "version": "7", "experiment": "mine"}.items() <= known.items()
    counts = [count for path, body in taken if path == "/v1/metrics" for count in _counts(body)]
    assert counts[-1] == len(answered)


def _spans(body: bytes) -> list[Any]:
    told = ExportTraceServiceRequest.FromString(body)
    return [span for one in told.resource_spans for scope in one.scope_spans for span in scope.spans]


def _counts(body: bytes) -> list[int]:
    """How many requests the histogram counted by an export, each set of attributes of ours alone."""
    told = ExportMetricsServiceRequest.FromString(body)
    metrics = [metric for one in told.resource_metrics for scope in one.scope_metrics for metric in scope.metrics]
    return [sum(p.count for p in metric.histogram.data_points) for metric in metrics if metric.name == DURATION]
