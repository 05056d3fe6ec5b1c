"""The only Locust process of a run: it directs, and it sends."""

from typing import Any

from harness.plugin.crew import Crew
from harness.plugin.director import Director
from harness.traffic.steering import Steering


class Single(Director):
    """One process that does it all."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.crew: Crew = Crew(
            environment,
            name="",
            send_rows=lambda rows, _: self.take(*rows),
            tell_pacing=self._pacing,
            tell_failure=self.failed,
        )

    def post(self, _: str, steering: Steering) -> None:
        """Delivers steering to the own crew."""
        self.crew.steer(steering)

    def begin(self, steering: Steering) -> None:
        """Begins with the own crew."""
        self.crew.begin(steering)

    def end(self) -> None:
        """Ends with the own crew."""
        self.crew.end()

    def check_workers(self) -> None:
        """Has none."""

    def _pacing(self, pacing: bool) -> None:
        if self.run:
            (self.run.fleet.join if pacing else self.run.fleet.leave)("")
