"""Shadow alarms against the local cloud: read with the rest, and never in the way of it."""

from collections.abc import Mapping
from typing import Any

import boto3
import msgspec
import pytest

from harness.aws.clients import Clients
from harness.aws.watcher import Watcher
from harness.core.experiment.types import Alarm, Also, Call, Deployment, Experiment
from harness.core.timeline.events import (
    AlarmDefined,
    AlarmSeen,
    Event,
    LookFailed,
    MetricSeen,
    RunStarted,
    Shadow,
    decode,
    encode,
)
from harness.core.verdict.groups import events_of, others
from harness.core.verdict.judge import judge
from harness.errors import AwsError, HarnessError
from harness.run.follow import Neighbour
from tests.aws.test_watcher_on_the_local_cloud import Refusing, Run

SHADOW = [
    {"name": "strict", "threshold": 1},
    {"name": "never", "threshold": 100_000},
    {"name": "canary", "threshold": 1, "dimensions": "version", "period_s": 300},
    {
        "name": "ratio",
        "expression": "100 * errors / invocations",
        "metrics": {"errors": {"metric": "Errors"}, "invocations": {"metric": "Invocations"}},
        "threshold": 90,
    },
]


class Counting(Refusing):
    """AWS that counts what GetMetricData is asked for, and refuses a metric of the namespace Nowhere."""

    def __init__(self, aws: Any) -> None:
        super().__init__(aws, lambda _: None)
        self.asked: list[int] = []

    def with_patience(self, patience: Any) -> "Counting":
        """Counts as well."""
        return self

    def call(self, service: str, operation: str, **params: Any) -> Any:
        """The answer."""
        if operation == "get_metric_data":
            self.asked.append(len(params["MetricDataQueries"]))
            if "Nowhere" in str(params):
                raise _refused()
        return super().call(service, operation, **params)


def _refused() -> HarnessError:
    return AwsError("cloudwatch:GetMetricData", "ValidationError", "The namespace Nowhere is not valid")


@pytest.fixture
def run(canary_cloud: Any, canary_aws: Mapping[str, str]) -> Run:
    """A run on a cloud with the default stack."""
    return Run(canary_cloud, Clients(boto3.session.Session()))


def watching(run: Run, *alarms: dict[str, Any]) -> Counting:
    """Has the run watch with shadow alarms; what AWS is asked then."""
    aws = Counting(run.aws)
    shadow = experiment(*alarms).shadow
    deployment = Deployment(**{name: run.names[name] for name in ("application", "group", "function", "alias")})
    run.watcher = Watcher(aws, deployment, None, shadow, now=run.now, epoch_s=run.epoch_s, record=run.events.append)
    return aws


def experiment(*alarms: dict[str, Any]) -> Experiment:
    """An experiment with shadow alarms."""
    return msgspec.convert({"name": "shadow", "shadow": list(alarms)}, Experiment)


def release(run: Run) -> None:
    """One error of the canary in a minute, and later more than the real alarm bears."""
    record = run.cloud.cloudwatch.invocations.record
    run.events.append(RunStarted(at_s=0.0, experiment="shadow", epoch_s=run.epoch_s, sends=False))
    run.watcher.follow(run.deploy())
    for second in range(0, 300, 5):
        errors = 1 if second == 30 else 4 if second == 130 else 0
        for failed in [*[True] * errors, *[False] * 10]:
            record(run.names["function"], run.names["alias"], "2", run.cloud.clock.now(), 12.0, failed=failed)
        run.play(5.0)
    run.watcher.final_looks()


def states(events: list[Event]) -> dict[str, list[str]]:
    """The states that the watcher told, by shadow alarm."""
    told: dict[str, list[str]] = {}
    for event in events:
        if isinstance(event, Shadow) and isinstance(event.seen, AlarmSeen):
            told.setdefault(event.seen.name, []).append(event.seen.state)
    return told


