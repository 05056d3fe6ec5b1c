"""Builders: a truthful timeline of a whole release in one line."""

import random
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import pytest

from harness.core.experiment.types import ALL_ROLLBACK_EVENTS, Experiment
from harness.core.timeline.events import (
    AlarmChanged,
    AlarmDefined,
    AlarmSeen,
    AliasSeen,
    Arrivals,
    ConfigSeen,
    DeploymentSeen,
    Event,
    FaultEnded,
    FaultStarted,
    GroupSeen,
    LifecycleEvent,
    MetricSeen,
    Requests,
    RunEnded,
    RunStarted,
    TargetSeen,
    Write,
)
from harness.core.timeline.histogram import bin_of

EPOCH_S = 1_800_000_000.0  # a full minute
FORWARD, ROLLBACK = "d-FORWARD01", "d-ROLLBACK1"
FUNCTION, ALIAS, ALARM = "fakeUser", "Live", "errors"
LOOK_S = 10.0
CANARY5 = ("CodeDeployDefault.LambdaCanary10Percent5Minutes", "canary", 0.1, 300.0)
LINEAR = ("CodeDeployDefault.LambdaLinear10PercentEvery1Minute", "linear", 0.1, 60.0)
ALL_AT_ONCE = ("CodeDeployDefault.LambdaAllAtOnce", "all_at_once", None, None)
# By the outcome that `end` names: CodeDeploy's status and error code. A hook that fails ends in a rollback too.
ENDINGS = {
    "promoted": ("Succeeded", None),
    "rolled_back": ("Stopped", "ALARM_ACTIVE"),
    "stopped": ("Stopped", "ALARM_ACTIVE"),
    "hook": ("Failed", "HOOK_EXECUTION_FAILURE"),
}


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One release as it truly went; instants count from the deployment's creation at `created_s`.

    `shifts` are (instant, canary weight); `end` is one of ENDINGS and `end_s` when it came. `alarms` are episodes in
    ALARM, `forced` one in which the harness held the alarm there. Faults are (begin, end, share). `canary_fails` and
    `baseline_fails` are the shares of their requests that fail whatever is sent. `guards` are the alarms of the group,
    one on three errors a minute if left out; `latency_s` is that of the baseline and of the canary. While `throttled`
    by a fault of ours, every request gets a 500.
    """

    created_s: float = 60.0
    rate: float = 20.0
    faults: tuple[tuple[float, float, float], ...] = ()
    forced: tuple[float, float] | None = None
    canary_fails: float = 0.0
    baseline_fails: float = 0.0
    shifts: tuple[tuple[float, float], ...] = ((5.0, 0.1), (305.0, 1.0))
    config: tuple[str, str, float | None, float | None] = CANARY5
    end: str = "promoted"
    end_s: float = 306.0
    error_code: str | None = None
    undone: bool = True
    alarms: tuple[tuple[float, float], ...] = ()
    idle_alarm: str = "OK"
    dimensions: dict[str, str] = msgspec.field(default_factory=lambda: {"FunctionName": FUNCTION})
    rollback_events: tuple[str, ...] = ALL_ROLLBACK_EVENTS
    hook: str | None = None
    after_s: float = 60.0
    headers: bool = True
    metrics: bool = True
    why: str = "settled"
    failed_status: int = 502
    guards: tuple[AlarmDefined, ...] | None = None
    latency_s: tuple[float, float] = (0.02, 0.02)
    throttled: tuple[float, float] | None = None
    traffic_ends_s: float = 9e9

    @property
    def is_undone(self) -> bool:
        """Whether CodeDeploy rolled it back."""
        return self.end in ("rolled_back", "hook") and self.undone

    @property
    def stop_s(self) -> float:
        """When the run ended."""
        return self.created_s + self.end_s + self.after_s

    def weight(self, at_s: float) -> float:
        """The canary's weight at an instant since the creation."""
        if self.is_undone and at_s >= self.end_s + 2:
            return 0.0
        return next((weight for shift_s, weight in reversed(self.shifts) if shift_s <= at_s), 0.0)

    def share(self, at_s: float) -> float:
        """The error share planned for an instant since the creation."""
        return next((share for begin, end, share in self.faults if begin <= at_s < end), 0.0)

    def alarm(self, at_s: float) -> str:
        """The alarm's state at an instant since the creation."""
        return "ALARM" if any(begin <= at_s < end for begin, end in self.alarms) else self.idle_alarm


class Even:
    """Draws that hit their share exactly and evenly."""

    def __init__(self) -> None:
        self._due = 0.0

    def draw(self, share: float) -> bool:
        """Whether this one is it."""
        self._due += share
        if self._due < 1 - 1e-9:
            return False
        self._due -= 1
        return True


