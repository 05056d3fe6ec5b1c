"""The faults of one run: begun by the experiment's plan or by a person, and healed whatever happens.

    KINDS    what an experiment may ask for ──► an `Effect`, which injects, holds and heals it
    Faults   which effects are there now, who asked for them, and the word of each in the timeline

A share of fault requests is no effect of its own: one share holds at a time, and the fleet sends it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Literal, NamedTuple, Protocol

from gevent.lock import RLock

from harness.aws.clients import Aws
from harness.aws.forced_alarm import ForcedAlarm
from harness.core.experiment import AlarmState, Experiment, Fault
from harness.core.faults import Share, changes_s, name_of, share_at
from harness.core.rollout import Rollout
from harness.core.timeline import Event, FaultEnded, FaultStarted
from harness.errors import HarnessError, UsageError
from harness.load.steering import Timebase

HAND_SHARE, HAND_ALARM = "hand.error_share", "hand.force_alarm"
"""How the timeline calls the faults that a person asks for while the run lasts."""

FaultKind = Literal["error_share", "force_alarm"]


class Run(Protocol):
    """What faults need of the run that they happen in."""

    experiment: Experiment
    rollout: Rollout
    base: Timebase

    def record(self, *events: Event) -> None:
        """Writes to the timeline."""

    def trouble(self, what: str, message: str) -> None:
        """Notes that something went wrong."""

    def send_share(self, share: float) -> None:
        """Has this share of fault requests sent from now on."""

    def since_creation_s(self) -> float | None:
        """Experiment seconds since the deployment's creation, or until it; None while nobody knows when it will be."""

    def sleep_until_after_creation(self, after_s: float) -> None:
        """Waits for an instant that is counted from the deployment's creation."""

    def sleep_until(self, at_s: float) -> None:
        """Waits for an instant of the run."""


class Effect(Protocol):
    """One fault outside of this process: done by `inject`, held by `reassert`, undone by `heal`."""

    subject: str
    """What it is done to."""
    by_hand: str
    """What a person has to do where healing fails."""

    def inject(self) -> None:
        """Does it; raises HarnessError."""

    def reassert(self, rollout: Rollout) -> None:
        """Does it again where what was seen says that somebody undid it."""

    def heal(self) -> bool:
        """Undoes it; whether nothing of it is left. Never raises for what AWS answers."""


class Kind(NamedTuple):
    """How one kind of fault is made: what the timeline tells of it, and its effect in a run."""

    value: Callable[[Fault], str]
    make: Callable[[Run, Aws, str, Fault], Effect]


class _Alarm:
    """The alarm of the run, forced into a state."""

    by_hand = "set it to OK by hand"

    def __init__(self, run: Run, aws: Aws, name: str, state: AlarmState) -> None:
        alarm = run.experiment.alarm.name or next(iter(run.rollout.alarm_names), None)
        if alarm is None:
            raise UsageError("there is no alarm to force: name one in alarm.name")
        self.subject = alarm
        self._forced = ForcedAlarm(
            aws,
            name=self.subject,
            state=state,
            reason=f"canary-harness: {name} of {run.experiment.name}",
            record=run.record,
            now=run.base.now_s,
        )
        self.inject, self.heal = self._forced.inject, self._forced.heal

    def reassert(self, rollout: Rollout) -> None:
        """Forces the state again where an evaluation took it back."""
        if self.subject in rollout.alarms:
            self._forced.reassert(rollout.alarms[self.subject].state)


def _forced_alarm(run: Run, aws: Aws, name: str, fault: Fault) -> Effect:
    assert fault.force_alarm is not None
    return _Alarm(run, aws, name, fault.force_alarm)


KINDS: Mapping[FaultKind, Kind] = {
    "force_alarm": Kind(value=lambda fault: str(fault.force_alarm), make=_forced_alarm),
}
"""Every kind of fault that has an effect outside of this process, by its key in the experiment."""


