"""One way to call AWS: boto3 clients with one retry policy, whose every failure is a `HarnessError`.

botocore's own retries are off, so that the waits below are all the waits there are. Nothing here knows of gevent:
sockets, locks and sleeps are the standard library's, looked up when they are used, so under Locust's monkey patching a
call that waits lets the other greenlets run. Creating a client costs about 0.2 s of CPU during which nothing else runs:
`warm` does that before the traffic starts.
"""

import difflib
import json
import os
import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import boto3
import botocore.session
import tenacity
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    InvalidRegionError,
    LoginError,
    NoAuthTokenError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as NoConnection
from botocore.parsers import ResponseParserError
from msgspec import Struct

from harness.core.experiment.rails import is_loopback
from harness.core.experiment.types import Experiment
from harness.core.timeline.refusals import BAD_CREDENTIALS, DENIED, WRONG_CLOCK
from harness.errors import (
    AccessDenied,
    AwsError,
    BadCredentials,
    HarnessError,
    NotFound,
    Throttled,
    Unavailable,
    Unreachable,
    UsageError,
)

Answer = dict[str, Any]
Result = TypeVar("Result")

SERVICES = ("codedeploy", "cloudwatch", "lambda")
CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 4.0
# Repeating these makes a second one. Every other call either reads or sets a state, and may be made twice.
_NOT_IDEMPOTENT = frozenset({"create_deployment"})

_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
    }
)
_OWN_FAILURES = frozenset({"InternalFailure", "InternalError", "ServiceException", "ServiceUnavailable"})
_CLOCK_IS_OFF = re.compile(r"Signature (expired|not yet current)", re.IGNORECASE)
_NOT_FOUND_ENDINGS = ("DoesNotExistException", "ResourceNotFoundException", "ResourceNotFound")
_NO_ACCESS = (NoCredentialsError, PartialCredentialsError, NoAuthTokenError, ProfileNotFound, ConfigParseError)
_RENEWABLE = (SSOError, LoginError, TokenRetrievalError, CredentialRetrievalError)
_NEVER_SENT = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError)
_NO_ANSWER = (NoConnection, HTTPClientError, IncompleteReadError, ResponseParserError)


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
"""How long one call that takes a fault back is tried while a run ends: a person waits for it, and may ask again."""


def services_of(experiment: Experiment) -> tuple[str, ...]:
    """boto3's names of the services that a run of the experiment calls."""
    return (*SERVICES, "fis") if any(fault.fis_template for fault in experiment.faults) else SERVICES


def action(service: str, operation: str) -> str:
    """The IAM action of a boto3 method, as `codedeploy:GetDeployment`."""
    return f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}"


def next_page(answer: Answer) -> dict[str, str]:
    """The parameter that asks for the page after `answer`; empty after the last one."""
    return {name: answer[name] for name in ("NextToken", "nextToken") if answer.get(name)}


class Clients:
    """boto3's clients of one session, each created when it is first used and then kept.

    Credentials, region, profile and endpoints come from boto3's own chain, never from options of ours; before it
    AWS_REGION says which region. Safe to share among threads and greenlets.
    """

    def __init__(self, session: Any = None) -> None:
        self._session = session
        self._clients: dict[str, Any] = {}
        self._lock = threading.RLock()

    def of(self, service: str) -> Any:
        """The client of `service`; raises UsageError where boto3 finds no region or no usable endpoint."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._created(service)
            return self._clients[service]

    def check_credentials(self) -> None:
        """Raises UsageError where boto3 finds no credentials; whether AWS takes them is not asked."""
        try:
            credentials = self._opened().get_credentials()
        except (BotoCoreError, ClientError) as error:
            raise _mapped("reading credentials", error) from error
        if credentials is None:
            raise UsageError(_NO_CREDENTIALS)

    def renew_credentials(self) -> None:
        """Reads credentials from where they came from again: somebody may have renewed them in a file.

        Those of a role, a sign-on or a program renew themselves.
        """
        try:
            held, fresh = self._opened().get_credentials(), _session().get_credentials()
        except (BotoCoreError, ClientError):
            return
        if type(held) is type(fresh) is Credentials:
            held.access_key, held.secret_key, held.token = fresh.access_key, fresh.secret_key, fresh.token

    def doubt_of_region(self, service: str) -> str:
        """What speaks against the region, where the service's address on AWS does not exist; else empty."""
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
            raise _mapped(f"{service}:*", error) from error
        except ValueError as error:
            raise UsageError(f"AWS_ENDPOINT_URL: {error}") from error
        client.meta.events.register("after-call", _check_complete)
        return client


