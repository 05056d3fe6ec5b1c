"""The requests of a function that a template releases, by the routes that the template gives to it."""

import re
from collections.abc import Iterable, Iterator
from typing import cast, get_args

from harness.core.experiment.requests import Method
from harness.sources.drafts import Described, Draft, LeftOut, made_up, sendable

_PARAMETER = re.compile(r"\{(\w+)\+?\}")
_ANY = ("any", "*", "x-amazon-apigateway-any-method")


def described_by_routes(title: str, routes: Iterable[tuple[str, str]]) -> Described:
    """What methods and paths say of an API: one request each, a GET where any method is answered."""
    drafts, left_out = [], []
    for method, path in routes:
        word = "get" if method in _ANY else method
        if word in get_args(Method):
            drafts.append(_draft(cast(Method, word), path))
        else:
            left_out.append(LeftOut(f"{method.upper()} {path}", "no request of an experiment has this method"))
    found = sendable(Described(title=title, drafts=tuple(drafts), left_out=tuple(left_out)))
    return Described(title=title, drafts=found.drafts, left_out=found.left_out, unknown=tuple(_unknown(found.drafts)))


def _draft(method: Method, path: str) -> Draft:
    full = path if path.startswith("/") else f"/{path}"
    notes = tuple(f"{name} = 1" for name in _PARAMETER.findall(full))
    return Draft(label=f"{method.upper()} {full}", method=method, path=_PARAMETER.sub("1", full), notes=notes)


def _unknown(drafts: tuple[Draft, ...]) -> Iterator[str]:
    yield "how often each request is sent: the template does not say it, so all have the same weight"
    yield "what a request needs besides its path: headers, query and body"
    yield from made_up(drafts)
