"""Every kind of alarm against every kind of release: the call of each pair, written down by hand.

The world comes first: whether the alarm sees such a release, and so whether CodeDeploy rolled it back, is what AWS
would do. The call is then what the harness has to say of it.
"""

from typing import Any

import pytest

from harness.core.timeline.events import AlarmDefined, MetricQuery

ALARM = "errors"
LAMBDA = {"namespace": "AWS/Lambda", "dimensions": {"FunctionName": "fakeUser"}}


def alarm(name: str = ALARM, **given: Any) -> AlarmDefined:
    """An alarm on one-minute periods that one of them puts in ALARM."""
    fields = {"period_s": 60, "evaluation_periods": 1, "datapoints": 1, "comparison": "GreaterThanOrEqualToThreshold"}
    return AlarmDefined(at_s=0.1, asked_s=0.0, name=name, **{**fields, "missing": "notBreaching", **given})


def of(id_: str, metric: str) -> MetricQuery:
    """A metric of Lambda that an expression is about."""
    return MetricQuery(id=id_, metric=metric, statistic="Sum", period_s=60, returned=False, **LAMBDA)


ERRORS = alarm(metric="Errors", statistic="Sum", threshold=3.0, **LAMBDA)
DURATION = alarm(metric="Duration", statistic="p99", threshold=1000.0, **LAMBDA)
RATE = (of("errors", "Errors"), of("calls", "Invocations"), MetricQuery(id="e1", expression="100*errors/calls"))
GUARDS: dict[str, tuple[AlarmDefined, ...]] = {
    "none": (),
    "errors": (ERRORS,),
    "rate": (alarm(queries=RATE, threshold=2.0, period_s=None),),
    "throttles": (alarm(metric="Throttles", statistic="Sum", threshold=1.0, **LAMBDA),),
    "duration": (DURATION,),
    "5xx": (alarm(metric="5XXError", namespace="AWS/ApiGateway", statistic="Sum", threshold=3.0),),
    "composite": (
        AlarmDefined(at_s=0.1, asked_s=0.0, name=ALARM, kind="composite", rule='ALARM("sum") OR ALARM("slow")'),
        alarm("sum", metric="Errors", statistic="Sum", threshold=3.0, **LAMBDA),
        alarm("slow", metric="Duration", statistic="p99", threshold=1000.0, **LAMBDA),
    ),
}
RELEASES: dict[str, dict[str, Any]] = {
    "healthy": {},
    "fault requests": {"faults": ((0, 9e9, 0.05),)},
    "broken canary": {"canary_fails": 0.3},
    "slow canary": {"latency_s": (0.02, 2.0)},
    "throttled": {"throttled": (60.0, 120.0)},
    "handled 500s": {"canary_fails": 0.3, "failed_status": 500},
    "late": {"faults": ((270, 9e9, 0.05),)},
    "traffic stops": {"traffic_ends_s": 150.0},
}
SEEN = {
    "none": (),
    "errors": ("fault requests", "broken canary"),
    "rate": ("fault requests", "broken canary"),
    "throttles": ("throttled",),
    "duration": ("slow canary",),
    "5xx": ("fault requests", "broken canary", "throttled", "handled 500s"),
    "composite": ("fault requests", "broken canary", "slow canary"),
}
"""Which releases AWS rolls back by each alarm; all others are promoted."""
CALLS = """
                none         errors       rate         throttles    duration     5xx          composite
healthy         cleared      cleared      cleared      cleared      cleared      cleared      cleared
fault requests  missed       caught       caught       missed       missed       caught       caught
broken canary   missed       caught       caught       missed       missed       caught       caught
slow canary     missed       missed       missed       missed       caught       missed       caught
throttled       missed       missed       missed       caught       missed       caught       missed
handled 500s    missed       missed       missed       missed       missed       caught       missed
late            missed       missed       missed       missed       missed       missed       missed
traffic stops   inconclusive inconclusive inconclusive inconclusive inconclusive inconclusive inconclusive
"""


def cells() -> list[tuple[str, str, str]]:
    """Each cell of the table: the alarm, the release, and the right call."""
    head, *rows = CALLS.strip("\n").splitlines()
    return [
        (guard, row[:16].strip(), call)
        for row in rows
        for guard, call in zip(head.split(), row[16:].split(), strict=True)
    ]


CELLS = cells()
SOME = [cell for cell in CELLS if cell[0] in ("errors", "rate", "none")]


def played(guard: str, release: str, build: Any, **changes: Any) -> Any:
    """The timeline of a cell."""
    rolled_back = {"end": "rolled_back", "end_s": 191.0, "alarms": ((180.5, 300.0),)}
    world = rolled_back if release in SEEN[guard] else {}
    return build(guards=GUARDS[guard], **{**RELEASES[release], **world, **changes})


@pytest.mark.parametrize(("guard", "release", "call"), CELLS)
def test_call_of_each_alarm_and_release(guard: str, release: str, call: str, build: Any, judged: Any) -> None:
    """None is a false alarm where users were hurt, and none is cleared where they were."""
    verdict = judged(played(guard, release, build))
    assert verdict.call == call, verdict.because


@pytest.mark.parametrize(
    ("guard", "release", "call"), [cell for cell in CELLS if cell[0] in ("errors", "rate", "none")]
)
@pytest.mark.parametrize("seconds", [13.0, 31.5, 59.0, 240.0])
def test_second_of_the_start_changes_no_call(
    guard: str, release: str, call: str, seconds: float, build: Any, judged: Any, begun: Any
) -> None:
    """The same timeline, begun so many seconds later, is called the same."""
    assert judged(begun(played(guard, release, build), seconds)).call == call
