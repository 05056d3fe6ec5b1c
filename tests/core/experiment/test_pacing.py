"""Pacing: arrivals on schedule, split exactly, and shares that are exact."""

import itertools
import math
import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.experiment.pacing import (
    CLUMP,
    NOTHING,
    WHOLE,
    ArrivalPlan,
    BernoulliShare,
    BurstShare,
    EvenMix,
    Pacer,
    WorkerPart,
    levels,
    share_draw,
)
from harness.core.experiment.rates import Leg, legs, read
from harness.core.experiment.types import Arrivals, Pattern

PATTERNS: tuple[Pattern, ...] = ("even", "bernoulli", "burst")
shares = st.floats(0, 1)


def at(rate: float) -> ArrivalPlan:
    """A plan of one rate."""
    return ArrivalPlan().changed(0.0, [Leg(0.0, rate)])


def dues(pacer: Pacer, count: int) -> list[float]:
    """The next due times of a pacer."""
    found = []
    for _ in range(count):
        found.append(pacer.due_s())
        pacer.advance()
    return found


def until(pacer: Pacer, end_s: float) -> list[float]:
    """The due times of a pacer that lie before an instant."""
    found = []
    while pacer.due_s() < end_s:
        found.append(pacer.due_s())
        pacer.advance()
    return found


def drawn(pattern: Pattern, wanted: Sequence[float], *, seed: int = 1, part: WorkerPart = WHOLE) -> list[bool]:
    """Which requests are fault requests, for a share for each of them."""
    draw = share_draw(pattern, seed, part).draw
    return [draw(share) for share in wanted]


def furthest(requests: Sequence[bool], wanted: Sequence[float]) -> float:
    """The largest difference between fault requests sent and asked for, over all prefixes."""
    pairs = zip(itertools.accumulate(requests), itertools.accumulate(wanted), strict=True)
    return max((abs(sent - asked) for sent, asked in pairs), default=0.0)


def test_even_arrivals_are_equally_far_apart_and_start_half_way() -> None:
    """At 4 a second the first is due after an eighth of a second, the next ones a quarter apart."""
    assert dues(Pacer(at(4.0)), 4) == [0.125, 0.375, 0.625, 0.875]


def test_poisson_arrivals_come_at_the_rate() -> None:
    """The mean gap of ten thousand Poisson arrivals at 20 a second is near a twentieth of a second."""
    last_s = dues(Pacer(at(20.0), arrivals="poisson", seed=3), 10_000)[-1]
    assert last_s == pytest.approx(500, rel=0.05)


