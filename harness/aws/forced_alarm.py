"""A fault that forces an alarm into a state, holds it there, and undoes that when it is healed."""

import threading
from contextlib import suppress
from typing import get_args

from harness.aws.clients import ASK_ONCE, HEAL, Aws, action, exists
from harness.aws.journal import AS_BEFORE, Journal
from harness.aws.looks import BOTH_KINDS
from harness.aws.parsing import alarms_of
from harness.core.experiment.types import AlarmState
from harness.core.foreign import text
from harness.errors import HarnessError, NotFound

FORCING = action("cloudwatch", "set_alarm_state")
GONE = "the alarm is gone"
HOLD_EVERY_S = 5.0
"""Experiment time between two looks whether the forced state is still there; CodeDeploy asks a third as often."""


def set_alarm_state(aws: Aws, name: str, state: str, reason: str) -> None:
    """Sets the state of an alarm until it is evaluated again; raises HarnessError."""
    aws.call("cloudwatch", "set_alarm_state", AlarmName=name, StateValue=state, StateReason=reason)


class ForcedAlarm:
    """Holds the alarm `name` in `state` from `inject` to `heal`.

    The next evaluation may reset a metric alarm within seconds, so the caller calls `hold` every few seconds. A
    composite alarm stays as it was set until a child changes. `heal` therefore restores the state before, unless the
    forced one is surely gone: setting a state that is there does no harm. An alarm that was in the forced state before
    is set to OK: its next evaluation corrects that. Every write is journaled, and retried after any failure. `hold` and
    `heal` may be called at the same time: nothing is forced after `heal`.
    """

    def __init__(
        self,
        aws: Aws,
        *,
        name: str,
        state: AlarmState,
        reason: str,
        journal: Journal,
    ) -> None:
        self._aws = aws
        self._name = name
        self._state = state
        self._reason = reason
        self.entry = journal.entry(FORCING, name, after=state)
        self._writing = threading.RLock()

    def inject(self) -> None:
        """Forces the state; a second call does nothing. Raises HarnessError, NotFound if there is no such alarm."""
        with self._writing:
            if self.entry.held:
                return
            before = self._state_now(self._aws)
            self.entry.before = "OK" if before == self._state else before
            self.entry.make(f"{before} to {self._state}", self._force)

    def hold(self) -> None:
        """Forces the state again if it was reset; does nothing if AWS does not tell, for it is called again soon.

        Waits for an `inject` that is under way, so that the look is never older than the state.
        """
        with self._writing:
            forced = self.entry.held
        if not forced:
            return
        try:
            seen = self._state_now(self._aws.with_patience(ASK_ONCE))
        except HarnessError:
            return
        with self._writing, suppress(HarnessError):
            if self.entry.held and seen != self._state and seen in get_args(AlarmState):
                self.entry.make(f"{seen} to {self._state}", self._force_again)

    def heal(self) -> bool:
        """Takes the forced state back; returns whether nothing is left. Never raises for what AWS answers."""
        with self._writing:
            return not self.entry.held or self.entry.undo(self._restore, gone=GONE)

    def exists(self) -> bool:
        """Whether there is such an alarm in this account and region; raises HarnessError if AWS does not tell."""
        return exists(lambda: self._state_now(self._aws))

    def _force(self) -> str:
        set_alarm_state(self._aws, self._name, self._state, self._reason)
        return self._state

    def _force_again(self) -> str:
        try:
            set_alarm_state(self._aws.with_patience(HEAL), self._name, self._state, self._reason)
        except NotFound:
            return GONE
        return self._state

    def _restore(self) -> str:
        """Restores the state before, unless the forced one is surely gone; says which. Raises HarnessError."""
        before = self.entry.before or "OK"
        seen = self._seen()
        if seen != self._state and (seen != before or not self.entry.is_fresh):
            return AS_BEFORE
        set_alarm_state(self._aws.with_patience(HEAL), self._name, before, "canary-harness: the forced state ends")
        return before

    def _seen(self) -> str:
        """The state that a look shows; where AWS does not tell, the forced one, which may still be there."""
        try:
            return self._state_now(self._aws.with_patience(ASK_ONCE))
        except NotFound:
            raise
        except HarnessError:
            return self._state

    def _state_now(self, aws: Aws) -> str:
        answer = aws.call("cloudwatch", "describe_alarms", AlarmNames=[self._name], AlarmTypes=BOTH_KINDS)
        states = [text(alarm.get("StateValue")) for alarm in alarms_of(answer)]
        if not states:
            raise NotFound(action("cloudwatch", "describe_alarms"), "ResourceNotFound", f"no alarm named {self._name}")
        return states[0] or "OK"