def test_a_strict_shadow_rings_before_the_real_alarm_and_another_one_never(run: Run) -> None:
    """The real one bears three errors a minute; what the timeline keeps gives the same facts again."""
    watching(run, *SHADOW)
    release(run)
    assert {name for name, told in states(run.events).items() if "ALARM" in told} == {"strict", "canary"}
    kept = list(decode([encode(event) for event in run.events]))
    assert kept == run.events
    verdict = judge(experiment(*SHADOW), kept)
    told = {one.name: one for one in verdict.shadow}
    assert verdict.outcome == "rolled_back"
    assert told["strict"].lead_s[0] > 60
    assert told["strict"].seen_s < verdict.detection.alarm_s[0]
    assert told["strict"].stops is True
    assert told["canary"].alarm_s == told["strict"].alarm_s
    for name in ("never", "ratio"):
        assert (told[name].alarm_s, told[name].stops, told[name].call) == (None, None, Call.INCONCLUSIVE)
        assert told[name].alarms == 0


def test_the_real_metrics_are_read_as_without_them(run: Run) -> None:
    """In one request, and what both want is asked for once: GetMetricData costs by the metric."""
    aws = watching(run, *SHADOW)
    alone = Run(run.cloud, run.clients)
    alone.epoch_s = run.epoch_s
    plain = watching(alone)
    run.watcher.follow(deployment_id := run.deploy())
    alone.watcher.follow(deployment_id)
    for _ in range(12):
        run.cloud.advance(15.0)
        run.watcher.look()
        alone.watcher.look()
    metrics = [[event.points for event in one.events if isinstance(event, MetricSeen)] for one in (run, alone)]
    assert metrics[0] == metrics[1]
    assert aws.asked == plain.asked
    assert run.seen(LookFailed) == []


def test_what_cloudwatch_refuses_costs_the_shadow_alone(run: Run) -> None:
    """The release is seen as ever, no look of the run has failed, and the report names the reason."""
    wrong = {"name": "wrong", "metric": "Orders", "namespace": "Nowhere", "dimensions": {}}
    watching(run, wrong)
    release(run)
    assert run.seen(LookFailed) == []
    assert run.seen(MetricSeen)
    verdict = judge(experiment(wrong), run.events)
    assert (verdict.outcome, verdict.call) == ("rolled_back", judge(experiment(), _without(run.events)).call)
    assert "The namespace Nowhere is not valid" in verdict.shadow[0].why


def _without(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, Shadow)]


def test_a_metric_without_datapoints_is_named(run: Run) -> None:
    """It was defined and asked for, and CloudWatch had none."""
    orders = {"name": "orders", "metric": "Orders", "namespace": "Shop", "dimensions": {"Shop": "{function}"}}
    watching(run, orders)
    release(run)
    defined = [event.seen for event in run.seen(Shadow) if isinstance(event.seen, AlarmDefined)]
    assert [one.dimensions for one in defined] == [{"Shop": run.names["function"]}]
    told = judge(experiment(orders), run.events).shadow[0]
    assert "no datapoint" in told.why
    assert told.call is Call.INCONCLUSIVE


def test_a_further_group_has_shadow_alarms_of_its_own(run: Run) -> None:
    """They stand in its own verdict, and the first group's are not among them."""
    names = {name: run.names[name] for name in ("application", "group", "function", "alias")}
    both = msgspec.structs.replace(
        experiment(*SHADOW), deployment=Deployment(group="another"), also=(Also(**names),), alarm=Alarm()
    )
    (name, seen_so), *_ = others(both).items()
    neighbour = Neighbour(name, seen_so, run.aws, run.events.append, run.now, run.epoch_s)
    run.watcher = neighbour.watcher
    release(run)
    kept = list(decode([encode(event) for event in run.events]))
    assert kept == run.events
    told = {one.name: one for one in judge(seen_so, [*events_of(name, seen_so.deployment, kept)]).shadow}
    assert told["strict"].stops is True
    assert neighbour.rollout.shadows.states.keys() == told.keys()
    assert states(kept) == {}
