"""The bodies of requests to the control plane: read whole, unzipped, and never larger than AWS takes them."""

import gzip
import io
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
TIMED_OUT = "RequestTimeoutException"
_DIGITS = 12
"""Of a length: longer ones are beyond every limit, and would take long to read."""


def read(environ: dict[str, Any]) -> tuple[dict[str, Any], Refusal | None]:
    """The request with its body read, and unzipped: boto3 zips the long bodies of operations that allow it.

    With it comes why the body is not taken, whereupon the request has none.
    """
    most = MOST_BYTES.get(signature.scope_of(environ), MOST_BYTES_ELSE)
    try:
        body = _decoded(environ, _sent(environ, most), most)
    except Refusal as refusal:
        return _with_body(environ, b""), refusal
    return _with_body(environ, body), None


def rewound(environ: dict[str, Any]) -> dict[str, Any]:
    """The request with its body unread again."""
    kept = {name: value for name, value in environ.items() if not name.startswith("werkzeug.request")}
    return {**kept, "wsgi.input": io.BytesIO(environ["harness.body"])}


def _with_body(environ: dict[str, Any], body: bytes) -> dict[str, Any]:
    gone = {"HTTP_TRANSFER_ENCODING", "wsgi.input_terminated"}
    gone |= {"HTTP_CONTENT_ENCODING"} if _encoding(environ) == "gzip" else set()
    kept = {name: value for name, value in environ.items() if name not in gone}
    return rewound({**kept, "harness.body": body, "CONTENT_LENGTH": str(len(body))})


def _sent(environ: dict[str, Any], most: int) -> bytes:
    """The bytes of the body as they came; raises Refusal."""
    try:
        if environ.get("HTTP_TRANSFER_ENCODING"):
            return _in_chunks(environ, most)
        return _of_length(environ["wsgi.input"], environ.get("CONTENT_LENGTH") or "0", most)
    except TimeoutError as error:
        raise Refusal(TIMED_OUT, "The body of the request did not come in time.") from error


def _of_length(stream: Any, length: str, most: int) -> bytes:
    if not length.isdecimal():
        raise _unreadable(f"Content-Length {length[:_DIGITS]} is no number of bytes.")
    if len(length) > _DIGITS or int(length) > most:
        raise _too_large(most)
    body: bytes = stream.read(int(length))
    if len(body) < int(length):
        raise _unreadable("The body of the request is shorter than its Content-Length.")
    return body


def _in_chunks(environ: dict[str, Any], most: int) -> bytes:
    if not environ.get("wsgi.input_terminated"):
        raise _unreadable("The only Transfer-Encoding that is read here is chunked.")
    try:
        body = io.BufferedReader(environ["wsgi.input"]).read(most + 1)
    except TimeoutError:
        raise
    except (OSError, ValueError) as error:
        raise _unreadable("The chunks of the body cannot be read.") from error
    if len(body) > most:
        raise _too_large(most)
    return body


def _encoding(environ: Mapping[str, Any]) -> str:
    """In what the body is packed; empty for S3, where the header tells of the object."""
    return "" if signature.scope_of(environ) == "s3" else environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()


def _decoded(environ: Mapping[str, Any], body: bytes, most: int) -> bytes:
    encoding = _encoding(environ)
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise _unreadable(f"Content-Encoding {encoding} is not read here; send gzip, or none.")
    body = _unzipped(body, most)
    if len(body) > most:
        raise _too_large(most)
    return body


def _unzipped(body: bytes, most: int) -> bytes:
    """The bytes of all members, up to one more than are taken."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as members:
            return members.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable("The body is not the gzip that its Content-Encoding says.") from error


def _unreadable(message: str) -> Refusal:
    return Refusal("SerializationException", message)


def _too_large(most: int) -> Refusal:
    return Refusal(TOO_LARGE, f"Request must be smaller than {most} bytes")
