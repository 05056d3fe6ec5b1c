"""What the URI of an integration or an authorizer invokes, and the answers of integrations that invoke nothing."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from harness.rehearsal.apis.routes import INTEGRATION_TIMEOUT_S, Fixed, Integration
from harness.rehearsal.proxy import GatewayAnswer

log = logging.getLogger(__name__)

_FUNCTION = re.compile(r"arn:aws[a-z-]*:lambda:[^:]+:\d{12}:function:([A-Za-z0-9_-]+)(?::([$A-Za-z0-9_-]+))?")
_VARIABLE = re.compile(r"\$\{stageVariables\.(\w+)\}")
_HEADER = "method.response.header."


def function_of(
    uri: str, variables: Mapping[str, str], *, timeout_ms: int | None = None, payload: str = "1.0"
) -> Integration | None:
    """The function of a URI, with the variables of the stage filled in; None where it names none."""
    found = _FUNCTION.search(_VARIABLE.sub(lambda one: variables.get(one[1], ""), uri))
    if not found:
        return None
    timeout_s = timeout_ms / 1000 if timeout_ms else INTEGRATION_TIMEOUT_S
    return Integration(function=found[1], qualifier=found[2], timeout_s=timeout_s, payload=payload)


def mocked(integration: Mapping[str, Any]) -> Fixed:
    """What a mock integration answers: its response without a pattern, or the first."""
    responses = integration.get("integrationResponses") or {}
    usual = (status for status, one in responses.items() if not one.get("selectionPattern"))
    status = next(usual, next(iter(responses), "200"))
    response = responses.get(status, {})
    headers = [
        (name.removeprefix(_HEADER).encode(), value[1:-1].encode())
        for name, value in (response.get("responseParameters") or {}).items()
        if name.startswith(_HEADER) and value.startswith("'")
    ]
    body = (response.get("responseTemplates") or {}).get("application/json") or ""
    return Fixed(GatewayAnswer(int(status), [(b"content-type", b"application/json"), *headers], body.encode()))


def unplayed(route: str, kind: str) -> None:
    """Says of a route that its integration is not played here."""
    log.warning(
        "%s has an integration of type %s, which this local cloud does not play: each request gets 500.", route, kind
    )
