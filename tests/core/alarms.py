"""Alarms as CloudWatch describes them."""

from typing import Any

from harness.core.timeline.events import AlarmDefined


def defined(**given: Any) -> AlarmDefined:
    """An alarm as CloudWatch has it: three errors in a minute, unless said otherwise."""
    fields = {
        "name": "errors",
        "metric": "Errors",
        "statistic": "Sum",
        "period_s": 60,
        "evaluation_periods": 1,
        "threshold": 3.0,
        "comparison": "GreaterThanOrEqualToThreshold",
    }
    return AlarmDefined(at_s=0.1, asked_s=0.0, **{**fields, **given})
