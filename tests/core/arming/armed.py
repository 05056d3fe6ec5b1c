"""A snapshot of a group that is armed, to be spoiled by a test."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from harness.core.arming import Check, FaultCounts, Probed, Snapshot, diagnose
from harness.core.experiment.types import (
    ALL_ROLLBACK_EVENTS,
    Deployment,
    Experiment,
    Target,
    Traffic,
)
from harness.core.timeline.events import (
    AlarmDefined,
    AlarmSeen,
    AliasMetricSeen,
    AliasSeen,
    ConfigSeen,
    DeploymentSeen,
    Event,
    GroupSeen,
    LookFailed,
    MetricSeen,
)

AT: Mapping[str, float] = {"asked_s": 0.0, "at_s": 0.1}
GROUP = GroupSeen(
    **AT,
    application="shop",
    group="live",
    config="CodeDeployDefault.LambdaCanary10Percent5Minutes",
    alarms=("errors",),
    alarms_enabled=True,
    rollback_events=ALL_ROLLBACK_EVENTS,
)
CONFIG = ConfigSeen(**AT, name=GROUP.config, kind="canary", step=0.1, interval_s=300.0)
ALIAS = AliasSeen(**AT, function="fn", alias="Live", version="7")
LAST = DeploymentSeen(**AT, deployment_id="d-1", status="Succeeded")
ERRORS = AlarmDefined(
    **AT,
    name="errors",
    metric="Errors",
    namespace="AWS/Lambda",
    dimensions={"FunctionName": "fn"},
    statistic="Sum",
    period_s=60,
    evaluation_periods=1,
    datapoints=1,
    threshold=3.0,
    comparison="GreaterThanOrEqualToThreshold",
    missing="notBreaching",
)
OK = AlarmSeen(**AT, name="errors", state="OK")
INVOKED = MetricSeen(**AT, metric="Invocations", version=None, period_s=60, points=((-120.0, 50.0),))
BY_ALIAS = AliasMetricSeen(**AT, metric="Invocations", alias="Live", period_s=60, points=((-120.0, 50.0),))
SIGHTINGS: tuple[Event, ...] = (GROUP, CONFIG, ALIAS, LAST, ERRORS, OK, INVOKED, BY_ALIAS)
EXPERIMENT = Experiment(
    name="x",
    target=Target(host="https://shop.example"),
    traffic=Traffic(error_share=0.05),
    deployment=Deployment(application="shop", group="live", function="fn"),
)
ARMED = Snapshot(
    experiment=EXPERIMENT,
    sightings=SIGHTINGS,
    active=(),
    last="d-1",
    hooks=(),
    points={("errors", "m1"): ((-120.0, 0.0),)},
    good=Probed(200, "7"),
    fault=Probed(502),
    counted=FaultCounts({"errors": 1.0}, 1.0, 2.0),
    clock_ahead_s=0.0,
)


def seeing(*changed: Event, without: type | None = None, **fields: Any) -> Snapshot:
    """The armed snapshot with some sightings in place of those of their kind."""
    kinds = {type(event) for event in changed} | ({without} if without else set())
    kept = tuple(event for event in SIGHTINGS if type(event) not in kinds)
    return replace(ARMED, sightings=(*kept, *changed), **fields)


def asked(question: str, snapshot: Snapshot) -> Check:
    """The answer to one question."""
    return next(check for check in diagnose(snapshot).checks if check.id == question)


def lost(call: str, code: str = "ThrottlingException") -> LookFailed:
    """A look that failed."""
    return LookFailed(**AT, call=call, code=code, message="no")
