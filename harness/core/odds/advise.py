"""Which alarm and which rollout would do better: settings are tried, and those kept that none beats in all respects.

First each alarm is tried with two rollouts, then the alarms that are not beaten there with all of AWS's.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from harness.core.experiment.types import AWS_CONFIGS, AWS_PREFIX, Objective
from harness.core.numbers import of_100
from harness.core.odds import exact
from harness.core.odds.advised import Advice, AdvisedAlarm, AdvisedOption, Whose
from harness.core.odds.asked import question_of
from harness.core.odds.chances import by, chance, effective, outlook
from harness.core.odds.changed import with_config, without_fault
from harness.core.odds.exact import fault_begin_s
from harness.core.odds.outlook import Outlook
from harness.core.odds.predict import smallest_fault
from harness.core.odds.setting import FIRST_SHIFT_S, Setting, Watch
from harness.core.odds.traffic import failing_by
from harness.core.timeline.alarm_evaluation import MINUTE_S
from harness.core.timeline.alarm_rules import read_rule
from harness.core.timeline.composites import ChildIs
from harness.core.timeline.events import AlarmDefined, ConfigSeen
from harness.core.timeline.presets import config_named

BEARABLE = 1.0
"""So many false rollbacks in 100 releases are borne."""
NOTICED = 0.01
"""A chance that is better by less is none that anybody would change an alarm for."""
NOTICED_S = 10.0
LEAST = 0.5
"""A setting that catches fewer of the faults is no advice."""
BY_LUCK = 0.05
MOST_OPTIONS = 12
RARE = 0.1
"""Rarer false rollbacks are all the same."""
FEW_STARTS = 4
"""In how many seconds of a minute a release begins that is only weighed roughly."""
FEW_RUNS = 1_000
"""How many releases are played for the same; the same ones for each setting."""
OPTION_RUNS = 10_000
"""How many are played for what is told of a setting: one of a dozen, each with its interval."""
COUNTS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
M_OF_N = ((1, 1), (2, 2), (2, 3))
NAME = "advised"
STANDING = "Canary10Percent10Minutes"
"""The rollout with which alarms are tried besides the one that stands, whose time may be too short for any."""


def advise(setting: Setting, *, subject: str = "", rollouts: bool = True) -> Advice:
    """Settings that would do better than this one, whose `usual` share of failures must be known.

    `rollouts` False leaves the deployment configuration as it stands, which is quicker.
    """
    now = _option(setting, None) if setting.watches and setting.guards and not setting.left_out else None
    if setting.fault.kind == "latency" or not any(rate for _, rate in setting.rate):
        return Advice(
            subject=subject,
            question=question_of(setting),
            usual=setting.failing_usually,
            now=now,
            text=_why_none(setting),
        )
    tried = _tried(setting, rollouts=rollouts)
    options = tuple(sorted(_unbeaten(one for one in tried if _sees(one)), key=_rank)[:MOST_OPTIONS])
    recommended = options[0] if options and is_better(options[0], now) else None
    return Advice(
        subject=subject,
        question=question_of(setting),
        usual=setting.failing_usually,
        now=now,
        options=options,
        recommended=recommended,
        text=_sentence(recommended, now, options, setting.left_out),
    )


def with_usual(setting: Setting, objective: Objective) -> tuple[Setting, tuple[str, ...]]:
    """The setting with what fails usually, and what was taken for granted for that.

    Where nobody measured it, and in a rehearsal, whose service never fails by itself, it is what the objective allows:
    a version that keeps it must not be rolled back.
    """
    allowed = 1 - objective.availability
    if setting.usual:
        return setting, ()
    said = f"The usual error share is what the objective allows, {allowed:.3g} (--usual says another one)."
    return replace(setting, usual=allowed), (said,)


def taken_for_granted(found: Advice) -> Iterator[str]:
    """What the options themselves suppose."""
    if found.options:
        yield "Each alarm is reckoned as the only one of its group."
    if any(one.alarm and one.alarm.statistic == "Average" for one in found.options):
        yield "An average of Errors takes each invocation for 0 or 1, which AWS does not document."


def _why_none(setting: Setting) -> str:
    if setting.fault.kind == "latency":
        return "Nothing is advised for a canary that is slow: which latency is usual is not known here."
    return "Nothing is advised without traffic: give --arrival-rate."


# Trying


def _tried(setting: Setting, *, rollouts: bool) -> list[AdvisedOption]:
    """All settings that are worth to be told in full."""
    configs = [setting.config]
    if rollouts:
        configs.append(config_named(STANDING))
    screened = [_screened(setting, alarm, config) for alarm in _alarms(setting) for config in configs]
    hopeful = [one for one in _unbeaten(one for one in screened if _sees(one)) if one.alarm]
    alarms = list(dict.fromkeys(one.alarm for one in sorted(hopeful, key=_rank)[:MOST_OPTIONS] if one.alarm))
    wanted = _rollouts() if rollouts else [setting.config]
    again = [_screened(setting, alarm, config) for alarm in alarms for config in wanted] if rollouts else hopeful
    kept = sorted(_unbeaten(again), key=_rank)[:MOST_OPTIONS]
    by_name = {config.name: config for config in wanted}
    return [_option(with_config(setting, by_name[one.config]), one.alarm) for one in kept if one.alarm]


def _rollouts() -> list[ConfigSeen]:
    """AWS's own that shift step by step, which each tool has a name for."""
    return [config for name in sorted(AWS_CONFIGS) if (config := config_named(name)).kind != "all_at_once"]


