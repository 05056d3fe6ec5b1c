"""The one way from a setting to its chances: by formula where there is one, else by playing it."""

from msgspec.structs import replace

from harness.core.odds import exact
from harness.core.odds.outlook import RUNS, By, Outlook
from harness.core.odds.setting import Setting, Watch, only

SEARCH_RUNS = 4_000
"""Releases that are played for one step of a search: the same ones at each step, so that it does not waver."""
NEARLY = 1e-6
SEARCH_STARTS = 12
"""What a formula gives for so few begins is off by up to 1 in 100: enough for a search, and never told itself."""


def outlook(setting: Setting, *, seed: int = 1, runs: int = RUNS) -> Outlook:
    """What the alarms do with a setting; by so many `runs` where it is played."""
    if exact.why_not_exact(setting) is None:
        return exact.outlook(setting)
    from harness.core.odds.simulate import simulated  # only here: a formula waits for no numpy

    return simulated(setting, seed=seed, runs=runs)


def chance(setting: Setting, *, runs: int = SEARCH_RUNS, starts: int = SEARCH_STARTS) -> float:
    """The chance of a rollback before the last shift alone, quickly.

    By formula for releases that begin in so many seconds of a minute, and else by so many `runs`.
    """
    if exact.why_not_exact(setting) is None:
        return exact.chance_of(setting, starts=starts)
    from harness.core.odds.simulate import simulated

    return simulated(setting, runs=runs).rolled_back.value


def told_chance(setting: Setting) -> float:
    """The same, as finely as it is told; where it is sure, it is so wherever in a minute the release begins."""
    roughly = chance(setting)
    if NEARLY < roughly < 1 - NEARLY:
        return chance(setting, starts=exact.STARTS)
    return roughly


def by(setting: Setting) -> By:
    """How its numbers come about."""
    return "simulated" if exact.why_not_exact(setting) else "exact"


def effective(setting: Setting) -> Setting:
    """The same without alarms that can never ring: those that count nothing, or nothing of what fails."""
    hopeful = tuple(watch for watch in setting.watches if _may_ring(setting, watch))
    return setting if len(hopeful) == len(setting.watches) else _only(setting, hopeful)


def _may_ring(setting: Setting, watch: Watch) -> bool:
    if watch.rule.breaches_without_failures:
        return watch.counts != "nothing"
    return watch.condition.missing == "breaching" or (watch.counts != "nothing" and _sees(setting, watch))


def _sees(setting: Setting, watch: Watch) -> bool:
    usual = setting.failing_usually > 0 and not watch.latency
    planned = bool(setting.planned) and not watch.latency
    return usual or planned or (watch.feels(setting.fault) and watch.counts != "baseline")


def _only(setting: Setting, watches: tuple[Watch, ...]) -> Setting:
    names = {watch.name for watch in watches}
    silent = {guard for guard in setting.guards if (name := only([guard])) is not None and name not in names}
    guards = tuple(guard for guard in setting.guards if guard not in silent)
    if any(only([guard]) is None for guard in guards):  # a composite may ask for any of them
        return replace(setting, guards=guards)
    return replace(setting, watches=watches, guards=guards)
