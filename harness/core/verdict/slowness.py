"""Whether the canary was too slow for good, or in one part of its trial alone: a stall or cold starts are no harm."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate

from msgspec import Struct

from harness.core.timeline.bounds import Bounds
from harness.core.timeline.events import Requests
from harness.core.timeline.histogram import count_above
from harness.core.verdict.evidence import Evidence, count
from harness.core.verdict.latency import (
    Compared,
    Limit,
    answered_well,
    compared,
    limit_exceeded,
    slower_in_words,
)
from harness.core.verdict.measure import arms_window, told_apart
from harness.core.verdict.punctual import schedule_missed
from harness.core.verdict.trial import LONGEST_SILENCE

SHORTEST_PART_S = 10.0
"""A stall, or the cold starts after a shift, may last that long, however short the trial is."""

FEWEST_OF_A_NAME = 3
"""Answers of an arm to one request below which they are not compared, even for a doubt."""
Arm = Sequence[Requests]
Exceeded = Callable[[Compared], Limit | None]


class Spell(Struct, frozen=True):
    """The part of the trial in which most slow answers of the canary came, from the first of them to the last.

    `slow` of `all_slow` answers came then, and `others` are the canary's answers outside of that part.
    """

    at_s: Bounds
    slow: int
    all_slow: int
    others: int


class Slowness(Struct, frozen=True):
    """A canary that is surely slower than a limit; `spell` is None where it is so without its slowest part, too.

    `name` is the request whose answers are slow where those of all requests together are not.
    """

    arms: Compared
    limit: Limit
    spell: Spell | None
    name: str | None = None


def too_slow(evidence: Evidence) -> Slowness | None:
    """The canary's slowness where it is more than is borne; None where it is not, or was not measured."""
    return slower_than(evidence, lambda arms: limit_exceeded(arms, evidence.experiment.objective.latency))


def harm_by_latency(evidence: Evidence) -> str | None:
    """Why the canary's latency is harm; None where it is not, or was not measured.

    A load generator that could not keep its schedule measured its own lateness, too: that is a doubt at most.
    """
    slowness = too_slow(evidence)
    if slowness is None or slowness.spell or schedule_missed(evidence):
        return None
    return f"Harm was done: {slower_in_words(slowness.arms, slowness.name)}, and {slowness.limit.words}."


def slow_by_a_late_generator(evidence: Evidence) -> str | None:
    """The canary was too slow as it was measured, by a load generator that was late itself."""
    late = schedule_missed(evidence)
    if late is None or too_slow(evidence) is None:
        return None
    return f"the canary was slower, but {late[0].lower()}{late[1:]}, so that the load generator may be what was slow"


def slow_in_one_part(evidence: Evidence) -> str | None:
    """The canary was too slow, and but for one part of its trial nothing surely says so."""
    slowness = too_slow(evidence)
    if slowness is None or slowness.spell is None:
        return None
    told = spell_in_words(evidence, slowness)
    return f"that the canary was too slow is not sure without one part of its trial: {told}"


def spell_in_words(evidence: Evidence, slowness: Slowness) -> str:
    """How many answers were slow, when they came, and what the others say."""
    spell, created_s = slowness.spell, evidence.release.created_s or 0.0
    if spell is None:
        return ""
    began_s, ended_s = (at_s - created_s for at_s in spell.at_s)
    return (
        f"{spell.slow} of its {spell.all_slow} answers{f' to {slowness.name}' if slowness.name else ''} that took over "
        f"{slowness.limit.limit_s * 1000:.0f} ms at the client came from {began_s:.0f} to {ended_s:.0f} s after the "
        f"creation, and {_others_in_words(spell)}"
    )


def _others_in_words(spell: Spell) -> str:
    if not spell.others:
        return "it gave no other answers"
    elsewhere = spell.all_slow - spell.slow
    if elsewhere:
        return f"its {spell.others} other answers, {elsewhere} of them as slow, do not surely say so alone"
    return f"its {spell.others} other answers are not surely too slow"


def slower_than(evidence: Evidence, exceeded: Exceeded) -> Slowness | None:
    """The canary's slowness by a limit that both arms' latencies give, in all answers or in those to one request."""
    told = told_apart(evidence)
    if told is None:
        return None
    parts = by_name(*told)
    named = (_slower(evidence, arms, exceeded, name, len(parts)) for name, arms in parts.items())
    found = [_slower(evidence, told, exceeded), *named]
    slow = [slowness for slowness in found if slowness]
    return next((slowness for slowness in slow if not slowness.spell), next(iter(slow), None))


def by_name(canary: Sequence[Requests], baseline: Sequence[Requests]) -> dict[str, tuple[Arm, Arm]]:
    """Both arms' requests by their name, of those that both answered; none of a single name, which is all there is."""
    named: dict[str, tuple[list[Requests], list[Requests]]] = {}
    for at, arm in enumerate((canary, baseline)):
        for seen in answered_well(arm):
            named.setdefault(seen.endpoint, ([], []))[at].append(seen)
    enough: dict[str, tuple[Arm, Arm]] = {
        name: arms for name, arms in named.items() if min(map(count, arms)) >= FEWEST_OF_A_NAME
    }
    return enough if len(named) > 1 else {}


def _slower(
    evidence: Evidence, told: tuple[Arm, Arm], exceeded: Exceeded, name: str | None = None, names: int | None = None
) -> Slowness | None:
    window, arms = arms_window(evidence), compared(*told, names=names)
    limit = exceeded(arms) if arms else None
    if window is None or arms is None or limit is None:
        return None
    trial_s = min(window[1], evidence.until_s) - window[0]
    slow = _slow_by_second(told[0], limit.limit_s)
    part = _slowest_part(slow, max(SHORTEST_PART_S, LONGEST_SILENCE * trial_s))
    rest = [[seen for seen in arm if not part[0] <= seen.at_s < part[1]] for arm in told]
    without = compared(*rest, fewest=1, names=names)
    if without and exceeded(without):
        return Slowness(arms, limit, None, name)
    return Slowness(arms, limit, _spell(slow, part, count(answered_well(rest[0]))), name)


def _slow_by_second(canary: Sequence[Requests], limit_s: float) -> Counter[float]:
    slow: Counter[float] = Counter()
    for seen in answered_well(canary):
        slow[seen.at_s] += count_above(seen.latency, limit_s)
    return slow


def _slowest_part(slow: Counter[float], part_s: float) -> Bounds:
    """The part of that length in which most answers of the canary were slow, wherever it begins."""
    times = sorted(slow)
    passed = [0, *accumulate(slow[at_s] for at_s in times)]

    def slow_from(index: int) -> int:
        return passed[bisect_left(times, times[index] + part_s)] - passed[index]

    began_s = times[max(range(len(times)), key=slow_from)]
    return began_s, began_s + part_s


def _spell(slow: Counter[float], part: Bounds, others: int) -> Spell:
    within = [at_s for at_s in slow if slow[at_s] and part[0] <= at_s < part[1]]
    return Spell((min(within), max(within) + 1), sum(slow[at_s] for at_s in within), slow.total(), others)