def _alarms(setting: Setting) -> Iterator[AdvisedAlarm]:
    """Alarms on errors that the fault can reach."""
    whose: tuple[Whose, ...] = ("all", "canary")
    for counts in whose:
        bad = _bad_a_minute(setting, counts)
        for datapoints, periods in M_OF_N:
            more = {"counts": counts, "datapoints": datapoints, "evaluation_periods": periods}
            for count in COUNTS:
                if count <= max(1.0, bad):
                    yield AdvisedAlarm(statistic="Sum", threshold=float(count), **more)  # type: ignore[arg-type]
            for share in SHARES if counts == "canary" else ():  # of all versions the canary's are too few to show
                yield AdvisedAlarm(statistic="Average", threshold=share, **more)  # type: ignore[arg-type]


def _bad_a_minute(setting: Setting, counts: Whose) -> float:
    fault = setting.shifts[0][1] * setting.fault.share * setting.fault.of_traffic
    planned = max((one.share for one in setting.planned), default=0.0)
    if counts == "canary":
        planned *= setting.shifts[0][1]
    return setting.rate_at(FIRST_SHIFT_S) * MINUTE_S * (fault + planned)


def with_alarm(setting: Setting, alarm: AdvisedAlarm) -> Setting:
    """The same release, guarded by this alarm alone."""
    defined = AlarmDefined(
        at_s=0.0,
        asked_s=0.0,
        name=NAME,
        metric="Errors",
        namespace="AWS/Lambda",
        statistic=alarm.statistic,
        period_s=MINUTE_S,
        evaluation_periods=alarm.evaluation_periods,
        datapoints=alarm.datapoints,
        threshold=alarm.threshold,
        comparison="GreaterThanOrEqualToThreshold",
        missing="notBreaching",
    )
    watch = Watch(name=NAME, rule=read_rule(defined), counts=alarm.counts)
    return replace(setting, watches=(watch,), guards=(ChildIs("ALARM", NAME),))


def _screened(setting: Setting, alarm: AdvisedAlarm, config: ConfigSeen) -> AdvisedOption:
    """The chances alone, quickly; what is slower to detect leaves more requests failed."""
    made = with_config(with_alarm(setting, alarm), config)
    value = _roughly(made)
    false = _roughly(without_fault(made)) if value > NOTICED else 1.0
    needed_s = alarm.datapoints * MINUTE_S
    return AdvisedOption(
        alarm=alarm,
        config=config.name,
        chance=round(value, 3),
        low=value,
        high=value,
        roll_back_s=float(needed_s),
        failed=failing_by(made, min(made.last_shift_s, fault_begin_s(made) + needed_s)),
        false_rollbacks=round(false * 100, 1),
        lasts_s=made.span_s,
        by=by(made),
    )


def _roughly(made: Setting) -> float:
    able = effective(made)
    if not able.watches or not able.guards:
        return 0.0
    by_formula = exact.why_not_exact(able) is None
    return exact.chance_of(able, starts=FEW_STARTS) if by_formula else chance(able, runs=FEW_RUNS)


def _option(setting: Setting, alarm: AdvisedAlarm | None) -> AdvisedOption:
    """All that is told of a setting; without an alarm, of the ones that it has."""
    made = with_alarm(setting, alarm) if alarm else setting
    seen = _seen(made)
    healthy = _seen(without_fault(made))
    value = seen.rolled_back if seen else None
    missed = failing_by(made, made.last_shift_s)
    time_s = seen.roll_back_s.p50 if seen and seen.roll_back_s else None
    caught = missed if time_s is None else failing_by(made, fault_begin_s(made) + time_s)
    share, early = (value.value, seen.too_early) if seen and value else (0.0, 0.0)
    return AdvisedOption(
        alarm=alarm,
        config=made.config.name,
        chance=share,
        low=value.low if value else 0.0,
        high=value.high if value else 0.0,
        roll_back_s=time_s,
        failed=max(0.0, share - early) * caught + (1 - share) * missed,
        false_rollbacks=healthy.at_all * 100 if healthy else 0.0,
        lasts_s=made.span_s,
        smallest_fault=smallest_fault(made) if alarm else None,
        by=value.by if value else "exact",
    )


