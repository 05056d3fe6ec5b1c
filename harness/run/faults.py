"""The faults of one run: the experiment's plan or a person begins them, and they are healed whatever happens.

    MAKERS   every kind of fault that changes something on AWS ──► an `Effect`, which injects, holds and heals it
    Faults   which effects are there now, which shares are sent, who asked for them; the timeline notes each

A share of fault requests is no effect on AWS: the fleet sends it, and one share holds at a time.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple, Protocol

import gevent
from gevent.lock import RLock

from harness.aws.concurrency import ReservedConcurrency
from harness.aws.fis import FisExperiment
from harness.aws.forced_alarm import ForcedAlarm
from harness.core.experiment.faults import SHARE, EffectKind, Share, changes_s, effects_of, share_at
from harness.core.experiment.rails import Limits, refusal
from harness.core.experiment.sendable import can_fail
from harness.core.experiment.types import AlarmState, Fault
from harness.core.timeline.events import FaultEnded, FaultStarted
from harness.errors import HarnessError, UsageError
from harness.run.context import RunContext
from harness.run.creation import Creation
from harness.run.sent import with_requests

HAND_SHARE, HAND_ALARM = "hand.error_share", "hand.force_alarm"
"""What the timeline calls the faults that a person asks for while the run lasts."""
NO_WRITES = "nothing may be changed on AWS: start the run with --canary-allow-writes, or allow_writes: true"
NO_FAULT = "no request of this experiment can be made to fail: say in traffic.fault what makes one fail"
STOPPED = "the faults of this run were stopped, and none begins any more: start another run"


class Effect(Protocol):
    """One fault on AWS: done by `inject`, undone by `heal`."""

    def inject(self) -> None:
        """Does it; raises HarnessError."""

    def heal(self) -> bool:
        """Undoes it; whether nothing of it is left. Raises nothing for an error that AWS answers."""


class MadeEffect(NamedTuple):
    """An effect that is there: its kind and subject, and what a person has to do if it cannot be healed."""

    kind: EffectKind
    subject: str
    effect: Effect
    by_hand: str


def _forced_alarm(context: RunContext, fault: Fault) -> MadeEffect:
    alarm = context.experiment.alarm.name or next(iter(context.rollout.alarm_names), None)
    if alarm is None or fault.force_alarm is None:
        raise UsageError("there is no alarm to force: name one in alarm.name")
    reason = f"canary-harness: forced by the experiment {context.experiment.name}"
    effect = ForcedAlarm(context.aws, name=alarm, state=fault.force_alarm, reason=reason, journal=context.journal)
    return MadeEffect("force_alarm", alarm, effect, f"set {alarm} to OK by hand")


def _concurrency(context: RunContext, fault: Fault) -> MadeEffect:
    seen = context.rollout.release.target.function if context.rollout.release.target else None
    function = context.experiment.deployment.function or seen
    if function is None or fault.concurrency is None:
        raise UsageError("there is no function to throttle: name it in deployment.function")
    effect = ReservedConcurrency(context.aws, function=function, limit=fault.concurrency, journal=context.journal)
    return MadeEffect("concurrency", function, effect, f"give {function} its reserved concurrency back by hand")


def _fis_experiment(context: RunContext, fault: Fault) -> MadeEffect:
    template = str(fault.fis_template)
    effect = FisExperiment(context.aws, template=template, journal=context.journal)
    return MadeEffect("fis_template", template, effect, f"stop the experiment of {template} by hand")


MAKERS: Mapping[EffectKind, Callable[[RunContext, Fault], MadeEffect]] = {
    "force_alarm": _forced_alarm,
    "concurrency": _concurrency,
    "fis_template": _fis_experiment,
}


class Faults:
    """All faults of a run. A person's error share replaces the plan's; after `stop` no fault begins.

    `send_share` has a share of fault requests sent from now on.
    """

    def __init__(
        self,
        context: RunContext,
        creation: Creation,
        limits: Limits,
        send_share: Callable[[float], None],
        *,
        may_write: bool,
    ) -> None:
        self._context = context
        self._creation = creation
        self._limits = limits
        self._send_share = send_share
        self._may_write = may_write
        self._lock = RLock()
        self._made: dict[str, MadeEffect] = {}
        self._share: Share | None = None
        self._reached_s = -math.inf
        self._asked: Share | None = None
        self._asked_by = ""
        self._stopped = False

    @property
    def active(self) -> bool:
        """Whether any fault is in effect."""
        return bool(self._made) or bool(self._share and self._share.share)

    @property
    def forces_alarm(self) -> bool:
        """Whether an alarm is forced."""
        return bool(self._names("force_alarm"))

    def plays(self, *, watched: bool) -> Iterator[Callable[[], None]]:
        """The planned faults, each to be played in a greenlet; without a deployment only the first share."""
        if not watched:
            yield self._apply_share
            return
        yield self._play_share
        for name, kind, fault in effects_of(self._context.experiment):
            yield partial(self._play, name, kind, fault)

    def share_refusal(self, share: float) -> str | None:
        """Why a person may not set this error share; None if they may."""
        if self._stopped:
            return STOPPED
        if share and not can_fail(with_requests(self._context.experiment).traffic):
            return NO_FAULT
        return refusal(self._limits, "error_share", share)

    def write_refusal(self) -> str | None:
        """Why a person may not change anything on AWS; None if they may."""
        return STOPPED if self._stopped else self.permission_refusal()

    def permission_refusal(self) -> str | None:
        """Why this run has no permission to change anything on AWS; None if it has."""
        return None if self._may_write else NO_WRITES

    def set_error_share(self, share: float, by: str) -> None:
        """Sends another share of fault requests from now on, whatever was planned."""
        self._asked, self._asked_by = Share(HAND_SHARE, share), by
        self._apply_share("another share was asked for", by)

    def force_alarm(self, state: AlarmState, by: str) -> None:
        """Holds the alarm in a state until it is released; raises HarnessError."""
        self._begin(HAND_ALARM, "force_alarm", Fault(at_s=0.0, force_alarm=state), by)

    def release_alarm(self, by: str) -> bool:
        """Takes every forced alarm back, a planned one too; whether none is left."""
        return self._end_all(self._names("force_alarm"), "the alarm was released", by)

    def stop(self, why: str, by: str = "") -> bool:
        """Ends all faults at once, and lets none begin any more; whether nothing is left of them."""
        self._stopped = True
        self._apply_share(why, by)
        return self._end_all(self._names(), why, by)

    def hold(self) -> None:
        """Forces alarms again after an evaluation changed their state."""
        for made in [*self._made.values()]:
            if isinstance(made.effect, ForcedAlarm):
                made.effect.hold()

    # The plan

    def _play_share(self) -> None:
        for change_s in changes_s(self._context.experiment):
            self._creation.sleep_until(change_s)
            self._reached_s = change_s
            self._apply_share()

    def _play(self, name: str, kind: EffectKind, fault: Fault) -> None:
        self._creation.sleep_until(fault.at_s)
        self._begin(name, kind, fault)
        if fault.for_s is not None:
            self._creation.sleep_until(fault.at_s + fault.for_s)
            self._end(name, "its time was over")

    # The share of fault requests

    def _apply_share(self, why: str = "the plan changed", by: str = "") -> None:
        """Has the share sent that holds at this instant, and records a change."""
        share, before = self._share_now(), self._share
        if share == before:
            return
        now_s = self._context.base.now_s()
        if before:
            self._context.record(FaultEnded(at_s=now_s, fault=before.fault, why=why, by=by))
        self._share = share
        self._send_share(share.share if share else 0.0)
        if share:
            asked_by = self._asked_by if share is self._asked else ""
            value = f"{share.share:g}"
            self._context.record(FaultStarted(at_s=now_s, fault=share.fault, kind=SHARE, value=value, by=asked_by))

    def _share_now(self) -> Share | None:
        if self._stopped:
            return None
        if self._asked:
            return self._asked
        since_s = self._creation.since_s()
        if since_s is None:
            return None
        # A creation whose date was corrected takes nothing back that began before.
        return share_at(self._context.experiment, max(since_s, self._reached_s))

    # Effects on AWS

    def _begin(self, name: str, kind: EffectKind, fault: Fault, by: str = "") -> None:
        with self._lock:
            if self._stopped:
                return
            if kind != "fis_template":  # two effects on one thing could not both restore what was there before
                self._end_all(self._names(kind), "another one begins", by)
            made = MAKERS[kind](self._context, fault)
            self._made[name] = made
            try:
                made.effect.inject()
            except HarnessError:
                self._end(name, "it could not be done", by)
                raise
        value = str(getattr(fault, kind))
        self._context.record(FaultStarted(at_s=self._context.base.now_s(), fault=name, kind=kind, value=value, by=by))

    def _names(self, kind: EffectKind | None = None) -> list[str]:
        return [name for name, made in self._made.items() if kind is None or made.kind == kind]

    def _end(self, name: str, why: str, by: str = "") -> bool:
        return self._end_all([name], why, by)

    def _end_all(self, names: Iterable[str], why: str, by: str) -> bool:
        """Heals these effects; whether none is left. At the same time, so that one that hangs delays no other."""
        with self._lock:
            ending = {name: self._made[name] for name in names if name in self._made}
            heals = {name: gevent.spawn(made.effect.heal) for name, made in ending.items()}
            gevent.joinall([*heals.values()])
            healed = [self._tell_end(name, ending[name], bool(heal.value), why, by) for name, heal in heals.items()]
        return all(healed)

    def _tell_end(self, name: str, made: MadeEffect, healed: bool, why: str, by: str) -> bool:
        if healed:
            del self._made[name]
            self._context.record(FaultEnded(at_s=self._context.base.now_s(), fault=name, why=why, by=by))
        else:
            also = "or everything by `canary-harness alarm reset --run` and the folder of this run"
            self._context.trouble(name, f"{made.subject} could not be taken back: {made.by_hand}, {also}")
        return healed
