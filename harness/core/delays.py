"""How long AWS takes for what: every constant once. The local cloud plays them, and `odds` reckons with them.

A span is (shortest, longest) in seconds; what happens is drawn evenly between the two. Only numbers are here, no rules:
a wrong belief about what AWS does must not pass on both sides.
"""

from msgspec import Struct

Range = tuple[float, float]

METRIC_DELAY_S: Range = (10.0, 20.0)
"""A minute's data arrive so long after its end. Assumption: AWS states none.

With the second of the minute at which an alarm is evaluated they make the 17 to 71 s, median 51 s, that twenty
captured alarms took from the end of the deciding minute to the change of state.
"""

ALARM_DELAY_S: Range = (17.0, 71.0)
"""From the end of the deciding minute to an alarm's change of state, as those twenty captured alarms took."""

COMPOSITE_LAG_S = 1.0
"""How long after its child's a composite alarm's state changes. Assumption: AWS states none, seconds were seen."""

FIRST_ALARM_LOOK_S: Range = (0.2, 0.45)
"""From the start of a deployment to its first look at the alarms.

One that was in ALARM already stopped a deployment 0.73 s after it was created.
"""

ALARM_LOOK_S: Range = (1.0, 10.0)
"""Between two looks at the alarms: at least, and at most. Assumption: AWS does not state it."""

STOP_DELAY_S: Range = (10.0, 29.0)
"""From an alarm's change to ALARM to the status Stopped, in a running deployment.

Captured: 10.7 to 11.7 s and 10.8 to 29.8 s (2026-08), at most 16 s and at most 23 s (2026-08).
"""

SLOWEST_ALARM_S = 110.0
"""From the end of the deciding minute to the status Stopped at the most.

Metrics lie in CloudWatch up to 20 s after their minute, an alarm is evaluated each 60 s, and CodeDeploy stops up to
30 s after it. Assumption: captured were at most 71 s to ALARM and 29.8 s to the stop; AWS documents none of it.
"""

ROLLBACK_DELAY_S = 0.5
"""From the terminal status to the rollback deployment: captured notifications lie 0.5 s apart."""

ALIAS_LAG_S: Range = (0.0, 6.0)
"""How long after its rollback deployment the alias, and who is sent to it, still has the weights.

Captured once: a look some 3 s after the rollback had Succeeded saw them, and so did one request of five (2026-08).
Another capture had the alias clean at a look within 16 s. Assumption: the span.
"""


class StepTimes(Struct, frozen=True, kw_only=True):
    """How fast a deployment goes through what it does itself."""

    created_s: Range
    """Status Created, before the start."""
    start_s: Range
    """From the start to the end of the checks that come before the lifecycle events."""
    event_s: Range
    """A lifecycle event without a hook."""
    gap_s: Range
    """Before each lifecycle event."""
    first_shift_s: Range
    """From the begin of AllowTraffic until the alias has its first weights."""
    later_shift_s: Range
    """How late each later shift is: captured linear intervals of a minute took 61 s."""
    end_s: Range
    """From the last lifecycle event to the terminal status."""


FORWARD = StepTimes(
    created_s=(0.1, 0.3),
    start_s=(1.0, 1.4),
    event_s=(0.4, 0.7),
    gap_s=(0.25, 0.8),
    first_shift_s=(1.2, 3.0),
    later_shift_s=(0.1, 0.9),
    end_s=(0.25, 0.4),
)
"""First weights 3 to 7 s after the start, a five-minute canary in 5:03 to 5:06 (captured: 5:02 and 5:05)."""

ROLLBACK = StepTimes(
    created_s=(0.1, 0.2),
    start_s=(0.1, 0.2),
    event_s=(0.25, 0.45),
    gap_s=(0.1, 0.25),
    first_shift_s=(0.1, 0.3),
    later_shift_s=(0.0, 0.0),
    end_s=(0.1, 0.2),
)
"""Captured rollback deployments took 1 to 3 s."""
