"""What happened beside the traffic, in lanes: lifecycle, alarms, faults, and looks that failed."""

import math
from collections.abc import Iterator
from itertools import islice
from typing import Literal

from msgspec import Struct

from harness.core.timeline.deployments import has_ended
from harness.core.timeline.events import (
    MISSED_STEPS,
    Asked,
    CommandEnded,
    CommandStarted,
    DeploymentSeen,
    LookFailed,
    Note,
    RailTripped,
    TargetSeen,
    Trouble,
    Write,
)
from harness.core.timeline.shadow import turns
from harness.core.verdict.evidence import FaultTime
from harness.core.verdict.shadows import alarm_delay_s, courses_of_shadows
from harness.report.facts import percent, plain, words
from harness.report.judged_run import JudgedRun

Kind = Literal["done", "going", "ok", "alarm", "blind", "fault", "trouble", "note"]
MOST_ALARMS = 12


class Span(Struct, frozen=True, kw_only=True):
    """Something that lasted from `from_s` to `to_s` since the run began, or happened at that instant if they are equal.

    `kind` says how to paint it; `detail` is the sentence of its tooltip.
    """

    lane: str
    kind: Kind
    label: str
    from_s: float
    to_s: float
    detail: str


def spans(run: JudgedRun) -> list[Span]:
    """All lanes of a run, from the top: the release, the alarms, what was done, and what went wrong."""
    lanes = (_command, _lifecycle, _alarms, _shadows, fault_spans, _rails, _people, _writes, _blind, _trouble)
    return [span for lane in lanes for span in lane(run)]


def _command(run: JudgedRun) -> Iterator[Span]:
    ends = [event for event in run.events if isinstance(event, CommandEnded)]
    for began in (event for event in run.events if isinstance(event, CommandStarted)):
        end = next((event for event in ends if event.at_s >= began.at_s), None)
        said = f"exit code {end.exit_code}" if end else "its end was not seen"
        yield Span(
            lane="command",
            kind="going" if end is None else "trouble" if end.exit_code else "done",
            label=plain(began.command),
            from_s=began.at_s,
            to_s=_until(run, end.at_s if end else None),
            detail=plain(f"{began.command}: {said}"),
        )


def _lifecycle(run: JudgedRun) -> Iterator[Span]:
    last = {event.deployment_id: event for event in run.events if isinstance(event, TargetSeen)}
    forward = run.rollout.release.forward
    for target in last.values():
        if forward is None or target.deployment_id != forward.deployment_id:
            continue
        for event in target.lifecycle:
            if event.started_s is not None:
                yield _event(run, event.name, event.status, event.started_s, event.ended_s)
    if forward:
        yield from _deployment(run, "deployment", forward)
    if run.rollout.release.rollback:
        yield from _deployment(run, "rollback", run.rollout.release.rollback)


def _event(run: JudgedRun, name: str, status: str, began_s: float, ended_s: float | None) -> Span:
    to_s = _until(run, ended_s)
    return Span(
        lane="lifecycle",
        kind="going" if ended_s is None else "trouble" if status == "Failed" else "done",
        label=plain(name),
        from_s=began_s,
        to_s=to_s,
        detail=plain(f"{name}: {status}"),
    )


def _deployment(run: JudgedRun, lane: str, seen: DeploymentSeen) -> Iterator[Span]:
    began_s = seen.created_s if seen.created_s is not None else seen.started_s
    if began_s is None:
        return
    error = f", {seen.error_code}" if seen.error_code else ""
    over = has_ended(seen)
    yield Span(
        lane=lane,
        kind="going" if not over else "done" if seen.status == "Succeeded" else "trouble",
        label=plain(seen.deployment_id),
        from_s=began_s,
        to_s=_until(run, seen.completed_s),
        detail=plain(f"{seen.deployment_id}: {seen.status}{error}"),
    )


_ALARM_KINDS: dict[str, Kind] = {"OK": "ok", "ALARM": "alarm"}


