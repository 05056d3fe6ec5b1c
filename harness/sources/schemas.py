"""A value for a schema: its example, its default, one of its choices, or one that is made up within its constraints."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from harness.sources.drafts import NoRequest, plain
from harness.sources.references import followed, reference_of

MISSING = object()
_DEEPEST = 12
"""Levels of a value below which nothing that may be left out is made up."""
_HIGHEST = 1_000
_LONGEST = 10_000
_WORDS = (
    "1",
    "a",
    "A",
    "abc",
    "ABC",
    "a1",
    "A1",
    "abc-123",
    "1.0.0",
    "10",
    "2026-01-31",
    "12:00",
    "+15550100",
    "/a",
    "#000000",
)
"""Made-up texts; the first that fits a pattern is taken."""
_BY_FORMAT: Mapping[str, str] = {
    "uuid": "{{uuid}}",
    "date-time": "{{now}}",
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com",
    "url": "https://example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "Y2FuYXJ5",
    "duration": "PT1M",
}


class ExampleValues:
    """Makes values for the schemas of one document, and remembers which were made up since `begin`."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.made_up: list[str] = []

    def begin(self) -> None:
        """Forgets which values were made up."""
        self.made_up = []

    def of(self, schema: Any, name: str) -> Any:
        """A value for a schema, by the name that it stands under; raises NoRequest where none can be made."""
        return self._value(schema, name, ())

    def given(self, node: Mapping[str, Any]) -> Any:
        """The example of a parameter, a body or a schema, as it is given; MISSING where there is none."""
        for key in ("example", "x-example"):
            if key in node:
                return _as_json(node[key])
        for examples in (node.get("examples"), node.get("x-examples")):
            if (found := self._first(examples)) is not MISSING:
                return found
        return MISSING

    def _first(self, examples: Any) -> Any:
        """The first of `examples`: values in a schema, objects with a value elsewhere."""
        if isinstance(examples, list) and examples:
            return _as_json(examples[0])
        if not isinstance(examples, Mapping) or not examples:
            return MISSING
        one = followed(self._document, next(iter(examples.values())))
        if isinstance(one, Mapping):
            return _as_json(one["value"]) if "value" in one else MISSING
        return _as_json(one)

    def _value(self, node: Any, name: str, above: tuple[str, ...]) -> Any:
        reference = reference_of(node)
        if reference in above:
            raise _Endless(f"{name} holds itself without end ({reference}); give it an example")
        above = (*above, reference) if reference else (*above, "")
        schema = followed(self._document, node)
        if not isinstance(schema, Mapping):
            schema = {}
        stated = self._stated(schema)
        if stated is not MISSING:
            return stated
        if isinstance(schema.get("allOf"), list) and schema["allOf"]:
            return self._all_of(schema, schema["allOf"], name, above)
        for key in ("oneOf", "anyOf"):
            if isinstance(schema.get(key), list) and schema[key]:
                return self._first_that_can_be(schema[key], name, above)
        return self._made(schema, name, above)

    def _stated(self, schema: Mapping[str, Any]) -> Any:
        value = self.given(schema)
        if value is MISSING and "const" in schema:
            value = _as_json(schema["const"])
        if value is MISSING and "default" in schema and schema["default"] is not None:
            value = _as_json(schema["default"])
        choices = schema.get("enum")
        if value is MISSING and isinstance(choices, list) and choices:
            value = _as_json(next((choice for choice in choices if choice is not None), choices[0]))
        return value

    def _first_that_can_be(self, choices: Iterable[Any], name: str, above: tuple[str, ...]) -> Any:
        endless: _Endless | None = None
        for choice in choices:
            try:
                return self._value(choice, name, above)
            except _Endless as error:
                endless = error
        raise endless or NoRequest(f"{name} has no value")

    def _all_of(self, schema: Mapping[str, Any], parts: Any, name: str, above: tuple[str, ...]) -> Any:
        rest = {key: value for key, value in schema.items() if key != "allOf"}
        values = [self._value(part, name, above) for part in [*parts, *([rest] if "properties" in rest else [])]]
        maps = [value for value in values if isinstance(value, dict)]
        return {key: value for one in maps for key, value in one.items()} if maps else values[0]

    def _made(self, schema: Mapping[str, Any], name: str, above: tuple[str, ...]) -> Any:
        kind = _kind_of(schema)
        if kind == "object":
            return self._object(schema, above)
        if kind == "array":
            return self._array(schema, name, above)
        if kind == "null":
            return None
        if kind == "boolean":
            return self._note(True, name)
        if kind in ("integer", "number"):
            return self._note(_number(schema, whole=kind == "integer"), name)
        return self._note(_text(schema, name), name)

    def _note(self, value: Any, name: str) -> Any:
        self.made_up.append(name)
        return value

    def _array(self, schema: Mapping[str, Any], name: str, above: tuple[str, ...]) -> list[Any]:
        try:
            item = self._value(schema.get("items", {}), name, above)
        except _Endless:
            if not schema.get("minItems"):
                return []
            raise
        count = schema.get("minItems")
        return [item] * min(max(count if isinstance(count, int) else 1, 1), 100)

    def _object(self, schema: Mapping[str, Any], above: tuple[str, ...]) -> dict[str, Any]:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        named = schema.get("required")
        required = {*map(str, named)} if isinstance(named, list) else set()
        chosen = {*required, *self._with_examples(properties)} & {*properties} or {*properties}
        made: dict[str, Any] = {}
        for name, inner in properties.items():
            if name not in chosen or self._is_answered_only(inner):
                continue
            if name in required:
                made[plain(name)] = self._value(inner, name, above)
            else:
                made.update(self._optional(inner, name, above))
        return made

    def _optional(self, schema: Any, name: str, above: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        """The name and value of a property that may be left out: it is, where it has no end."""
        if len(above) < _DEEPEST:
            before = len(self.made_up)
            try:
                yield plain(name), self._value(schema, name, above)
            except NoRequest:
                del self.made_up[before:]

    def _with_examples(self, properties: Mapping[str, Any]) -> Iterator[str]:
        for name, inner in properties.items():
            if isinstance(inner, Mapping) and self.given(inner) is not MISSING:
                yield name

    def _is_answered_only(self, node: Any) -> bool:
        schema = followed(self._document, node)
        return isinstance(schema, Mapping) and schema.get("readOnly") is True


class _Endless(NoRequest):
    """A value that would have to hold itself."""


def _kind_of(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _number(schema: Mapping[str, Any], *, whole: bool) -> float | str:
    """A number within bounds; a whole one is drawn anew for each request where there is a range."""
    low, high = _bound(schema, "inimum", 1), _bound(schema, "aximum", -1)
    step = schema.get("multipleOf")
    if isinstance(step, int | float) and not isinstance(step, bool) and step > 0:
        number = math.ceil((low if low is not None else step) / step) * step
        return int(number) if whole else number
    if not whole:
        return (
            1.0
            if (low is None or low <= 1) and (high is None or high >= 1)
            else float(low if low is not None else high or 0)
        )
    first = math.ceil(low) if low is not None else min(1, math.floor(high)) if high is not None else 1
    last = min(math.floor(high), first + _HIGHEST) if high is not None else first + _HIGHEST - 1
    return f"{{{{random.int({first},{last})}}}}" if high is not None and first < last < 10**17 else first


def _bound(schema: Mapping[str, Any], ending: str, step: int) -> float | None:
    """A bound, either kind of exclusive ones included."""
    exclusive = schema.get(f"exclusiveM{ending}")
    if isinstance(exclusive, int | float) and not isinstance(exclusive, bool):
        return exclusive + step
    bound = schema.get(f"m{ending}")
    if not isinstance(bound, int | float) or isinstance(bound, bool) or not math.isfinite(bound):
        return None
    return bound + step if exclusive is True else bound


def _text(schema: Mapping[str, Any], name: str) -> str:
    if known := _BY_FORMAT.get(str(schema.get("format"))):
        return known
    fits = _pattern_of(schema)
    sized = (_sized(word, schema) for word in _WORDS)
    text = next((word for word in sized if not fits or fits.search(word)), None)
    if text is None:
        raise NoRequest(f"{name} has to fit {schema['pattern']}, and is given no example; give it one")
    return text


def _sized(word: str, schema: Mapping[str, Any]) -> str:
    """A word, as long as the schema allows."""
    shortest, longest = schema.get("minLength"), schema.get("maxLength")
    if isinstance(shortest, int) and 0 < len(word) < shortest:
        word = (word * min(shortest, _LONGEST))[: max(shortest, len(word))]
    return word[:longest] if isinstance(longest, int) and longest > 0 else word


def _pattern_of(schema: Mapping[str, Any]) -> re.Pattern[str] | None:
    """The pattern; None without one, or where it is not one of Python's, and so cannot be held to."""
    try:
        return re.compile(schema["pattern"])
    except (re.error, KeyError, TypeError):
        return None


def _as_json(value: Any) -> Any:
    """A value of a document as JSON has it: YAML reads dates, which are texts there."""
    if isinstance(value, dict):
        return {plain(str(name)): _as_json(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_as_json(inner) for inner in value]
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        raise NoRequest("its example is binary, which an experiment cannot hold")
    return plain(value) if isinstance(value, str) else value
