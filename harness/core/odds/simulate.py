"""The chances by playing many releases at once, seeded: for what has no formula, and to hold the formulas against.

Each release draws the second of the minute in which it begins, the delays of its account, its requests minute by
minute, and what CodeDeploy takes; then the alarms are evaluated by `bulk`.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.core.delays import ALARM_LOOK_S, ALIAS_LAG_S, FORWARD
from harness.core.odds import bulk
from harness.core.odds.bulk import ALARM, BREACHING, GOOD, MISSING, Floats, Marks, Truths
from harness.core.odds.drawn import Counts
from harness.core.odds.exact import RESTORED_S, alarm_delay, fault_begin_s
from harness.core.odds.outlook import LEVELS, RUNS, Chance, Outlook, Quantiles
from harness.core.odds.setting import CREATION_S, ENDS_AFTER_S, FIRST_LOOK_S, FIRST_SHIFT_S, Setting, Watch, only
from harness.core.timeline.alarm_evaluation import MINUTE_S
from harness.core.timeline.composites import StateRule
from harness.core.timeline.stats import clopper_pearson

BATCH = 20_000
"""Releases that are played at once: few enough for the processor's cache."""
TURNS = 48
"""In how many parts of its turn an intermittent fault may be when it begins, anywhere in each."""
FEWEST_A_TURN = 250
NEVER = np.inf

Whole: TypeAlias = NDArray[np.int64]


class SimulatedReleases(Struct, frozen=True):
    """What came of each release: when its alarm rang, it stopped, traffic was back, and what would have come last."""

    alarm_s: Floats
    stopped_s: Floats
    restored_s: Floats
    last_shift_s: Floats
    end_s: Floats
    at_start: Truths


def simulated(setting: Setting, *, runs: int = RUNS, seed: int = 1) -> Outlook:
    """The outlook of a setting by so many releases."""
    dice = np.random.default_rng(seed)
    parts = [played(setting, size, dice, turned_s) for size, turned_s in _batches(setting, runs, dice)]
    stopped_s, last_s, end_s = (_joined(parts, name) for name in ("stopped_s", "last_shift_s", "end_s"))
    at_start, alarm_s, restored_s = (_joined(parts, name) for name in ("at_start", "alarm_s", "restored_s"))
    in_time = stopped_s < last_s
    low, high = clopper_pearson(int(in_time.sum()), runs) or (0.0, 1.0)
    began_s = fault_begin_s(setting)
    timed = in_time & (at_start == 0) & (alarm_s >= began_s)
    return Outlook(
        rolled_back=Chance(value=float(in_time.mean()), low=low, high=high, by="simulated"),
        at_all=float((stopped_s < end_s).mean()),
        at_start=float(at_start.mean()),
        too_early=float((in_time & ~timed).mean()),
        detect_s=_quantiles(alarm_s[timed] - began_s),
        roll_back_s=_quantiles(restored_s[timed] - began_s),
        runs=runs,
    )


def roll_back_times(setting: Setting, *, runs: int = RUNS, seed: int = 1) -> Mapping[float, float]:
    """How likely each time to roll back is, by whole seconds, as `Outlook` counts them."""
    dice = np.random.default_rng(seed)
    parts = [played(setting, size, dice, turned_s) for size, turned_s in _batches(setting, runs, dice)]
    alarm_s, stopped_s, restored_s, last_s = (
        _joined(parts, name) for name in ("alarm_s", "stopped_s", "restored_s", "last_shift_s")
    )
    began_s, early = fault_begin_s(setting), _joined(parts, "at_start") > 0
    timed = (stopped_s < last_s) & ~early & (alarm_s >= began_s)
    seconds, counts = np.unique(np.floor(restored_s[timed] - began_s), return_counts=True)
    return {float(at_s): float(count) / runs for at_s, count in zip(seconds, counts, strict=True)}


