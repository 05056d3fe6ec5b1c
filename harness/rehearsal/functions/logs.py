"""The logs of functions, which CloudWatch Logs has once somebody asks for them; moto keeps and answers it.

A version has one stream, in which AWS has one for each environment. The last `MOST_RUNS` runs between two questions
are kept.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from harness.rehearsal.functions.records import Code
from harness.rehearsal.kept import Kept

MOST_RUNS = 20_000

LogListener = Callable[[str, float, bytes], None]
"""Is told the log group of a run, when it began, and what it logged."""


class LoggedRun(NamedTuple):
    """What one run logged, and when it began."""

    group: str
    stream: str
    at_ms: int
    text: bytes


class Logs:
    """Takes what runs log, tells `listeners`, and hands it to moto when it is asked for."""

    def __init__(self, kept: Kept) -> None:
        self.listeners: list[LogListener] = []
        self._kept = kept
        self._runs: deque[LoggedRun] = deque(maxlen=MOST_RUNS)
        self._lock = threading.Lock()

    def add(self, code: Code, at_s: float, text: bytes) -> None:
        """Keeps what a run of own code logged, which began at `at_s`; other versions log where nobody sees it."""
        if code.kind not in ("python", "node"):
            return
        self._runs.append(LoggedRun(group_of(code), stream_of(code), round(at_s * 1000), text))
        for listener in self.listeners:
            listener(group_of(code), at_s, text)

    def filters_of(self, group: str) -> Iterable[Mapping[str, Any]]:
        """The metric filters of a log group, in AWS's own spelling; one that was put again counts as it is now."""
        if not self._kept.is_asked_for("logs"):
            return ()
        kept = self._kept.of("logs").filters.metric_filters
        return {one["filterName"]: one for one in list(kept) if one["logGroupName"] == group}.values()

    def hand_over(self) -> None:
        """Has CloudWatch Logs know all runs so far."""
        logs = self._kept.of("logs")
        with self._lock:
            while self._runs:
                run = self._runs.popleft()
                logs.ensure_log_group(run.group)
                logs.ensure_log_stream(run.group, run.stream)
                lines = [
                    {"timestamp": run.at_ms, "message": line} for line in run.text.decode(errors="replace").splitlines()
                ]
                logs.groups[run.group].put_log_events(run.stream, lines)


def group_of(code: Code) -> str:
    """The log group of a function."""
    return f"/aws/lambda/{code.function}"


def stream_of(code: Code) -> str:
    """The log stream of a version, named as on AWS but for the date."""
    return f"[{code.version}]{sha256(code.arn.encode()).hexdigest()[:32]}"
