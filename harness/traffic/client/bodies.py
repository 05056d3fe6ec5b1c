"""The codings of Content-Encoding undone: gzip and deflate, within bounds."""

import gzip
import io
import zlib

from harness.traffic.client.failures import NoAnswer

DECODED_KEPT = 16 * 1024 * 1024
"""Bytes up to which a compressed body is decoded."""
CODINGS = 5
"""Codings of one body that are undone; curl and urllib3 have the same bound."""


def decoded(raw: bytes, content_encoding: str) -> bytes:
    """A body with all its codings undone, the last first.

    Raises NoAnswer if it is not what they say, if one is neither gzip nor deflate, or if there are too many.
    """
    named = [coding.strip().lower() for coding in content_encoding.split(",")]
    codings = [coding for coding in named if coding not in ("", "identity")] if raw else []
    if len(codings) > CODINGS:
        raise NoAnswer(f"the body is encoded {len(codings)} times, which is more than {CODINGS}")
    for coding in reversed(codings):
        raw = _undone(raw, coding)
    return raw


def _undone(raw: bytes, coding: str) -> bytes:
    if coding not in _DECODERS:
        raise NoAnswer(f"the body is encoded as {coding!r}; only gzip and deflate can be decoded")
    try:
        plain = _DECODERS[coding](raw)
    except (OSError, EOFError, zlib.error) as error:
        raise NoAnswer(f"the body is not valid {coding}: {error}") from error
    if len(plain) > DECODED_KEPT:
        raise NoAnswer(f"the body is longer than {DECODED_KEPT} bytes when decoded")
    return plain


def _gunzipped(raw: bytes) -> bytes:
    """The bytes of all members, up to one more than are kept."""
    with gzip.GzipFile(fileobj=io.BytesIO(raw)) as members:
        return members.read(DECODED_KEPT + 1)


def _inflated(raw: bytes) -> bytes:
    """The bytes of a deflate stream, up to one more than are kept; servers send it with zlib's frame and without."""
    try:
        return _inflated_by(raw, zlib.MAX_WBITS)
    except zlib.error:
        return _inflated_by(raw, -zlib.MAX_WBITS)


def _inflated_by(raw: bytes, window_bits: int) -> bytes:
    decoder = zlib.decompressobj(window_bits)
    plain = decoder.decompress(raw, DECODED_KEPT + 1)
    if not decoder.eof and len(plain) <= DECODED_KEPT:
        raise EOFError("it is cut off")
    return plain


_DECODERS = {"gzip": _gunzipped, "x-gzip": _gunzipped, "deflate": _inflated}
