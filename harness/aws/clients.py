"""One way to call AWS: boto3 clients with one retry policy; every failure is a `HarnessError`.

botocore's own retries are off, so there are no waits but the ones below. Sockets, locks and sleeps come from the
standard library and are looked up when used, so under Locust's monkey patching a call that waits lets other greenlets
run. Creating a client blocks everything else for about 0.2 s of CPU: `warm` does that before the traffic starts.
"""

import difflib
import json
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol, Self, TypeVar

import boto3
import botocore.session
import tenacity
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError
from msgspec import Struct

from harness.aws.failures import NO_CREDENTIALS, as_harness_error, may_have_acted, one_line, surely_not_done, transient
from harness.core.experiment.hosts import is_loopback
from harness.core.experiment.types import Experiment
from harness.errors import BadCredentials, HarnessError, NotFound, Unreachable, UsageError

Answer = dict[str, Any]
Result = TypeVar("Result")

SERVICES = ("codedeploy", "cloudwatch", "lambda")
CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 4.0
MOST_PAGES = 100
# Repeating these makes a second one. Every other call either reads or sets a state, and may be made twice.
_NOT_IDEMPOTENT = frozenset({"create_deployment"})

_READ_BY_GET = frozenset({"apigateway", "apigatewayv2"})
"""IAM has an action for each HTTP method of these services, and we only read them."""


class Patience(Struct, frozen=True):
    """How long one call is tried: waits double from `first_wait_s` with jitter, all within `total_s` of wall time.

    With 30 % of all calls failing, six attempts lose one call in 1400.
    """

    attempts: int = 6
    total_s: float = 8.0
    first_wait_s: float = 0.1
    longest_wait_s: float = 2.0


ASK_ONCE = Patience(attempts=1)
HEAL = Patience(total_s=4.0, longest_wait_s=1.0)
"""How long one call that undoes a fault is tried: a person is waiting for the run to end, and can heal again."""


def services_of(experiment: Experiment) -> tuple[str, ...]:
    """boto3's names of the services that a run of the experiment calls."""
    return (*SERVICES, "fis") if any(fault.fis_template for fault in experiment.faults) else SERVICES


def action(service: str, operation: str) -> str:
    """The IAM action of a boto3 method, as `codedeploy:GetDeployment`; of API Gateway it is the HTTP method's."""
    if service in _READ_BY_GET:
        return "apigateway:GET"
    return f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}"


class Caller(Protocol):
    """Whatever makes calls to AWS under a retry policy."""

    def call(self, service: str, operation: str, **params: Any) -> Answer:
        """The answer to one operation; raises HarnessError only."""
        ...

    def with_patience(self, patience: Patience) -> Self:
        """The same under another retry policy."""
        ...


def paged(
    read: Callable[[dict[str, str]], Result], answer_of: Callable[[Result], Answer], most: int = MOST_PAGES
) -> Iterator[Result]:
    """The pages of a listing, `most` at most; `read` takes the parameter that asks for the next page."""
    more: dict[str, str] = {}
    for _ in range(most):
        page = read(more)
        yield page
        answer = answer_of(page)
        more = {name: answer[name] for name in ("NextToken", "nextToken") if answer.get(name)}
        if not more:
            return


def pages(aws: Caller, service: str, operation: str, most: int = MOST_PAGES, **params: Any) -> Iterator[Answer]:
    """The answers of a listing, page by page; raises HarnessError only."""
    return paged(lambda more: aws.call(service, operation, **params, **more), lambda page: page, most)


def exists(read: Callable[[], object]) -> bool:
    """Whether AWS finds what `read` asks for; raises HarnessError if AWS does not tell."""
    try:
        read()
    except NotFound:
        return False
    return True


class Clients:
    """boto3's clients of one session, each created when it is first used and then kept.

    Credentials, region, profile and endpoints come from boto3's own chain, never from options of ours; AWS_REGION takes
    precedence for the region. Safe to share among threads and greenlets. `metrics_asked` counts what GetMetricData was
    asked for.
    """

    def __init__(self, session: Any = None) -> None:
        self._session = session
        self._clients: dict[str, Any] = {}
        self._lock = threading.RLock()
        self.metrics_asked = 0

    def of(self, service: str) -> Any:
        """The client of `service`; raises UsageError if boto3 finds no region or no usable endpoint."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._created(service)
            return self._clients[service]

    def check_credentials(self) -> None:
        """Raises UsageError if boto3 finds no credentials; does not check whether AWS accepts them."""
        try:
            credentials = self._opened().get_credentials()
        except (BotoCoreError, ClientError) as error:
            raise as_harness_error("reading credentials", error) from error
        if credentials is None:
            raise UsageError(NO_CREDENTIALS)

    def renew_credentials(self) -> None:
        """Reads the credentials again, for somebody may have renewed them in a file.

        botocore itself renews those of a role, of single sign-on and of a credential process.
        """
        try:
            held, fresh = self._opened().get_credentials(), _session().get_credentials()
        except (BotoCoreError, ClientError):
            return
        if type(held) is type(fresh) is Credentials:
            held.access_key, held.secret_key, held.token = fresh.access_key, fresh.secret_key, fresh.token

    def doubt_of_region(self, service: str) -> str:
        """What may be wrong with the region if the service's address does not exist; empty if nothing."""
        meta = self.of(service).meta
        known = [name for part in self._opened().get_available_partitions() for name in self._regions(service, part)]
        if meta.region_name in known or meta.region_name not in meta.endpoint_url:
            return ""
        close = difflib.get_close_matches(meta.region_name, known, n=1)
        return f"boto3 knows no region {meta.region_name}" + (f", did you mean {close[0]}?" if close else "")

    def _regions(self, service: str, partition: str) -> list[str]:
        return list(self._opened().get_available_regions(service, partition_name=partition))

    def _opened(self) -> Any:
        with self._lock:
            self._session = self._session or _session()
            return self._session

    def _created(self, service: str) -> Any:
        try:
            client = self._opened().client(service, config=_CONFIG)
        except BotoCoreError as error:
            raise as_harness_error(f"{service}:*", error) from error
        except ValueError as error:
            raise UsageError(f"AWS_ENDPOINT_URL: {error}") from error
        client.meta.events.register("after-call", _check_complete)
        return client