def _seen(made: Setting) -> Outlook | None:
    """What the alarms do; None where none of them can ever ring."""
    able = effective(made)
    return outlook(able, runs=OPTION_RUNS) if able.watches and able.guards else None


# Choosing


def _sees(one: AdvisedOption) -> bool:
    """Whether more bad canaries are rolled back than good ones: else the fault is caught by luck."""
    return one.roll_back_s is not None and one.chance > one.false_rollbacks / 100 + BY_LUCK


def _unbeaten(options: Iterable[AdvisedOption]) -> list[AdvisedOption]:
    """Those that no other one beats: as good in all respects, and better in one."""
    found = list(options)
    return [one for one in found if not any(_beats(other, one) for other in found)]


def _beats(one: AdvisedOption, other: AdvisedOption) -> bool:
    mine, others = _respects(one), _respects(other)
    if mine == others:
        return _plainness(one) < _plainness(other)
    return all(a <= b for a, b in zip(mine, others, strict=True))


def _respects(one: AdvisedOption) -> tuple[float, ...]:
    """Chance, time, exposure and false rollbacks, as finely as they are told; less is better."""
    time_s = math.inf if one.roll_back_s is None else round(one.roll_back_s, -1)
    return (-round(one.chance, 3), time_s, float(f"{one.failed:.2g}"), max(RARE, round(one.false_rollbacks, 1)))


def _plainness(one: AdvisedOption) -> tuple[float, ...]:
    """Of two that do the same: the shorter release, then the alarm that smaller faults reach, then the plainer one."""
    alarm = one.alarm
    if alarm is None:
        return (one.lasts_s,)
    kind = (alarm.counts == "canary", alarm.statistic == "Average", alarm.evaluation_periods)
    smallest = 1.0 if one.smallest_fault is None else one.smallest_fault
    return (one.lasts_s, round(smallest, 2), *kind, alarm.threshold)


def _rank(one: AdvisedOption) -> tuple[float, ...]:
    """The best first: those with few false rollbacks, by chance, time and exposure."""
    beyond = one.false_rollbacks if one.false_rollbacks > BEARABLE else 0.0
    _, time_s, failed, false = _respects(one)
    return (beyond, -round(one.chance, 2), time_s, failed, false, *_plainness(one))


def is_better(one: AdvisedOption, now: AdvisedOption | None) -> bool:
    """Whether a setting truly does better than what stands: more rollbacks of a bad canary, or fewer of a good one.

    Neither may be bought by the other. A setting that catches less than half of the faults is no advice, and of chances
    that were played the interval decides.
    """
    if one.chance < LEAST or one.false_rollbacks > max(BEARABLE, now.false_rollbacks if now else 0.0):
        return False
    if now is None:
        return True
    gained = _at_least(one) - (now.high if now.by == "simulated" else now.chance)
    if gained < -NOTICED / 10:
        return False
    calmer = one.false_rollbacks <= now.false_rollbacks - BEARABLE
    dearer = one.false_rollbacks > now.false_rollbacks or one.failed > now.failed
    return gained >= NOTICED or calmer or (not dearer and _is_quicker(one, now))


def _at_least(one: AdvisedOption) -> float:
    return one.low if one.by == "simulated" else one.chance


def _is_quicker(one: AdvisedOption, now: AdvisedOption) -> bool:
    if one.roll_back_s is None or now.roll_back_s is None:
        return False
    return one.roll_back_s <= now.roll_back_s - NOTICED_S


# Telling


def _sentence(
    recommended: AdvisedOption | None,
    now: AdvisedOption | None,
    options: Sequence[AdvisedOption],
    left_out: Sequence[str],
) -> str:
    if not options:
        return "Nothing is recommended: no alarm on errors sees this fault in time."
    if recommended is None:
        stands = f" As it stands: {does(now)}." if now else ""
        return f"Nothing is recommended: no setting that was tried is truly better than what stands.{stands}"
    text = f"Recommended: {words(recommended)}: {does(recommended)}"
    if left_out:
        return f"{text}; how it stands is not known: {', '.join(left_out)} cannot be reckoned with."
    return f"{text}; as it stands: {does(now)}." if now else f"{text}; as it stands, nothing rolls the release back."


def words(one: AdvisedOption) -> str:
    """A setting in words."""
    return f"{one.alarm or 'the alarms as they stand'}, with {one.config.removeprefix(AWS_PREFIX)}"


def does(one: AdvisedOption) -> str:
    """What a setting does, in words."""
    caught = f"rolled back in {of_100(one.chance)} of 100 releases"
    if one.roll_back_s is not None:
        caught += f", after {one.roll_back_s:.0f} s in half of them"
    hurt = f"{one.failed:,.0f} failed requests before that or the last shift"
    return f"{caught}, {hurt}, {of_100(one.false_rollbacks / 100)} false rollbacks in 100"
