"""Every kind of request that may be sent: its bytes as far as they can be made before, and how it is judged."""

from collections.abc import Callable, Container, Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from harness.core.experiment.composing import Message, expected_of, faulty, message_of
from harness.core.experiment.feed import Feed, Value, drawn
from harness.core.experiment.requests import Request
from harness.core.experiment.sendable import fault_of, name_of, taken_before, weight_of
from harness.core.experiment.types import Traffic
from harness.core.timeline.events import ANYONE, Intent
from harness.traffic.client.client import Client
from harness.traffic.client.prepared import Prepared
from harness.traffic.fired import Features
from harness.traffic.judging import Expected, Judge
from harness.traffic.rendering import NOTHING_TAKEN, Taken, Template, Text, Values

if TYPE_CHECKING:
    from harness.traffic.visits import Visit

OWN = "canary"
"""The key in a request event's context that says the recorder has it already."""

Make = Callable[[int, Taken], bytes]
"""Makes a request's bytes for a row of the feed, counted from 0, and what was taken."""


class Outgoing(Struct, frozen=True):
    """A request about to be sent, for Python code that signs or changes it; `row` are the feed's values by column."""

    name: str
    intent: Intent
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    row: dict[str, Value]


FAULTS_OWN = "the fault's user"
"""Who sends fault requests whose fault puts another user in the place of the feed's."""

Alike = Literal["all", "by row", "no"]
"""Which requests of one kind are the same bytes."""
MADE_BEFORE = 200_000
"""How many requests of an experiment, times rows of its feed, are made beforehand at most; some 500 bytes each."""

Prepare = Callable[[Client, Outgoing], Prepared]
"""Makes a request in Python, in the place of the bytes made before; its method stays."""


class Planned(Prepared):
    """One request to send: its kind, the number of its feed's row, and the visit that it is a step of."""

    __slots__ = ("kind", "row", "visit")

    def __init__(
        self, kind: "RequestKind", payload: bytes, row: int | None = None, visit: "Visit | None" = None
    ) -> None:
        self.kind = kind
        self.method = kind.method
        self.name = kind.name
        self.payload = payload
        self.timeout_s = kind.timeout_s
        self.head_only = kind.head_only
        self.idempotent = kind.idempotent
        self.row = row
        self.visit = visit


class RequestKind:
    """One request of the experiment, as it is or as its fault has it.

    `numbers` are those of the feed's rows, if it uses any column or belongs to a visit, whose user is a row. `alike`
    says which of its requests are the same.
    """

    __slots__ = (
        "_fixed",
        "_kept",
        "_make",
        "_numbers",
        "context",
        "features",
        "head_only",
        "idempotent",
        "judge",
        "method",
        "name",
        "timeout_s",
    )

    def __init__(
        self,
        features: Features,
        request: Request,
        *,
        make: Make,
        alike: Alike,
        numbers: tuple[int, ...] | None,
        expected: Expected | None = None,
    ) -> None:
        label = label_of(features.endpoint, features.intent)
        usual = Prepared(request.method.upper(), label, b"", request.timeout_s)
        self.method, self.name, self.timeout_s = usual.method, usual.name, usual.timeout_s
        self.head_only, self.idempotent = usual.head_only, usual.idempotent
        self.features = features
        self.context = {OWN: True, "intent": features.intent, "persona": features.persona}
        self.judge = Judge(request, expected)
        self._make = make
        self._numbers = numbers
        self._fixed = Planned(self, make(0, NOTHING_TAKEN)) if alike == "all" else None
        self._kept: list[Planned] | None = None
        if alike == "by row" and numbers is not None:
            self._kept = [Planned(self, make(row, NOTHING_TAKEN), number) for row, number in enumerate(numbers)]

    def planned(self, row: int, visit: "Visit | None" = None) -> Planned:
        """A request with the values of this row, and of the visit."""
        if visit is None:
            if self._kept is not None:
                return self._kept[row]
            return self._fixed or Planned(self, self._make(row, NOTHING_TAKEN), self._number(row))
        payload = self._fixed.payload if self._fixed else self._make(row, visit.taken)
        return Planned(self, payload, self._number(row), visit)

    def _number(self, row: int) -> int | None:
        return None if self._numbers is None else self._numbers[row]


def _uses_feed(message: Message, taken: Container[str]) -> bool:
    return any(hole.placeholder.kind == "named" and hole.placeholder.name not in taken for hole in message.holes)


def label_of(name: str, intent: Intent) -> str:
    """What Locust's statistics call a request."""
    return name if intent == "good" else f"{name} [fault]"