def _session() -> Any:
    # boto3 reads AWS_DEFAULT_REGION only; all other SDKs, and people, use AWS_REGION. A pipeline may set a variable to
    # nothing, which botocore would use as the region.
    core = botocore.session.get_session()
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return boto3.session.Session(botocore_session=core, region_name=named or core.get_scoped_config().get("region"))


class Aws:
    """AWS under one retry policy."""

    def __init__(self, patience: Patience | None = None, clients: Clients | None = None) -> None:
        self._patience = patience or Patience()
        self._clients = clients or Clients()

    def with_patience(self, patience: Patience) -> "Aws":
        """The same clients under another retry policy."""
        return Aws(patience, self._clients)

    def warm(self, *services: str) -> None:
        """Creates the clients of `services`, or all three; raises UsageError if region or credentials are missing."""
        for service in services or SERVICES:
            self._clients.of(service)
        self._clients.check_credentials()

    @property
    def region(self) -> str:
        """The region that calls go to."""
        return str(self._clients.of(SERVICES[0]).meta.region_name)

    @property
    def metrics_asked(self) -> int:
        """How many metrics GetMetricData was asked for, each as often as it was."""
        return self._clients.metrics_asked

    def is_local(self, *services: str) -> bool:
        """Whether calls of `services` stay on this machine, in an embedded cloud or another emulator."""
        return all(is_loopback(self._clients.of(service).meta.endpoint_url) for service in services)

    def call(self, service: str, operation: str, **params: Any) -> Answer:
        """The answer to one operation; the call is repeated while that can help and does no harm.

        Throttling, 5xx, timeouts, lost connections and cut-off answers are repeated; a refusal is not. An operation
        that is not idempotent is repeated only if AWS surely did not act: it throttled the call, or no connection was
        made. If AWS refuses the credentials, the next call reads them again. Raises HarnessError only.
        """
        worth_it = surely_not_done if operation in _NOT_IDEMPOTENT else transient
        policy = tenacity.Retrying(
            retry=tenacity.retry_if_exception(worth_it),
            wait=tenacity.wait_exponential(multiplier=self._patience.first_wait_s, max=self._patience.longest_wait_s)
            + tenacity.wait_random(0, self._patience.first_wait_s),
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(self._patience.attempts),
                tenacity.stop_before_delay(self._patience.total_s),
            ),
            reraise=True,
        )
        doubts: list[HarnessError] = []
        try:
            return policy(partial(self._once, service, operation, params, doubts))
        except HarnessError as error:
            error.doubted = bool(doubts)
            raise

    def _once(self, service: str, operation: str, params: dict[str, Any], doubts: list[HarnessError]) -> Answer:
        """One attempt; an error after which AWS may have acted is added to `doubts`."""
        try:
            return self._tried(service, operation, params)
        except HarnessError as error:
            if may_have_acted(error):
                doubts.append(error)
            raise

    def _tried(self, service: str, operation: str, params: dict[str, Any]) -> Answer:
        client = self._clients.of(service)
        method: Callable[..., Answer] = getattr(client, operation)
        call = action(service, operation)
        self._clients.metrics_asked += len(params.get("MetricDataQueries", ()))
        try:
            return method(**params)
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            mapped = as_harness_error(call, error)
            if isinstance(error, EndpointConnectionError) and (doubt := self._clients.doubt_of_region(service)):
                mapped = Unreachable(call, f"{one_line(str(error))}; {doubt}")
            if isinstance(mapped, BadCredentials):
                self._clients.renew_credentials()
            raise mapped from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # botocore's parsers raise these for answers that are cut off or do not come from AWS.
            raise Unreachable(call, f"an answer that cannot be read ({error!r})") from error


_CONFIG = Config(
    retries={"total_max_attempts": 1},
    connect_timeout=CONNECT_TIMEOUT_S,
    read_timeout=READ_TIMEOUT_S,
    user_agent_extra="canary-harness",
)


def _check_complete(http_response: Any, model: Any, **_: Any) -> None:
    # botocore treats a JSON body that is cut off as an empty answer. A body that the caller reads itself, such as an
    # exported API, could not be read twice.
    if model.has_streaming_output:
        return
    if http_response.status_code != 200 or "json" not in http_response.headers.get("content-type", ""):
        return
    if http_response.content or (model.output_shape and model.output_shape.members):
        json.loads(http_response.content)
