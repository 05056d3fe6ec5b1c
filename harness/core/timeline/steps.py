"""The steps in which a deployment configuration shifts traffic, counted from its first shift.

Assumption: no step comes early, and intervals count from the begin of AllowTraffic.
"""

import math

from harness.core.timeline.events import ConfigSeen


def shifting_s(config: ConfigSeen) -> float | None:
    """How long after the first shift the last one is due; None if all traffic shifts at once, or nothing says so."""
    if not config.step or not config.interval_s:
        return None
    # Rounded, since 0.9 / 0.1 is a little more than 9.
    shifts = 1 if config.kind == "canary" else math.ceil(round((1 - config.step) / config.step, 6))
    return shifts * config.interval_s


def due_s(config: ConfigSeen | None, weight: float) -> float:
    """How long after the first shift the one to `weight` is due; 0 where there is no other."""
    if config is None or config.kind != "linear" or not config.step or not config.interval_s:
        return 0.0
    return (round(weight / config.step) - 1) * config.interval_s


def weight_after(config: ConfigSeen, elapsed_s: float) -> float | None:
    """The canary's share so long after the first shift, before the last one; None if all traffic shifts at once."""
    if not config.step:
        return None
    further = math.floor(elapsed_s / config.interval_s) if config.kind == "linear" and config.interval_s else 0
    return min(1.0, (1 + further) * config.step)
