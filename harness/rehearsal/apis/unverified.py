"""What an API asks of its callers and this local cloud cannot, or does not, check: said, as AWS would refuse some."""

import logging
from collections.abc import Iterable, Mapping
from functools import cache

log = logging.getLogger(__name__)

_ASKED: Mapping[str, tuple[str, str]] = {
    "JWT": ("a JWT", "whoever sends any token is let in, and the function gets no claims"),
    "COGNITO_USER_POOLS": ("a token of Cognito", "whoever sends any token is let in, and the function gets no claims"),
    "AWS_IAM": ("a signature of IAM", "everybody is let in"),
    "API_KEY": ("an API key", "everybody is let in"),
}
"""By what asks: what it asks for, and what happens here instead."""


def tell_unverified(asked: Iterable[tuple[str, str]]) -> None:
    """Says once of the routes of a stage what their callers need on AWS, of pairs of a route and what asks."""
    by_kind: dict[str, list[str]] = {}
    for route, kind in asked:
        if kind in _ASKED:
            by_kind.setdefault(kind, []).append(route)
    for kind, routes in by_kind.items():
        _tell(kind, ", ".join(routes))


@cache
def _tell(kind: str, routes: str) -> None:
    what, instead = _ASKED[kind]
    log.warning("On AWS a request to %s needs %s, which this local cloud does not verify: %s.", routes, what, instead)