def test_poisson_gaps_vary_as_much_as_their_mean() -> None:
    """An exponential gap has a standard deviation equal to its mean."""
    found = dues(Pacer(at(1.0), arrivals="poisson", seed=4), 10_000)
    gaps = [later - earlier for earlier, later in itertools.pairwise(found)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert deviation == pytest.approx(mean, rel=0.05)


@pytest.mark.parametrize("arrivals", ["even", "poisson"])
def test_the_same_seed_gives_the_same_arrivals(arrivals: Arrivals) -> None:
    """A pacer made again is due at the same instants."""
    first, second = (dues(Pacer(at(7.0), arrivals=arrivals, seed=5), 100) for _ in range(2))
    assert first == second


def test_another_seed_gives_other_poisson_arrivals() -> None:
    """The seed decides the draw."""
    assert dues(Pacer(at(7.0), arrivals="poisson", seed=5), 5) != dues(Pacer(at(7.0), arrivals="poisson", seed=6), 5)


def test_rate_nought_is_never_due() -> None:
    """Without a rate no arrival ever comes."""
    assert Pacer(at(0.0)).due_s() == float("inf")


@given(count=st.integers(1, 7), arrivals=st.sampled_from(["even", "poisson"]), rate=st.floats(0.1, 1000))
def test_workers_together_start_what_one_alone_would(count: int, arrivals: Arrivals, rate: float) -> None:
    """However many workers share the arrivals, each arrival is started once, by one of them."""
    alone = dues(Pacer(at(rate), arrivals=arrivals, seed=9), 20 * count)
    parts = (dues(Pacer(at(rate), WorkerPart(index, count), arrivals=arrivals, seed=9), 20) for index in range(count))
    assert sorted(itertools.chain(*parts)) == alone


@given(
    before=st.integers(1, 5),
    after=st.integers(1, 5),
    at_s=st.floats(0, 20),
    rates=st.tuples(st.floats(0.5, 50), st.floats(0.5, 50)),
)
def test_no_arrival_is_lost_or_repeated_when_workers_and_rate_change(
    before: int, after: int, at_s: float, rates: tuple[float, float]
) -> None:
    """Workers that join or leave at an instant, and a new rate from then on, leave the whole plan exact."""
    first = at(rates[0])
    second = first.changed(at_s, [Leg(at_s, rates[1])])
    started = 0
    for index in range(max(before, after)):
        if index < before:
            pacer = Pacer(first, WorkerPart(index, before))
            started += len(until(pacer, at_s))
            if index >= after:
                continue
            pacer.change(second, WorkerPart(index, after), at_s)
        else:
            pacer = Pacer(second, WorkerPart(index, after), since_s=at_s)
        started += len(until(pacer, at_s + 30))
    assert abs(started - second.level_at(at_s + 30)) <= 1


@given(changes=st.lists(st.tuples(st.floats(0.01, 10), st.floats(0, 100)), max_size=8))
def test_the_plan_only_ever_grows(changes: list[tuple[float, float]]) -> None:
    """The level asked for at an instant is the same seen before and after a change at that instant."""
    plan, at_s = at(5.0), 0.0
    for gap_s, rate in changes:
        at_s += gap_s
        level = plan.level_at(at_s)
        plan = plan.changed(at_s, [Leg(at_s, rate)])
        assert plan.level_at(at_s) == level


RAMPED = read("10 for 5s, to 50 in 10s, 200 for 2s, to 0 in 20s")


@pytest.mark.parametrize("count", [1, 3])
def test_arrivals_on_ramps_and_in_bursts_are_due_when_the_plan_asks_for_them(count: int) -> None:
    """Each is due at the instant by which its level is asked for, and all workers together start every one of them."""
    plan = ArrivalPlan().changed(0.0, legs(RAMPED))
    found = sorted(itertools.chain(*(until(Pacer(plan, WorkerPart(index, count)), 100) for index in range(count))))
    assert len(found) == 50 + 300 + 400 + 2000
    assert all(plan.level_at(due_s) == pytest.approx(number + 0.5) for number, due_s in enumerate(found))


@given(at_s=st.floats(0, 40), before=st.integers(1, 4), after=st.integers(1, 4))
def test_workers_that_join_or_leave_on_a_ramp_leave_the_plan_exact(at_s: float, before: int, after: int) -> None:
    """Whenever the fleet changes, each arrival is started once."""
    first = ArrivalPlan().changed(0.0, legs(RAMPED))
    second = first.changed(at_s, legs(RAMPED))
    started = 0
    for index in range(max(before, after)):
        pacer = Pacer(first, WorkerPart(index, before)) if index < before else None
        started += len(until(pacer, at_s)) if pacer else 0
        if index < after and pacer:
            pacer.change(second, WorkerPart(index, after), at_s)
        elif index < after:
            pacer = Pacer(second, WorkerPart(index, after), since_s=at_s)
        started += len(until(pacer, 100)) if pacer and index < after else 0
    assert abs(started - 2750) <= 1


def test_an_overdue_arrival_keeps_its_due_time_when_the_rate_changes() -> None:
    """How late it is stays true."""
    pacer = Pacer(at(10.0))
    pacer.change(at(10.0).changed(2.0, [Leg(2.0, 100.0)]), WHOLE, 2.0)
    assert dues(pacer, 3) == pytest.approx([0.05, 0.15, 0.25])


def test_levels_of_even_arrivals_lie_half_way() -> None:
    """The first arrival is asked for when half of one would be."""
    assert list(itertools.islice(levels("even", 1), 3)) == [0.5, 1.5, 2.5]


@given(wanted=st.lists(shares, max_size=300))
def test_even_share_is_exact_for_every_prefix_also_when_it_changes(wanted: list[float]) -> None:
    """Fault requests sent and asked for never differ by 1 or more."""
    assert furthest(drawn("even", wanted), wanted) < 1


@given(share=shares, count=st.integers(1, 6), requests=st.integers(0, 200))
def test_even_share_of_many_workers_is_as_exact_as_of_one(share: float, count: int, requests: int) -> None:
    """All workers together differ by less than 1 too, because they start at staggered places."""
    sent = sum(sum(drawn("even", [share] * requests, part=WorkerPart(index, count))) for index in range(count))
    assert abs(sent - share * requests * count) < 1


@pytest.mark.parametrize("every", [2, 20, 60, 600])
def test_even_share_starts_half_way(every: int) -> None:
    """With one in `every` the first fault request is the one half-way, so that it keeps clear of a period's edge."""
    requests = drawn("even", [1 / every] * 2 * every)
    assert requests.index(True) + 1 == every // 2


@pytest.mark.parametrize("pattern", PATTERNS)
def test_share_nought_never_fails_and_share_one_always(pattern: Pattern) -> None:
    """The ends of the range hold without exception."""
    assert not any(drawn(pattern, [0.0] * 500))
    assert all(drawn(pattern, [1.0] * 500))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_share_is_kept_in_the_long_run(pattern: Pattern) -> None:
    """Each pattern has the same long-run share."""
    assert sum(drawn(pattern, [0.05] * 100_000)) == pytest.approx(5_000, rel=0.05)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_same_seed_draws_the_same_fault_requests(pattern: Pattern) -> None:
    """A run made again fails the same requests."""
    assert drawn(pattern, [0.2] * 1000, seed=8) == drawn(pattern, [0.2] * 1000, seed=8)


@pytest.mark.parametrize("pattern", ["bernoulli", "burst"])
def test_another_seed_draws_other_fault_requests(pattern: Pattern) -> None:
    """The drawn patterns depend on the seed."""
    assert drawn(pattern, [0.2] * 1000, seed=8) != drawn(pattern, [0.2] * 1000, seed=9)


@given(wanted=st.lists(shares, max_size=400), seed=st.integers(0, 50))
def test_burst_share_stays_within_a_clump(wanted: list[float], seed: int) -> None:
    """Fault requests sent and asked for never differ by more than a clump."""
    draw = BurstShare(random.Random(seed)).draw
    assert furthest([draw(share) for share in wanted], wanted) <= CLUMP + 1


def test_burst_share_comes_in_clumps() -> None:
    """At a share of 5 % fault requests follow each other without a good one in between."""
    runs = [len(list(group)) for fault, group in itertools.groupby(drawn("burst", [0.05] * 10_000)) if fault]
    assert set(runs[:-1]) == {CLUMP}


def test_a_share_of_nought_cuts_a_clump_short() -> None:
    """When a fault window ends, no fault request follows."""
    draw = BurstShare(random.Random(1)).draw
    while not draw(0.5):
        pass
    assert not any(draw(0.0) for _ in range(50))


def test_bernoulli_share_is_memoryless() -> None:
    """After a fault request another one is as likely as ever."""
    draw = BernoulliShare(random.Random(2)).draw
    requests = [draw(0.3) for _ in range(20_000)]
    followers = [later for earlier, later in itertools.pairwise(requests) if earlier]
    assert sum(followers) / len(followers) == pytest.approx(0.3, abs=0.03)


def test_a_mix_draws_by_weight() -> None:
    """A choice of three times the weight is drawn three times as often, within a few; one of no weight never."""
    mix = EvenMix({"a": 3.0, "b": 1.0, "c": 0.0}, "seed")
    counts = Counter(map(mix.at, range(20_000)))
    assert counts["a"] == pytest.approx(15_000, abs=4)
    assert counts["a"] + counts["b"] == 20_000


@pytest.mark.parametrize("every", [2, 5, 20])
def test_a_mix_stays_even_where_every_nth_turn_is_left_out(every: int) -> None:
    """Those are the fault requests, or another worker's."""
    mix = EvenMix({"a": 4.0, "b": 1.0}, "seed")
    counts = Counter(mix.at(turn) for turn in range(20_000) if turn % every)
    assert counts["a"] / counts.total() == pytest.approx(0.8, abs=0.001)


def test_a_mix_of_nothing_is_refused() -> None:
    """Weights that are all 0 leave nothing to draw."""
    with pytest.raises(ValueError, match="at least one"):
        EvenMix({"a": 0.0}, "seed")


def test_who_leaves_and_comes_back_repeats_nothing_that_others_had_meanwhile() -> None:
    """Its own part ends at one level and begins again at another."""
    plan = at(10.0)
    pacer = Pacer(plan, WorkerPart(0, 2))
    pacer.change(plan, NOTHING, 1.0)
    first = []
    while pacer.due_s() < math.inf:
        first.append(pacer.due_s())
        pacer.advance()
    pacer.change(plan, WorkerPart(1, 2), 2.0)
    assert first == pytest.approx([0.05, 0.25, 0.45, 0.65, 0.85])
    assert pacer.due_s() == pytest.approx(2.15)
