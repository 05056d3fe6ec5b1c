"""What is said of a release before it: one setting, all its numbers, and what would do better."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from msgspec.structs import replace

from harness.core.experiment.types import AWS_CONFIGS, AWS_PREFIX
from harness.core.numbers import figures, of_100
from harness.core.odds.binding import Cause, binding
from harness.core.odds.chances import by, chance, effective, outlook, told_chance
from harness.core.odds.changed import (
    least,
    with_bake,
    with_condition,
    with_config,
    with_rate,
    with_share,
    without_fault,
)
from harness.core.odds.exact import fault_begin_s, watch_of
from harness.core.odds.outlook import By, Outlook, Quantiles
from harness.core.odds.prediction import PredictedNumber, Prediction, Preset
from harness.core.odds.setting import Setting, Watch
from harness.core.odds.traffic import failing_by
from harness.core.rehearsed import CREATED_WITHIN_S
from harness.core.timeline.comparisons import sign_of
from harness.core.timeline.presets import preset
from harness.core.timeline.steps import shifting_s

NINE_IN_TEN = 0.9
NOTICED = 0.02
TOLD = 1e-4
"""Chances that are less likely get no line of their own."""
SURE = 0.99
FEWEST_PER_S, MOST_PER_S = 1e-4, 1e5
"""Arrival rates between which the least one is searched."""
MOST_MINUTES = 120
"""Longer bakes than this are not proposed."""
_INCOMPARABLE: tuple[Cause, ...] = ("early", "unknown")
"""Where the chance of a rollback is none of a detection, or not the whole one, no other setting is held against it."""
UPWARDS = ("GreaterThanOrEqualToThreshold", "GreaterThanThreshold")


def predict(setting: Setting, *, subject: str = "", question: str = "", knows_rate: bool = True) -> Prediction:
    """All that can be said of a setting; without a rate, what does not depend on it."""
    asked, setting = setting, effective(setting)
    reckoned = bool(setting.watches and setting.guards)
    seen = outlook(setting) if reckoned and knows_rate else None
    cause, text = _cause(asked, seen) if knows_rate else (None, "")
    compares = reckoned and cause not in _INCOMPARABLE
    presets = tuple(_presets(setting)) if compares and knows_rate else ()
    lines = (
        *(_of_outlook(setting, seen) if seen else _never(asked, knows_rate=knows_rate)),
        *((_false_rollbacks(setting),) if seen else ()),
        *((_smallest(setting),) if seen and compares else ()),
        *(_ways_back(setting, presets, knows_rate=knows_rate) if compares and cause != "dimension" else ()),
    )
    return Prediction(
        subject=subject,
        question=question,
        outlook=seen,
        lines=lines,
        presets=presets,
        cause=cause,
        binding=text,
    )


def _cause(asked: Setting, seen: Outlook | None) -> tuple[Cause, str]:
    return binding(asked, seen.rolled_back.value, seen.too_early) if seen else binding(asked, 0.0)


def by_hours(setting: Setting, rates: Mapping[str, float]) -> Iterator[PredictedNumber]:
    """The chance at other rates than the one that is reckoned with; `rates` are by the words for their hours."""
    for words, rate in rates.items():
        made = effective(replace(setting, rate=((0.0, rate),)))
        value = told_chance(made) if made.watches and made.guards else 0.0
        text = f"In {words} ({figures(rate)} requests a second) it is rolled back in {of_100(value)} of 100 releases."
        yield PredictedNumber(id=words.replace(" ", "_"), value=value, unit="share", by=by(made), text=text)


def of_rehearsals(setting: Setting, found: Prediction) -> Iterator[PredictedNumber]:
    """The chance of a rehearsal, where that is another one: it begins at the same place in a minute."""
    made = effective(replace(setting, created=CREATED_WITHIN_S))
    if found.outlook is None or not made.watches or not made.guards:
        return
    value = told_chance(made)
    if abs(value - found.outlook.rolled_back.value) < NOTICED:
        return
    low_s, high_s = CREATED_WITHIN_S
    begins = f"A rehearsal creates its deployment at second {low_s:g} to {high_s:g} of a minute"
    text = f"{begins}, and is rolled back in {of_100(value)} of 100; the line above is for any second."
    yield PredictedNumber(id="rehearsed", value=value, unit="share", by=by(made), text=text)


# What happens


def _never(setting: Setting, *, knows_rate: bool) -> Iterator[PredictedNumber]:
    """The chance where no alarm that could be reckoned with stops anything."""
    if knows_rate and setting.watches and not setting.left_out:
        text = "Rolled back before the last shift in 0 of 100 releases."
        yield PredictedNumber(id="rolled_back", value=0.0, unit="share", by="exact", text=text)


def _of_outlook(setting: Setting, seen: Outlook) -> Iterator[PredictedNumber]:
    told = seen.rolled_back
    low, value, high = of_100(told.low), of_100(told.value), of_100(told.high)
    whose = "slow and quick accounts" if told.by == "exact" else "95 % interval"
    span = f" ({low} to {high}, {whose})" if low != high else ""
    least = "at least " if setting.left_out and told.value < SURE else ""
    text = f"Rolled back before the last shift in {least}{value} of 100 releases{span}."
    yield PredictedNumber(id="rolled_back", value=told.value, unit="share", by=told.by, text=text)
    if seen.too_early >= TOLD:
        stopped = f"In about {of_100(seen.too_early)} of 100 releases an alarm"
        text = f"{stopped} that rang before the fault began stops it, which detects nothing."
        yield PredictedNumber(id="too_early", value=seen.too_early, unit="share", by=told.by, text=text)
    yield _time("detect_s", "From the fault's begin to ALARM", seen.detect_s, told.by)
    yield _time("roll_back_s", "From the fault's begin until all traffic is back", seen.roll_back_s, told.by)
    yield from _exposure(setting, seen)


def _time(id_: str, what: str, times: Quantiles | None, how: By) -> PredictedNumber:
    if times is None:
        return PredictedNumber(id=id_, value=None, unit="s", by=how, text=f"{what}: never before the last shift.")
    text = f"{what}: {times.p50:.0f} s in half of the rollbacks, {times.p05:.0f} to {times.p95:.0f} s in 9 of 10."
    return PredictedNumber(id=id_, value=times.p50, unit="s", by=how, text=text)


def _exposure(setting: Setting, seen: Outlook) -> Iterator[PredictedNumber]:
    bad = "slow" if setting.fault.kind == "latency" else "failed"
    begin_s, how = fault_begin_s(setting), seen.rolled_back.by
    if seen.roll_back_s is not None:
        times = seen.roll_back_s
        low, half, high = (failing_by(setting, begin_s + at_s) for at_s in (times.p05, times.p50, times.p95))
        until = f"{half:,.0f} in half of the rollbacks, {low:,.0f} to {high:,.0f} in 9 of 10"
        text = f"Requests {bad} by the fault until then: {until}."
        yield PredictedNumber(id="requests", value=half, unit="requests", by=how, text=text)
        if setting.population:
            users = _users(setting.population, half)
            text = f"Users among {setting.population:,} who meet it: {users:,.0f} (assumed: all send alike)."
            yield PredictedNumber(id="users", value=users, unit="users", by="assumed", text=text)
    if seen.rolled_back.value < SURE:
        later = setting.rate_at(setting.end_s) * setting.fault.share * setting.fault.of_traffic
        by_then = failing_by(setting, setting.last_shift_s)
        text = (
            f"Requests {bad} where it is promoted: {by_then:,.0f} until then, and {figures(later)} a second afterwards."
        )
        yield PredictedNumber(id="requests_if_promoted", value=later, unit="requests/s", by="exact", text=text)


def _users(population: int, requests: float) -> float:
    return float(population * (1 - (1 - 1 / population) ** requests))


def _false_rollbacks(setting: Setting) -> PredictedNumber:
    id_, unit = "false_rollbacks", "of 100"
    if setting.usual is None:
        text = (
            "False rollbacks: not known, since nobody said which share of the requests fails usually (--usual 0.001)."
        )
        return PredictedNumber(id=id_, value=None, unit=unit, by="assumed", text=text)
    healthy = effective(without_fault(setting))
    if not healthy.watches or not healthy.guards:
        share, how = 0.0, "exact"
    else:
        found = outlook(healthy)
        share, how = found.at_all, found.rolled_back.by
    text = f"False rollbacks at the usual error share of {setting.usual:g}: {of_100(share)} of 100 releases."
    return PredictedNumber(id=id_, value=share * 100, unit=unit, by=how, text=text)  # type: ignore[arg-type]


def _smallest(setting: Setting) -> PredictedNumber:
    kind = "slow" if setting.fault.kind == "latency" else "failing"
    where = " of that endpoint's" if setting.fault.of_traffic < 1 else ""
    share = smallest_fault(setting)
    if share is None:
        text = f"No share of{where} requests {kind} on the canary is caught in 9 of 10 releases."
    else:
        text = f"The smallest fault caught in 9 of 10 releases: {share:.2%}{where} of the canary's requests {kind}."
    return PredictedNumber(id="smallest_fault", value=share, unit="share", by=by(setting), text=text)


def smallest_fault(setting: Setting) -> float | None:
    """The smallest share of the canary's requests that must fail so that 9 of 10 releases are caught; None for none."""

    def caught(share: float) -> bool:
        return chance(effective(with_share(replace(setting, planned=()), share))) >= NINE_IN_TEN

    return least(1e-5, 1.0, caught, start=setting.fault.share or 1.0)


