"""What alarms that do not exist would have done to the release: a measure, and no part of outcome, call or result."""

import math
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from harness.core.delays import ALARM_DELAY_S, STOP_DELAY_S, Range
from harness.core.experiment.types import Call, ShadowAlarm
from harness.core.timeline.alarm_rules import Rule
from harness.core.timeline.bounds import Bounds
from harness.core.timeline.events import AlarmDefined, AlarmMetricSeen, AlarmSeen, LookFailed
from harness.core.timeline.metric_math import NotEvaluated
from harness.core.timeline.shadow import Evaluated, evaluated, shadow_rule, stretches, why_unreadable
from harness.core.verdict.evidence import Evidence
from harness.core.verdict.measure import alarm_start, origin
from harness.core.verdict.types import ShadowFacts

_CALLS: Mapping[tuple[bool, bool], Call] = {
    (False, False): Call.CLEARED,
    (False, True): Call.MISSED,
    (True, False): Call.FALSE_ALARM,
    (True, True): Call.CAUGHT,
}
"""By whether it would have stopped the release, and whether harm was done."""
NEVER_DEFINED = "the run never knew what its dimensions stand for"
NO_DATAPOINT = "CloudWatch had no datapoint of what it reads"


class ShadowCourse(Struct, frozen=True):
    """A shadow alarm over a run: its rule, and its evaluations."""

    rule: Rule
    found: Sequence[Evaluated]

    @property
    def known_s(self) -> float:
        """Up to the end of which period its state is known."""
        return self.found[-1].end_s if self.found else -math.inf


def courses_of_shadows(evidence: Evidence) -> dict[str, ShadowCourse | str]:
    """Each shadow alarm over the run by its name, or the sentence that says why nothing is known of it."""
    defined = {one.seen.name: None for one in evidence.shadows if isinstance(one.seen, AlarmDefined)}
    asked = {alarm.name or "": alarm for alarm in evidence.experiment.shadow}
    return {name: _course(evidence, name, asked.get(name)) for name in {**dict.fromkeys(asked), **defined}}


def _course(evidence: Evidence, name: str, asked: ShadowAlarm | None) -> ShadowCourse | str:
    defined, read = _told(evidence, name)
    if defined is None:
        reason = why_unreadable(asked) if asked else None
        return f"it cannot be evaluated: {reason}" if reason else NEVER_DEFINED
    try:
        rule = shadow_rule(defined)
    except NotEvaluated as reason:
        return f"it cannot be evaluated: {reason}"
    asked_s, epoch_s = max((one.asked_s for one in read), default=0.0), evidence.rollout.run.aws_epoch_s
    began_s = min(0.0, evidence.release.created_s or 0.0)
    found = evaluated(rule, read, epoch_s=epoch_s, began_s=began_s, asked_s=asked_s)
    if all(one.value is None for one in found):
        refused = [one.seen.message for one in evidence.shadows if isinstance(one.seen, LookFailed)]
        return f"CloudWatch refused to read shadow alarms: {refused[-1]}" if refused else NO_DATAPOINT
    return ShadowCourse(rule, found)


def _told(evidence: Evidence, name: str) -> tuple[AlarmDefined | None, list[AlarmMetricSeen]]:
    """The last definition of a shadow alarm, and what was read by it."""
    defined: AlarmDefined | None = None
    read: list[AlarmMetricSeen] = []
    for one in evidence.shadows:
        if isinstance(one.seen, AlarmDefined) and one.seen.name == name:
            defined, read = one.seen, []
        elif isinstance(one.seen, AlarmMetricSeen) and one.seen.alarm == name:
            read.append(one.seen)
    return defined, read


def shadow_facts(evidence: Evidence, harmed: bool | None) -> tuple[ShadowFacts, ...]:
    """What each shadow alarm would have done; `harmed` says whether the release did harm, None if that is not known."""
    return tuple(
        ShadowFacts(name=name, why=course) if isinstance(course, str) else _facts(evidence, name, course, harmed)
        for name, course in courses_of_shadows(evidence).items()
    )


