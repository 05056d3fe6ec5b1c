"""What decides whether a fault is caught: the one thing that, if it were otherwise, would change the answer most."""

from typing import Literal

from msgspec.structs import replace

from harness.core.numbers import figures
from harness.core.odds.chances import chance
from harness.core.odds.changed import with_condition, with_rate, without_delays
from harness.core.odds.exact import alarm_delay, fault_begin_s
from harness.core.odds.setting import FIRST_SHIFT_S, Setting, Watch
from harness.core.timeline.alarm_evaluation import MINUTE_S
from harness.core.timeline.composites import leaves

Cause = Literal["none", "dimension", "rollback", "bake", "delay", "phase", "threshold", "traffic", "early", "unknown"]

SURE = 0.99
NEARLY = 0.9
MOSTLY = 0.5
PLENTIFUL = 1e4
"""How many times the traffic is as good as any amount."""


def binding(setting: Setting, now: float, too_early: float = 0.0) -> tuple[Cause, str]:
    """The cause that binds, and its sentence.

    `now` is the chance of a rollback as it stands, `too_early` that of one by an alarm that rang before the fault.
    """
    if setting.left_out and now < SURE:
        names = ", ".join(setting.left_out)
        return "unknown", f"What binds is not known: {names} may roll the release back, and cannot be reckoned with."
    if not setting.guards:
        return "rollback", "No alarm rolls a deployment of this group back."
    if too_early > 1 - SURE and (now >= SURE or too_early >= MOSTLY):
        return "early", _rings_early(setting)
    decide = {leaf.name for guard in setting.guards for leaf in leaves(guard)}
    setting = replace(setting, watches=tuple(watch for watch in setting.watches if watch.name in decide))
    able = [watch for watch in setting.watches if _can_see(setting, watch)]
    if not able:
        return "dimension", _blind(setting)
    if now >= SURE:
        return "none", "Nothing binds: the fault is caught in 99 of 100 releases, as it stands."
    if not setting.span_s:
        return "bake", "The bake binds: all traffic shifts at once, so there is no time before the last shift."
    if chance(with_rate(setting, PLENTIFUL)) < SURE:
        return _time_binds(setting, able)
    return _counts_bind(setting, able, now)


def _rings_early(setting: Setting) -> str:
    breaching = [watch.name for watch in setting.watches if watch.condition.missing == "breaching"]
    why = f": {', '.join(breaching)} treats missing data as breaching" if breaching else ""
    return f"An alarm that rings without the fault binds{why}. It stops good releases, too, and detects nothing."


def _can_see(setting: Setting, watch: Watch) -> bool:
    planned = bool(setting.planned) and watch.counts != "nothing" and not watch.latency
    return planned or (watch.feels(setting.fault) and watch.counts in ("all", "canary"))


def _blind(setting: Setting) -> str:
    reasons = []
    for watch in setting.watches:
        if watch.counts == "baseline":
            reasons.append(f"{watch.name} counts another version than the canary")
        elif watch.counts == "nothing":
            reasons.append(f"{watch.name} has dimensions to which nothing is written")
        elif watch.latency:
            reasons.append(f"{watch.name} measures latency, and the fault makes nothing slow")
        else:
            reasons.append(f"{watch.name} does not count what the fault does to a request")
    return f"The dimension or metric binds: {'; '.join(reasons)}."


def _time_binds(setting: Setting, able: list[Watch]) -> tuple[Cause, str]:
    """Even endless traffic would not do: the bake is too short, or the alarm's phase or delay is in the way."""
    plenty = with_rate(setting, PLENTIFUL)
    needed_s = min(watch.condition.period_s * watch.condition.datapoints for watch in able)
    left_s = max(0.0, setting.last_shift_s - max(fault_begin_s(setting), FIRST_SHIFT_S))
    delay = alarm_delay(setting.delays)
    slow_s = delay.slowest_s + setting.delays.stop_s[1]
    worst_s = max(needed_s, MINUTE_S) + MINUTE_S + slow_s
    if chance(without_delays(plenty)) < NEARLY:
        text = (
            f"The bake binds: {left_s:.0f} s are left for the fault, and the alarm's periods alone take {needed_s:g} s"
        )
        return "bake", f"{text} and up to a minute to begin."
    if chance(plenty) >= MOSTLY:
        text = (
            f"The phase binds: with the minutes and the alarm's evaluation as they fall it takes up to {worst_s:.0f} s"
        )
        return "phase", f"{text}, and {left_s:.0f} s are left: in most releases it is in time."
    text = f"The metric's delay binds: from the end of the deciding minute to the stop it takes up to {slow_s:.0f} s"
    return "delay", f"{text}, and {left_s:.0f} s are left for all."


def _counts_bind(setting: Setting, able: list[Watch], now: float) -> tuple[Cause, str]:
    lowered = setting
    for watch in able:
        lowered = with_condition(lowered, watch.name, threshold=_lowest(watch))
    expected = max(_expected(setting, watch) for watch in able)
    needed = min((need for watch in able if (need := watch.needed(_requests(setting, watch)))), default=None)
    takes = f"{needed:,}" if needed else "more than all"
    got = f"{figures(expected)} bad requests are to be expected in a period, and the alarm takes {takes}"
    if chance(lowered) >= SURE > now:
        return "threshold", f"The threshold binds: {got}."
    return "traffic", f"Thin traffic binds: {got}."


def _lowest(watch: Watch) -> float:
    """The threshold that the least failure reaches."""
    condition = watch.condition
    if watch.is_rate or not condition.comparison.startswith("GreaterThan"):
        return condition.threshold
    return 1.0 if condition.comparison == "GreaterThanOrEqualToThreshold" else 0.0


def _requests(setting: Setting, watch: Watch) -> int:
    weight = setting.shifts[0][1] if watch.counts == "canary" else 1.0
    return round(setting.rate_at(FIRST_SHIFT_S) * weight * watch.condition.period_s)


def _expected(setting: Setting, watch: Watch) -> float:
    begin_s = fault_begin_s(setting) + 1.0
    fault = setting.weight_at(max(begin_s, FIRST_SHIFT_S + 1.0)) * setting.fault.share * setting.fault.of_traffic
    planned = max((one.share for one in setting.planned), default=0.0)
    share = planned + (1 - planned) * (fault if watch.feels(setting.fault) else 0.0)
    return setting.rate_at(begin_s) * share * watch.condition.period_s
