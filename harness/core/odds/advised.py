"""What is advised, as types: settings of alarm and rollout, and what each of them would do."""

from typing import Literal

from msgspec import Struct

from harness.core.odds.outlook import By

Whose = Literal["all", "canary"]


class AdvisedAlarm(Struct, frozen=True, kw_only=True):
    """An alarm on the Errors of a function: their sum, or their average, which is the share of requests that fail.

    It rings at `threshold` or more in `datapoints` of `evaluation_periods` minutes. `counts` is whose requests: those
    by the alias, or those of the canary's version alone. A minute without a request is a good one.
    """

    statistic: Literal["Sum", "Average"]
    threshold: float
    counts: Whose = "all"
    datapoints: int = 1
    evaluation_periods: int = 1

    def __str__(self) -> str:
        limit = (
            f"{self.threshold:.3g}"
            if self.statistic == "Sum"
            else f"{self.threshold:.3g} ({self.threshold:.2g} of all)"
        )
        whose = "the canary's version" if self.counts == "canary" else "the alias"
        return f"Errors {self.statistic} of {whose} >= {limit} in {self.datapoints} of {self.evaluation_periods} min"


class AdvisedOption(Struct, frozen=True, kw_only=True):
    """One setting and what it would do; `alarm` is None of the alarms as they stand.

    `chance` is that of a rollback before the last shift, at least `low` and at most `high` (see `Chance`).
    `roll_back_s` is the median time from the fault's begin until all traffic is back, None where that never happens.
    `failed` is how many requests fail by the fault, on average, until the rollback or the last shift.
    `false_rollbacks` are of 100 releases without a fault. `lasts_s` is how long the shifting takes,
    `smallest_fault` the least share of failing requests that is caught in 9 of 10 releases.
    """

    alarm: AdvisedAlarm | None
    config: str
    chance: float
    low: float
    high: float
    roll_back_s: float | None
    failed: float
    false_rollbacks: float
    lasts_s: float
    smallest_fault: float | None = None
    by: By


class Advice(Struct, frozen=True, kw_only=True):
    """Settings that no other one beats in all respects, the best first, beside the one that stands.

    `now` is None where no alarm of the group can be reckoned with. `recommended` is the first, where it truly does
    better than what stands, and `text` is the sentence on it, or on why there is none. `usual` is the share of requests
    that fails on every version, with which the false rollbacks are reckoned.
    """

    schema: int = 1
    subject: str = ""
    question: str = ""
    usual: float = 0.0
    now: AdvisedOption | None = None
    options: tuple[AdvisedOption, ...] = ()
    recommended: AdvisedOption | None = None
    text: str = ""
    assumed: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()
