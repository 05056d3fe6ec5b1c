"""Live progress on stderr: a panel on a terminal, one line a transition elsewhere."""

import time
from types import TracebackType

from msgspec import Struct
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from harness.core.rollout import Rollout
from harness.report import facts

HEARTBEAT_S = 60.0
FRAME_S = 0.1
WIDEST = 80

_STATE_STYLES = {"OK": "green", "ALARM": "bold red", "INSUFFICIENT_DATA": "yellow"}


class Tally(Struct, frozen=True):
    """Requests answered so far, by intent and answer."""

    good_ok: int = 0
    good_failed: int = 0
    fault_ok: int = 0
    fault_failed: int = 0


class Progress:
    """Shows a run while it lasts; `show` costs little enough to be called several times a second."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._next_frame_s = 0.0
        self._said: tuple[str, ...] | None = None
        self._said_at_s = 0.0

    def __enter__(self) -> "Progress":
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Closes."""
        self.close()

    def show(self, rollout: Rollout, tally: Tally, at_s: float) -> None:
        """Shows how things stand at `at_s` (experiment time since the run began)."""
        if self._console.is_terminal:
            self._draw(rollout, tally, at_s)
        else:
            self._say(rollout, tally, at_s)

    def say(self, line: str) -> None:
        """Shows a line of somebody else's above the panel, colours and all."""
        self._console.print(Text.from_ansi(line), soft_wrap=True)

    def close(self) -> None:
        """Takes the panel away; a second time does nothing."""
        if self._live:
            self._live.stop()
            self._live = None

    def _draw(self, rollout: Rollout, tally: Tally, at_s: float) -> None:
        now_s = time.monotonic()
        if now_s < self._next_frame_s:
            return
        self._next_frame_s = now_s + FRAME_S
        if self._live is None:
            # The caller's own calls are the frames, and what Locust prints goes where it always went.
            self._live = Live(
                console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            self._live.start()
        self._live.update(_panel(rollout, tally, at_s, min(WIDEST, self._console.width)), refresh=True)

    def _say(self, rollout: Rollout, tally: Tally, at_s: float) -> None:
        standing = (_phase(rollout), _weight(rollout), *_alarms(rollout))
        if standing == self._said and at_s - self._said_at_s < HEARTBEAT_S:
            return
        self._said, self._said_at_s = standing, at_s
        parts = [f"{at_s:6.0f} s", *standing, _requests(tally)]
        self._console.print(Text(" · ".join(parts)), soft_wrap=True)


def _panel(rollout: Rollout, tally: Tally, at_s: float, width: int) -> Panel:
    lines = [
        Text.assemble((_phase(rollout), "bold"), f" · {_weight(rollout)}", _bake(rollout, at_s)),
        Text(" · ").join(_coloured_alarms(rollout)) or Text("no alarm seen yet", style="dim"),
        Text(_requests(tally)),
    ]
    return Panel(Group(*lines), title=f"{at_s:.0f} s", title_align="right", width=width)


def _phase(rollout: Rollout) -> str:
    return facts.words(rollout.phase)


def _weight(rollout: Rollout) -> str:
    return f"{facts.percent(rollout.weight)} on the canary"


def _bake(rollout: Rollout, at_s: float) -> str:
    if rollout.bake_ends_s is None or rollout.settled:
        return ""
    return f" · {max(0.0, rollout.bake_ends_s - at_s):.0f} s of bake left"


def _alarms(rollout: Rollout) -> list[str]:
    return [f"{facts.plain(name)} {alarm.state}" for name, alarm in sorted(rollout.alarms.items())]


def _coloured_alarms(rollout: Rollout) -> list[Text]:
    states = sorted(rollout.alarms.items())
    return [Text.assemble(f"{facts.plain(name)} ", (seen.state, _STATE_STYLES[seen.state])) for name, seen in states]


def _requests(tally: Tally) -> str:
    good = f"good {facts.count(tally.good_ok + tally.good_failed)} ({facts.count(tally.good_failed)} failed)"
    return (
        f"{good} · fault {facts.count(tally.fault_ok + tally.fault_failed)} ({facts.count(tally.fault_failed)} failed)"
    )
