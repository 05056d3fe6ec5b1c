"""What a source says of an API: drafts of requests, what could not become one, and what is not known."""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from harness.core.experiment.composing import CannotBe, message_of
from harness.core.experiment.requests import ALL, HARMLESS, Method, Request, Scalar
from harness.core.experiment.shape import mismatches, shape_of

_LONGEST_KEY = 60


class Draft(Struct, frozen=True, kw_only=True):
    """A request as a source tells of it. `label` is its name there, `notes` are what is made up in it."""

    label: str
    method: Method
    path: str
    key: str = ""
    headers: dict[str, Scalar] = {}
    query: dict[str, Scalar] = {}
    json: Any = None
    form: dict[str, Scalar] = {}
    body: str | None = None
    weight: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def changes_things(self) -> bool:
        """Whether its method may change something in the service."""
        return self.method not in HARMLESS

    def request(self) -> dict[str, Any]:
        """The request as an experiment has it, without its weight."""
        maps = {name: getattr(self, name) for name in ("headers", "query", "form") if getattr(self, name)}
        bodies = {name: getattr(self, name) for name in ("json", "body") if getattr(self, name) is not None}
        return {self.method: self.path, **maps, **bodies}


class LeftOut(Struct, frozen=True):
    """Something that a source tells of and that is no request of the experiment, and why."""

    label: str
    why: str


class Described(Struct, frozen=True, kw_only=True):
    """All that a source says of an API.

    `host` is where the API is, with its base path. `arrival_rate` is in requests per second; None where the source
    does not tell it. `unknown` are sentences about what a person has to fill in.
    """

    title: str
    host: str | None = None
    drafts: tuple[Draft, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    unknown: tuple[str, ...] = ()
    arrival_rate: float | None = None
    feed: tuple[dict[str, Scalar], ...] = ()


class NoRequest(ValueError):
    """Something cannot become a request; the text says why, as what follows "left out:"."""


def plain(text: str) -> str:
    """A text of a source that is to be sent as it is; raises NoRequest if it would be read as a placeholder."""
    if "{{" in text:
        raise NoRequest("it holds {{, which begins a placeholder in an experiment")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NoRequest("it holds half a character, which cannot be sent") from None
    return text


def plain_tree(value: Any) -> Any:
    """A JSON value of a source that is to be sent as it is; raises NoRequest as `plain` does."""
    if isinstance(value, dict):
        return {plain(str(name)): plain_tree(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_tree(inner) for inner in value]
    return plain(value) if isinstance(value, str) else value


def on_one_line(text: str) -> str:
    """A text of a source as people may see it: on one line, and nothing that a terminal obeys."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def url_parts(text: str) -> SplitResult:
    """The parts of a URL; all empty where it is none."""
    try:
        return urlsplit(text)
    except ValueError:
        return urlsplit("")


def sendable(described: Described) -> Described:
    """The same with a key for each draft; those that no experiment could send are left out, each with the reason."""
    drafts, left_out, keys = [], list(described.left_out), set[str]()
    for draft in described.drafts:
        if why := _why_not(draft):
            left_out.append(LeftOut(draft.label, why))
        else:
            drafts.append(replace(draft, key=_key(draft, keys)))
    told = (LeftOut(on_one_line(one.label), on_one_line(one.why)) for one in left_out)
    return replace(described, drafts=tuple(drafts), left_out=tuple(told))


def _why_not(draft: Draft) -> str | None:
    for problem in mismatches(draft.request(), shape_of(Request), "it"):
        return str(problem)
    try:
        message_of(msgspec.convert(draft.request(), Request))
    except CannotBe as problem:
        return f"{problem.part} {problem}"
    except (msgspec.ValidationError, UnicodeEncodeError) as problem:
        return f"it cannot be sent: {problem}"
    return None


def _key(draft: Draft, taken: set[str]) -> str:
    """A key that no request has yet, of letters, digits, - and _."""
    words = re.sub(r"[^A-Za-z0-9_]+", "-", draft.key or draft.label.lower()).strip("-")[:_LONGEST_KEY] or "request"
    key, number = words, 1
    while key in taken or key == ALL:
        number += 1
        key = f"{words}-{number}"
    taken.add(key)
    return key


def listed(words: Iterable[str], most: int = 5) -> str:
    """Words one after the other, the first few of many."""
    told = [*words]
    more = f" and {len(told) - most} more" if len(told) > most else ""
    return f"{', '.join(told[:most])}{more}"


def made_up(drafts: Iterable[Draft]) -> Iterator[str]:
    """A sentence about all values that are made up; nothing where there are none."""
    names = [draft.label for draft in drafts if draft.notes]
    if names:
        yield f"some values are made up, each marked in the file: {listed(names)}"
