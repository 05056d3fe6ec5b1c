"""boto3's errors as ours: whose fault a failed call is, whether to repeat it, and what a person can do about it."""

import re

from botocore.exceptions import (
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

NO_CREDENTIALS = "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

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


def transient(error: BaseException) -> bool:
    """Whether the same call may succeed a moment later."""
    return isinstance(error, Throttled | Unavailable | Unreachable)


def surely_not_done(error: BaseException) -> bool:
    """Whether AWS surely did not act: it throttled the call, or no connection was made."""
    return isinstance(error, Throttled) or isinstance(error.__cause__, _NEVER_SENT)


def may_have_acted(error: HarnessError) -> bool:
    """Whether AWS may have done what this call asked for, although it failed."""
    return error.doubted or (isinstance(error, Unavailable | Unreachable) and not surely_not_done(error))


def as_harness_error(call: str, error: Exception) -> HarnessError:
    """What boto3 raised in `call`, by whose fault it is and with what to do about it."""
    if isinstance(error, ClientError):
        return _refused(call, error)
    if isinstance(error, NoRegionError | InvalidRegionError):
        return UsageError(f"no usable AWS region: set AWS_REGION, or a region in the profile ({error})")
    if isinstance(error, _NO_ACCESS):
        return UsageError(f"{NO_CREDENTIALS} ({error})")
    if isinstance(error, _RENEWABLE):
        return BadCredentials(call, type(error).__name__, f"{error}. Renew them, for example by `aws sso login`.")
    if isinstance(error, _NO_ANSWER):
        return Unreachable(call, one_line(str(error)))
    return UsageError(f"{call} cannot be called: {one_line(str(error))}")


def _refused(call: str, error: ClientError) -> HarnessError:
    code = str(error.response.get("Error", {}).get("Code") or "Unknown")
    message = one_line(str(error.response.get("Error", {}).get("Message") or ""))
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
    """The error of a caller whom AWS refuses for any call, with what to do about it; None for other errors."""
    if code in WRONG_CLOCK or _CLOCK_IS_OFF.match(message):
        return AwsError(call, code, f"{message}. This machine's clock differs from AWS's: set it, for example by NTP.")
    if code in BAD_CREDENTIALS:
        return BadCredentials(call, code, f"{message}. The credentials have expired or are not valid: renew them.")
    if code in DENIED:
        return AccessDenied(call, code, f"{message}. Allow {call} in the policy of these credentials.")
    return None


def one_line(text: str) -> str:
    """A text as one short line: a proxy's whole error page may be the message."""
    return " ".join(text.split())[:300]
