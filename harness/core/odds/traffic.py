"""What an alarm gets in a stretch of time: how many requests it counts, and how likely each of them is bad."""

import itertools
import math
from collections.abc import Iterator, Sequence

from msgspec import Struct

from harness.core.odds.counts import RequestGroup
from harness.core.odds.setting import FIRST_SHIFT_S, Setting, Watch

CLUMPS = {"even": 1, "bernoulli": 1, "burst": 10}
"""How many fault requests come at once, by the pattern (`experiment/pacing.py`)."""

HALF_WAY = 0.5
"""Where the even pattern begins: the first of one in 600 is the 300th."""


class Stretch(Struct, frozen=True):
    """What one alarm gets in one stretch: `seen` of `requests` requests count there, `bad` of those by themselves.

    `planned` is the group of requests that are meant to fail, which come by a pattern of their own.
    """

    requests: float = 0.0
    seen: float = 0.0
    bad: float = 0.0
    planned: RequestGroup = RequestGroup(0.0, 0.0)


class Shares(Struct, frozen=True):
    """Of all requests at an instant: those that count, those that are bad by themselves, those meant to fail."""

    seen: float
    bad: float
    planned: float
    planned_seen: float


def shares_at(setting: Setting, watch: Watch, at_s: float, turned_s: float = 0.0) -> Shares:
    """What one request at an instant is to an alarm."""
    weight, planned = setting.weight_at(at_s), setting.planned_at(at_s)
    usual = 0.0 if watch.latency else setting.failing_usually
    fault = (
        setting.fault.share_at(at_s - FIRST_SHIFT_S - setting.fault.at_s, turned_s)
        if watch.feels(setting.fault)
        else 0.0
    )
    of_canary, of_baseline = weight * (1 - (1 - usual) * (1 - fault)), (1 - weight) * usual
    parts = {
        "all": (1.0, of_canary + of_baseline),
        "canary": (weight, of_canary),
        "baseline": (1 - weight, of_baseline),
        "nothing": (0.0, 0.0),
    }
    seen, bad = parts[watch.counts]
    counted = 0.0 if watch.latency else seen
    return Shares(seen, bad * (1 - planned), planned, counted)


class Segment(Struct, frozen=True):
    """A stretch of time in which nothing changes: the rate, and what one request is to an alarm."""

    from_s: float
    until_s: float
    rate: float
    shares: Shares


def segments(setting: Setting, watch: Watch, turned_s: float = 0.0) -> list[Segment]:
    """All of time in segments."""
    edges = edges_of(setting, turned_s)
    bounds = [-math.inf, *edges, math.inf]
    inside = [edges[0] - 1, *((one + other) / 2 for one, other in itertools.pairwise(edges)), edges[-1] + 1]
    return [
        Segment(from_s, until_s, setting.rate_at(at_s), shares_at(setting, watch, at_s, turned_s))
        for (from_s, until_s), at_s in zip(itertools.pairwise(bounds), inside, strict=True)
    ]


def stretches(setting: Setting, parts: Sequence[Segment], from_s: float, until_s: float) -> Iterator[Stretch]:
    """What an alarm gets between two instants."""
    for part in parts:
        lasting_s = min(until_s, part.until_s) - max(from_s, part.from_s)
        if lasting_s <= 0:
            continue
        requests, shares = round(part.rate * lasting_s, 9), part.shares
        planned = requests * shares.planned
        if setting.pattern == "bernoulli" or not planned:
            bad = shares.bad + shares.planned * shares.planned_seen
            yield Stretch(requests, requests * shares.seen, requests * bad)
        else:
            group = RequestGroup(planned, shares.planned_seen, CLUMPS[setting.pattern])
            yield Stretch(requests, requests * shares.seen, requests * shares.bad, group)


def edges_of(setting: Setting, turned_s: float) -> tuple[float, ...]:
    """The instants at which anything changes, the turns of an intermittent fault among them."""
    edges, fault = setting.edges_s, setting.fault
    if fault.kind == "intermittent" and fault.every_s:
        began_s = FIRST_SHIFT_S + fault.at_s
        turns = math.ceil((setting.end_s - began_s) / fault.every_s) + 1
        starts = [began_s - turned_s + n * fault.every_s for n in range(turns + 1)]
        edges = (*edges, *starts, *(at_s + fault.on_s for at_s in starts))
    return tuple(sorted(edges))


def failing_by(setting: Setting, at_s: float) -> float:
    """How many requests are to be expected to fail, or to be slow, by the fault until an instant."""
    begin_s = min(0.0, *(one.from_s for one in setting.planned)) if setting.planned else 0.0
    edges = [begin_s, *(edge_s for edge_s in setting.edges_s if begin_s < edge_s < at_s), max(begin_s, at_s)]
    total = 0.0
    for from_s, until_s in itertools.pairwise(edges):
        middle_s = (from_s + until_s) / 2
        fault = setting.fault.mean_share_at(middle_s - FIRST_SHIFT_S - setting.fault.at_s)
        planned = setting.planned_at(middle_s)
        share = planned + (1 - planned) * setting.weight_at(middle_s) * fault
        total += setting.rate_at(middle_s) * (until_s - from_s) * share
    return total
