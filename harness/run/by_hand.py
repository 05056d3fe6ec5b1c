"""What a person may ask of a run while it lasts, and the rules for it; the timeline tells of every ask."""

from collections.abc import Callable

from harness.aws.stopping import stop_deployment
from harness.core.experiment.rails import Limits, refusal
from harness.core.experiment.rates import peak_rate
from harness.core.experiment.types import AlarmState, ArrivalRate, Pattern
from harness.core.timeline.deployments import has_ended
from harness.core.timeline.events import Asked, Note
from harness.errors import HarnessError, NotAllowed
from harness.run.context import RunContext
from harness.run.faults import Faults
from harness.traffic.fleet import Fleet


class ByHand:
    """Steers a run; `by` is who asks."""

    def __init__(self, context: RunContext, faults: Faults, fleet: Fleet, limits: Limits) -> None:
        self.limits = limits
        self._context = context
        self._faults = faults
        self._fleet = fleet

    # Rules: why a person may not have something; None if it may be

    def share_refusal(self, share: float) -> str | None:
        """Why the error share may not be this."""
        return self._faults.share_refusal(share)

    def rate_refusal(self, arrival_rate: ArrivalRate) -> str | None:
        """Why the arrival rate may not be this."""
        if self._context.experiment.traffic.users:
            return "a closed loop has no arrival rate"
        return refusal(self.limits, "arrival_rate", peak_rate(arrival_rate))

    def write_refusal(self) -> str | None:
        """Why nothing may be changed on AWS."""
        return self._faults.write_refusal()

    def release_refusal(self) -> str | None:
        """Why there is no alarm to release."""
        return None if self._faults.forces_alarm else "no alarm is forced"

    @property
    def followed(self) -> str:
        """The id of the deployment that the run follows; empty where there is none yet."""
        return self._context.rollout.release.followed or ""

    def roll_back_refusal(self) -> str | None:
        """Why there is no deployment to roll back, or nobody may; None if a person may do so."""
        return self._faults.permission_refusal() or self._nothing_to_roll_back()

    def _nothing_to_roll_back(self) -> str | None:
        release = self._context.rollout.release
        seen = release.forward
        if seen is None:
            return "no deployment of this run was seen yet, so there is none to roll back"
        if has_ended(seen):
            return f"{seen.deployment_id} has ended already ({seen.status}), so there is nothing to stop"
        return None

    # Asks

    def ask(self, what: str, value: str, by: str, change: Callable[[], None]) -> None:
        """Does what a person asks for, and notes it; a HarnessError is noted as the reason of refusal, and raised."""
        at_s = self._context.base.now_s()
        try:
            change()
        except HarnessError as error:
            self._context.record(Asked(at_s=at_s, what=what, value=value, by=by, refused=str(error)))
            raise
        self._context.record(Asked(at_s=at_s, what=what, value=value, by=by))

    def refuse(self, what: str, value: str, by: str, why: str) -> None:
        """Notes that a person asked for something that was not even tried."""
        self._context.record(Asked(at_s=self._context.base.now_s(), what=what, value=value, by=by, refused=why))

    def started(self, by: str) -> None:
        """Notes who started this run."""
        self._context.record(Asked(at_s=self._context.base.now_s(), what="start", value="", by=by))

    def note(self, text: str, by: str) -> None:
        """Marks this moment with a person's words."""
        self._context.record(Note(at_s=self._context.base.now_s(), text=text, by=by))

    # Changes

    def set_error_share(self, share: float, by: str) -> None:
        """Changes the error share at once, whatever was planned; raises NotAllowed."""
        _allow(self.share_refusal(share))
        self._faults.set_error_share(share, by)

    def set_arrival_rate(self, arrival_rate: ArrivalRate) -> None:
        """Changes the arrival rate; `at_s` of steps counts from now. Raises NotAllowed."""
        _allow(self.rate_refusal(arrival_rate))
        self._fleet.set_arrival_rate(arrival_rate)

    def set_pattern(self, pattern: Pattern) -> None:
        """Changes how fault requests are spread."""
        self._fleet.set_pattern(pattern)

    def force_alarm(self, state: AlarmState, by: str) -> None:
        """Holds the alarm in a state until it is released; raises NotAllowed, or HarnessError if it fails."""
        _allow(self.write_refusal())
        self._faults.force_alarm(state, by)

    def release_alarm(self, by: str) -> None:
        """Releases every forced alarm; raises HarnessError if something is left."""
        if not self._faults.release_alarm(by):
            raise HarnessError("the alarm could not be taken back, the timeline says why: set it to OK by hand")

    def stop_faults(self, by: str) -> None:
        """Ends all faults at once and lets none begin any more; raises HarnessError if something is left."""
        if not self._faults.stop("somebody stopped all faults", by):
            raise HarnessError("not everything could be taken back; the timeline says what is left, and why")

    def roll_back(self, by: str) -> None:
        """Has CodeDeploy stop the deployment and roll it back; raises NotAllowed, or HarnessError if it fails."""
        _allow(self.roll_back_refusal())
        seen = self._context.rollout.release.forward
        assert seen
        stop_deployment(self._context.aws, seen.deployment_id, why=f"{by} wants it", journal=self._context.journal)

    def end(self, by: str) -> None:
        """Ends the run because a person wants its verdict now."""
        settled = self._context.rollout.settled
        self._context.ending.end("settled" if settled else "stopped", f"{by} ended the run")


def _allow(refused: str | None) -> None:
    if refused:
        raise NotAllowed(refused)
