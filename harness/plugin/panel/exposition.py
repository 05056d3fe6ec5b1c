"""The state of a run as Prometheus reads it: `/canary/metrics`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from harness.core.experiment.types import AlarmState, Call, Outcome
from harness.core.timeline.deployments import Phase
from harness.plugin.panel.state import RunNow, Stage, State

CONTENT_TYPE = CONTENT_TYPE_LATEST


def exposition(state: State) -> bytes:
    """The text that Prometheus scrapes.

    What is not known has no sample; before the first test there is `canary_up` alone.
    """
    registry = CollectorRegistry()
    registry.register(_State(state))
    return generate_latest(registry)


class _State:
    """What prometheus_client collects from: it asks for the metrics once a scrape."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """All metrics of the state."""
        yield _gauge("up", "1 while the Canary page answers", [((), 1.0)])
        if run := self._state.run:
            yield from (*_release(run), *_traffic(run), *_watching(run), *_alarms(run))


_Samples = Iterable[tuple[Sequence[str], float | None]]


def _gauge(name: str, text: str, samples: _Samples, labels: Sequence[str] = ()) -> Metric:
    family = GaugeMetricFamily(f"canary_{name}", text, labels=labels)
    for values, number in samples:
        if number is not None:
            family.add_metric(values, number)
    return family


def _one_of(name: str, text: str, choices: Iterable[str], chosen: str | None) -> Metric:
    """A state as Prometheus has them: one sample a choice, 1 for the one that is."""
    return _gauge(name, text, [((choice,), float(choice == chosen)) for choice in choices], [name])


def _release(run: RunNow) -> Iterator[Metric]:
    verdict = run.verdict if run.stage == "over" else None
    about = (run.experiment, run.name, run.deployment or "", run.baseline or "", run.canary or "")
    yield _gauge("run_info", "The run", [(about, 1.0)], ["experiment", "run", "deployment", "baseline", "canary"])
    yield _one_of("stage", "Stage of the run", get_args(Stage), run.stage)
    yield _one_of("phase", "Phase of the release", Phase, run.phase)
    yield _gauge("weight_ratio", "The canary's share of the traffic, as the alias says", [((), run.weight)])
    if verdict:
        yield _one_of("outcome", "What became of the release, once it is judged", Outcome, verdict.outcome)
        yield _one_of("call", "What the measures make of it, once it is judged", Call, verdict.call)


def _traffic(run: RunNow) -> Iterator[Metric]:
    family = CounterMetricFamily(
        "canary_requests", "Answers to requests of this run", labels=["intent", "group", "version", "result"]
    )
    for counted in run.counted:
        family.add_metric([counted.intent, counted.group or "", counted.version or "", counted.result], counted.count)
    yield family
    yield _gauge("arrival_rate", "Requests planned per second of experiment time", [((), run.traffic.arrival_rate)])
    yield _gauge("error_share_ratio", "Share of fault requests that is asked for", [((), run.traffic.error_share)])
    yield _gauge("workers", "Processes that send", [((), float(run.traffic.workers))])
    yield _gauge(
        "fault_active",
        "Faults that last",
        [((fault.kind, fault.value), 1.0) for fault in run.faults],
        ["kind", "value"],
    )


def _watching(run: RunNow) -> Iterator[Metric]:
    yield CounterMetricFamily("canary_looks", "Looks at AWS", run.watcher.looks)
    yield CounterMetricFamily("canary_failed_looks", "Looks at AWS that failed", run.watcher.failed_looks)
    yield _gauge("last_look_age_seconds", "Wall time since the last good look", [((), run.watcher.wall_age_s)])


def _alarms(run: RunNow) -> Iterator[Metric]:
    states = [
        ((alarm.name, state), float(alarm.state == state))
        for alarm in run.alarms
        if alarm.state
        for state in get_args(AlarmState)
    ]
    yield _gauge("alarm_state", "State of an alarm", states, ["alarm", "state"])
    stops = [((alarm.name,), float(alarm.stops_deployment)) for alarm in run.alarms]
    yield _gauge("alarm_stops_deployment", "Whether the alarm can stop the deployment", stops, ["alarm"])
