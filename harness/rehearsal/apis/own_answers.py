"""What API Gateway answers by itself: of a REST API, which may have its own wording for each, and of an HTTP API.

Bodies and error types that AWS's pages do not show are Assumptions.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict, replace

from harness.rehearsal.proxy import GatewayAnswer

Occasion = Literal[
    "unauthorized",
    "denied",
    "authorizer_failed",
    "no_route",
    "bad_body",
    "bad_parameters",
    "too_large",
    "throttled",
    "not_invoked",
    "bad_gateway",
    "timed_out",
]
_TYPES: Mapping[str, tuple[str, ...]] = {
    "unauthorized": ("UNAUTHORIZED", "DEFAULT_4XX"),
    "denied": ("ACCESS_DENIED", "DEFAULT_4XX"),
    "authorizer_failed": ("AUTHORIZER_CONFIGURATION_ERROR", "DEFAULT_5XX"),
    "no_route": ("MISSING_AUTHENTICATION_TOKEN", "DEFAULT_4XX"),
    "bad_body": ("BAD_REQUEST_BODY", "DEFAULT_4XX"),
    "bad_parameters": ("BAD_REQUEST_PARAMETERS", "DEFAULT_4XX"),
    "too_large": ("REQUEST_TOO_LARGE", "DEFAULT_4XX"),
    "throttled": ("THROTTLED", "DEFAULT_4XX"),
    "not_invoked": ("DEFAULT_5XX",),
    "bad_gateway": ("DEFAULT_5XX",),
    "timed_out": ("INTEGRATION_TIMEOUT", "DEFAULT_5XX"),
}
"""The gateway responses of a REST API for each occasion, the nearest first."""
_HEADER = "gatewayresponse.header."
_TEXT = re.compile(r"\$context\.error\.message(String)?")


class OwnAnswer(Struct, frozen=True):
    """An answer of the gateway; `template` is its body, in which `text` stands for AWS's template variable."""

    status: int
    text: str
    kind: str
    template: str = '{"message":$context.error.messageString}'
    headers: tuple[tuple[str, str], ...] = ()

    def made(self, text: str | None = None) -> GatewayAnswer:
        """The answer, with another text where the request says what is wrong with it."""
        return _made(self, self.text if text is None else text)


@lru_cache(maxsize=256)
def _made(answer: OwnAnswer, text: str) -> GatewayAnswer:
    body = _TEXT.sub(lambda found: json.dumps(text) if found[1] else text, answer.template)
    own = [(b"content-type", b"application/json"), (b"x-amzn-errortype", answer.kind.encode())]
    given = [(name.encode(), value.encode()) for name, value in answer.headers]
    return GatewayAnswer(answer.status, [*own, *given], body.encode())


class OwnAnswers(Struct, frozen=True, kw_only=True):
    """The answer for each occasion."""

    unauthorized: OwnAnswer = OwnAnswer(401, "Unauthorized", "UnauthorizedException")
    denied: OwnAnswer = OwnAnswer(
        403,
        "User is not authorized to access this resource with an explicit deny",
        "AccessDeniedException",
        '{"Message":$context.error.messageString}',
    )
    authorizer_failed: OwnAnswer = OwnAnswer(500, "null", "AuthorizerConfigurationException", '{"message":null}')
    no_route: OwnAnswer = OwnAnswer(403, "Missing Authentication Token", "MissingAuthenticationTokenException")
    bad_body: OwnAnswer = OwnAnswer(400, "Invalid request body", "BadRequestException")
    bad_parameters: OwnAnswer = OwnAnswer(400, "Missing required request parameters", "BadRequestException")
    too_large: OwnAnswer = OwnAnswer(413, "HTTP content length exceeded 10485760 bytes.", "RequestTooLargeException")
    throttled: OwnAnswer = OwnAnswer(429, "Too Many Requests", "TooManyRequestsException")
    not_invoked: OwnAnswer = OwnAnswer(500, "Internal server error", "InternalServerErrorException")
    bad_gateway: OwnAnswer = OwnAnswer(502, "Internal server error", "InternalServerErrorException")
    timed_out: OwnAnswer = OwnAnswer(504, "Endpoint request timed out", "InternalServerErrorException")

    def of(self, occasion: Occasion, text: str | None = None) -> GatewayAnswer:
        """What the gateway answers on an occasion."""
        answer: OwnAnswer = getattr(self, occasion)
        return answer.made(text)


REST = OwnAnswers()
HTTP = OwnAnswers(
    denied=OwnAnswer(403, "Forbidden", "ForbiddenException"),
    authorizer_failed=OwnAnswer(500, "Internal Server Error", "InternalServerErrorException"),
    no_route=OwnAnswer(404, "Not Found", "NotFoundException"),
    too_large=OwnAnswer(413, "Request Entity Too Large", "RequestTooLargeException"),
    not_invoked=OwnAnswer(500, "Internal Server Error", "InternalServerErrorException"),
    bad_gateway=OwnAnswer(500, "Internal Server Error", "InternalServerErrorException"),
    timed_out=OwnAnswer(503, "Service Unavailable", "ServiceUnavailableException"),
)


def customised(responses: Iterable[Mapping[str, Any]]) -> OwnAnswers:
    """The answers of a REST API with its own gateway responses."""
    given = {one["responseType"]: one for one in responses}
    changed = {}
    for occasion, types in _TYPES.items():
        chosen = next((given[one] for one in types if one in given), None)
        if chosen:
            changed[occasion] = _worded(asdict(REST)[occasion], chosen)
    return replace(REST, **changed)


def _worded(answer: OwnAnswer, response: Mapping[str, Any]) -> OwnAnswer:
    """Assumption: a parameter that is no literal, such as one of the request, is left out."""
    headers = tuple(
        (name.removeprefix(_HEADER), value[1:-1])
        for name, value in (response.get("responseParameters") or {}).items()
        if name.startswith(_HEADER) and value.startswith("'")
    )
    template = (response.get("responseTemplates") or {}).get("application/json", answer.template)
    status = int(response.get("statusCode") or answer.status)
    return replace(answer, status=status, template=template, headers=headers)