class Faults:
    """All faults of a run. A person's error share goes before the plan's; after `stop` nothing begins any more."""

    def __init__(self, run: Run, aws: Aws) -> None:
        self._run = run
        self._aws = aws
        self._lock = RLock()
        self._live: dict[str, Effect] = {}
        self._share: Share | None = None
        self._share_by = ""
        self._asked: Share | None = None
        self._asked_by = ""
        self._stopped = False

    def plays(self, *, watched: bool) -> Iterator[Callable[[], None]]:
        """What the plan does, each in a greenlet of its own; without a deployment there is only its first share."""
        if not watched:
            yield self._apply_share
            return
        yield self._play_shares
        for index, fault in enumerate(self._run.experiment.faults):
            for key in KINDS:
                if getattr(fault, key) is not None:
                    yield partial(self._play, name_of(index), key, fault)

    def set_error_share(self, share: float, by: str) -> None:
        """Sends another share of fault requests from now on, whatever was planned."""
        self._refuse_after_stop()
        self._asked, self._asked_by = Share(HAND_SHARE, share), by
        self._apply_share()

    def force_alarm(self, state: AlarmState, by: str) -> None:
        """Holds the alarm in a state until it is released; raises HarnessError."""
        self._refuse_after_stop()
        with self._lock:
            self._end(HAND_ALARM, "another state was asked for", by)
            self._begin(HAND_ALARM, "force_alarm", Fault(at_s=0.0, force_alarm=state), by)

    def release_alarm(self, by: str) -> bool:
        """Takes every forced alarm back, the planned ones too; whether none is left."""
        with self._lock:
            names = [name for name, effect in self._live.items() if isinstance(effect, _Alarm)]
            return self._end_all(names, "the alarm was released", by)

    def stop(self, why: str, by: str = "") -> bool:
        """Ends all faults at once, and lets none begin any more; whether nothing is left of them."""
        self._stopped = True
        self._apply_share(why, by)
        with self._lock:
            return self._end_all([*self._live], why, by)

    def reassert(self) -> None:
        """Holds what is in effect against what was seen."""
        for effect in [*self._live.values()]:
            effect.reassert(self._run.rollout)

    def _refuse_after_stop(self) -> None:
        if self._stopped:
            raise UsageError("the faults of this run were stopped, and none begins any more; start another run")

    # The plan

    def _play_shares(self) -> None:
        for change_s in changes_s(self._run.experiment):
            self._run.sleep_until_after_creation(change_s)
            self._apply_share()

    def _play(self, name: str, key: FaultKind, fault: Fault) -> None:
        run = self._run
        run.sleep_until_after_creation(fault.at_s)
        with self._lock:
            if self._stopped:
                return
            self._begin(name, key, fault)
        if fault.for_s is not None:
            run.sleep_until(run.base.now_s() + fault.for_s)
            self._end(name, "its time was over")

    # The share of fault requests

    def _apply_share(self, why: str = "the plan changed", by: str = "") -> None:
        """Makes the share that holds at this instant the one that is sent, and records the change."""
        share, asked_by = self._share_now()
        if share == self._share and asked_by == self._share_by:
            return
        now_s = self._run.base.now_s()
        if self._share:
            self._run.record(FaultEnded(at_s=now_s, fault=self._share.fault, why=why, by=by or asked_by))
        self._share, self._share_by = share, asked_by
        self._run.send_share(share.share if share else 0.0)
        if share:
            value = f"{share.share:g}"
            self._run.record(FaultStarted(at_s=now_s, fault=share.fault, kind="error_share", value=value, by=asked_by))

    def _share_now(self) -> tuple[Share | None, str]:
        if self._stopped:
            return None, ""
        if self._asked:
            return self._asked, self._asked_by
        since_s = self._run.since_creation_s()
        return (None if since_s is None else share_at(self._run.experiment, since_s)), ""

    # What is outside of this process

    def _begin(self, name: str, key: FaultKind, fault: Fault, by: str = "") -> None:
        kind = KINDS[key]
        effect = kind.make(self._run, self._aws, name, fault)
        self._live[name] = effect
        try:
            effect.inject()
        except HarnessError:
            self._end(name, "it could not be done", by)
            raise
        self._run.record(
            FaultStarted(at_s=self._run.base.now_s(), fault=name, kind=key, value=kind.value(fault), by=by)
        )

    def _end_all(self, names: Iterable[str], why: str, by: str) -> bool:
        ended = [self._end(name, why, by) for name in names]
        return all(ended)

    def _end(self, name: str, why: str, by: str = "") -> bool:
        with self._lock:
            effect = self._live.get(name)
            if effect is None:
                return True
            if not effect.heal():
                self._run.trouble(name, f"{effect.subject} could not be taken back: {effect.by_hand}")
                return False
            del self._live[name]
        self._run.record(FaultEnded(at_s=self._run.base.now_s(), fault=name, why=why, by=by))
        return True
