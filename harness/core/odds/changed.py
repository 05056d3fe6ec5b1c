"""The same release with one thing changed: what a search varies, and what a table of settings sweeps."""

import math
from collections.abc import Callable

from msgspec.structs import replace

from harness.core.odds.setting import Delays, FaultModel, Setting, Watch
from harness.core.timeline.events import ConfigSeen

LEAP = 4.0
NEAR = 0.01


def with_rate(setting: Setting, factor: float) -> Setting:
    """So many times the traffic; where there is none, so many requests a second."""
    if not any(rate for _, rate in setting.rate):
        return replace(setting, rate=((0.0, factor),))
    return replace(setting, rate=tuple((at_s, rate * factor) for at_s, rate in setting.rate))


def with_share(setting: Setting, share: float) -> Setting:
    """A canary that fails this share of its requests, in whatever way it does."""
    return replace(setting, fault=replace(setting.fault, share=share))


def without_fault(setting: Setting) -> Setting:
    """A canary that is as good as the version in service."""
    return replace(setting, fault=FaultModel(share=0.0), planned=())


def with_config(setting: Setting, config: ConfigSeen) -> Setting:
    """Another way to shift."""
    return replace(setting, config=config)


def with_bake(setting: Setting, interval_s: float) -> Setting:
    """Another time between shifts."""
    return replace(setting, config=replace(setting.config, interval_s=interval_s))


def with_condition(setting: Setting, name: str, **given: object) -> Setting:
    """One alarm with another threshold, period, M, N or treatment of gaps."""

    def changed(watch: Watch) -> Watch:
        if watch.name != name:
            return watch
        rule = replace(watch.rule, condition=replace(watch.rule.condition, **given))
        return replace(watch, rule=rule)

    return replace(setting, watches=tuple(map(changed, setting.watches)))


def without_delays(setting: Setting) -> Setting:
    """Metrics and alarms that take no time."""
    return replace(setting, delays=Delays(metric_s=(0.0, 0.0), alarm_s=(0.0, 0.0), stop_s=(0.0, 0.0)))


def least(low: float, high: float, holds: Callable[[float], bool], *, start: float) -> float | None:
    """The least number for which something holds, as near as 1 %; None where it does not hold at `high` either.

    It must go on holding above that. The search begins at `start`, since far off it takes longer to find out.
    """
    start = min(high, max(low, start))
    if holds(start):
        high = start
        while high > low and holds(max(low, high / LEAP)):
            high = max(low, high / LEAP)
        low = max(low, high / LEAP)
    else:
        low = start
        while low < high and not holds(min(high, low * LEAP)):
            low = min(high, low * LEAP)
        if low >= high:
            return None
        high = min(high, low * LEAP)
    while high > low * (1 + NEAR) and high - low > 1e-9:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
