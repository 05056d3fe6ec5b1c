"""What the alarms make of one release, worked out slowly: one evaluation after the other, by the user guide's words."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.core.delays import FIRST_ALARM_LOOK_S, FORWARD
from harness.core.odds.setting import CREATION_S, Setting, Watch
from harness.core.timeline.composites import ChildIs, StateRule, holds
from tests.core.timeline.test_alarm_evaluation import slow_state

MINUTE_S = 60.0
LOOK_S = CREATION_S + sum(FORWARD.created_s) / 2 + sum(FIRST_ALARM_LOOK_S) / 2
"""When CodeDeploy looks at the alarms for the first time, on average."""

Dated = list[tuple[float, str]]


class Minute(NamedTuple):
    """The requests of a minute that an alarm counts, and the bad ones among them."""

    seen: float
    bad: float


class Account(NamedTuple):
    """When the minutes of one release end, how late its metrics are, and at which second each alarm is evaluated."""

    ends_s: Sequence[float]
    metric_s: float
    phases_s: Mapping[str, float]


def rung(setting: Setting, account: Account, minutes: Mapping[str, Sequence[Minute]]) -> tuple[float, bool]:
    """When the group's alarms first stop the deployment, infinite if never, and whether one is on at its start."""
    told = {one.name: _states(setting, one, account, minutes[one.name]) for one in setting.watches}
    rung = [moment for guard in setting.guards for moment in _moments(setting, guard, told)]
    first_s = min((at_s for _, at_s, rings in rung if rings and at_s > LOOK_S), default=math.inf)
    before = {of: rings for of, at_s, rings in rung if at_s <= LOOK_S}  # the last one of each alarm
    return first_s, any(before.values())


def _moments(setting: Setting, guard: StateRule, told: Mapping[str, Dated]) -> list[tuple[object, float, bool]]:
    """Each evaluation that may stop the deployment: of which alarm, when, and whether the guard rings then."""
    if isinstance(guard, ChildIs):
        return [((guard, guard.name), at_s, state == "ALARM") for at_s, state in told[guard.name]]
    lag_s = setting.delays.composite_s
    return [
        ((guard, name), at_s + lag_s, _holds(guard, told, at_s)) for name, dated in told.items() for at_s, _ in dated
    ]


def _holds(guard: StateRule, told: Mapping[str, Dated], at_s: float) -> bool:
    now = {
        name: [state for when_s, state in dated if when_s <= at_s + 1e-6][-1:] or ["OK"] for name, dated in told.items()
    }
    return holds(guard, lambda leaf: leaf.holds_in(now[leaf.name][0]))  # type: ignore[arg-type]


def _states(setting: Setting, watch: Watch, account: Account, minutes: Sequence[Minute]) -> Dated:
    """The states of one alarm, each with the instant of its evaluation, a minute apart."""
    phase_s, length = account.phases_s[watch.name], max(1, watch.condition.period_s // 60)
    late = phase_s < account.metric_s
    dated: Dated = []
    for at, end_s in enumerate(account.ends_s):
        known = [*minutes[: at + 1], *([None] if late else [])]  # a minute later, the next one is not there yet
        ends = range(len(known), len(known) - length * watch.condition.range, -length)
        points = [_value(setting, watch, known, until, length) for until in ends]
        state = slow_state(watch.condition, points, dated[-1][1] if dated else "OK")
        dated.append((end_s + phase_s + (MINUTE_S if late else 0.0), state))
    return dated


def _value(setting: Setting, watch: Watch, known: Sequence[Minute | None], until: int, length: int) -> float | None:
    """What a period is to the alarm: above its threshold where it breaches, None without a request in it."""
    period = [one for at in range(until - length, until) if at >= 0 and until > 0 and (one := known[at])]
    seen, bad = sum(one.seen for one in period), sum(one.bad for one in period)
    if not seen:
        return None
    needed = watch.needed(round(seen), setting.fault.latency_s)
    return watch.condition.threshold + (1.0 if needed is not None and bad >= needed else -1.0)
