"""What is sent, as data: requests, what makes them fail, and sequences of them.

Texts may hold placeholders such as `{{email}}`; `placeholders` says which there are.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta

from harness.core.experiment.part import Duration, Part, Weight

Method = Literal["get", "head", "options", "post", "put", "patch", "delete"]
METHODS: tuple[Method, ...] = ("get", "head", "options", "post", "put", "patch", "delete")
"""The keys that say the method and the path of a request."""
HARMLESS: tuple[Method, ...] = ("get", "head", "options")
"""Methods that change nothing where a service keeps to RFC 9110, section 9.2.1."""
ALL = "all"
"""In `traffic.fault`, what is laid over every request; so no request has this name."""

Scalar = str | float | int | bool
Status = Annotated[int, Meta(ge=100, le=599)]


class _Content(Part, frozen=True, kw_only=True, omit_defaults=True):
    headers: dict[str, Scalar | None] = {}
    query: dict[str, Scalar | None] = {}
    json: Any = None
    form: dict[str, Scalar | None] = {}
    body: str | None = None


class FromHeader(Part, frozen=True, kw_only=True):
    """A header of an answer, which a value is taken from."""

    header: str


class Request(_Content, frozen=True, kw_only=True, omit_defaults=True):
    """One request: its method and path, as in `get: /orders`, and what goes with it.

    `weight` is how often it is sent beside the others; left out, it is 1, and 0 for a step of a flow. `name` groups
    requests in reports; left out, it is the request's key. `expect` are the statuses of a good answer; left out, those
    below 400. `check` is what a good answer's body holds: a JSONPath such as `$.items[0]`, any other text as a regular
    expression, or a map from JSONPaths to the values that stand there. `take` keeps values of the answer for later
    steps of its flow, each by a JSONPath, a regular expression or a header. `timeout_s` is wall time.
    """

    get: str | None = None
    head: str | None = None
    options: str | None = None
    post: str | None = None
    put: str | None = None
    patch: str | None = None
    delete: str | None = None
    name: str | None = None
    weight: Weight | None = None
    expect: tuple[Status, ...] = ()
    check: str | dict[str, Any] | None = None
    take: dict[str, str | FromHeader] = {}
    timeout_s: Duration | None = None

    @property
    def methods(self) -> tuple[Method, ...]:
        """The keys that say method and path; a request that can be sent has one."""
        return tuple(method for method in METHODS if getattr(self, method) is not None)

    @property
    def method(self) -> Method:
        """Its method."""
        return self.methods[0]

    @property
    def path(self) -> str:
        """Its path, below the host that the experiment names."""
        return str(getattr(self, self.method))


class Overlay(_Content, frozen=True, kw_only=True, omit_defaults=True):
    """What is laid over a request to make it fail: another path or body, headers and parameters; null takes one away.

    A `json` map is laid over the request's map, as RFC 7396 merges them.
    """

    path: str | None = None


class Flow(Part, frozen=True, kw_only=True):
    """Requests that one user sends one after the other, each once the one before was answered well.

    `weight` is how often the sequence is begun beside the weights of single requests. All its steps use one row of the
    feed.
    """

    steps: tuple[str, ...]
    weight: Weight = 1.0


class FaultWhen(Part, frozen=True, kw_only=True):
    """Which requests of a locustfile are fault requests: all that is given must fit.

    `header` names headers of the request and their exact values, `name` is the request's name in Locust.
    """

    header: dict[str, str] = {}
    name: str | None = None
