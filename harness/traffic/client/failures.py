"""Why a request got no answer, in few and always the same words, so that equal failures count as one."""

import socket
import ssl


class NoAnswer(Exception):
    """A request got no whole and well-formed answer; the message is the reason."""


class ClosedEarly(NoAnswer):
    """The connection ended before the first byte of an answer."""


def reason_of(error: OSError) -> str:
    """What went wrong with a connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS certificate refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or 'unknown').replace('_', ' ').lower()}"
    if isinstance(error, socket.gaierror):
        return "the name of the host does not resolve"
    if isinstance(error, TimeoutError):
        return "timed out"
    return (error.strerror or type(error).__name__).lower()
