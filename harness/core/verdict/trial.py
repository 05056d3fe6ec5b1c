"""Whether the canary was on trial for all of its time: health needs evidence over the whole bake."""

import math

from harness.core.experiment.types import Outcome
from harness.core.timeline.alias_astray import strayed_to
from harness.core.timeline.bounds import Bounds, Shift
from harness.core.timeline.steps import weight_after
from harness.core.timeline.weights import Stay
from harness.core.verdict.evidence import Evidence
from harness.core.verdict.measure import headers_tell, metric_sum

LONGEST_SILENCE = 0.2
"""The share of the bake that the canary may go without an answer before the bake proves nothing."""
SHORTEST_SILENCE_S = 30.0
"""Silence that says nothing, however short the bake: a thin canary's answers come by chance."""
ROUNDING = 0.001
SETTLING_S = 15.0
"""How long before the end, and for how long at the least, a lost weight is no stale look: views of one shift differ."""


def gap_in_the_trial(evidence: Evidence) -> str | None:
    """What left the canary untried for a part of its time; None where nothing did, or nothing tells."""
    strayed, lost, forced = strayed_to(evidence.release), lost_weights(evidence), forced_weight(evidence)
    if strayed:
        return f"somebody moved the alias to version {strayed[0]} {_after(evidence, strayed[1][1])}"
    if lost:
        return f"somebody took the canary's weight off the alias {_after(evidence, lost[1])}"
    if forced:
        return f"somebody gave the canary {forced.weight:.0%} of the traffic {_after(evidence, forced.at_s[1])}"
    asked = {seen.at_s for seen in evidence.since}
    stopped = _longest_gap(evidence, asked) if evidence.rollout.run.sends else None
    silence = stopped or longest_silence(evidence)
    if silence:
        what = "there was no traffic" if stopped else "the canary answered nothing"
        return (
            f"{what} from {_since(evidence, silence[0]):.0f} to {_after(evidence, silence[1])}, "
            "and that part of its time proves nothing"
        )
    return None


def lost_weights(evidence: Evidence) -> Bounds | None:
    """When the alias lost the canary's weight although the deployment went on; None if it did not."""
    release = evidence.release
    ended_s = release.ended[0] if release.ended else evidence.end_s
    stays = release.weights.stays
    away = next((at for at, stay in enumerate(stays) if stay.place == "split"), None)
    if unseen := _lost_before_any_look(evidence, ended_s):
        return unseen
    if away is None:
        return None
    for at, stay in enumerate(stays[away:], away):
        until_s = stays[at + 1].since[1] if at + 1 < len(stays) else ended_s
        if stay.place == "baseline" and _lasted(stay, min(until_s, ended_s)):
            return stay.since
    return None


def forced_weight(evidence: Evidence) -> Shift | None:
    """A weight above what CodeDeploy's configuration gives the canary at that time; None if there was none."""
    release = evidence.release
    config, deployed = release.config, release.forward.config if release.forward else None
    if config is None or config.name != deployed or not release.weights.splits:
        return None
    began_s, due_s = release.weights.splits[0].at_s[0], release.bake_ends_s
    for shift in release.weights.splits:
        due = weight_after(config, shift.at_s[1] + SETTLING_S - began_s)
        if due is not None and shift.weight > due + ROUNDING:
            return shift
    whole = release.weights.whole
    return Shift(1.0, whole) if whole and due_s is not None and whole[1] + SETTLING_S < due_s else None


def _lost_before_any_look(evidence: Evidence, ended_s: float) -> Bounds | None:
    """When the alias lost a weight that only the target told: no look was in time to see it on the alias."""
    weights = evidence.release.weights
    if weights.denied is None or not weights.splits:
        return None
    first, last = weights.denied
    if min(last.asked_s, ended_s) - first.asked_s < SETTLING_S:
        return None
    answered = (seen for seen in evidence.since if first.at_s <= seen.at_s < last.asked_s)
    if any(evidence.is_canary(seen.version) for seen in answered):
        return None  # the canary did take part, so the looks were at something else
    return weights.splits[0].at_s[0], first.at_s


