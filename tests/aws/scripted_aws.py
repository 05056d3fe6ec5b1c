"""A scripted AWS and a clock that only tests move."""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from msgspec.structs import replace

from harness.aws.journal import Journal
from harness.aws.watcher import Watcher
from harness.core.experiment.types import Deployment
from harness.core.timeline.events import Event
from harness.errors import HarnessError, NotFound

EPOCH_S = 1_787_418_400.0


class FakeClock:
    """Experiment seconds since the run began; each reading may cost `tick_s`."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self.tick_s = 0.0

    def __call__(self) -> float:
        """The time now."""
        self.at_s += self.tick_s
        return self.at_s


class FakeAws:
    """Answers by operation from a script: a value for ever, or a deque of values, of which the last one stays.

    An exception is raised, a function is called with the parameters. What is not scripted does not exist.
    """

    region = "eu-north-1"

    def __init__(self) -> None:
        self.script: dict[str, Any] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.dated_by: Callable[[], datetime] | None = None

    def with_patience(self, patience: object) -> "FakeAws":
        """The same script."""
        return self

    def call(self, service: str, operation: str, **params: Any) -> Any:
        """The next answer of the script."""
        self.calls.append((operation, params))
        answer = self.script.get(operation, NotFound(f"{service}:{operation}", "NotThereException", "not scripted"))
        if isinstance(answer, deque):
            answer = answer.popleft() if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(**params)
        if isinstance(answer, HarnessError):
            raise answer
        return answer | self._metadata() if self.dated_by and isinstance(answer, dict) else answer

    def _metadata(self) -> dict[str, Any]:
        date = format_datetime(self.dated_by(), usegmt=True) if self.dated_by else ""
        return {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}

    def called(self, operation: str) -> list[dict[str, Any]]:
        """The parameters of every call of an operation."""
        return [params for name, params in self.calls if name == operation]


class Stage:
    """A watcher on a scripted AWS, with what it recorded."""

    def __init__(self) -> None:
        self.aws = FakeAws()
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.deployment = Deployment(application="shop", group="shop-live", function="fn", alias="live")
        self.alarm: str | None = None

    def journal(self) -> Journal:
        """A journal of what is written here, in which waiting moves the clock and costs no time."""
        return Journal(self.events.append, self.clock, rest=self.rest)

    def rest(self, for_s: float) -> None:
        """Lets so much time pass."""
        self.clock.at_s += for_s

    def watcher(self, **changes: Any) -> Watcher:
        """A new watcher of this stage's deployment, changed by `changes`."""
        deployment = replace(self.deployment, **changes)
        return Watcher(
            self.aws,  # type: ignore[arg-type]
            deployment,
            self.alarm,
            now=self.clock,
            epoch_s=EPOCH_S,
            record=self.events.append,
        )

    def seen(self, kind: type) -> list[Any]:
        """The recorded events of one type."""
        return [event for event in self.events if isinstance(event, kind)]

    def play(self, watcher: Watcher, until_s: float, before_look: Callable[[float], None] = lambda at_s: None) -> None:
        """Moves the clock from look to look."""
        while (due_s := max(watcher.next_look_s, self.clock.at_s)) <= until_s:
            self.clock.at_s = due_s
            before_look(due_s)
            watcher.look()
        self.clock.at_s = until_s


def at(seconds: float) -> datetime:
    """The date of an instant of the run."""
    return datetime.fromtimestamp(EPOCH_S + seconds, UTC)
