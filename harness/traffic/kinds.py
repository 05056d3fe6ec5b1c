"""Every kind of request that may be sent: its bytes as far as they can be made before, and how it is judged."""

from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from harness.core.experiment.composing import Message, faulty, message_of
from harness.core.experiment.feed import Value
from harness.core.experiment.requests import Request
from harness.core.experiment.sendable import fault_of, name_of, taken_before
from harness.core.experiment.types import Traffic
from harness.core.timeline.events import ANYONE, Intent
from harness.traffic.client.client import Client
from harness.traffic.client.prepared import Prepared
from harness.traffic.fired import Features
from harness.traffic.judging import Judge
from harness.traffic.rendering import NOTHING_TAKEN, Taken, Template, Text, Values

if TYPE_CHECKING:
    from harness.traffic.visits import Visit

OWN = "canary"
"""The key in a request event's context that says the recorder has it already."""

Make = Callable[[int, Taken], Prepared]
"""Makes a request for a row of the feed, counted from 0, and what was taken."""


class Outgoing(Struct, frozen=True):
    """A request about to be sent, for Python code that signs or changes it; `row` are the feed's values by column."""

    name: str
    intent: Intent
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    row: dict[str, Value]


Prepare = Callable[[Client, Outgoing], Prepared]
"""Makes a request bytes in Python, in the place of those made before."""


class Planned:
    """One request to send: its kind, its bytes, the number of its feed's row, and the visit that it is a step of."""

    __slots__ = ("kind", "prepared", "row", "visit")

    def __init__(self, kind: "Kind", prepared: Prepared, row: int | None = None, visit: "Visit | None" = None) -> None:
        self.kind = kind
        self.prepared = prepared
        self.row = row
        self.visit = visit


class Kind:
    """One request of the experiment, as it is or as its fault has it.

    `numbers` are those of the feed's rows, if it uses any column or belongs to a visit, whose user is a row. `is_fixed`
    says that all its requests are alike.
    """

    __slots__ = ("_fixed", "_make", "_numbers", "context", "features", "judge", "name")

    def __init__(
        self, name: str, intent: Intent, *, judge: Judge, make: Make, is_fixed: bool, numbers: list[int] | None
    ) -> None:
        self.features = Features(intent, ANYONE, name)
        self.name = label_of(name, intent)
        self.context = {OWN: True, "intent": intent, "persona": ANYONE}
        self.judge = judge
        self._make = make
        self._numbers = numbers
        self._fixed = Planned(self, make(0, NOTHING_TAKEN)) if is_fixed else None

    def planned(self, row: int, visit: "Visit | None" = None) -> Planned:
        """A request with the values of this row, and of the visit."""
        if visit is None:
            return self._fixed or Planned(self, self._make(row, NOTHING_TAKEN), self._number(row))
        prepared = self._fixed.prepared if self._fixed else self._make(row, visit.taken)
        return Planned(self, prepared, self._number(row), visit)

    def _number(self, row: int) -> int | None:
        return None if self._numbers is None else self._numbers[row]


def label_of(name: str, intent: Intent) -> str:
    """What Locust's statistics call a request."""
    return name if intent == "good" else f"{name} [fault]"


class Workshop:
    """Makes the kinds of requests of one process."""

    def __init__(self, traffic: Traffic, client: Client, values: Values) -> None:
        self._traffic = traffic
        self._client = client
        self._values = values
        self._numbers = values.feed.numbers() if values.feed else None
        self._steps = {step for flow in traffic.flow.values() for step in flow.steps}

    def good(self, key: str, prepare: Prepare | None = None) -> Kind:
        """The request as it is."""
        return self._kind(key, "good", self._traffic.requests[key], prepare)

    def fault(self, key: str, prepare: Prepare | None = None) -> Kind | None:
        """The request as its fault has it; None where nothing makes it fail."""
        request, overlay = self._traffic.requests[key], fault_of(self._traffic, key)
        return self._kind(key, "fault", faulty(request, overlay), prepare) if overlay else None

    def _kind(self, key: str, intent: Intent, request: Request, prepare: Prepare | None) -> Kind:
        message, taken = message_of(request), taken_before(self._traffic, key)
        name = name_of(key, request)
        template = Template(message, self._client, self._values, taken)
        label, timeout_s = label_of(name, intent), request.timeout_s
        if prepare:
            make = self._in_python(name, intent, message, taken, prepare)
        else:
            make = lambda row, taken: Prepared(message.method, label, template.payload(row, taken), timeout_s)  # noqa: E731
        uses_feed = any(
            hole.placeholder.kind == "named" and hole.placeholder.name not in taken for hole in message.holes
        )
        return Kind(
            name,
            intent,
            judge=Judge(request),
            make=make,
            is_fixed=template.is_fixed and prepare is None,
            numbers=self._numbers if uses_feed or key in self._steps else None,
        )

    def _in_python(self, name: str, intent: Intent, message: Message, taken: Container[str], prepare: Prepare) -> Make:
        """Makes requests by a person's own code, which gets each one whole."""
        client, feed = self._client, self._values.feed
        texts = {key: Text(self._values.pieces(value, taken)) for key, value in message.headers}
        path, body = (Text(self._values.pieces(part, taken)) for part in (message.target, message.body))

        def make(row: int, taken: Taken) -> Prepared:
            headers = {key: text.filled(row, taken).decode("latin-1") for key, text in texts.items()}
            filled: dict[str, Any] = dict(zip(feed.columns, feed.rows[row], strict=True)) if feed else {}
            target = path.filled(row, taken).decode()
            outgoing = Outgoing(name, intent, message.method, target, headers, body.filled(row, taken), filled)
            return prepare(client, outgoing)

        return make