def _facts(evidence: Evidence, name: str, course: ShadowCourse, harmed: bool | None) -> ShadowFacts:
    created_s = evidence.release.created_s
    if created_s is None:
        return ShadowFacts(name=name, rule=str(course.rule), why="no deployment was seen that it could have stopped")
    delay = alarm_delay_s(evidence)
    times = [*_times(evidence, course)]
    lasting = next((one for one in times if one[1] is None or one[1] + delay[0] > created_s), None)
    rings = None if lasting is None else (lasting[0] + delay[0], lasting[0] + delay[1])
    stops, why = _stops(evidence, course, lasting[0] if lasting else None, rings)
    if lasting is None and any(end_s and end_s + delay[1] > created_s for _, end_s in times):
        stops, why = None, "it was about to leave ALARM when the deployment was created"
    real = None if any(fault.forces_alarm for fault in evidence.faults) else alarm_start(evidence)
    false = {began_s: _is_false(evidence, began_s, harmed) for began_s, _ in times}
    return ShadowFacts(
        name=name,
        rule=str(course.rule),
        decided_s=None if lasting is None else lasting[0] - created_s,
        alarm_s=None if rings is None else (rings[0] - created_s, rings[1] - created_s),
        seen_s=None if lasting is None else _seen_s(evidence, name, lasting[0], created_s),
        lead_s=None if rings is None or real is None else (real[0] - rings[1], real[1] - rings[0]),
        stops=stops,
        call=_call(stops, harmed, false[lasting[0]] if lasting else False),
        alarms=len(times),
        false_alarms=None if None in false.values() else sum(map(bool, false.values())),
        why=why,
    )


def alarm_delay_s(evidence: Evidence) -> Range:
    """How long after the deciding period an alarm shows its state, as the experiment has it of this account."""
    learned = evidence.experiment.cloud.alarm_delay_s
    if learned is None:
        return ALARM_DELAY_S
    return (learned[0], learned[-1]) if isinstance(learned, tuple) else (learned, learned)


def _times(evidence: Evidence, course: ShadowCourse) -> Iterator[tuple[float, float | None]]:
    """Its times in ALARM until the end of the release, by the ends of the periods that decided."""
    ended = evidence.release.ended
    last_s = min(ended[1] if ended else math.inf, evidence.until_s)
    return ((began_s, end_s) for began_s, end_s in stretches(course.found) if began_s <= last_s)


def _is_false(evidence: Evidence, decided_s: float, harmed: bool | None) -> bool | None:
    """Whether the canary had done no harm by then; None where that is not known.

    Before the canary had traffic, and before any fault of ours, it had done none. From its first failure on, the
    release that did harm had done some; before that it may have been slow.
    """
    shared, first_s = evidence.release.shared, origin(evidence)
    began_s = shared[0] if shared else evidence.release.created_s
    starts = [at_s for at_s in (began_s, first_s) if at_s is not None]
    if harmed is False or decided_s <= min(starts, default=math.inf):
        return True
    return None if harmed is None or (first_s is not None and decided_s <= first_s) else False


def _stops(
    evidence: Evidence, course: ShadowCourse, decided_s: float | None, rings: Bounds | None
) -> tuple[bool | None, str | None]:
    """Whether the alarm would have stopped the release, and why that is not known."""
    ended, promoted_s = evidence.release.ended, _promoted_s(evidence)
    if decided_s is None or rings is None:
        return _unrung(evidence, course)
    if promoted_s is None:
        return None, "when the canary would have been promoted is not known"
    if rings[0] + STOP_DELAY_S[0] > promoted_s[1]:
        return False, None
    if ended and decided_s > ended[0]:
        return None, "the release was over before it would have rung"
    if rings[1] + STOP_DELAY_S[1] > promoted_s[0]:
        return None, "it would have rung about when the bake time ended"
    return True, None


def _unrung(evidence: Evidence, course: ShadowCourse) -> tuple[bool | None, str | None]:
    """The same for an alarm that would not have rung, as far as it was read."""
    release = evidence.release
    if release.promoted is None:
        ended_so = "was stopped" if release.ended else "was last seen"
        return None, f"it would not have gone to ALARM before the release {ended_so}; what came after is not known"
    latest_s = release.promoted[0] - alarm_delay_s(evidence)[0] - STOP_DELAY_S[0]
    if course.known_s <= latest_s - course.rule.condition.step_s:
        return None, "it was not read to the end of the release"
    return False, None


def _promoted_s(evidence: Evidence) -> Bounds | None:
    """When the canary was promoted, or would have been at the latest shift that was due."""
    release = evidence.release
    if release.promoted:
        return release.promoted
    due_s = release.bake_ends_s
    return None if due_s is None else (due_s, due_s)


def _call(stops: bool | None, harmed: bool | None, false: bool | None) -> Call:
    if stops is None or harmed is None:
        return Call.INCONCLUSIVE
    if stops and false is None:
        return Call.INCONCLUSIVE
    return Call.FALSE_ALARM if stops and false else _CALLS[stops, harmed]


def _seen_s(evidence: Evidence, name: str, decided_s: float, created_s: float) -> float | None:
    """When the watcher told of the ALARM that was decided then."""
    told = (one.seen for one in evidence.shadows if isinstance(one.seen, AlarmSeen) and one.seen.name == name)
    rang = (one.at_s for one in told if one.state == "ALARM" and abs((one.since_s or 0.0) - decided_s) < 1.0)
    return next((at_s - created_s for at_s in rang), None)
