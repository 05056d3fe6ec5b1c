"""Live progress on stderr: a panel on a terminal, and one line of the log a transition."""

import logging
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import TextIO, cast

from msgspec import Struct
from rich.console import Console, Group
from rich.file_proxy import FileProxy
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from harness import streams
from harness.core.timeline.events import Event
from harness.core.timeline.rollout import Rollout
from harness.report import facts
from harness.report.story import Teller

HEARTBEAT_S = 60.0
FRAME_S = 0.1
WIDEST = 80
RECENT = 4
"""Transitions that the panel shows, the latest."""

NO_OTHERS: Mapping[str, Rollout] = MappingProxyType({})

log = logging.getLogger(__name__)

_STATE_STYLES = {"OK": "green", "ALARM": "bold red", "INSUFFICIENT_DATA": "yellow"}


class Tally(Struct, frozen=True):
    """Requests answered so far, by intent and answer."""

    good_ok: int = 0
    good_failed: int = 0
    fault_ok: int = 0
    fault_failed: int = 0


class Progress:
    """Shows a run while it lasts; `show` is cheap enough to be called several times a second.

    Every transition is a line of the log. If the log does not go to the terminal, the line is printed there, too,
    unless the panel is drawn. The panel needs a terminal that is `free` of other tables. A `quiet` one shows neither.
    """

    def __init__(self, console: Console | None = None, *, free: bool = True, quiet: bool = False) -> None:
        self._console = console or streams.console(stderr=True)
        self._drawn = free and not quiet and self._console.is_terminal
        self._quiet = quiet
        self._tellers: defaultdict[str, Teller] = defaultdict(Teller)
        self._live: Live | None = None
        self._moved: list[tuple[logging.StreamHandler[TextIO], TextIO]] = []
        self._next_frame_s = 0.0
        self._said_at_s = -HEARTBEAT_S
        self._recent: deque[str] = deque(maxlen=RECENT)

    def __enter__(self) -> "Progress":
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Closes."""
        self.close()

    def show(
        self,
        rollout: Rollout,
        tally: Tally | None,
        at_s: float,
        beside: Mapping[str, Rollout] = NO_OTHERS,
        evidence: str = "",
    ) -> None:
        """Shows how things stand at `at_s` (experiment time since the run began); without a tally nothing is sent.

        `beside` are the further deployment groups of the run, by name; `evidence` against the canary is in words.
        """
        last = [_requests(tally)] if tally else []
        if evidence:
            last.append(evidence)
        if self._drawn:
            self._draw(rollout, last, at_s, beside)
        elif at_s - self._said_at_s >= HEARTBEAT_S:
            others = (f"{facts.plain(name)}: {_state(other, at_s)}" for name, other in beside.items())
            self._line(at_s, "; ".join((" · ".join((_state(rollout, at_s), *last)), *others)))

    def tell(self, event: Event, rollout: Rollout, group: str = "") -> None:
        """Tells what an event changed, if it did; `rollout` is what it led to, `group` the further one it is about."""
        for line in self._tellers[group].tell(event, rollout):
            by = line.by or facts.plain(group)
            self._line(line.at_s, f"{by}: {line.text}" if by else line.text)

    def say(self, line: str) -> None:
        """Prints another program's line above the panel, with its colours."""
        self._console.print(Text.from_ansi(line), soft_wrap=True)

    def close(self) -> None:
        """Takes the panel away; a second time does nothing."""
        if self._live:
            self._live.stop()
            self._live = None
            for handler, stream in self._moved:
                handler.setStream(stream)
            self._moved.clear()

    def _draw(self, rollout: Rollout, last: Sequence[str], at_s: float, beside: Mapping[str, Rollout]) -> None:
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
            self._move_log()
        width = min(WIDEST, self._console.width)
        panel = Panel(
            Group(*_rows(rollout, last, at_s, beside), *map(_dim, self._recent)),
            title=f"{at_s:.0f} s",
            title_align="right",
            width=width,
        )
        self._live.update(panel, refresh=True)

    def _move_log(self) -> None:
        """Prints the log above the panel, not through it."""
        for handler in _on_stderr():
            self._moved.append((handler, handler.stream))
            handler.setStream(cast(TextIO, FileProxy(self._console, handler.stream)))

    def _line(self, at_s: float, text: str) -> None:
        self._said_at_s = at_s
        told = f"{at_s:.0f} s · {text}"
        self._recent.append(told)
        log.info("%s", told)
        if not self._drawn and not self._quiet and not (log.isEnabledFor(logging.INFO) and _on_stderr()):
            self._console.print(Text(told), soft_wrap=True)


def _on_stderr() -> list[logging.StreamHandler[TextIO]]:
    """Where the log goes to the terminal."""
    handlers = (one for one in logging.getLogger().handlers if isinstance(one, logging.StreamHandler))
    return [handler for handler in handlers if handler.stream is sys.stderr]


def _rows(rollout: Rollout, last: Sequence[str], at_s: float, beside: Mapping[str, Rollout]) -> Iterator[Text]:
    yield Text.assemble((_phase(rollout), "bold"), f" · {_weight(rollout)}", _bake(rollout, at_s))
    yield Text(" · ").join(_coloured_alarms(rollout)) or Text("no alarm seen yet", style="dim")
    if shadows := _shadows(rollout):
        yield Text(" · ".join(shadows), style="dim")
    for name, other in beside.items():
        told = Text.assemble(f"{facts.plain(name)}: ", (_phase(other), "bold"), f" · {_weight(other)}")
        yield Text(" · ").join((told + _bake(other, at_s), *_coloured_alarms(other)))
    yield from map(Text, last)


def _dim(line: str) -> Text:
    return Text(line, style="dim", no_wrap=True, overflow="ellipsis")


def _state(rollout: Rollout, at_s: float) -> str:
    return " · ".join(
        (_phase(rollout), f"{_weight(rollout)}{_bake(rollout, at_s)}", *_alarms(rollout), *_shadows(rollout))
    )


def _phase(rollout: Rollout) -> str:
    return facts.words(rollout.release.phase)


def _weight(rollout: Rollout) -> str:
    return f"{facts.percent(rollout.release.weight)} on the canary"


def _bake(rollout: Rollout, at_s: float) -> str:
    if rollout.release.bake_ends_s is None or rollout.settled:
        return ""
    return f" · {max(0.0, rollout.release.bake_ends_s - at_s):.0f} s of bake time left"


def _alarms(rollout: Rollout) -> list[str]:
    return [f"{facts.plain(name)} {alarm.state}" for name, alarm in sorted(rollout.alarms.states.items())]


def _shadows(rollout: Rollout) -> list[str]:
    return [f"shadow {facts.plain(name)} {one.state}" for name, one in sorted(rollout.shadows.states.items())]


def _coloured_alarms(rollout: Rollout) -> list[Text]:
    states = sorted(rollout.alarms.states.items())
    return [Text.assemble(f"{facts.plain(name)} ", (seen.state, _STATE_STYLES[seen.state])) for name, seen in states]


def _requests(tally: Tally) -> str:
    good = f"good {facts.count(tally.good_ok + tally.good_failed)} ({facts.count(tally.good_failed)} failed)"
    return (
        f"{good} · fault {facts.count(tally.fault_ok + tally.fault_failed)} ({facts.count(tally.fault_failed)} failed)"
    )