def _session() -> Any:
    # boto3 knows AWS_DEFAULT_REGION only; all other SDKs, and people, know AWS_REGION. A pipeline sets a variable that
    # it does not have to nothing, which botocore takes for a region.
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
        """Creates the clients of `services` (all three without any); no region or no credentials is a UsageError."""
        for service in services or SERVICES:
            self._clients.of(service)
        self._clients.check_credentials()

    @property
    def region(self) -> str:
        """The region that is asked."""
        return str(self._clients.of(SERVICES[0]).meta.region_name)

    def is_local(self, *services: str) -> bool:
        """Whether calls of `services` stay on this machine, in an embedded cloud or another emulator."""
        return all(is_loopback(self._clients.of(service).meta.endpoint_url) for service in services)

    def call(self, service: str, operation: str, **params: Any) -> Answer:
        """The answer to one operation, tried again while that can help and cannot harm.

        Throttling, 5xx, timeouts, lost connections and half answers are tried again; a refusal is not. An operation
        that is not idempotent is tried again only when AWS surely did not act: it refused for the rate, or the
        connection was never made. After a refusal of the credentials the next call reads them anew. Raises
        HarnessError only.
        """
        worth_it = _surely_not_done if operation in _NOT_IDEMPOTENT else _transient
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
        return policy(partial(self._once, service, operation, params))

    def _once(self, service: str, operation: str, params: dict[str, Any]) -> Answer:
        client = self._clients.of(service)
        method: Callable[..., Answer] = getattr(client, operation)
        call = action(service, operation)
        try:
            return method(**params)
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            mapped = _mapped(call, error)
            if isinstance(error, EndpointConnectionError) and (doubt := self._clients.doubt_of_region(service)):
                mapped = Unreachable(call, f"{_one_line(str(error))}; {doubt}")
            if isinstance(mapped, BadCredentials):
                self._clients.renew_credentials()
            raise mapped from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # botocore's parsers raise these for answers that are cut off or not AWS's at all.
            raise Unreachable(call, f"an answer that cannot be read ({error!r})") from error


_CONFIG = Config(
    retries={"total_max_attempts": 1},
    connect_timeout=CONNECT_TIMEOUT_S,
    read_timeout=READ_TIMEOUT_S,
    user_agent_extra="canary-harness",
)
_NO_CREDENTIALS = "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


def _check_complete(http_response: Any, model: Any, **_: Any) -> None:
    # botocore takes a JSON body that breaks off for an empty answer.
    if http_response.status_code != 200 or "json" not in http_response.headers.get("content-type", ""):
        return
    if http_response.content or (model.output_shape and model.output_shape.members):
        json.loads(http_response.content)


def _transient(error: BaseException) -> bool:
    return isinstance(error, Throttled | Unavailable | Unreachable)


def _surely_not_done(error: BaseException) -> bool:
    return isinstance(error, Throttled) or isinstance(error.__cause__, _NEVER_SENT)


def _mapped(call: str, error: Exception) -> HarnessError:
    if isinstance(error, ClientError):
        return _refused(call, error)
    if isinstance(error, NoRegionError | InvalidRegionError):
        return UsageError(f"no usable AWS region: set AWS_REGION, or a region in the profile ({error})")
    if isinstance(error, _NO_ACCESS):
        return UsageError(f"{_NO_CREDENTIALS} ({error})")
    if isinstance(error, _RENEWABLE):
        return BadCredentials(call, type(error).__name__, f"{error}. Renew them, for example by `aws sso login`.")
    if isinstance(error, _NO_ANSWER):
        return Unreachable(call, _one_line(str(error)))
    return UsageError(f"{call} cannot be asked: {_one_line(str(error))}")


def _refused(call: str, error: ClientError) -> HarnessError:
    code = str(error.response.get("Error", {}).get("Code") or "Unknown")
    message = _one_line(str(error.response.get("Error", {}).get("Message") or ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if error.operation_name.startswith("AssumeRole"):
        call = f"sts:{error.operation_name}"  # boto3 fetches a role's credentials within the call that needs them
    if code in _THROTTLED or status == 429 or "Rate exceeded" in message:
        return Throttled(call, code, message)
    about_us = _refused_caller(call, code, message)
    if about_us:
        return about_us
    if code.endswith(_NOT_FOUND_ENDINGS):
        return NotFound(call, code, message)
    if status in (500, 502, 503, 504) or code in _OWN_FAILURES:
        return Unavailable(call, code, message)
    if code == "400":
        return Unreachable(call, f"half an answer: {message}")
    return AwsError(call, code, message)


def _refused_caller(call: str, code: str, message: str) -> AwsError | None:
    """The refusal of whoever calls, whatever was called, with what to do about it."""
    if code in WRONG_CLOCK or _CLOCK_IS_OFF.match(message):
        return AwsError(call, code, f"{message}. This machine's clock is not AWS's: set it, for example by NTP.")
    if code in BAD_CREDENTIALS:
        return BadCredentials(call, code, f"{message}. The credentials have expired or are not valid: renew them.")
    if code in DENIED:
        return AccessDenied(call, code, f"{message}. Allow {call} in the policy of these credentials.")
    return None


def _one_line(text: str) -> str:
    # A proxy's error page may be the message.
    return " ".join(text.split())[:300]
