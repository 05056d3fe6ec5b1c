"""OpenTelemetry by Locust's own `--otel`: our requests as spans, and all requests with what is known of them.

Locust sets the exporters up, by the variables `OTEL_...`. It instruments the clients `requests` and `urllib3`; ours is
neither, and its histogram knows names alone.
"""

import time
from typing import TYPE_CHECKING, Any

from harness.plugin.crew import Crew
from harness.traffic.client.answer import HttpAnswer
from harness.traffic.fired import VERSION_HEADER, Features, Fired, Reply, fired
from harness.traffic.folding import Folded
from harness.traffic.kinds import OWN

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

SCOPE = "canary-harness"
DURATION = "locust.client.duration"
"""The histogram that Locust's own listener fills, in seconds."""
MOST_NAMES = 20
"""Names of requests that are told apart, as many as Locust tells."""
_LOCUSTS = "locust.opentelemetry"

Attributes = dict[str, str | int]


def tell_opentelemetry(environment: Any, crew: Crew) -> None:
    """Has our listener in the place of Locust's, where Locust was started with `--otel`; else does nothing.

    Where OpenTelemetry is not installed, Locust has said so.
    """
    if not getattr(environment.parsed_options, "otel", False):
        return
    try:
        from opentelemetry import metrics, trace
    except ImportError:
        return
    told = environment.events.request
    told._handlers = [one for one in told._handlers if getattr(one, "__module__", None) != _LOCUSTS]
    told.add_listener(Telemetry(trace.get_tracer(SCOPE), metrics.get_meter(SCOPE), crew).on_request)


class Telemetry:
    """Tells of each request: its time with what is known of it, and a span if our client sent it."""

    def __init__(self, tracer: "Tracer", meter: "Meter", crew: Crew) -> None:
        self._tracer = tracer
        self._durations = meter.create_histogram(DURATION, unit="s", description="Time to last byte for requests")
        self._crew = crew
        self._names = Folded(MOST_NAMES)

    def on_request(self, **told: Any) -> None:
        """Takes Locust's event; nothing in it makes it raise."""
        ended_ns = time.time_ns()
        is_own = isinstance(told.get("context"), dict) and OWN in told["context"]
        steering = self._crew.steering
        fault_when = steering.traffic.fault_when if steering else None
        seen = _own(told) if is_own else fired(told, 0.0, ended_ns / 1e9, fault_when)
        attributes = _attributes(seen, steering.experiment if steering else "")
        if is_own:
            self._span(told["request_type"], seen, attributes, ended_ns)
        if told.get("response_time") is not None:
            named: Attributes = {"name": self._names(seen.features.endpoint), **attributes}
            self._durations.record(seen.service_s, named)

    def _span(self, method: str, seen: Fired, attributes: Attributes, ended_ns: int) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode

        reply = seen.reply
        status: Attributes = {"http.response.status_code": reply.status} if reply.status else {}
        span = self._tracer.start_span(
            f"{method} {seen.features.endpoint}",
            kind=SpanKind.CLIENT,
            attributes={"http.request.method": method, **status, **attributes},
            start_time=ended_ns - int(seen.service_s * 1e9),
        )
        if reply.reason:
            span.set_status(Status(StatusCode.ERROR, reply.reason))
        span.end(ended_ns)


def _own(told: dict[str, Any]) -> Fired:
    """The event of a request of ours, which is never odd."""
    answer = told["response"]
    reply = Reply(0, None, told["exception"])
    if isinstance(answer, HttpAnswer):
        reply = Reply(answer.status, answer.header(VERSION_HEADER), told["exception"])
    context = told["context"]
    features = Features(context["intent"], context["persona"], told["name"])
    return Fired(features, reply, told["response_time"] / 1000, None, {})


def _attributes(seen: Fired, experiment: str) -> Attributes:
    """What is known of a request; what nobody knows is left out."""
    reply = seen.reply
    wrong = str(reply.status or "no answer") if reply.reason else None
    known = {
        "intent": seen.features.intent,
        "version": reply.version,
        "experiment": experiment,
        "error.type": wrong,
    }
    return {name: value for name, value in known.items() if value}