# The way back


def _ways_back(setting: Setting, presets: Sequence[Preset], *, knows_rate: bool) -> Iterator[PredictedNumber]:
    yield _least_rate(setting)
    if not knows_rate:
        return
    yield from _thresholds(setting)
    yield from _bakes(setting)
    enough = [one.name for one in presets if one.chance >= SURE]
    text = f"Presets that catch it in 99 of 100 releases: {', '.join(enough) or 'none'}."
    yield PredictedNumber(id="presets", value=float(len(enough)), unit="presets", by=by(setting), text=text)


def _least_rate(setting: Setting) -> PredictedNumber:
    now = max(rate for _, rate in setting.rate)
    per_s = now or 1.0

    def caught(rate: float) -> bool:
        return chance(with_rate(setting, rate / per_s)) >= SURE

    rate = least(FEWEST_PER_S, MOST_PER_S, caught, start=per_s)
    if rate is None:
        text = "No arrival rate would catch it in 99 of 100 releases."
    else:
        text = f"The least arrival rate for 99 of 100: {figures(rate)} requests a second."
    return PredictedNumber(id="least_rate", value=rate, unit="requests/s", by=by(setting), text=text)


def _thresholds(setting: Setting) -> Iterator[PredictedNumber]:
    """The largest threshold of the one alarm, where a larger one is harder to reach."""
    watch = watch_of(setting)
    if watch is None or watch.is_rate or watch.condition.comparison not in UPWARDS:
        return
    most = max(1, math.ceil(failing_by(setting, setting.end_s)) * 2)
    caught = partial(_caught_at, setting, watch)
    sign = sign_of(watch.condition.comparison)
    low, high = 0, most + 1
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if caught(middle) else (low, middle)
    lowest = 1 if sign == ">=" else 0
    if low < lowest or (low == 0 and not caught(0)):
        text = f"No threshold of {watch.name} would catch it in 99 of 100 releases."
        yield PredictedNumber(id="largest_threshold", value=None, unit="", by=by(setting), text=text)
    else:
        text = f"The largest threshold of {watch.name} for 99 of 100: {sign} {low:,}."
        yield PredictedNumber(id="largest_threshold", value=float(low), unit="", by=by(setting), text=text)


