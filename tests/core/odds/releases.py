"""Settings in one line, and random ones."""

import random
from typing import Any

from harness.core.odds.setting import FaultModel, PlannedShare, Setting, Watch
from harness.core.timeline.alarm_rules import read_rule
from harness.core.timeline.composites import ChildIs
from harness.core.timeline.events import ConfigSeen
from harness.core.timeline.presets import config_named
from tests.core.alarms import defined

FIVE_MINUTES = config_named("Canary10Percent5Minutes")


def watch(name: str = "errors", *, counts: str = "all", **given: Any) -> Watch:
    """An alarm on three errors in a minute, unless said otherwise."""
    return Watch(name=name, rule=read_rule(defined(name=name, namespace="AWS/Lambda", **given)), counts=counts)  # type: ignore[arg-type]


def setting(rate: float = 1.0, *watches: Watch, config: ConfigSeen = FIVE_MINUTES, **given: Any) -> Setting:
    """A canary of five minutes that fails every request, guarded by one alarm, unless said otherwise."""
    guards = watches or (watch(),)
    named = tuple(ChildIs("ALARM", one.name) for one in guards)
    return Setting(**{"config": config, "watches": guards, "guards": named, "rate": ((0.0, rate),), **given})


def drawn(dice: random.Random) -> Setting:
    """Any setting for which there is a formula."""
    n = dice.randint(1, 3)
    alarm = watch(
        counts=dice.choice(("all", "all", "canary")),
        threshold=float(dice.randint(1, 12)),
        evaluation_periods=n,
        datapoints=dice.randint(1, n),
        missing=dice.choice(("missing", "ignore", "breaching", "notBreaching")),
        statistic=dice.choice(("Sum", "Sum", "Sum", "Average")),
    )
    if alarm.rule.is_rate:
        alarm = watch(counts=alarm.counts, statistic="Average", threshold=dice.choice((0.02, 0.05, 0.2)))
    minutes, percent = dice.choice((1, 2, 5, 10)), dice.choice((5, 10, 30, 50))
    kind = dice.choice(
        (f"Canary{percent}Percent{minutes}Minutes", f"Linear{percent}PercentEvery{min(2, minutes)}Minutes")
    )
    return setting(
        dice.choice((0.1, 0.3, 1.0, 3.0, 10.0)),
        alarm,
        config=config_named(kind),
        fault=fault(dice),
        arrivals=dice.choice(("even", "poisson")),
        usual=dice.choice((None, None, 0.001, 0.02)),
        pattern="bernoulli",
        planned=(PlannedShare(dice.choice((0.0, 60.0)), 1e9, 0.02),) if dice.random() < 0.2 else (),
    )


def fault(dice: random.Random) -> FaultModel:
    """Any way in which a canary fails."""
    share = dice.choice((0.05, 0.3, 1.0))
    return dice.choice(
        (
            FaultModel(share=share),
            FaultModel(kind="endpoint", share=share, of_traffic=0.4),
            FaultModel(kind="ramp", share=share, ramp_s=200.0),
            FaultModel(share=share, at_s=45.0, for_s=100.0),
        )
    )
