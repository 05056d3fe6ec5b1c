"""What was seen many times, as few requests: each with its weight, and a feed of the values in which they differ.

Parts of a path that name one thing, such as a number or a UUID, become columns of the feed, and so do the values of
parameters. Only values that were answered well are taken.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from msgspec import Struct

from harness.core.experiment.placeholders import is_column_name
from harness.core.experiment.requests import METHODS, Scalar
from harness.core.experiment.secrets import SECRET_SHAPE
from harness.sources.credentials import from_environment, without_credentials
from harness.sources.drafts import Draft, LeftOut, NoRequest, plain

MOST_REQUESTS = 50
"""Requests that are kept, the most frequent first; with more, nobody reads the experiment."""
MOST_VALUES = 20
"""Rows of the feed."""
MOST_BRANCHES = 20
"""More different words than this, at one place of otherwise equal paths, are names of things and no routes."""
_FAILED = 400
_METHODS = {method.upper(): method for method in METHODS}
_THING = re.compile(
    r"\d+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{16,}|(?=[^/]*\d)[\w-]{20,}|\S+@\S+\.\S+",
    re.IGNORECASE | re.ASCII,
)
_PERSON = re.compile(r"\S+@\S+\.\S+")
_ROUTE_PARAMETER = re.compile(r"\{([^{}]*)\}")
_HOLE = "\0"
"""Stands in a pattern for a part that differs; no path has it."""


class SeenRequest(Struct, frozen=True, kw_only=True):
    """A request that was seen; `target` is its path and query as on the wire, `status` None where nobody noted it."""

    method: str
    target: str
    status: int | None = None
    headers: Mapping[str, Scalar] = {}
    json: Any = None
    form: Mapping[str, Scalar] = {}
    body: str | None = None

    @property
    def was_good(self) -> bool:
        """Whether it was answered well, as far as anybody knows."""
        return self.status is None or self.status < _FAILED


class Mix(Struct, frozen=True):
    """Requests with their weights, the values for their columns, and what is in no request."""

    drafts: tuple[Draft, ...]
    feed: tuple[dict[str, Scalar], ...]
    left_out: tuple[LeftOut, ...]
    kept: int


class _Kind:
    """All requests that are one request of the experiment."""

    def __init__(self, method: str, pattern: Sequence[str], names: Sequence[str]) -> None:
        self.method = method
        self.pattern = pattern
        self.count = 0
        self.statuses = Counter[int | None]()
        self.parts: list[Counter[str]] = [Counter() for _ in pattern]
        self.query: dict[str, Counter[str]] = {name: Counter() for name in names}
        self.example: SeenRequest | None = None
        self.bodies = 0

    def add(self, seen: SeenRequest, parts: Sequence[str], query: Mapping[str, str], count: int) -> None:
        self.count += count
        self.statuses[seen.status] += count
        if not seen.was_good:
            return
        self.example = self.example or seen
        self.bodies += seen.body is not None or seen.json is not None or bool(seen.form)
        for counter, part in zip(self.parts, parts, strict=True):
            counter[part] += count
        for name, value in query.items():
            self.query[name][value] += count

    @property
    def label(self) -> str:
        """Its method and path, as documents write them."""
        words = ["{}" if part == _HOLE else part for part in self.pattern]
        names = f"?{'&'.join(self.query)}" if self.query else ""
        return f"{self.method} {'/'.join(words)}{names}"


def mixed(seen: Mapping[SeenRequest, int] | Iterable[tuple[SeenRequest, int]]) -> Mix:
    """The mix of requests that were seen, each so many times."""
    pairs = [*(seen.items() if isinstance(seen, Mapping) else seen)]
    kinds, left_out = _kinds(pairs)
    failed = [kind for kind in kinds if kind.example is None or _failures(kind) * 2 > kind.count]
    fine = sorted((kind for kind in kinds if kind not in failed), key=lambda kind: -kind.count)
    left_out += [LeftOut(f"{kind.label} ({_times(kind.count)})", _why_failed(kind)) for kind in failed]
    left_out += [_too_rare(kind) for kind in fine[MOST_REQUESTS:]]
    columns = _Columns()
    drafts, kept = [], 0
    for kind in fine[:MOST_REQUESTS]:
        try:
            drafts.append(_draft(kind, columns))
            kept += kind.count
        except NoRequest as error:
            left_out.append(LeftOut(f"{kind.label} ({_times(kind.count)})", str(error)))
    return Mix(tuple(drafts), columns.rows(), tuple(left_out), kept)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _failures(kind: _Kind) -> int:
    return sum(count for status, count in kind.statuses.items() if status is not None and status >= _FAILED)


def _why_failed(kind: _Kind) -> str:
    status = max(kind.statuses, key=lambda one: (kind.statuses[one], one or 0))
    return f"most of its answers were failures, mainly {status}"


def _too_rare(kind: _Kind) -> LeftOut:
    return LeftOut(
        f"{kind.label} ({_times(kind.count)})", f"it is rarer than the {MOST_REQUESTS} requests that are kept"
    )


# Which requests are one


def _kinds(pairs: Sequence[tuple[SeenRequest, int]]) -> tuple[list[_Kind], list[LeftOut]]:
    odd, split = Counter[str](), []
    for seen, count in pairs:
        if seen.method.upper() in _METHODS and seen.target.startswith("/"):
            path, _, query = seen.target.partition("#")[0].partition("?")
            split.append((seen, count, path.split("/"), dict(parse_qsl(query, keep_blank_values=True))))
        else:
            odd[f"{seen.method} {seen.target}"[:80]] += count
    patterns = _patterns([parts for _, _, parts, _ in split])
    kinds: dict[Any, _Kind] = {}
    for (seen, count, parts, values), pattern in zip(split, patterns, strict=True):
        key = (seen.method.upper(), tuple(pattern), tuple(sorted(values)))
        kind = kinds.setdefault(key, _Kind(key[0], pattern, key[2]))
        kind.add(seen, parts, values, count)
    left_out = [
        LeftOut(f"{label} ({_times(count)})", "it is no request that can be sent") for label, count in odd.items()
    ]
    return [*kinds.values()], left_out


def _patterns(paths: Sequence[list[str]]) -> list[list[str]]:
    """Each path with holes where it names one thing: by the look of a part, or because so many differ there."""
    patterns = [[_HOLE if _is_thing(part) else part for part in parts] for parts in paths]
    for place in range(2, max(map(len, paths), default=0)):
        branches: dict[tuple[Any, ...], set[str]] = defaultdict(set)
        for pattern in patterns:
            if len(pattern) > place:
                branches[tuple(pattern[:place])].add(pattern[place])
        for pattern in patterns:
            if len(pattern) > place and len(branches[tuple(pattern[:place])]) > MOST_BRANCHES:
                pattern[place] = _HOLE
    return patterns


def _is_thing(part: str) -> bool:
    return bool(_THING.fullmatch(unquote(part)) or _ROUTE_PARAMETER.fullmatch(part))


# One of them


class _Columns:
    """The columns of the feed, each with its values, the most frequent first."""

    def __init__(self) -> None:
        self._values: dict[str, list[str]] = {}

    def add(self, name: str, values: list[str]) -> str:
        """The placeholder for a new column, called so or alike; one with the same values is used again."""
        words = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "value"
        words = words if is_column_name(words) else f"_{words}"
        column, number = words, 1
        while self._values.get(column, values) != values:
            number += 1
            column = f"{words}_{number}"
        self._values[column] = values
        return f"{{{{{column}}}}}"

    def rows(self) -> tuple[dict[str, Scalar], ...]:
        """As many rows as the longest column has values; shorter ones begin again."""
        count = max(map(len, self._values.values()), default=0)
        return tuple({name: values[row % len(values)] for name, values in self._values.items()} for row in range(count))


def _draft(kind: _Kind, columns: _Columns) -> Draft:
    example, notes = kind.example, list[str]()
    if example is None:
        raise NoRequest("it was never answered well")
    path, label = _path(kind, columns, notes)
    query = {name: _query_value(name, values, columns) for name, values in kind.query.items()}
    if kind.bodies > 1:
        notes.append(f"its body is the first of {kind.bodies} that were seen")
    return Draft(
        label=label,
        method=_METHODS[kind.method],
        path=path,
        headers=dict(example.headers),
        query=query,
        json=example.json,
        form=dict(example.form),
        body=example.body,
        weight=kind.count,
        notes=tuple(notes),
    )


def _path(kind: _Kind, columns: _Columns, notes: list[str]) -> tuple[str, str]:
    """The path with its columns, and how a document would write it."""
    sent, told = list[str](), list[str]()
    for place, part in enumerate(kind.pattern):
        if part != _HOLE:
            if SECRET_SHAPE.search(part):
                raise NoRequest("its path holds what looks like a credential")
            sent.append(plain(part))
            told.append(part)
            continue
        name = _name_of(kind.pattern, place, kind.parts[place])
        told.append(f"{{{name}}}")
        sent.append(_path_values(name, kind.parts[place], columns, notes))
    return "/".join(sent), f"{kind.method} {'/'.join(told)}"


def _name_of(pattern: Sequence[str], place: int, values: Counter[str]) -> str:
    """What the thing is called: as the route says it, or after the part before it."""
    route = next((match[1] for value in values if (match := _ROUTE_PARAMETER.fullmatch(value))), None)
    if route:
        return re.sub(r"\W+", "_", route, flags=re.ASCII).strip("_") or "id"
    before = re.sub(r"\W+", "_", pattern[place - 1], flags=re.ASCII).strip("_").lower()
    return f"{before.removesuffix('s')}_id" if before else "id"


def _path_values(name: str, parts: Counter[str], columns: _Columns, notes: list[str]) -> str:
    values = [unquote(value) for value in parts if not _ROUTE_PARAMETER.fullmatch(value)]
    if any(map(_PERSON.fullmatch, values)):
        notes.append(f"{name} (addresses of people stay in the log)")
        return "someone%40example.com"
    if not values:
        notes.append(f"{name} (only its route was seen)")
        return "1"
    frequent = [unquote(value) for value, _ in parts.most_common(MOST_VALUES) if unquote(value) in values]
    if any(map(SECRET_SHAPE.search, frequent)):
        return from_environment(name)
    if len(frequent) == 1:
        return quote(plain(frequent[0]), safe="")
    return columns.add(name, [plain(value) for value in frequent])


def _query_value(name: str, values: Counter[str], columns: _Columns) -> Scalar:
    frequent = [without_credentials(name, value) for value, _ in values.most_common(MOST_VALUES)]
    if any(map(_PERSON.fullmatch, frequent)):
        return "someone@example.com"
    if secret := next((value for value in frequent if "{{" in value), None):
        return secret
    if len({*frequent}) == 1:
        return frequent[0]
    return columns.add(name, frequent)
