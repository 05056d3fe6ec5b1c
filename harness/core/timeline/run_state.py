"""What a timeline tells of the run itself: its clock, its group, and how well it could look."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness.core.timeline.events import (
    ClockSeen,
    Event,
    GroupSeen,
    Look,
    LookFailed,
    NoDeployment,
    RunEnded,
    RunStarted,
)

_SEARCHES = frozenset(f"codedeploy:{call}" for call in ("ListDeployments", "BatchGetDeployments", "GetDeployment"))


class RunState(Struct, frozen=True, kw_only=True):
    """The run up to one point of the timeline; all of it stays true whichever deployment is followed.

    `ahead_s` is how far AWS's clock is ahead of the run's; `sends` says whether the run has traffic of its own.
    `unsearched` says that the last search for the deployment failed, so that its absence proves nothing; `missed_s` is
    when the last one was asked for that found none.
    """

    epoch_s: float = 0.0
    speed: float = 1.0
    harness: str = ""
    sends: bool = True
    ended: RunEnded | None = None
    ahead_s: float = 0.0
    group: GroupSeen | None = None
    looks: int = 0
    failed_looks: int = 0
    last_look_s: float | None = None
    unsearched: bool = False
    missed_s: float | None = None

    def step(self, event: Event) -> "RunState":
        """This state with one more event."""
        looked = replace(self, looks=self.looks + 1, last_look_s=event.at_s) if isinstance(event, Look) else self
        fold = _FOLDS.get(type(event))
        return fold(looked, event) if fold else looked

    @property
    def aws_epoch_s(self) -> float:
        """The beginning of the run by AWS's clock, in seconds since 1970: CloudWatch's periods are aligned to that."""
        return self.epoch_s + self.ahead_s

    @property
    def searched_in_vain(self) -> bool:
        """Whether looks up to the run's end show no deployment, if none was seen.

        A timeline that was cut off may have lost the deployment, so it proves no absence.
        """
        return self.ended is not None and self.looks > 0 and not self.unsearched


def _run_started(known: RunState, event: RunStarted) -> RunState:
    return replace(known, epoch_s=event.epoch_s, speed=event.speed, harness=event.harness, sends=event.sends)


def _run_ended(known: RunState, event: RunEnded) -> RunState:
    return replace(known, ended=event)


def _group(known: RunState, seen: GroupSeen) -> RunState:
    return replace(known, group=seen)


def _clock(known: RunState, seen: ClockSeen) -> RunState:
    return replace(known, ahead_s=seen.ahead_s)


def _no_deployment(known: RunState, listed: NoDeployment) -> RunState:
    return replace(known, unsearched=False, missed_s=listed.asked_s)


def _look_failed(known: RunState, failed: LookFailed) -> RunState:
    unsearched = known.unsearched or failed.call in _SEARCHES
    return replace(known, failed_looks=known.failed_looks + 1, unsearched=unsearched)


_FOLDS: Mapping[type, Callable[[RunState, Any], RunState]] = {
    RunStarted: _run_started,
    RunEnded: _run_ended,
    GroupSeen: _group,
    ClockSeen: _clock,
    NoDeployment: _no_deployment,
    LookFailed: _look_failed,
}