class Workshop:
    """Makes the kinds of requests of one process."""

    def __init__(self, traffic: Traffic, client: Client, values: Values) -> None:
        self._traffic = traffic
        self._client = client
        self._values = values
        self._numbers = values.feed.numbers if values.feed else None
        self._steps = {step for flow in traffic.flow.values() for step in flow.steps}

    def good(self, key: str, prepare: Prepare | None = None) -> RequestKind:
        """The request as it is."""
        return self._kind(key, "good", self._traffic.requests[key], prepare)

    def fault(self, key: str, prepare: Prepare | None = None) -> RequestKind | None:
        """The request as its fault has it; None where nothing makes it fail."""
        request, overlay = self._traffic.requests[key], fault_of(self._traffic, key)
        return self._kind(key, "fault", faulty(request, overlay), prepare) if overlay else None

    def _kind(self, key: str, intent: Intent, request: Request, prepare: Prepare | None) -> RequestKind:
        message, taken = message_of(request), taken_before(self._traffic, key)
        name = name_of(key, request)
        template = Template(message, self._client, self._values, taken)
        make = self._in_python(name, intent, message, taken, prepare) if prepare else template.payload
        holes = [hole.placeholder for hole in message.holes]
        uses_feed = _uses_feed(message, taken)
        expected = self._expected(request)
        of_a_user = uses_feed or not _uses_feed(message_of(self._traffic.requests[key]), taken)
        few = len(self._numbers or ()) * len(self._traffic.requests) <= MADE_BEFORE
        only_rows = few and all(
            hole.kind == "env" or (hole.kind == "named" and hole.name not in taken) for hole in holes
        )
        is_fixed = template.is_fixed and not expected
        return RequestKind(
            Features(intent, ANYONE if of_a_user else FAULTS_OWN, name),
            request,
            make=make,
            alike="no" if prepare else "all" if is_fixed else "by row" if only_rows else "no",
            numbers=self._numbers if uses_feed or expected or key in self._steps else None,
            expected=expected,
        )

    def _expected(self, request: Request) -> Expected | None:
        """The values that its check asks for of each row, by the row's number."""
        pieces = expected_of(request)
        if self._numbers is None or all(isinstance(piece, bytes) for piece in pieces):
            return None
        text = Text(self._values.pieces(pieces, ()))
        rows = {number: row for row, number in enumerate(self._numbers)}
        return lambda number: msgspec.json.decode(text.filled(rows[number], NOTHING_TAKEN), type=list)

    def _in_python(self, name: str, intent: Intent, message: Message, taken: Container[str], prepare: Prepare) -> Make:
        """Makes requests by a person's own code, which gets each one whole."""
        client, feed = self._client, self._values.feed
        texts = {key: Text(self._values.pieces(value, taken)) for key, value in message.headers}
        path, body = (Text(self._values.pieces(part, taken)) for part in (message.target, message.body))

        def make(row: int, taken: Taken) -> bytes:
            headers = {key: text.filled(row, taken).decode("latin-1") for key, text in texts.items()}
            filled: dict[str, Any] = dict(zip(feed.columns, feed.rows[row], strict=True)) if feed else {}
            target = path.filled(row, taken).decode()
            outgoing = Outgoing(name, intent, message.method, target, headers, body.filled(row, taken), filled)
            return prepare(client, outgoing).payload

        return make


Prepares = Mapping[Prepare | None, float]
"""The ways to prepare a request, each with its weight; None is by the bytes that were made before."""


class Stock:
    """All kinds of requests of one process, made before traffic begins.

    `singles` are the requests that are sent by themselves: as they are, as their faults have them, and their weights.
    `flows` are the same of sequences, step by step.
    """

    def __init__(self, traffic: Traffic, feed: Feed | None, seed: int, client: Client, prepares: Prepares) -> None:
        # In the order of their use: requests that are sent one after the other lie side by side in memory.
        self.values = Values(drawn(feed, seed) if feed else None)
        self.rows = len(feed.rows) if feed else 1
        workshop = Workshop(traffic, client, self.values)
        self.singles = [
            (workshop.good(key, prepare), workshop.fault(key, prepare), share * weight_of(traffic, key))
            for prepare, share in prepares.items()
            for key in traffic.requests
            if weight_of(traffic, key)
        ]
        self.flows = [
            (
                [workshop.good(step, prepare) for step in flow.steps],
                [workshop.fault(step, prepare) for step in flow.steps],
                share * flow.weight,
            )
            for prepare, share in prepares.items()
            for flow in traffic.flow.values()
            if flow.weight
        ]
