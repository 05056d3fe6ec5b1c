"""What Locust's own messages of a worker hold, as Locust 2 sends them; listeners may add keys.

Locust adds up what comes in without a look at it, and prints a traceback where that fails, in the middle of it.
"""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=0, le=10**12)]
Amount = Annotated[float, Meta(ge=-1e15, le=1e15)]
"""Negative, too: any client may tell of any time."""
Label = str | int | float | bool | None
"""What a client fires as the name or the method of its request."""


class StatsRow(Struct, frozen=True):
    """Requests of one name and method."""

    name: Label
    method: Label
    start_time: Amount
    last_request_timestamp: Amount | None
    num_requests: Count
    num_none_requests: Count
    num_failures: Count
    total_response_time: Amount
    min_response_time: Amount | None
    max_response_time: Amount
    total_content_length: Amount
    response_times: dict[Amount, Count]
    num_reqs_per_sec: dict[Count, Count]
    num_fail_per_sec: dict[Count, Count]


class Failures(Struct, frozen=True):
    """Failures of one kind."""

    name: Label
    method: Label
    error: str
    occurrences: Count
    first_seen: Amount | None = None
    last_seen: Amount | None = None


class Users(Struct, frozen=True):
    """How many users a worker has."""

    user_classes_count: dict[str, Count]
    user_count: Count


class Stats(Users, frozen=True):
    """What a worker's users met since its last report."""

    stats: list[StatsRow]
    stats_total: StatsRow
    errors: dict[str, Failures]


class Heartbeat(Struct, frozen=True):
    """A worker is there."""

    state: str
    current_cpu_usage: Amount
    current_memory_usage: Amount = 0.0


class LogLines(Struct, frozen=True):
    """Lines of a worker's log."""

    worker_id: str
    logs: list[str]


class Raised(Struct, frozen=True):
    """A user of a worker raised an exception."""

    msg: str
    traceback: str


KINDS: Mapping[str, type[Struct]] = {
    "stats": Stats,
    "heartbeat": Heartbeat,
    "spawning_complete": Users,
    "logs": LogLines,
    "exception": Raised,
}
"""By the type of the message; what the others hold Locust does not use, or compares with its version."""
