"""`Fn::ForEach`: the copies that a loop makes, as the transform AWS::LanguageExtensions makes them.

Source: CloudFormation's template reference, Fn::ForEach. That a loop's parameters are put in wherever they stand in
its body, also in plain texts, is how that page words it; that two copies of one name are refused is an assumption.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from harness.templates.intrinsics import function_of
from harness.templates.names import names_in
from harness.templates.resolver import Resolver
from harness.templates.values import MOST_VALUES, Value

LOOP = "Fn::ForEach::"
_SECTIONS = ("Conditions", "Resources", "Outputs")


class Loop(Struct, frozen=True):
    """A loop as it stands in a template."""

    identifier: str
    collection: Value
    body: Value


def unrolled(template: Value, resolver: Resolver) -> Value:
    """A template with the copies in place of its loops; a loop over what only the deployment knows stays.

    Without the transform, or with SAM's before it, nothing carries them out.

    Raises TemplateError for a loop that is none, and for loops that make too much.
    """
    if not resolver.is_extended:
        return template
    copying = _Copying(resolver)
    sections = {name: copying.of(part) if name in _SECTIONS else part for name, part in template.items()}
    return Value(sections, template.line)


def names_needed(resolver: Resolver, loop: Value) -> tuple[str, ...]:
    """The names on which the collection of a loop hangs, and that are not known."""
    return tuple(
        name for text in _texts(resolver.value(_read(resolver, LOOP, loop).collection)) for name in names_in(text)
    )


class _Copying:
    """Makes the copies of one template, and counts the values that they have."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._left = MOST_VALUES

    def of(self, value: Value) -> Value:
        """A value with the copies in place of the loops in it."""
        self._left -= 1
        if self._left < 0:
            raise self._resolver.wrong(value.line, f"loops make more than {MOST_VALUES:,} values")
        if isinstance(value.content, tuple):
            return Value(tuple(map(self.of, value.content)), value.line)
        return Value(self._map(value), value.line) if isinstance(value.content, dict) else value

    def _map(self, value: Value) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for key, part in value.items():
            for name, copy in self._copies(key, part):
                if name in found:
                    raise self._resolver.wrong(copy.line, f"{name} is made twice by a loop")
                found[name] = copy
        return found

    def _copies(self, key: str, part: Value) -> Iterator[tuple[str, Value]]:
        items = self._items(key, part) if key.startswith(LOOP) else None
        if items is None:
            yield key, self.of(part)
            return
        loop = _read(self._resolver, key, part)
        for item in items:
            for name, copy in _with(loop.identifier, item, loop.body).items():
                yield from self._copies(name, copy)

    def _items(self, key: str, part: Value) -> tuple[str, ...] | None:
        """What a loop goes over; None where only the deployment knows it."""
        collection = _read(self._resolver, key, part).collection
        found = self._resolver.value(collection)
        if any(map(names_in, _texts(found))):
            return None
        if not isinstance(found.content, tuple):
            raise self._resolver.wrong(collection.line, f"{key} goes over a list, not over {found.text() or 'nothing'}")
        return tuple(_texts(found))


def _read(resolver: Resolver, key: str, value: Value) -> Loop:
    parts = value.parts()
    if len(parts) != 3 or not parts[0].text() or not isinstance(parts[2].content, dict):
        raise resolver.wrong(value.line, f"{key} takes an identifier, a list to go over, and what it makes")
    return Loop(parts[0].text(), parts[1], parts[2])


def _with(identifier: str, item: str, value: Value) -> Value:
    """A value with an item wherever the identifier stands; with `&` before it, only the item's letters and digits."""

    def put_in(text: str) -> str:
        plain = re.sub("[^0-9A-Za-z]", "", item)
        return text.replace(f"${{{identifier}}}", item).replace(f"&{{{identifier}}}", plain)

    called = function_of(value)
    if called and called[0] == "Ref" and called[1].text() == identifier:
        return Value(item, value.line)
    if isinstance(value.content, dict):
        return Value({put_in(key): _with(identifier, item, part) for key, part in value.items()}, value.line)
    if isinstance(value.content, tuple):
        return Value(tuple(_with(identifier, item, part) for part in value.content), value.line)
    return Value(put_in(value.content), value.line) if isinstance(value.content, str) else value


def _texts(value: Value) -> Iterator[str]:
    """The texts of a list, of lists within it too, or the one that it is."""
    if not isinstance(value.content, tuple):
        yield value.text()
        return
    for part in value.content:
        yield from _texts(part)