def longest_silence(evidence: Evidence) -> Bounds | None:
    """The longest time on trial without an answer of the canary, if that is too long; None if nothing tells."""
    return _longest_gap(evidence, _answered_s(evidence))


def _longest_gap(evidence: Evidence, seconds: set[float]) -> Bounds | None:
    """The longest time on trial with none of these seconds, if that is too long."""
    trial = _trial(evidence)
    if trial is None:
        return None
    began_s, ended_s = trial
    within = sorted(at_s for at_s in seconds if began_s <= at_s < ended_s)
    gaps = [*zip([began_s, *(at_s + 1 for at_s in within)], [*within, ended_s], strict=True)]
    gap = max(gaps, key=lambda gap: gap[1] - gap[0])
    longest_s = max(SHORTEST_SILENCE_S, LONGEST_SILENCE * (ended_s - began_s))
    return gap if gap[1] - gap[0] >= longest_s else None


def was_refused(evidence: Evidence) -> bool:
    """Whether CodeDeploy or Lambda did not take what the AppSpec names, so that no traffic was shifted.

    Whichever versions it names, then: the one that answers may be called its target.
    """
    release = evidence.release
    code = release.forward.error_code if release.forward else None
    return code in _REFUSALS and not (release.shared or release.weights.splits)


_REFUSALS = ("INVALID_LAMBDA_CONFIGURATION", "INVALID_LAMBDA_FUNCTION", "INVALID_REVISION", "REVISION_MISSING")


def never_had_traffic(evidence: Evidence) -> bool:
    """Whether the canary surely never had any traffic."""
    rollout = evidence.rollout
    if was_refused(evidence):
        return True
    if rollout.outcome is Outcome.PROMOTED or rollout.release.place != "baseline":
        return False
    answered = any(evidence.is_canary(seen.version) for seen in evidence.since)
    release = rollout.release
    invoked = release.canary and metric_sum(evidence, "Invocations", release.canary, (-math.inf, math.inf))
    away = release.shared or release.weights.splits or release.weights.whole or release.was_allowed
    return not (answered or invoked or away)


def _trial(evidence: Evidence) -> Bounds | None:
    """The time in which the canary had a part of the traffic before all of it; None if it never shared it."""
    release = evidence.release
    # Where no look showed the alias split, CodeDeploy told the weight, or dated the shift.
    told = release.weights.splits[0].at_s[1] if release.weights.splits else None
    shared = release.shared[0] if release.shared else told
    began_s = release.weights.split[1] if release.weights.split else shared
    if began_s is None:
        return None
    # After a promotion the canary goes on answering, so its trial may as well have lasted until the latest end.
    latest = bool(release.promoted)
    ends = [bounds[latest] for bounds in (release.ended, release.weights.whole) if bounds]
    ended_s = min([*ends, evidence.until_s])
    return (began_s, ended_s) if ended_s > began_s else None


def _answered_s(evidence: Evidence) -> set[float]:
    """The seconds in which the canary answered; by CloudWatch, those of a period that counts an invocation.

    Where the traffic is ours, nobody answered in a second without an answer to us.
    """
    if headers_tell(evidence.since):
        return {seen.at_s for seen in evidence.since if seen.answered and evidence.is_canary(seen.version)}
    answered = {seen.at_s for seen in evidence.since if seen.answered}
    counted = [seen for seen in evidence.metrics if seen.metric == "Invocations" and evidence.is_canary(seen.version)]
    if counted:
        periods = ((start_s, seen.period_s) for seen in counted for start_s, value in seen.points if value)
        called = {start_s + second for start_s, period_s in periods for second in range(period_s)}
        return called & answered if evidence.rollout.run.sends else called
    return answered


def _lasted(stay: Stay, until_s: float) -> bool:
    return until_s - stay.since[1] >= SETTLING_S


def _after(evidence: Evidence, at_s: float) -> str:
    return f"{_since(evidence, at_s):.0f} s after the creation"


def _since(evidence: Evidence, at_s: float) -> float:
    return at_s - (evidence.release.created_s or 0.0)
