"""What a master takes from its workers: their traffic and their state, and nothing else.

Locust's port has no authentication, so whatever comes in may come from anybody. Messages of other types, from nobody
that is known, or with values that no worker sends are left out; a message that cannot be read ends nothing.
"""

import logging
import math
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from locust.rpc import zmqrpc
from locust.rpc.protocol import Message
from msgspec import Struct
from msgspec.structs import asdict, replace

from harness.core.timeline.events import Arrivals, Event, Exemplar, Requests, Totals, decode
from harness.core.timeline.histogram import HIGHEST_BIN, Bins
from harness.errors import HarnessError
from harness.plugin.locust_messages import KINDS
from harness.traffic.fired import MOST_CHARACTERS, MOST_S

MOST_BYTES = 64 * 1024 * 1024
"""Of one message with rows; a worker sends four of them in a second, and one of some megabytes after a long sleep."""
MOST_ROWS = 200_000
MOST_COUNT = 10**9
HIGHEST_STATUS = 999
CLOCK_OFF_S = 300.0
"""Wall time that rows of a worker, which goes by its master's clock, may be off it."""

log = logging.getLogger(__name__)


class NotAWorkers(HarnessError):
    """A message holds what no worker sends; the message says what."""


class Pacing(Struct, frozen=True):
    """Whether there are users that send."""

    pacing: bool


class Rows(Struct, frozen=True):
    """Lines of the timeline; `last` after a test."""

    lines: bytes
    last: bool


class WorkerClock(Struct, frozen=True):
    """What a worker's own clock showed, in seconds since 1970, when it asked for its master's."""

    asked_s: float


class Failure(Struct, frozen=True):
    """Why a worker can send no traffic."""

    reason: str


def read(data: Any, kind: type[Struct]) -> Any:
    """A message as its type; raises NotAWorkers."""
    try:
        return msgspec.convert(data, kind)
    except (msgspec.ValidationError, TypeError) as error:
        raise NotAWorkers(f"a message that is no {kind.__name__.lower()}: {error}") from error


def rows_of(told: Rows, worker: str, now_s: float, off_s: float) -> list[Event]:
    """The rows of a worker, under its own name; raises NotAWorkers where one is none that a worker sends.

    `now_s` is the time of the run, and `off_s` how far off it a worker's clock may be.
    """
    if len(told.lines) > MOST_BYTES:
        raise NotAWorkers(f"{len(told.lines)} bytes at once")
    lines = told.lines.splitlines()
    try:
        events = [*decode(lines)]
    except HarnessError as error:
        raise NotAWorkers(str(error)) from error
    if len(events) < len(lines):  # a timeline may end in a line that was cut off, a message may not
        raise NotAWorkers("a line that cannot be read")
    if len(events) > MOST_ROWS:
        raise NotAWorkers(f"{len(events)} rows at once")
    return [_own(event, worker, -off_s, now_s + off_s) for event in events]


def _own(event: Event, worker: str, from_s: float, until_s: float) -> Event:
    if type(event) not in _PROBLEMS:
        raise NotAWorkers(f"an event of the type {type(event).__name__}")
    if not (math.isfinite(event.at_s) and from_s <= event.at_s <= until_s):
        raise NotAWorkers(f"a row of another time ({event.at_s:g} s)")
    if problem := next(_PROBLEMS[type(event)](event), None):
        raise NotAWorkers(problem)
    if any(isinstance(value, str) and len(value) > MOST_CHARACTERS for value in asdict(event).values()):
        raise NotAWorkers("a text that is too long")
    return event if isinstance(event, Exemplar) else replace(event, worker=worker)


def _of_requests(row: Requests) -> Iterator[str]:
    if not 1 <= row.count <= MOST_COUNT or not 0 <= row.status <= HIGHEST_STATUS:
        yield f"{row.count} requests with the status {row.status}"
    for bins in (row.latency, row.service_time):
        if not _are_bins(bins) or sum(bins.values()) != row.count:
            yield "times of other requests"
    if len(row.rows) > row.count or any(number < 0 for number in row.rows):
        yield "rows of a feed that cannot be"


def _of_arrivals(row: Arrivals) -> Iterator[str]:
    counts = (row.planned, row.started, row.unstarted)
    if not all(0 <= count <= MOST_COUNT for count in counts) or row.started + row.unstarted != row.planned:
        yield f"{row.planned} planned starts, of which {row.started} took place and {row.unstarted} did not"
    if not _are_bins(row.lag) or sum(row.lag.values()) != row.started:
        yield "lags of other starts"


def _of_exemplar(row: Exemplar) -> Iterator[str]:
    if not 0 <= row.status <= HIGHEST_STATUS or not 0 <= row.latency_s <= MOST_S:
        yield f"a request with the status {row.status} after {row.latency_s:g} s"


def _of_totals(row: Totals) -> Iterator[str]:
    kinds = {**row.odd_values, **row.folded}
    if min(row.counted, row.recorded, row.odd, *kinds.values()) < 0 or len(kinds) > MOST_CHARACTERS:
        yield "totals that cannot be"
    if any(len(kind) > MOST_CHARACTERS for kind in kinds):
        yield "a text that is too long"


def _are_bins(bins: Bins) -> bool:
    return all(0 <= bin_ < HIGHEST_BIN and count > 0 for bin_, count in bins.items())


_PROBLEMS: dict[type, Callable[[Any], Iterator[str]]] = {
    Requests: _of_requests,
    Arrivals: _of_arrivals,
    Exemplar: _of_exemplar,
    Totals: _of_totals,
}


class _AnyMessage(Message):  # type: ignore[misc]
    """A message that is whole, or damaged in the one way that Locust expects."""

    @classmethod
    def unserialize(cls, data: bytes) -> Any:
        """The message; raises ExtraData whatever is wrong with it."""
        try:
            message = Message.unserialize(data)
        except Exception as error:  # anybody may have sent it, and msgpack lets every kind of failure through
            raise zmqrpc.msgerr.ExtraData(None, b"") from error
        if not isinstance(message.type, str) or not isinstance(message.node_id, str):
            raise zmqrpc.msgerr.ExtraData(None, b"")
        return message


def bear_any_message(runner: Any) -> None:
    """Has a master's runner go on whatever comes in: Locust would stop to listen at the first message that is odd.

    A message that says that it is another's is left out, too.
    """
    zmqrpc.Message = _AnyMessage
    handle = runner.handle_message

    def handled(client_id: str, message: Any) -> None:
        if message.node_id != client_id:
            log.warning("a message of %.80r says that it is of %.80r, and is left out", client_id, message.node_id)
            return
        try:
            if kind := KINDS.get(message.type):
                read(message.data, kind)
            handle(client_id, message)
        except NotAWorkers as reason:
            log.warning("of %.80r is left out %.1000s", client_id, reason)
        except Exception as error:  # noqa: BLE001 - Locust's own reading of what anybody may have sent
            log.warning("a message of %.80r is left out: %.200r", client_id, error)

    runner.handle_message = handled
