"""The bodies of requests to the control plane: read whole, unzipped, and never larger than AWS takes them."""

import gzip
import io
import logging
import zlib
from collections.abc import Mapping
from typing import Any

from harness.rehearsal import signature
from harness.rehearsal.refusal import Refusal

MOST_BYTES: Mapping[str, int] = {"lambda": 70_167_211, "ecr": 64 * 1024 * 1024, "s3": 512 * 1024 * 1024}
"""By the service that a request is signed for: those that take files. Lambda's is AWS's own word for CreateFunction; S3
takes 5 GB, which this machine's memory need not."""
MOST_BYTES_ELSE = 10 * 1024 * 1024
"""Of any other service: an assumption, above each documented limit (PutMetricData takes 1 MB, API Gateway 10 MB)."""
TOO_LARGE = "RequestEntityTooLargeException"
_DIGITS = 12
"""Of a length: longer ones are beyond every limit, and would take long to read."""

log = logging.getLogger(__name__)


def read(environ: dict[str, Any]) -> tuple[dict[str, Any], Refusal | None]:
    """The request with its body read, and unzipped: boto3 zips the long bodies of operations that allow it.

    With it comes why the body is not taken, whereupon the request has none.
    """
    most = MOST_BYTES.get(signature.scope_of(environ), MOST_BYTES_ELSE)
    length = environ.get("CONTENT_LENGTH", "")
    if not length.isdecimal():
        return _with_body(environ, b""), None
    if len(length) > _DIGITS or int(length) > most:
        return _with_body(environ, b""), _too_large(most)
    body = environ["wsgi.input"].read(int(length))
    if environ.get("HTTP_CONTENT_ENCODING") == "gzip":
        body = _unzipped(body, most)
    return (_with_body(environ, b""), _too_large(most)) if len(body) > most else (_with_body(environ, body), None)


def rewound(environ: dict[str, Any]) -> dict[str, Any]:
    """The request with its body unread again."""
    kept = {name: value for name, value in environ.items() if not name.startswith("werkzeug.request")}
    return {**kept, "wsgi.input": io.BytesIO(environ["harness.body"])}


def _with_body(environ: dict[str, Any], body: bytes) -> dict[str, Any]:
    kept = {**environ}
    if kept.get("HTTP_CONTENT_ENCODING") == "gzip":
        del kept["HTTP_CONTENT_ENCODING"]
    return rewound({**kept, "harness.body": body, "CONTENT_LENGTH": str(len(body))})


def _unzipped(body: bytes, most: int) -> bytes:
    """The bytes of all members, up to one more than are taken; those of a body that is not zipped as they are."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as members:
            return members.read(most + 1)
    except (OSError, EOFError, zlib.error):
        log.debug("a body that says it is zipped is not")
        return body


def _too_large(most: int) -> Refusal:
    return Refusal(TOO_LARGE, f"Request must be smaller than {most} bytes")