def requests(at_s: float, *, count: int = 1, ok: bool = True, **given: Any) -> Requests:
    """One line of traffic: good, answered, by the baseline unless said otherwise."""
    latency = {bin_of(0.02): count}
    fields = {
        "intent": "good",
        "persona": "standard",
        "endpoint": "/fakeUser",
        "version": "1",
        "outcome": "ok" if ok else "failed",
        "status": 200 if ok else 502,
        "latency": latency,
        "service_time": latency,
    }
    return Requests(at_s=at_s, count=count, **{**fields, **given})


def _traffic(release: Release) -> Iterator[Event]:
    arrivals, faults, canary = Even(), Even(), random.Random(1)
    broken = {"1": Even(), "2": Even()}
    fails = {"1": release.baseline_fails, "2": release.canary_fails}
    for second in range(int(min(release.stop_s, release.created_s + release.traffic_ends_s))):
        since_s = second - release.created_s
        throttled = release.throttled is not None and release.throttled[0] <= since_s < release.throttled[1]
        cells: dict[tuple[str, str, bool], int] = {}
        for _ in range(int(release.rate * (second + 1)) - int(release.rate * second) if release.rate >= 1 else 0):
            _one(release, since_s, faults, canary, broken, fails, cells)
        if release.rate < 1 and arrivals.draw(release.rate):
            _one(release, since_s, faults, canary, broken, fails, cells)
        yield Arrivals(at_s=float(second), planned=sum(cells.values()), started=sum(cells.values()), lag={10: 1})
        for (intent, version, ok), count in cells.items():
            latency = {bin_of(release.latency_s[version == "2"]): count}
            yield requests(
                float(second),
                count=count,
                ok=ok and not throttled,
                intent=intent,
                persona="error" if intent == "fault" else "standard",
                version=version if release.headers and not throttled else None,
                status=500 if throttled else 200 if ok else release.failed_status,
                latency=latency,
                service_time=latency,
            )


def _one(
    release: Release, since_s: float, faults: Even, canary: random.Random, broken: Any, fails: Any, cells: Any
) -> None:
    intent = "fault" if faults.draw(release.share(since_s)) else "good"
    version = "2" if canary.random() < release.weight(since_s) else "1"
    ok = not broken[version].draw(fails[version]) and intent == "good"
    cells[intent, version, ok] = cells.get((intent, version, ok), 0) + 1


def _looks(release: Release) -> Iterator[Event]:
    yield from _first_looks(release)
    at_s = 0.0
    while at_s < release.stop_s:
        since_s = at_s - release.created_s
        stamp = {"asked_s": at_s, "at_s": at_s + 0.2}
        if since_s >= 0:
            yield _forward(release, since_s, stamp)
            if release.is_undone and since_s >= release.end_s + 1:
                yield _rollback(release, since_s, stamp)
            yield _target(release, since_s, stamp)
        yield _alias(release, since_s, stamp)
        if release.guards != ():
            yield AlarmSeen(name=ALARM, state=release.alarm(since_s), since_s=_since(release, since_s), **stamp)
        at_s += LOOK_S


def _first_looks(release: Release) -> Iterator[Event]:
    stamp = {"asked_s": 0.0, "at_s": 0.1}
    name, kind, step, interval_s = release.config
    yield GroupSeen(
        application="app",
        group="group",
        config=name,
        alarms=(ALARM,) if release.guards is None else tuple(one.name for one in release.guards[:1]),
        alarms_enabled=True,
        rollback_events=release.rollback_events,
        **stamp,
    )
    yield ConfigSeen(name=name, kind=kind, step=step, interval_s=interval_s, **stamp)
    if release.guards is not None:
        yield from release.guards
        return
    yield AlarmDefined(
        name=ALARM,
        metric="Errors",
        namespace="AWS/Lambda",
        dimensions=release.dimensions,
        statistic="Sum",
        period_s=60,
        evaluation_periods=1,
        datapoints=1,
        threshold=3.0,
        comparison="GreaterThanOrEqualToThreshold",
        missing="missing",
        **stamp,
    )


def _forward(release: Release, since_s: float, stamp: dict[str, float]) -> DeploymentSeen:
    status, code = ENDINGS[release.end]
    ended = since_s >= release.end_s
    undone = release.is_undone and since_s >= release.end_s + 1
    return DeploymentSeen(
        deployment_id=FORWARD,
        status=status if ended else "InProgress",
        creator="user",
        application="app",
        group="group",
        config=release.config[0],
        created_s=release.created_s,
        completed_s=release.created_s + release.end_s if ended else None,
        error_code=(release.error_code or code) if ended else None,
        rollback_id=ROLLBACK if undone else None,
        **stamp,
    )