def _caught_at(setting: Setting, watch: Watch, threshold: float) -> bool:
    return chance(with_condition(setting, watch.name, threshold=float(threshold))) >= SURE


def _bakes(setting: Setting) -> Iterator[PredictedNumber]:
    """The shortest whole minutes between its shifts."""
    if not setting.config.interval_s:
        return

    def caught(minutes: int) -> bool:
        return chance(with_bake(setting, minutes * 60.0)) >= SURE

    what = "bake" if setting.config.kind == "canary" else "interval between shifts"
    if not caught(MOST_MINUTES):
        text = f"No {what} of up to {MOST_MINUTES} minutes would catch it in 99 of 100 releases."
        yield PredictedNumber(id="shortest_bake", value=None, unit="s", by=by(setting), text=text)
        return
    low, high = 0, MOST_MINUTES
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if caught(middle) else (middle, high)
    text = f"The shortest {what} for 99 of 100: {high} minute{'s' if high > 1 else ''}."
    yield PredictedNumber(id="shortest_bake", value=high * 60.0, unit="s", by=by(setting), text=text)


def _presets(setting: Setting) -> Iterator[Preset]:
    found = [config for name in AWS_CONFIGS if (config := preset(AWS_PREFIX + name))]
    for config in sorted(found, key=lambda one: (shifting_s(one) or 0.0, one.name)):
        changed = with_config(setting, config)
        yield Preset(name=config.name.removeprefix(AWS_PREFIX), chance=round(told_chance(changed), 6), by=by(changed))
