"""What the parts of one run share: its experiment, clock, record, end, and AWS."""

from functools import partial

import gevent
from msgspec import Struct

from harness.aws.clients import Aws
from harness.aws.journal import Journal
from harness.core.experiment.types import Experiment
from harness.core.timeline.clock import Clock
from harness.core.timeline.events import Event, Trouble
from harness.core.timeline.rollout import Rollout
from harness.report.folder import RunFolder
from harness.run.ending import Ending
from harness.run.recording import Recording
from harness.traffic.steering import Timebase
from harness.wallclock import wall_now

ROUNDING_S = 1e-5
"""Wall time that seconds since 1970 cannot tell apart."""
SHORTEST_S = 0.001
"""Wall time between two looks at a clock that stands still."""


class RunContext(Struct, frozen=True, kw_only=True):
    """One run, as its parts need it; `epoch_s` is its beginning in seconds since 1970."""

    experiment: Experiment
    aws: Aws
    base: Timebase
    epoch_s: float
    folder: RunFolder
    recording: Recording
    journal: Journal
    ending: Ending

    @classmethod
    def of(
        cls, experiment: Experiment, aws: Aws, *, base: Timebase, clock: Clock, folder: RunFolder, ending: Ending
    ) -> "RunContext":
        """The context of a run that begins: it opens the record, and ends if that cannot be written."""
        recording = Recording(folder.timeline, partial(ending.end, "failed"))
        return cls(
            experiment=experiment,
            aws=aws,
            base=base,
            epoch_s=base.epoch_s(clock),
            folder=folder,
            recording=recording,
            journal=Journal(recording.record, base.now_s, recording.keep),
            ending=ending,
        )

    @property
    def rollout(self) -> Rollout:
        """What is known of the release by now."""
        return self.recording.rollout

    def record(self, *events: Event) -> None:
        """Writes events to the timeline."""
        self.recording.record(*events)

    def trouble(self, what: str, message: str) -> None:
        """Notes that something of ours or around us went wrong."""
        self.record(Trouble(at_s=self.base.now_s(), what=what, message=message))

    def fail(self, what: str, message: str) -> None:
        """Ends the run because something of ours or around us went wrong."""
        self.trouble(what, message)
        self.ending.end("failed", message)

    def sleep_until(self, at_s: float) -> None:
        """Waits for an instant of the run."""
        # Again and again: time may stand still meanwhile.
        while (rest_s := self.base.wall_s(at_s) - wall_now()) > ROUNDING_S:
            gevent.sleep(max(rest_s, SHORTEST_S))
