"""What failures are held against: whole periods of our own traffic, and no alarm that nobody can evaluate."""

from typing import Any

import pytest

from harness.core.timeline.events import AlarmDefined, MetricQuery


def on_lambda(id_: str, metric: str) -> MetricQuery:
    """A metric of the function that an expression is about."""
    told: dict[str, Any] = {"namespace": "AWS/Lambda", "dimensions": {"FunctionName": "fakeUser"}}
    return MetricQuery(id=id_, metric=metric, statistic="Sum", period_s=60, returned=False, **told)


def alarm(*queries: MetricQuery, **given: Any) -> AlarmDefined:
    """An alarm on metric math over one-minute periods."""
    told: dict[str, Any] = {"evaluation_periods": 1, "datapoints": 1, "comparison": "GreaterThanOrEqualToThreshold"}
    return AlarmDefined(at_s=0.1, asked_s=0.0, name="errors", queries=queries, period_s=None, **told, **given)


ERRORS, CALLS = on_lambda("errors", "Errors"), on_lambda("calls", "Invocations")
RATE = alarm(ERRORS, CALLS, MetricQuery(id="e1", expression="100*errors/calls"), threshold=2.0)
BAND = alarm(ERRORS, MetricQuery(id="ad1", expression="ANOMALY_DETECTION_BAND(errors)"), band="ad1", threshold=None)


@pytest.mark.parametrize("rate", [3.0, 5.0, 8.0, 10.0, 20.0])
@pytest.mark.parametrize("after_s", [13.0, 27.0, 60.0])
@pytest.mark.parametrize("faults", [((0, 9e9, 0.01),), ((0, 301, 0.01),)], ids=["to the end", "until 301 s"])
def test_period_that_our_traffic_covers_in_part_decides_nothing(
    build: Any, judged: Any, rate: float, after_s: float, faults: Any
) -> None:
    """One failure in the few requests of a minute that the end of the run cut off is a high rate, and no harm."""
    verdict = judged(build(guards=(RATE,), rate=rate, after_s=after_s, faults=faults))
    assert verdict.call == "cleared", verdict.because


@pytest.mark.parametrize("rate", [5.0, 20.0])
@pytest.mark.parametrize("since_s", [0, 330])
def test_rate_that_whole_periods_breach_is_harm(build: Any, judged: Any, rate: float, since_s: float) -> None:
    """Also where the faults came in the last seconds of the run alone."""
    verdict = judged(build(guards=(RATE,), rate=rate, faults=((since_s, 9e9, 0.1),)))
    assert verdict.call == "missed", verdict.because


@pytest.mark.parametrize("share", [0.005, 0.05])
def test_alarm_that_cannot_be_evaluated_leaves_failures_unweighed(build: Any, judged: Any, share: float) -> None:
    """It may bear them; the objective says nothing beside an alarm that does, nor does its name alone."""
    verdict = judged(build(guards=(BAND,), faults=((0, 9e9, share),)))
    named = judged(build(guards=(BAND,), faults=((0, 9e9, share),)), alarm={"name": "errors"})
    assert (verdict.call, named.because) == ("inconclusive", verdict.because)
    assert any("what errors (" in said and "bears cannot be told" in said for said in verdict.because)
    assert judged(build(guards=(), faults=((0, 9e9, share),))).call == "missed"
    assert judged(build(guards=(BAND,), canary_fails=0.3)).call == "missed"
