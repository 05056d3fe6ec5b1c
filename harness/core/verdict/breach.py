"""What the failures that clients saw would have done to an alarm.

Whether failures are more than an alarm bears must not depend on where in its minute a run began. So harm is weighed in
every way in which minutes can fall: `Weighed.certain` says that they breach whichever way, `Weighed.end_s` that they do
in some way.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from harness.core.timeline.alarm_evaluation import first_alarm, states_of
from harness.core.timeline.alarm_rules import Rule
from harness.core.timeline.alarm_states import Turn
from harness.core.timeline.events import Requests

Fails = Callable[[Requests], bool]
Counts = np.typing.NDArray[np.int64]


class Weighed(Struct, frozen=True):
    """Failures breach a rule: `end_s` is the end of the earliest period that makes it so, in seconds of the run."""

    end_s: float
    certain: bool


class _Sums(Struct, frozen=True):
    """Requests and failures up to each second from `first_s` on."""

    first_s: int
    failures: Counts
    requests: Counts

    @property
    def last_s(self) -> int:
        return self.first_s + len(self.requests) - 1

    def within(self, since_s: int, until_s: int) -> tuple[int, int]:
        """Failures and requests of the seconds from `since_s` to before `until_s`."""
        low, high = (min(max(at_s - self.first_s, 0), len(self.requests) - 1) for at_s in (since_s, until_s))
        return int(self.failures[high] - self.failures[low]), int(self.requests[high] - self.requests[low])


def weigh(rule: Rule, requests: Sequence[Requests], fails: Fails, *, over: bool = True) -> Weighed | None:
    """Whether these failures put a rule in ALARM; None where they do not, whichever way minutes fall.

    Periods without any request do not breach, however the alarm treats missing data: silence is no harm. `over` says
    that no more requests come; before that, a rate may fall again in a period that still lasts.
    """
    step_s, stretches = rule.condition.step_s, _stretches(rule, requests, fails)
    ahead_s = step_s if over or rule.only_grows else 0
    ends = [_first_end(rule, stretches, phase_s, ahead_s) for phase_s in range(step_s)]
    return weighed(ends)


def weighed(ends: Sequence[int | None]) -> Weighed | None:
    """What it comes to where minutes may fall in these ways, each with the end of its first breach."""
    reached = [end_s for end_s in ends if end_s is not None]
    return Weighed(float(min(reached)), len(reached) == len(ends)) if reached else None


def in_alarm(
    rule: Rule, requests: Sequence[Requests], fails: Fails, *, over: bool
) -> Callable[[int], Mapping[int, int]]:
    """The times in which these failures hold a rule in ALARM, beginnings and ends, by where its minutes begin."""
    stretches, step_s = _stretches(rule, requests, fails), rule.condition.step_s
    ahead_s = step_s if over or rule.only_grows else 0
    lenient = replace(rule.condition, missing="notBreaching")

    def at(phase_s: int) -> Mapping[int, int]:
        evaluated = ((sums, _ends(rule, sums, phase_s, ahead_s)) for sums in stretches)
        return {
            end_s: end_s + step_s
            for sums, ends in evaluated
            for end_s, state in zip(ends, states_of(lenient, _valued(rule, sums, ends)), strict=True)
            if state == "ALARM"
        }

    return at


def turns_of(rule: Rule, requests: Sequence[Requests], epoch_s: float, fails: Fails) -> list[Turn]:
    """The states that a rule goes through as AWS's minutes fall, gaps treated as the alarm says."""
    turns: list[Turn] = []
    for sums in _stretches(rule, requests, fails, quiet=True):
        ends = _ends(rule, sums, -int(epoch_s // 1) % rule.condition.step_s, 0)
        states = states_of(rule.condition, _valued(rule, sums, ends))
        turns += [Turn(state, (float(end_s), float(end_s))) for end_s, state in zip(ends, states, strict=True)]
    return turns


def breach_s(rule: Rule, requests: Sequence[Requests], epoch_s: float, fails: Fails) -> float | None:
    """The end of the period that puts the rule in ALARM as AWS's minutes fall, in seconds since the run began.

    `epoch_s` is the beginning of the run, by AWS's clock. CloudWatch itself comes 17 to 71 s later (captured). The end
    lies ahead where the period still lasts.
    """
    step_s = rule.condition.step_s
    end_s = _first_end(rule, _stretches(rule, requests, fails), -int(epoch_s // 1) % step_s, step_s)
    # Rows are counted by whole seconds of the run; the boundary itself is a fraction of a second before that.
    return None if end_s is None else end_s - (epoch_s + end_s) % step_s


def _first_end(rule: Rule, stretches: Sequence[_Sums], phase_s: int, ahead_s: int) -> int | None:
    ends = (_end_within(rule, sums, phase_s, ahead_s) for sums in stretches)
    return next((end_s for end_s in ends if end_s is not None), None)


def _end_within(rule: Rule, sums: _Sums, phase_s: int, ahead_s: int) -> int | None:
    ends = _ends(rule, sums, phase_s, ahead_s)
    at = first_alarm(replace(rule.condition, missing="notBreaching"), _valued(rule, sums, ends))
    return None if at is None else ends[at]


def _ends(rule: Rule, sums: _Sums, phase_s: int, ahead_s: int) -> range:
    """When the rule is evaluated, each time over the period that ends then."""
    step_s = rule.condition.step_s
    first_s = sums.first_s + 1 + (phase_s - sums.first_s - 1) % step_s
    return range(first_s, sums.last_s + 1 + ahead_s, step_s)


def _valued(rule: Rule, sums: _Sums, ends: range) -> Sequence[float | None]:
    return _values(rule, [_counted(rule, sums, end_s) for end_s in ends])


def _counted(rule: Rule, sums: _Sums, end_s: int) -> tuple[int, int]:
    """Failures and requests of the period that ends then; a rate is one of the requests of a whole period.

    Our own beginning and end cut off most of a period, in which one failure in a few requests would be a high rate.
    """
    if rule.only_grows:
        return sums.within(end_s - rule.period_s, end_s)
    whole_s = max(min(end_s, sums.last_s), sums.first_s + rule.period_s)
    failures, requests = sums.within(whole_s - rule.period_s, whole_s)
    # A failure that is yet to come makes no period breach that ends before it.
    return min(failures, sums.within(whole_s - rule.period_s, end_s)[0]), requests


def _values(rule: Rule, counts: Sequence[tuple[int, int]]) -> Sequence[float | None]:
    if not counts:
        return []
    return rule.computed({metric.id: [rule.counted(metric, *one) for one in counts] for metric in rule.metrics})


def _stretches(rule: Rule, requests: Sequence[Requests], fails: Fails, *, quiet: bool = False) -> list[_Sums]:
    """The requests in stretches that no evaluation looks over both of, those with failures alone or all, in order.

    A stray row far from the rest of a timeline thus costs nothing.
    """
    if not requests:
        return []
    seconds = np.array([int(seen.at_s // 1) for seen in requests])
    counts = np.array([seen.count for seen in requests])
    failed = np.array([fails(seen) for seen in requests]) * counts
    order = np.argsort(seconds, kind="stable")
    breaks = np.flatnonzero(np.diff(seconds[order]) > rule.condition.range * rule.period_s) + 1
    parts = (part for part in np.split(order, breaks) if quiet or failed[part].any())
    return [_sums(seconds[part], failed[part], counts[part]) for part in parts]


def _sums(seconds: Counts, failed: Counts, counts: Counts) -> _Sums:
    places = seconds - seconds[0]
    return _Sums(int(seconds[0]), _cumulated(places, failed), _cumulated(places, counts))


def _cumulated(places: Counts, counts: Counts) -> Counts:
    return np.concatenate([[0], np.bincount(places, weights=counts).cumsum()]).astype(np.int64)
