"""Guard rails: how far a run may go, decided from the experiment, from what a person asks for, and from what was seen.

    refusals       before the run: values above a limit
    sure_to_trip   before the run: limits that it is sure to exceed
    refusal        during the run: a change that would exceed a limit
    tripped        during the run: a limit that was exceeded

Nothing here acts. The caller acts, and gets one sentence that says why.
"""

import fnmatch
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from harness.core.experiment.faults import highest_share
from harness.core.experiment.hosts import host_of, is_loopback
from harness.core.experiment.rates import peak_rate
from harness.core.experiment.types import Experiment, Rails
from harness.errors import ExperimentError

RailName = Literal["arrival_rate", "error_share", "fault_requests", "wall_time_s", "blind_s"]


class Rail(Struct, frozen=True):
    """One guard rail: its default, whether traffic to this machine goes without the default, and what it bounds."""

    default: float
    spares_loopback: bool
    bounds: str


RAILS: dict[RailName, Rail] = {
    "arrival_rate": Rail(1000.0, True, "requests per second"),
    "error_share": Rail(0.5, True, "share of fault requests"),
    "fault_requests": Rail(10_000, True, "fault requests in the whole run"),
    "wall_time_s": Rail(14_400.0, False, "seconds that the run takes"),
    "blind_s": Rail(120.0, False, "seconds without any sight of the control plane while a fault is in effect"),
}
"""Every limit and its default, which `rails` of an experiment and `--canary-max-…` may change."""
SHORTEST_BLIND_WALL_S = 8.0
"""The shortest wall time without sight that trips the rail: one call to AWS may take so long, at any speed."""
ROUNDING = 1 + 1e-9
"""How far rounding may put a sum of shares off."""
RATE_WINDOW_S = 10.0
RATE_SLACK = 1.2
"""A rate that was not planned is measured over a window. By chance it may be this much above its limit."""


class Trip(Struct, frozen=True):
    """A limit that was exceeded: which, what was seen, and one sentence about it."""

    rail: RailName
    limit: float
    seen: float
    message: str


class Seen(Struct, frozen=True, kw_only=True):
    """What the rails look at; None if there is nothing to see. Seconds are experiment time, but for `wall_s`.

    `rate` is measured, for traffic that was not planned. `blind_s` counts while a fault is in effect.
    """

    fault_requests: int
    wall_s: float
    rate: float | None = None
    blind_s: float | None = None


class Limits(Struct, frozen=True, kw_only=True):
    """The limits of one run; infinite where none was set and the default does not hold for this host."""

    arrival_rate: float
    error_share: float
    fault_requests: float
    wall_time_s: float
    blind_s: float

    def of(self, name: RailName) -> float:
        """The limit of one rail."""
        limit: float = getattr(self, name)
        return limit


def limits_of(rails: Rails, host: str | None) -> Limits:
    """The limits that hold for traffic to `host`: what was set, and the defaults."""
    spared = host is not None and is_loopback(host)
    return Limits(**{name: _limit(getattr(rails, name), rail, spared) for name, rail in RAILS.items()})


def refusals(experiment: Experiment, limits: Limits) -> Iterator[ExperimentError]:
    """Every value of an experiment that is beyond a rail."""
    share, traffic = highest_share(experiment), experiment.traffic
    if traffic.users is None and (why := refusal(limits, "arrival_rate", peak_rate(traffic.arrival_rate))):
        yield ExperimentError("traffic.arrival_rate", why)
    if why := refusal(limits, "error_share", share):
        yield ExperimentError("traffic.error_share" if share == experiment.traffic.error_share else "faults", why)


def sure_to_trip(experiment: Experiment, limits: Limits, speed: float) -> Iterator[ExperimentError]:
    """Every rail that would trip before the run can end, at a clock's speed; for runs that follow a deployment."""
    give_up_s = experiment.give_up_s / speed
    if limits.wall_time_s * ROUNDING < give_up_s:
        yield ExperimentError(
            "rails.wall_time_s",
            f"{limits.wall_time_s:g} s are over before give_up_s is ({_wall(give_up_s, speed)}), so the rail would "
            "stop a run that still waits; lower give_up_s, or raise rails.wall_time_s",
        )
    faults = _faults_at_the_end(experiment)
    if limits.fault_requests * ROUNDING < faults:
        yield ExperimentError(
            "rails.fault_requests",
            f"{limits.fault_requests:g} are fewer than the {faults:.0f} fault requests that traffic.arrival_rate and "
            "traffic.error_share plan for steady_s alone, after the deployment; lower one of these, or raise "
            "rails.fault_requests",
        )


def _wall(give_up_s: float, speed: float) -> str:
    return f"{give_up_s:g} s" if speed == 1 else f"{give_up_s:g} s of wall time at speed {speed:g}"


def _faults_at_the_end(experiment: Experiment) -> float:
    """The fault requests that are planned for the time after the deployment, however that ends."""
    traffic = experiment.traffic
    if traffic.users is not None or not isinstance(traffic.arrival_rate, float | int):
        return 0.0
    return traffic.arrival_rate * traffic.error_share * experiment.steady_s


def refusal(limits: Limits, name: RailName, value: float) -> str | None:
    """Why a value is refused; None if it is allowed."""
    limit = limits.of(name)
    if value <= limit * ROUNDING:
        return None
    return f"{value:g} is beyond the guard rail of {limit:g} ({RAILS[name].bounds}); raise rails.{name} if it is meant"


def tripped(limits: Limits, seen: Seen) -> Trip | None:
    """The first limit that was exceeded."""
    measures: tuple[tuple[RailName, float | None, float], ...] = (
        ("fault_requests", seen.fault_requests, limits.fault_requests),
        ("wall_time_s", seen.wall_s, limits.wall_time_s),
        ("arrival_rate", seen.rate, limits.arrival_rate * RATE_SLACK),
        ("blind_s", seen.blind_s, limits.blind_s),
    )
    for name, value, limit in measures:
        if value is not None and value > limit:
            return _trip(name, limits, value)
    return None


def blind_limit_s(limits: Limits, speed: float) -> float:
    """How long the control plane may be out of sight at a clock's speed, in experiment time."""
    return max(limits.blind_s, SHORTEST_BLIND_WALL_S * speed)


def host_refusal(url: str, named: Iterable[str], allowed: Sequence[str]) -> str | None:
    """Why traffic may not go to a URL; None if it may.

    This machine is always allowed. If there is a list of `allowed` hosts, it decides. Else the hosts of the URLs that
    were `named` are allowed.
    """
    host = host_of(url)
    if is_loopback(url):
        return None
    if allowed:
        if any(fnmatch.fnmatchcase(host, pattern.lower()) for pattern in allowed):
            return None
        return (
            f"{host} is not on the list of allowed hosts ({', '.join(allowed)}); add it to rails.hosts if it is meant"
        )
    known = {host_of(one) for one in named}
    if not known or host in known:
        return None
    return f"{host} is not the host that this run was started for ({', '.join(sorted(known))}); start it with --host"


def _limit(given: float | None, rail: Rail, spared: bool) -> float:
    if given is not None:
        return float(given)
    return math.inf if spared and rail.spares_loopback else rail.default


def _trip(name: RailName, limits: Limits, value: float) -> Trip:
    limit = limits.of(name)
    if name == "blind_s":
        message = (
            f"the control plane was out of sight for {value:.0f} s, more than {limit:g} s, so the faults were stopped"
        )
    else:
        message = f"{value:.0f} is more than the {limit:g} allowed ({RAILS[name].bounds})"
    return Trip(name, limit, value, message)
