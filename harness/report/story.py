"""What happens in a run, told as it happens: one short line a transition, for log and page alike."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from harness.core.timeline.alarm_states import AlarmStates
from harness.core.timeline.deployments import Phase
from harness.core.timeline.events import (
    MISSED_STEPS,
    Asked,
    Event,
    EvidenceFound,
    FaultEnded,
    FaultStarted,
    Look,
    LookFailed,
    Note,
    RunEnded,
    RunStarted,
    Shadow,
    Trouble,
    Write,
)
from harness.core.timeline.hooks import unreported
from harness.core.timeline.refusals import DENIED
from harness.core.timeline.release import Release
from harness.core.timeline.rollout import Rollout
from harness.core.verdict.second_opinion import told_of
from harness.report import facts

LineKind = Literal["run", "release", "alarm", "fault", "write", "person", "trouble"]

_PHASES: Mapping[Phase, str] = {
    Phase.CREATED: "deployment {id} was created",
    Phase.BEFORE_TRAFFIC: "{id} prepares: no traffic on the canary yet",
    Phase.CANARY: "the bake time began: {canary} is on trial",
    Phase.AFTER_TRAFFIC: "all traffic shifted to {canary}",
    Phase.PROMOTED: "{id} succeeded: {canary} was promoted",
    Phase.STOPPING: "{id} was stopped, and its rollback is awaited",
    Phase.ROLLING_BACK: "the rollback to {baseline} began",
    Phase.ROLLED_BACK: "rolled back to {baseline}",
    Phase.STOPPED: "{id} was stopped and not rolled back",
    Phase.FAILED: "{id} failed and was not rolled back",
}


# What a fault is made of; any other write deploys, or puts back what a deployment changed.
_FAULT_CALLS = (
    "cloudwatch:SetAlarmState",
    "lambda:PutFunctionConcurrency",
    "lambda:DeleteFunctionConcurrency",
    "fis:StartExperiment",
    "fis:StopExperiment",
)


class StoryLine(Struct, frozen=True, kw_only=True):
    """One line: when it was learned, what it is about, what it says, and which person it comes from."""

    at_s: float
    kind: LineKind
    text: str
    by: str | None = None


class Teller:
    """Tells a run line by line; `tell` gets every event in order, with the rollout that it led to."""

    def __init__(self) -> None:
        self._before = Rollout()
        self._blind = False
        self._denied: set[str] = set()

    def tell(self, event: Event, rollout: Rollout) -> tuple[StoryLine, ...]:
        """The lines that an event is worth; most are worth none."""
        before, self._before = self._before, rollout
        return tuple(self._lines(event, before, rollout))

    def _lines(self, event: Event, before: Rollout, after: Rollout) -> Iterator[StoryLine]:
        if after is not before:
            yield from _release(event.at_s, before.release, after.release)
            yield from _alarms(event.at_s, before.alarms, after.alarms)
            yield from _alarms(event.at_s, before.shadows, after.shadows, "shadow alarm ", "would be in")
        yield from self._sight(event)
        told = _TOLD.get(type(event))
        if told:
            yield from told(event)

    def _sight(self, event: Event) -> Iterator[StoryLine]:
        if isinstance(event, LookFailed):
            if self._is_news(event):
                yield StoryLine(at_s=event.at_s, kind="trouble", text=f"a look failed: {facts.plain(event.message)}")
        elif isinstance(event, Look) and self._blind:
            self._blind = False
            yield StoryLine(at_s=event.at_s, kind="trouble", text="looks succeed again")

    def _is_news(self, failed: LookFailed) -> bool:
        """Whether a failed look is the first one; what is not allowed fails beside looks that succeed, for ever."""
        if failed.code in DENIED:
            news = failed.call not in self._denied
            self._denied.add(failed.call)
            return news
        news, self._blind = not self._blind, True
        return news


def _release(at_s: float, before: Release, after: Release) -> Iterator[StoryLine]:
    if after.phase != before.phase and after.phase in _PHASES:
        names = {
            "id": after.forward.deployment_id if after.forward else after.wanted,
            "canary": f"version {after.canary}" if after.canary else "the new version",
            "baseline": f"version {after.baseline}" if after.baseline else "the version in service",
        }
        yield StoryLine(at_s=at_s, kind="release", text=_PHASES[after.phase].format(**names))
    if (said := _unreported(after)) and not _unreported(before):
        yield StoryLine(at_s=at_s, kind="trouble", text=facts.plain(said))
    if after.weight is not None and after.weight != (before.weight or 0.0):
        yield StoryLine(at_s=at_s, kind="release", text=f"{facts.percent(after.weight)} on the canary")


def _unreported(release: Release) -> str | None:
    return unreported(release.target) if release.target and not release.ended else None


def _alarms(
    at_s: float, before: AlarmStates, after: AlarmStates, kind: str = "", is_: str = "is"
) -> Iterator[StoryLine]:
    if after.states is before.states:
        return
    for name, seen in after.states.items():
        known = before.states.get(name)
        if known is None or known.state != seen.state:
            reason = f": {facts.plain(seen.reason)}" if seen.reason else ""
            yield StoryLine(at_s=at_s, kind="alarm", text=f"{kind}{facts.plain(name)} {is_} {seen.state}{reason}")


def _run_started(event: RunStarted) -> Iterator[StoryLine]:
    speed = f" at speed {event.speed:g}" if event.speed != 1 else ""
    yield StoryLine(at_s=event.at_s, kind="run", text=f"{event.experiment} began{speed}")


def _run_ended(event: RunEnded) -> Iterator[StoryLine]:
    detail = f": {facts.plain(event.detail)}" if event.detail else ""
    yield StoryLine(at_s=event.at_s, kind="run", text=f"the run ended, {facts.words(event.why)}{detail}")


_SPOKEN = {
    "traffic.error_share": "the planned error share",
    "hand.error_share": "the error share set by hand",
    "hand.force_alarm": "the alarm forced by hand",
}
"""Faults as people call them; others are in the experiment under the name that they have."""


def _fault_started(event: FaultStarted) -> Iterator[StoryLine]:
    planned = "" if event.fault in _SPOKEN else f" ({event.fault})"
    text = f"{facts.words(event.kind)} {_value(event)} began{planned}"
    yield StoryLine(at_s=event.at_s, kind="fault", text=text, by=_by(event.by))


def _by(name: str) -> str | None:
    return facts.plain(name) or None


def _value(event: FaultStarted) -> str:
    try:
        return facts.percent(float(event.value)) if event.kind == "error_share" else facts.plain(event.value)
    except ValueError:
        return facts.plain(event.value)


def _fault_ended(event: FaultEnded) -> Iterator[StoryLine]:
    why = f": {facts.plain(event.why)}" if event.why else ""
    fault = _SPOKEN.get(event.fault, event.fault)
    yield StoryLine(at_s=event.at_s, kind="fault", text=f"{fault} ended{why}", by=_by(event.by))


def _write(event: Write) -> Iterator[StoryLine]:
    if event.step != "intended":
        detail = f" ({facts.plain(event.detail)})" if event.detail else ""
        kind: LineKind = "trouble" if event.step in MISSED_STEPS else "fault" if event.call in _FAULT_CALLS else "write"
        yield StoryLine(at_s=event.at_s, kind=kind, text=f"{event.call} of {event.subject} {event.step}{detail}")


def _evidence_found(event: EvidenceFound) -> Iterator[StoryLine]:
    text = f"the evidence against the canary suffices to stop it: {told_of(event)}"
    yield StoryLine(at_s=event.at_s, kind="release", text=text)


def _note(event: Note) -> Iterator[StoryLine]:
    yield StoryLine(at_s=event.at_s, kind="person", text=facts.plain(event.text), by=facts.plain(event.by))


def _asked(event: Asked) -> Iterator[StoryLine]:
    asked = " ".join(part for part in (facts.words(event.what), facts.plain(event.value)) if part)
    refused = f", refused: {facts.plain(event.refused)}" if event.refused else ""
    yield StoryLine(at_s=event.at_s, kind="person", text=f"asked for {asked}{refused}", by=facts.plain(event.by))


def _shadow(event: Shadow) -> Iterator[StoryLine]:
    if isinstance(event.seen, LookFailed):
        text = f"shadow alarms are not read any more: {facts.plain(event.seen.message)}"
        yield StoryLine(at_s=event.at_s, kind="trouble", text=text)


def _trouble(event: Trouble) -> Iterator[StoryLine]:
    yield StoryLine(at_s=event.at_s, kind="trouble", text=f"{event.what}: {facts.plain(event.message)}")


_TOLD: Mapping[type, Callable[[Any], Iterator[StoryLine]]] = {
    RunStarted: _run_started,
    RunEnded: _run_ended,
    FaultStarted: _fault_started,
    FaultEnded: _fault_ended,
    Write: _write,
    EvidenceFound: _evidence_found,
    Note: _note,
    Asked: _asked,
    Shadow: _shadow,
    Trouble: _trouble,
}
