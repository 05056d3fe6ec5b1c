"""A fault that makes an alarm say what it would not say by itself, and takes it back."""

import threading
from typing import Literal, get_args

from harness.aws.clients import ASK_ONCE, HEAL, Aws, action
from harness.aws.journal import AS_BEFORE, Journal
from harness.aws.looks import BOTH_KINDS
from harness.aws.parsing import alarms_of, text
from harness.core.experiment.types import AlarmState
from harness.errors import HarnessError, NotFound

FORCING = action("cloudwatch", "set_alarm_state")


HOLD_EVERY_S = 5.0
"""Experiment time between two looks whether the forced state is still there: CodeDeploy asks three times as seldom."""


class ForcedAlarm:
    """Holds the alarm `name` in `state` from `inject` to `heal`.

    The next evaluation may take a metric alarm back within seconds, so whoever lets it last calls `hold` now and then;
    a composite alarm stays as it was set until a child changes. So the state before is restored at the end, but only
    where the forced one is still there: an alarm that was in the forced state before is set to OK, and says so again by
    itself if it is. Setting a state twice does no harm, which is why the call is retried whatever went wrong. Every
    write is journaled. `hold` and `heal` may be called at the same time: nothing is forced after it was healed.

    `before` is the state to restore of an alarm that a run forced and could not take back; None for a new fault.
    """

    def __init__(
        self, aws: Aws, *, name: str, state: AlarmState, reason: str, journal: Journal, before: str | None = None
    ) -> None:
        self._aws = aws
        self._name = name
        self._state = state
        self._reason = reason
        self._entry = journal.entry(FORCING, name, before=before, after=state)
        self._forced = before is not None
        self._writing = threading.RLock()

    def inject(self) -> None:
        """Forces the state; raises HarnessError, NotFound where there is no such alarm. A second call does nothing."""
        with self._writing:
            if not self._forced:
                self._inject()

    def hold(self) -> None:
        """Looks, and forces the state again where it was taken back; what cannot be seen or done now is left for later.

        Waits for an `inject` that is under way, so that the look is never older than the state.
        """
        with self._writing:
            forced = self._forced
        if not forced:
            return
        try:
            seen = self._state_now(self._aws.with_patience(ASK_ONCE))
        except HarnessError:
            return
        with self._writing:
            if self._forced and seen != self._state and seen in get_args(AlarmState):
                self._entry.note("intended", f"{seen} to {self._state}")
                self._try(self._state, self._reason, "done")

    def heal(self) -> bool:
        """Takes the forced state back; whether nothing of it is left. Never raises for what AWS answers."""
        with self._writing:
            return self._healed() if self._forced else True

    def exists(self) -> bool:
        """Whether there is such an alarm, where these credentials look; raises HarnessError where nobody says."""
        try:
            return bool(self._state_now(self._aws))
        except NotFound:
            return False

    def _inject(self) -> None:
        before = self._state_now(self._aws)
        self._entry.before = "OK" if before == self._state else before
        self._entry.note("intended", f"{before} to {self._state}")
        self._forced = True  # an answer that is lost may hide a state that was set
        try:
            self._set(self._aws, self._state, self._reason)
        except HarnessError as error:
            self._entry.note("failed", str(error))
            raise
        self._entry.note("done", self._state)

    def _healed(self) -> bool:
        gone = self._why_gone()
        if gone:
            self._entry.note("undone", gone)
        before = self._entry.before or "OK"
        healed = bool(gone) or self._try(before, "canary-harness: the forced state ends", "undone")
        self._forced = not healed
        return healed

    def _why_gone(self) -> str:
        """Why there is nothing to take back; empty where the state is there, or nobody says."""
        try:
            there = self._state_now(self._aws.with_patience(ASK_ONCE)) == self._state
        except NotFound:
            return "the alarm is gone"
        except HarnessError:
            return ""
        return "" if there else AS_BEFORE

    def _try(self, state: str, reason: str, step: Literal["done", "undone"]) -> bool:
        try:
            self._set(self._aws.with_patience(HEAL), state, reason)
        except NotFound:
            self._entry.note(step, "the alarm is gone")
            return True
        except HarnessError as error:
            self._entry.note("failed", str(error))
            return False
        self._entry.note(step, state)
        return True

    def _set(self, aws: Aws, state: str, reason: str) -> None:
        aws.call("cloudwatch", "set_alarm_state", AlarmName=self._name, StateValue=state, StateReason=reason)

    def _state_now(self, aws: Aws) -> str:
        answer = aws.call("cloudwatch", "describe_alarms", AlarmNames=[self._name], AlarmTypes=BOTH_KINDS)
        states = [text(alarm.get("StateValue")) for alarm in alarms_of(answer)]
        if not states:
            raise NotFound(action("cloudwatch", "describe_alarms"), "ResourceNotFound", f"no alarm named {self._name}")
        return states[0] or "OK"
