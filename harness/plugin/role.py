"""What a Locust process is in a run: `Single` directs and sends, `Master` directs, `Worker` sends.

Master and workers talk in Locust's own messages:

    canary-begin      master → worker   a test begins
    canary-steering   master → worker   what to send from when on
    canary-end        master → worker   the test is over: send what you have
    canary-clock      both ways         what the clock of either shows
    canary-pacing     worker → master   whether there are users that send
    canary-rows       worker → master   lines of the timeline; `last` after a test
    canary-failure    worker → master   why it can send no traffic
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from harness.errors import ExitCode
from harness.plugin.crew import Crew

BEGIN, STEERING, END, CLOCK = "canary-begin", "canary-steering", "canary-end", "canary-clock"
PACING, ROWS, FAILURE = "canary-pacing", "canary-rows", "canary-failure"
ROUND_S = 0.5
"""Wall time between two looks for changed options, lost workers, and a lost master."""


class AtOnce(SystemExit):
    """Ends the process with this exit code, whatever else it does now."""


class Role(ABC):
    """What the events of Locust mean to one process."""

    def __init__(self, environment: Any) -> None:
        self.environment = environment
        self.crew: Crew | None = None

    @property
    def records(self) -> Crew | None:
        """What records the requests that are fired in this process."""
        return self.crew

    @abstractmethod
    def test_start(self) -> None:
        """A test begins."""

    @abstractmethod
    def test_stop(self) -> None:
        """A test ends."""

    @abstractmethod
    def quitting(self) -> int | None:
        """Ends what is not over yet, before the process does; its exit code, None where that is for Locust to say."""

    @abstractmethod
    def settled(self, code: int, worse: Mapping[str, int], said: str | None) -> None:
        """The process will end with this exit code; `worse` ones than the run's own were asked for, by who asked.

        `said` tells of all that were asked for, if any was.
        """

    def stopping(self) -> None:
        """Users are about to be stopped."""
        if self.crew:
            self.crew.stop()

    @abstractmethod
    def signalled(self, code: ExitCode) -> None:
        """SIGINT or SIGTERM came."""