def _alarms(run: JudgedRun) -> Iterator[Span]:
    names, began_s = run.rollout.yardsticks, min(0.0, run.origin_s)
    for name in names[:MOST_ALARMS]:
        turns = run.rollout.alarms.turns(name)
        ends = [turn.since[1] for turn in turns[1:]]
        for turn, end_s in zip(turns, [*ends, None], strict=True) if turns else ():
            if _until(run, end_s) < began_s or turn.since[1] > run.ends_s:
                continue
            yield Span(
                lane=plain(name) if len(names) > 1 else "alarm",
                kind=_ALARM_KINDS.get(turn.state, "blind"),
                label=plain(turn.state),
                from_s=max(began_s, turn.since[1]),
                to_s=_until(run, end_s),
                detail=plain(f"{name}: {turn.state}"),
            )


def _shadows(run: JudgedRun) -> Iterator[Span]:
    """The states that shadow alarms would have shown, each from the latest instant on at which it would."""
    began_s, (least_s, most_s) = min(0.0, run.origin_s), alarm_delay_s(run.evidence)
    for name, course in islice(courses_of_shadows(run.evidence).items(), MOST_ALARMS):
        found = [] if isinstance(course, str) else turns(course.found)
        starts = [one.end_s + (most_s if at else 0.0) for at, one in enumerate(found)]
        for one, from_s, end_s in zip(found, starts, [*starts[1:], None], strict=True) if found else ():
            if _until(run, end_s) >= began_s and from_s <= run.ends_s:
                shown = f"decided at {one.end_s - run.origin_s:.0f} s, shown {least_s:g} to {most_s:g} s later"
                yield Span(
                    lane=plain(f"shadow {name}"),
                    kind=_ALARM_KINDS.get(one.state, "blind"),
                    label=plain(one.state),
                    from_s=max(began_s, from_s),
                    to_s=_until(run, end_s),
                    detail=plain(f"{name} does not exist, and would be in {one.state}: {shown}"),
                )


def fault_spans(run: JudgedRun) -> Iterator[Span]:
    """The faults, each for as long as it was in effect."""
    for fault in run.evidence.faults:
        told = plain(f"{words(fault.kind)} {_value(fault)}")
        yield Span(
            lane="faults",
            kind="fault",
            label=told,
            from_s=fault.began_s,
            to_s=_until(run, None if math.isinf(fault.ended_s) else fault.ended_s),
            detail=told,
        )


def _value(fault: FaultTime) -> str:
    share = fault.share(fault.kind) if fault.plans_requests else None
    return fault.value if share is None else percent(share)


def _people(run: JudgedRun) -> Iterator[Span]:
    for event in run.events:
        if isinstance(event, Note):
            yield _moment("people", "note", event.at_s, f"{event.by or 'somebody'}: {event.text}")
        elif isinstance(event, Asked):
            answer = f" (refused: {event.refused})" if event.refused else ""
            yield _moment("people", "note", event.at_s, f"{event.by} asked for {event.what} {event.value}{answer}")


def _writes(run: JudgedRun) -> Iterator[Span]:
    for event in run.events:
        if isinstance(event, Write) and event.step != "intended":
            kind: Kind = "trouble" if event.step in MISSED_STEPS else "note"
            yield _moment("our writes", kind, event.at_s, f"{event.call} {event.subject}: {event.step}")


def _rails(run: JudgedRun) -> Iterator[Span]:
    for event in run.events:
        if isinstance(event, RailTripped):
            yield _moment("guard rails", "trouble", event.at_s, f"{event.rail}: {event.message}")


def _blind(run: JudgedRun) -> Iterator[Span]:
    for event in run.events:
        if isinstance(event, LookFailed):
            yield _moment("failed looks", "trouble", event.at_s, f"{event.call} {event.code}: {event.message}")


def _trouble(run: JudgedRun) -> Iterator[Span]:
    for event in run.events:
        if isinstance(event, Trouble):
            yield _moment("trouble", "trouble", event.at_s, f"{event.what}: {event.message}")


def _moment(lane: str, kind: Kind, at_s: float, detail: str) -> Span:
    return Span(lane=lane, kind=kind, label="", from_s=at_s, to_s=at_s, detail=plain(detail))


def _until(run: JudgedRun, end_s: float | None) -> float:
    return run.ends_s if end_s is None else min(end_s, run.ends_s)
