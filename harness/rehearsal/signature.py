"""What every SDK sends and no foreign page can: a signature, whoever's, in a header or in a presigned URL.

Nobody's key is known here, so that none is checked. A page can neither set the header `Authorization` without asking by
CORS, which is never allowed, nor hide that it is a browser's.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from moto.core.request import Request

from harness.rehearsal.refusal import Refusal

OF_FUNCTIONS = "local-function"
"""The session token of the credentials that functions have."""

_ALGORITHMS = ("AWS4-HMAC-SHA256 ", "AWS4-ECDSA-P256-SHA256 ")
_OF_S3 = (
    "AWS4-HMAC-SHA256 Credential={AWSAccessKeyId}/20060301/us-east-1/s3/aws4_request, "
    "SignedHeaders=host, Signature={Signature}"
)
# SigV4A signs for all regions and names none.
_SCOPE = re.compile(r"Credential=[^/,]+/\d+/(?:(?P<region>[^/,]+)/)?(?P<service>[^/,]+)/aws4_request")
_PARTS = ("Credential", "SignedHeaders", "Signature")
# SDKs send these two without a signature: they are asked for by somebody who has no credentials yet.
_NEED_NO_CREDENTIALS = frozenset({"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"})
_LOOKED_AT = 10_000
"""Bytes of a body in which the name of an action is looked for."""
_NONE = Refusal("MissingAuthenticationToken", "Missing Authentication Token")


def in_headers(environ: dict[str, Any]) -> dict[str, Any]:
    """The request with the signature of a presigned URL in the header `Authorization`, where the others have it."""
    query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
    header = _presigned(query) if "HTTP_AUTHORIZATION" not in environ else ""
    return {**environ, "HTTP_AUTHORIZATION": header} if header else environ


def _presigned(query: Mapping[str, str]) -> str:
    if query.keys() >= {"AWSAccessKeyId", "Signature"}:
        # boto3 still signs URLs of S3 by version 2, where a region is old enough. It has no scope.
        return _OF_S3.format_map(query)
    if not query.keys() & {"X-Amz-Credential", "X-Amz-Signature"}:
        return ""
    parts = ", ".join(f"{part}={query[name]}" for part in _PARTS if (name := f"X-Amz-{part}") in query)
    return f"{query.get('X-Amz-Algorithm', '')} {parts}"


def service_of(request: Request) -> str:
    """The service that a request is signed for, or may ask without a signature; else empty."""
    return scope_of(request.environ) or ("sts" if _needs_none(request) else "")


def scope_of(environ: Mapping[str, Any]) -> str:
    """The service that a request is signed for; empty where it is not."""
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    return scope["service"] if scope else ""


def region_of(request: Request) -> str:
    """The region that a request is signed for; empty where it names none."""
    scope = _SCOPE.search(request.headers.get("Authorization", ""))
    return (scope["region"] or "") if scope else ""


def is_of_function(request: Request) -> bool:
    """Whether a function signed the request."""
    return bool(request.headers.get("X-Amz-Security-Token") == OF_FUNCTIONS)


def refusal(request: Request) -> Refusal | None:
    """Why a request does not count as signed; None if it does, or needs no signature."""
    given = request.headers.get("Authorization", "")
    if not given:
        return None if _needs_none(request) else _NONE
    missing = [part for part in _PARTS if f"{part}=" not in given]
    if missing:
        return _incomplete(" ".join(f"Authorization header requires '{part}' parameter." for part in missing))
    if not given.startswith(_ALGORITHMS):
        return _incomplete("Authorization header requires an algorithm of AWS Signature Version 4.")
    if not _SCOPE.search(given):
        return _incomplete("Credential must be scoped to a date, a region and a service.")
    return None


def form_of(request: Request) -> dict[str, str]:
    """The parameters of a request of the query protocol, in its body or its URL."""
    body = request.environ["harness.body"][:_LOOKED_AT].decode(errors="replace")
    return dict(parse_qsl(f"{request.query_string.decode(errors='replace')}&{body}"))


def _needs_none(request: Request) -> bool:
    asked = form_of(request).get("Action") in _NEED_NO_CREDENTIALS
    return asked and request.path == "/" and "X-Amz-Target" not in request.headers


def _incomplete(reason: str) -> Refusal:
    return Refusal("IncompleteSignature", reason)