def _rollback(release: Release, since_s: float, stamp: dict[str, float]) -> DeploymentSeen:
    done = since_s >= release.end_s + 3
    return DeploymentSeen(
        deployment_id=ROLLBACK,
        status="Succeeded" if done else "InProgress",
        creator="codeDeployRollback",
        created_s=release.created_s + release.end_s + 1,
        completed_s=release.created_s + release.end_s + 3 if done else None,
        rollback_of=FORWARD,
        **stamp,
    )


def _target(release: Release, since_s: float, stamp: dict[str, float]) -> TargetSeen:
    ended = since_s >= release.end_s
    lifecycle = (LifecycleEvent(name=release.hook, status="Failed"),) if release.hook and ended else ()
    return TargetSeen(
        deployment_id=FORWARD,
        status="InProgress",
        function=FUNCTION,
        alias=ALIAS,
        current_version="1",
        target_version="2",
        weight=release.weight(since_s),
        lifecycle=lifecycle,
        **stamp,
    )


def _alias(release: Release, since_s: float, stamp: dict[str, float]) -> AliasSeen:
    weight = release.weight(since_s)
    version = "2" if weight == 1 else "1"
    return AliasSeen(
        function=FUNCTION, alias=ALIAS, version=version, weights={"2": weight} if 0 < weight < 1 else {}, **stamp
    )


def _since(release: Release, since_s: float) -> float | None:
    begins = [begin for begin, _ in release.alarms if begin <= since_s]
    ends = [end for _, end in release.alarms if end <= since_s]
    return release.created_s + max([*begins, *ends], default=-500.0)


def _history(release: Release) -> Iterator[Event]:
    for begin, end in release.alarms:
        for at_s, old, new in ((begin, release.idle_alarm, "ALARM"), (end, "ALARM", release.idle_alarm)):
            changed_s = release.created_s + at_s
            if changed_s <= release.stop_s:
                seen = {"asked_s": max(0.0, changed_s) + 4, "at_s": max(0.0, changed_s) + 4.1}
                yield AlarmChanged(name=ALARM, changed_s=changed_s, from_state=old, to_state=new, **seen)


def _deeds(release: Release) -> Iterator[Event]:
    created_s = release.created_s
    yield Write(at_s=created_s - 0.5, call="codedeploy:CreateDeployment", subject="group", step="intended")
    yield Write(at_s=created_s + 0.1, call="codedeploy:CreateDeployment", subject="group", step="done", detail=FORWARD)
    for number, (begin, end, share) in enumerate(release.faults):
        yield FaultStarted(at_s=created_s + begin, fault=f"share-{number}", kind="error_share", value=str(share))
        if created_s + end < release.stop_s:
            yield FaultEnded(at_s=created_s + end, fault=f"share-{number}")
    if release.throttled:
        began_s, ended_s = (created_s + at_s for at_s in release.throttled)
        yield FaultStarted(at_s=began_s, fault="faults[0].concurrency", kind="concurrency", value="0")
        yield FaultEnded(at_s=ended_s, fault="faults[0].concurrency")
    if release.forced:
        yield FaultStarted(at_s=created_s + release.forced[0], fault="forced", kind="force_alarm", value="ALARM")
        yield FaultEnded(at_s=created_s + release.forced[1], fault="forced")


def _metrics(release: Release, traffic: Sequence[Event]) -> Iterator[Event]:
    seen = [event for event in traffic if isinstance(event, Requests)]
    stamp = {"asked_s": release.stop_s - 1, "at_s": release.stop_s - 0.9}
    for version in ("1", "2", None):
        of_version = [event for event in seen if version in (None, event.version)]
        for metric in ("Errors", "Invocations"):
            totals: dict[float, float] = {}
            for event in of_version:
                start = event.at_s // 60 * 60
                hit = metric == "Invocations" or event.status == 502
                totals[start] = totals.get(start, 0.0) + (event.count if hit else 0)
            points = tuple(sorted(totals.items()))
            if points:
                yield MetricSeen(metric=metric, version=version, period_s=60, points=points, **stamp)


def timeline(**release: Any) -> list[Event]:
    """The timeline of a release, in the order in which its events happened or were learned."""
    return [*_built(msgspec.json.encode(Release(**release)))]


