"""The settings over which the chances are held against rehearsals, each way in which they come about."""

from collections.abc import Mapping
from typing import Any

from harness.core.experiment.types import Alarm, Arm, Deployment, Experiment, Traffic

STEADY_S = 420.0
"""Long enough that an alarm's whole evaluation range is filled before the deployment."""


def release(rate: float, fail: float = 1.0, **given: Any) -> Experiment:
    """An experiment with a canary that fails this share of its requests; arrivals by chance, unless said otherwise."""
    traffic = {"arrival_rate": rate, "arrivals": "poisson", **given.pop("traffic", {})}
    canary = given.pop("canary", {"FAIL_RATIO": fail} if fail else {})
    return Experiment(
        name="setting",
        traffic=Traffic(**traffic),
        alarm=Alarm(**given.pop("alarm", {})),
        deployment=Deployment(config=given.pop("config", None)),
        canary=Arm(env=canary),
        baseline=Arm(env=given.pop("baseline", {})),
        steady_s=STEADY_S,
        **given,
    )


GRID: Mapping[str, Experiment] = {
    "thin": release(0.25),
    "thin, half fails": release(0.6, 0.5),
    "medium": release(0.5),
    "even arrivals": release(0.4, traffic={"arrivals": "even"}),
    "even, a third fails": release(2, 0.3, traffic={"arrivals": "even"}),
    "high threshold": release(2.2, alarm={"threshold": 14}),
    "above": release(1.0, alarm={"threshold": 6, "comparison": "GreaterThanThreshold"}),
    "canary alone": release(0.3, alarm={"dimensions": "version"}),
    "canary alone, breaching": release(0.2, alarm={"dimensions": "version", "missing": "breaching", "threshold": 2}),
    "canary alone, two of two": release(
        0.5, alarm={"dimensions": "version", "evaluation_periods": 2, "threshold": 2, "missing": "notBreaching"}
    ),
    "two of three": release(0.5, alarm={"evaluation_periods": 3, "datapoints": 2}),
    "three of three": release(0.9, alarm={"evaluation_periods": 3}),
    "ignored gaps": release(
        0.2, alarm={"dimensions": "version", "evaluation_periods": 2, "missing": "ignore", "threshold": 1}
    ),
    "five minutes": release(0.12, alarm={"period_s": 300}),
    "five minutes, ten of them": release(0.05, alarm={"period_s": 300}, config="Canary10Percent10Minutes"),
    "ten minutes": release(0.12, config="Canary10Percent10Minutes"),
    "two minutes": release(1.2, 0.8, config="Canary50Percent2Minutes", alarm={"threshold": 25}),
    "one minute": release(2.0, config="Canary10Percent1Minutes"),
    "linear": release(0.3, 0.4, config="Linear10PercentEvery1Minute", alarm={"threshold": 6}),
    "linear, quick": release(1.0, 0.5, config="Linear30PercentEvery1Minute", alarm={"threshold": 14}),
    "usual failures": release(2, 0.2, baseline={"FAIL_RATIO": 0.005}),
    "false alarms": release(1, 0.0, baseline={"FAIL_RATIO": 0.01}, alarm={"threshold": 4}),
    "fault requests": release(2, 0.0, traffic={"arrivals": "even", "error_share": 0.023}),
    "fault requests by chance": release(2, 0.0, traffic={"error_share": 0.012, "pattern": "bernoulli"}),
    "fault requests in bursts": release(2, 0.0, traffic={"arrivals": "even", "error_share": 0.02, "pattern": "burst"}),
    "a rate": release(3, 0.5, alarm={"statistic": "Average", "threshold": 0.08}),
    "slowest": release(
        0.25,
        canary={"LATENCY_MS": 800},
        alarm={"metric": "Duration", "statistic": "Maximum", "threshold": 500, "evaluation_periods": 2},
    ),
    "slow at p95": release(
        1.0, canary={"LATENCY_MS": 800}, alarm={"metric": "Duration", "statistic": "p90", "threshold": 500}
    ),
}
