"""The arrival rate over a run, as straight lines: one rate, steps, ramps and bursts alike."""

import re
from collections.abc import Sequence

from msgspec import Struct

from harness.core.experiment.durations import duration_s
from harness.core.experiment.types import ArrivalRate, RateStep, Replay

HIGHEST_RATE = 1_000_000.0
WORDS = "'20' or '5 for 30s, to 50 in 1m, 200 for 10s'"
"""What a rate in words looks like."""

_NUMBER = r"(\d+(?:\.\d*)?(?:e\d+)?)"
_HELD = re.compile(rf"{_NUMBER}(?:\s+for\s+(\S+))?", re.IGNORECASE)
_RAMP = re.compile(rf"to\s+{_NUMBER}\s+in\s+(\S+)", re.IGNORECASE)


class Leg(Struct, frozen=True):
    """From `since_s` on `rate` arrivals per second, `slope` more each second, until the next leg."""

    since_s: float
    rate: float
    slope: float = 0.0

    def rate_at(self, at_s: float) -> float:
        """The rate at an instant of this leg."""
        return self.rate + self.slope * (at_s - self.since_s)


def legs(arrival_rate: ArrivalRate, *, since_s: float = 0.0, before: float = 0.0) -> tuple[Leg, ...]:
    """What is asked for from `since_s` on, where `at_s` of the steps counts from; until then the rate is `before`."""
    found = [Leg(since_s, before)]
    for step in steps(arrival_rate):
        found.extend(_legs_of(step, since_s + step.at_s, found[-1].rate))
    return tuple(leg for leg, after in zip(found, [*found[1:], None], strict=True) if not _hides(after, leg))


def steps(arrival_rate: ArrivalRate) -> tuple[RateStep, ...]:
    """The changes of the rate, also of one that never changes."""
    if isinstance(arrival_rate, Replay):
        return arrival_rate.steps
    return arrival_rate if isinstance(arrival_rate, tuple) else (RateStep(at_s=0.0, rate=arrival_rate),)


def cut(asked: Sequence[Leg], at_s: float) -> tuple[Leg, ...]:
    """What is asked for from `at_s` on."""
    begun = [leg for leg in asked if leg.since_s <= at_s]
    first = Leg(at_s, begun[-1].rate_at(at_s), begun[-1].slope) if begun else Leg(at_s, 0.0)
    return (first, *(leg for leg in asked if leg.since_s > at_s))


def rate_at(asked: Sequence[Leg], at_s: float) -> float:
    """The rate asked for at an instant."""
    return cut(asked, at_s)[0].rate


def peak_rate(arrival_rate: ArrivalRate) -> float:
    """The highest rate that is ever asked for."""
    return max(leg.rate for leg in legs(arrival_rate))


def lasting_rate(arrival_rate: ArrivalRate) -> float:
    """The rate that holds when all changes are over."""
    return legs(arrival_rate)[-1].rate


def read(text: str) -> ArrivalRate:
    """A rate in words: one number, or what follows one after the other, as in `5 for 30s, to 50 in 1m, 200 for 10s`.

    A rate at the end without `for` holds; one with `for` is a burst, after which the rate before it returns. Raises
    ValueError.
    """
    phrases = text.split(",")
    found: list[RateStep] = []
    at_s = 0.0
    for phrase in phrases:
        step = _step(phrase.strip(), at_s)
        if found and found[-1].for_s is None:
            raise ValueError("only the last rate may have no end")
        found.append(step)
        at_s += step.for_s or 0.0
    *earlier, last = [step if step.ramp_to is not None or step is found[-1] else _held(step) for step in found]
    return last.rate if not earlier and last.rate is not None and last.for_s is None else (*earlier, last)


def worded(arrival_rate: ArrivalRate) -> str:
    """The rate as a person says it."""
    if isinstance(arrival_rate, Replay):
        scaled = "" if arrival_rate.scale == 1 else f"{arrival_rate.scale:g} times "
        return f"{scaled}the rate of {arrival_rate.source}"
    return ", ".join(map(_phrase, steps(arrival_rate)))


def _phrase(step: RateStep) -> str:
    begun = f"from {step.at_s:g}s " if step.at_s else ""
    if step.ramp_to is not None:
        return f"{begun}to {step.ramp_to:g} in {step.for_s:g}s"
    return f"{begun}{step.rate:g}" + (f" for {step.for_s:g}s" if step.for_s else "")


def _step(phrase: str, at_s: float) -> RateStep:
    if held := _HELD.fullmatch(phrase):
        return RateStep(at_s=at_s, rate=_rate(held[1]), for_s=duration_s(held[2]) if held[2] else None)
    if ramp := _RAMP.fullmatch(phrase):
        return RateStep(at_s=at_s, ramp_to=_rate(ramp[1]), for_s=duration_s(ramp[2]))
    raise ValueError(f"{phrase!r} is no rate")


def _rate(text: str) -> float:
    rate = float(text)
    if rate > HIGHEST_RATE:
        raise ValueError(f"a rate must be at most {HIGHEST_RATE:,.0f}")
    return rate


def _held(step: RateStep) -> RateStep:
    """A rate that another follows: it need not go back to the one before it."""
    return RateStep(at_s=step.at_s, rate=step.rate)


def _legs_of(step: RateStep, since_s: float, before: float) -> tuple[Leg, ...]:
    if step.ramp_to is not None and step.for_s:
        slope = (step.ramp_to - before) / step.for_s
        return Leg(since_s, before, slope), Leg(since_s + step.for_s, step.ramp_to)
    burst = Leg(since_s, step.rate or 0.0)
    return (burst, Leg(since_s + step.for_s, before)) if step.for_s else (burst,)


def _hides(after: Leg | None, leg: Leg) -> bool:
    """Whether a leg ends as it begins."""
    return after is not None and after.since_s == leg.since_s