@lru_cache(maxsize=64)
def _built(release: bytes) -> tuple[Event, ...]:
    """The same of a release as JSON, as which any two that are alike can be told to be: most are asked for often."""
    went = msgspec.json.decode(release, type=Release)
    traffic = list(_traffic(msgspec.structs.replace(went, headers=True)))
    events = [*_looks(went), *_history(went), *_deeds(went), *(_metrics(went, traffic) if went.metrics else ())]
    within = [event for event in [*_traffic(went), *events] if event.at_s < went.stop_s]
    return (
        RunStarted(at_s=0.0, experiment="built", epoch_s=EPOCH_S),
        *sorted(within, key=lambda event: event.at_s),
        RunEnded(at_s=went.stop_s, why=went.why),
    )


ROWS: dict[str, dict[str, Any]] = {
    "healthy": {},
    "erroruser": {
        "faults": ((0, 9e9, 0.05),),
        "end": "rolled_back",
        "end_s": 131.0,
        "alarms": ((120.5, 240.0),),
    },
    "broken-canary": {
        "canary_fails": 0.5,
        "end": "rolled_back",
        "end_s": 131.0,
        "alarms": ((120.5, 240.0),),
    },
    "forced-alarm": {
        "forced": (60.0, 120.0),
        "end": "rolled_back",
        "end_s": 72.0,
        "alarms": ((60.2, 100.0),),
    },
    "below-threshold": {"rate": 2.0, "faults": ((0, 9e9, 1 / 60),)},
    "thin-traffic": {"rate": 0.02, "canary_fails": 1.0, "after_s": 120.0},
    "late-fault": {"faults": ((280, 9e9, 0.05),), "alarms": ((390.0, 500.0),), "after_s": 150.0},
    "all-at-once": {
        "config": ALL_AT_ONCE,
        "shifts": ((2.0, 1.0),),
        "end_s": 3.0,
        "faults": ((60, 9e9, 0.05),),
        "alarms": ((180.0, 9e9),),
        "after_s": 240.0,
    },
    "alarm-already-on": {
        "created_s": 200.0,
        "faults": ((-180, -30, 0.05),),
        "alarms": ((-60.0, 90.0),),
        "shifts": (),
        "end": "rolled_back",
        "end_s": 0.7,
        "after_s": 200.0,
    },
    "hook-failure": {
        "end": "hook",
        "hook": "AfterAllowTraffic",
    },
    "no-rollback": {
        "faults": ((0, 9e9, 0.05),),
        "end": "stopped",
        "undone": False,
        "end_s": 131.0,
        "alarms": ((120.5, 9e9),),
        "rollback_events": (),
    },
    "linear": {
        "config": LINEAR,
        "shifts": tuple((5.0 + 60 * step, (step + 1) / 10) for step in range(10)),
        "faults": ((240, 9e9, 0.05),),
        "end": "rolled_back",
        "end_s": 370.0,
        "alarms": ((360.0, 480.0),),
    },
    "wrong-dimension": {
        "faults": ((0, 9e9, 0.05),),
        "idle_alarm": "INSUFFICIENT_DATA",
        "dimensions": {
            "FunctionName": FUNCTION,
            "Resource": f"arn:aws:lambda:eu-north-1:123456789012:function:{FUNCTION}:{ALIAS}",
        },
    },
}


@pytest.fixture(scope="session")
def build() -> Callable[..., list[Event]]:
    """Makes a timeline of a release: `build(end="promoted", canary_fails=0.5)`."""
    return timeline


@pytest.fixture(scope="session")
def row() -> Callable[..., list[Event]]:
    """Makes the timeline of a packaged experiment by its name, with changes: `row("healthy", rate=0)`."""
    return lambda name, **changes: timeline(**{**ROWS[name], **changes})


@pytest.fixture(scope="session")
def judged() -> Callable[..., Any]:
    """Judges a timeline by an experiment that says nothing: `judged(build())`."""
    from harness.core.verdict.judge import judge

    return lambda events, **keys: judge(msgspec.convert({"name": "built", **keys}, Experiment), events)


@pytest.fixture(scope="session")
def begun() -> Callable[[list[Event], float], list[Event]]:
    """The same timeline, begun so many seconds later."""

    def later(events: list[Event], seconds: float) -> list[Event]:
        first, *rest = events
        assert isinstance(first, RunStarted)
        return [msgspec.structs.replace(first, epoch_s=first.epoch_s + seconds), *rest]

    return later


@pytest.fixture(scope="session")
def rows() -> tuple[str, ...]:
    """The names of the packaged experiments."""
    return tuple(ROWS)


@pytest.fixture(scope="session")
def sent() -> Callable[..., Requests]:
    """Makes one line of traffic: `sent(61.0, ok=False, version="2")`."""
    return requests


@pytest.fixture(scope="session")
def experiment() -> Callable[..., Experiment]:
    """Makes an experiment from plain values, as YAML would give them."""
    return lambda **keys: msgspec.convert({"name": "built", **keys}, Experiment)
