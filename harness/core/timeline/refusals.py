"""AWS's words for refusing a caller: what may not be done, and who is no longer known."""

DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"})
BAD_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
    }
)
WRONG_CLOCK = frozenset({"RequestExpired", "RequestTimeTooSkewed"})
"""Signatures are good for five minutes around AWS's time."""