def _batches(setting: Setting, runs: int, dice: np.random.Generator) -> Sequence[tuple[int, float]]:
    """Sizes of what is played at once, each with how far an intermittent fault has got into its turn."""
    every_s = setting.fault.every_s if setting.fault.kind == "intermittent" else 0.0
    if not every_s:
        return [(min(BATCH, runs - done), 0.0) for done in range(0, runs, BATCH)]
    size = min(BATCH, max(FEWEST_A_TURN, -(-runs // TURNS)))
    sizes = [min(size, runs - done) for done in range(0, runs, size)]
    return [(one, (at + dice.uniform()) / len(sizes) * every_s) for at, one in enumerate(sizes)]


def _joined(parts: Sequence[SimulatedReleases], name: str) -> Floats:
    joined: Floats = np.concatenate([getattr(part, name) for part in parts])
    return joined


def _quantiles(times: Floats) -> Quantiles | None:
    if not times.size:
        return None
    p05, p50, p95 = (float(value) for value in np.quantile(times, LEVELS))
    return Quantiles(p05=p05, p50=p50, p95=p95)


def played(setting: Setting, runs: int, dice: np.random.Generator, turned_s: float = 0.0) -> SimulatedReleases:
    """So many releases, played once each."""
    low_s, high_s = setting.created
    second_s = (dice.uniform(low_s, high_s, (runs, 1)) - CREATION_S) % MINUTE_S
    earliest_s = FIRST_LOOK_S - alarm_delay(setting.delays).slowest_s
    first = int(np.floor(earliest_s / MINUTE_S)) - _look_back(setting)
    last = int(np.floor((setting.end_s + MINUTE_S) / MINUTE_S))
    ends_s = (np.arange(first, last + 1) + 1) * MINUTE_S - second_s
    metric_s, phases_s = _delays(setting, runs, dice)
    counts = Counts(setting, ends_s, dice, turned_s)
    states, when_s = {}, {}
    for at, watch in enumerate(setting.watches):
        late = phases_s[:, at] < metric_s
        states[watch.name] = _states(setting, watch, counts, late)
        when_s[watch.name] = ends_s + np.where(late, phases_s[:, at] + MINUTE_S, phases_s[:, at])[:, None]
    alarm_s, at_start = _alarm_s(setting, states, when_s)
    return _stopped(setting, alarm_s, at_start, dice)


def _look_back(setting: Setting) -> int:
    """How many minutes before the deployment the alarms look back on."""
    return max(watch.condition.range * watch.minutes for watch in setting.watches)


def _delays(setting: Setting, runs: int, dice: np.random.Generator) -> tuple[Floats, Floats]:
    """How late the metrics of each account are, and at which second of the minute it evaluates each alarm."""
    count = len(setting.watches)
    if setting.delays.alarm_s is None:
        return dice.uniform(*setting.delays.metric_s, runs), dice.uniform(0, MINUTE_S, (runs, count))
    delay_s = dice.uniform(*setting.delays.alarm_s, runs)
    return delay_s, np.repeat(delay_s[:, None] % MINUTE_S, count, axis=1)


# Alarms


def _states(setting: Setting, watch: Watch, counts: Counts, late: Truths) -> Marks:
    """The states of one alarm after each of its evaluations; `late` ones find the newest minute without data."""
    seen, bad = counts.of(watch)
    marks = _marks(setting, watch, seen, bad, watch.minutes)
    soon = bulk.states(watch.condition, bulk.windows(marks, watch.condition))
    if not late.any():
        return soon
    newest = _marks(setting, watch, seen, bad, watch.minutes - 1)
    soon[late] = bulk.states(watch.condition, bulk.late_windows(newest[late], marks[late], watch.condition))
    return soon


def _marks(setting: Setting, watch: Watch, seen: Floats | None, bad: Floats, minutes: int) -> Marks:
    """What each period of so many minutes is to the alarm."""
    if minutes < 1:
        return np.full(bad.shape, MISSING, np.int8)
    failed, total = bulk.rolling(bad, minutes), None if seen is None else bulk.rolling(seen, minutes)
    breaching = failed >= _needed(setting, watch, total)
    marks = np.where(breaching, BREACHING, GOOD).astype(np.int8)
    return marks if total is None else np.where(total > 0, marks, MISSING).astype(np.int8)


def _needed(setting: Setting, watch: Watch, seen: Floats | None) -> "Floats | float":
    """How many bad requests make a period breach."""
    if seen is None or not watch.is_rate:
        needed = watch.needed(1, setting.fault.latency_s)
        return NEVER if needed is None else float(needed)
    sizes, places = np.unique(seen, return_inverse=True)
    needs = (watch.needed(int(size), setting.fault.latency_s) if size else None for size in sizes)
    table = np.array([NEVER if need is None else float(need) for need in needs])
    found: Floats = table[places].reshape(seen.shape)
    return found


def _alarm_s(setting: Setting, states: Mapping[str, Marks], when_s: Mapping[str, Floats]) -> tuple[Floats, Truths]:
    """When the first alarm of the group goes to ALARM in each release, and whether one is in ALARM at its start."""
    runs = next(iter(when_s.values())).shape[0]
    first_s, at_start = np.full(runs, NEVER), np.zeros(runs, bool)
    for guard in setting.guards:
        name = only([guard])
        lag_s = 0.0 if name else setting.delays.composite_s
        names = [name] if name else [*states]
        for own in names:
            rings = states[own] == ALARM if name else _rings(guard, own, states, when_s)
            at_s = when_s[own] + lag_s
            at_start |= _on_at(rings, at_s)
            first_s = np.minimum(first_s, np.where(rings & (at_s > FIRST_LOOK_S), at_s, NEVER).min(axis=1))
    return first_s, at_start


def _rings(guard: StateRule, own: str, states: Mapping[str, Marks], when_s: Mapping[str, Floats]) -> Truths:
    """Whether a composite's rule is true right after each evaluation of one of its alarms."""
    at_s = when_s[own]
    seen = {name: _state_at(found, when_s[name], at_s) for name, found in states.items()}
    return bulk.holds(guard, bulk.in_state(seen))


def _state_at(found: Marks, when_s: Floats, at_s: Floats) -> Marks:
    """The state of an alarm at given instants: that of its last evaluation until then."""
    behind = np.floor((at_s - when_s[:, :1]) / MINUTE_S + 1e-9).astype(np.int64)
    places = np.clip(behind, 0, found.shape[1] - 1)
    taken: Marks = np.take_along_axis(found, places, axis=1)
    return np.where(behind < 0, bulk.OK, taken).astype(np.int8)


def _on_at(rings: Truths, at_s: Floats) -> Truths:
    """Whether it rings by the last evaluation before the first look at it."""
    place = np.clip((at_s <= FIRST_LOOK_S).sum(axis=1) - 1, 0, rings.shape[1] - 1)
    found: Truths = rings[np.arange(rings.shape[0]), place]
    return found


def _stopped(setting: Setting, alarm_s: Floats, at_start: Truths, dice: np.random.Generator) -> SimulatedReleases:
    """What CodeDeploy makes of the alarms."""
    runs, (least_s, most_s) = alarm_s.size, setting.delays.stop_s
    every_s = min(max(most_s - least_s, ALARM_LOOK_S[0]), ALARM_LOOK_S[1])
    reaction_s = dice.uniform(0, every_s, runs) + dice.uniform(least_s, max(least_s, most_s - every_s), runs)
    stopped_s = np.where(at_start, CREATION_S + 1.0, alarm_s + reaction_s)
    later = setting.later_shifts
    last_s = setting.span_s + sum((dice.uniform(*FORWARD.later_shift_s, runs) for _ in range(later)), np.zeros(runs))
    last_s = last_s if later else np.full(runs, FIRST_SHIFT_S)
    restored_s = stopped_s + RESTORED_S + dice.uniform(*ALIAS_LAG_S, runs)
    return SimulatedReleases(alarm_s, stopped_s, restored_s, last_s, last_s + ENDS_AFTER_S, at_start)
