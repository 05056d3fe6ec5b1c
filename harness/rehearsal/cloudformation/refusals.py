"""CloudFormation's words for what it does not do."""

from uuid import uuid4

from harness.rehearsal.refusal import Refusal


def invalid(message: str) -> Refusal:
    """The answer to a request that cannot be carried out."""
    return Refusal("ValidationError", message)


class ResourceFailed(Exception):
    """A resource could not be made, changed or deleted; the message is the reason in its event."""


class Cancelled(Exception):
    """Another resource failed: what is under way is given up."""


_CODES = {"AlreadyExists": "AlreadyExists", "Conflict": "AlreadyExists", "NotFound": "NotFound"}


def by_service(refusal: Refusal, service: str) -> ResourceFailed:
    """What a service refused, as the handlers of resource types tell it."""
    code = next((word for part, word in _CODES.items() if part in refusal.code), "InvalidRequest")
    text = f"{refusal.message} (Service: {service}, Status Code: 400, Request ID: {uuid4()})"
    return by_handler(text, code)


def by_handler(text: str, code: str) -> ResourceFailed:
    """What a handler of a resource type says itself."""
    message = f'Resource handler returned message: "{text}" (RequestToken: {uuid4()}, HandlerErrorCode: {code})'
    return ResourceFailed(message)
