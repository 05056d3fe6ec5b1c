"""The timeline of one run as it grows: each event is folded into what is known, told to listeners, and written."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from harness.core.timeline.events import Event, Requests, encode
from harness.core.timeline.rollout import Rollout
from harness.core.verdict.evidence import failed
from harness.errors import HarnessError
from harness.report.folder import hold, sync_folder
from harness.report.masking import masked_event
from harness.report.progress import Tally

Listener = Callable[[Event, Rollout], None]
"""Gets each event in order, with the rollout that it led to."""

log = logging.getLogger(__name__)


class Recording:
    """Writes the timeline at `path`; `on_failure` is called once, with the reason, if it cannot be written."""

    def __init__(self, path: Path, on_failure: Callable[[str], None]) -> None:
        self.rollout = Rollout()
        self.tally = Tally()
        self.listeners: list[Listener] = []
        self.closed = False
        self._on_failure = on_failure
        self._recording = threading.RLock()  # what a webhook did not take is noted from a thread
        self._file = path.open("ab")
        hold(self._file)
        sync_folder(path.parent)

    def record(self, *events: Event) -> None:
        """Takes notice of events without their secrets and writes them, in this order; nothing once it is closed."""
        if self.closed:
            return
        safe = [masked_event(event) for event in events]
        with self._recording:
            self._write(safe)

    def _write(self, safe: list[Event]) -> None:
        for event in safe:
            self._notice(event)
        try:
            self._file.write(b"".join(map(encode, safe)))
            self._file.flush()
        except OSError as error:
            self._fail(error)

    def keep(self, event: Event) -> None:
        """Records an event that is on the disk when this returns; raises HarnessError if it is not."""
        self.record(event)
        try:
            if not self.closed:
                os.fsync(self._file.fileno())
        except OSError as error:
            self._fail(error)
        if self.closed:
            raise HarnessError("nothing is changed on AWS, since the timeline cannot be written")

    def close(self) -> None:
        """Records nothing more."""
        self.closed = True
        with contextlib.suppress(OSError):  # a disk that is full has been told already, by `record`
            self._file.close()

    def _fail(self, error: OSError) -> None:
        self.closed = True
        problem = f"the timeline cannot be written: {error}"
        log.error("%s", problem)
        self._on_failure(problem)

    def _notice(self, event: Event) -> None:
        if isinstance(event, Requests):
            self.tally = _counted(self.tally, event)
        else:
            self.rollout = self.rollout.step(event)
        for listener in self.listeners:
            listener(event, self.rollout)


def _counted(tally: Tally, row: Requests) -> Tally:
    field = f"{row.intent}_{'failed' if failed(row) else 'ok'}"
    return replace(tally, **{field: getattr(tally, field) + row.count})
