"""Reads the properties of one resource, and remembers which of them are not known here."""

from collections.abc import Iterator

from harness.templates.names import names_in
from harness.templates.release import Fact
from harness.templates.resolver import Resolver
from harness.templates.values import Value


class Properties:
    """The properties of one resource, or of a part of one; `unclear` gathers what of them is not known."""

    def __init__(self, resolver: Resolver, value: Value, whole: "Properties | None" = None) -> None:
        self.value = value
        self._is_resolved = whole is not None
        self.line = value.line
        self.unclear: list[Fact[str]] = whole.unclear if whole else []
        self._resolver = resolver

    def part(self, key: str) -> "Properties":
        """A map below a key; an empty one where there is none."""
        found = self._read(key)
        if found and not isinstance(found.content, dict):
            self._note(key, found)
        return Properties(self._resolver, found or Value({}, self.line), self)

    def has(self, key: str) -> bool:
        """Whether a key has a value once its functions are carried out."""
        return self._read(key) is not None

    def text(self, key: str, missing: str = "") -> Fact[str]:
        """A text, which may have names in it that are not known yet."""
        found = self._read(key)
        return Fact(found.text(), found.line) if found else Fact(missing, self.line)

    def switch(self, key: str, *, missing: bool) -> bool:
        """Yes or no; what is neither is unclear, and counts as missing."""
        found = self._read(key)
        if found is None:
            return missing
        word = {"true": True, "false": False}.get(found.text().lower())
        if word is None:
            self._note(key, found)
        return missing if word is None else word

    def listed(self, key: str) -> tuple[Value, ...]:
        """A list; anything else is unclear, and counts as an empty one."""
        found = self._read(key)
        if found is None:
            return ()
        if not isinstance(found.content, tuple):
            self._note(key, found)
        return found.parts()

    def line_of(self, key: str) -> int:
        """The line of a property; that of the whole where it is not there."""
        found = self.value.get(key)
        return found.line if found else self.line

    def _read(self, key: str) -> Value | None:
        found = self.value.get(key)
        resolved = found if found is None or self._is_resolved else self._resolver.value(found)
        return None if resolved is None or resolved.content in (None, "AWS::NoValue") else resolved

    def _note(self, key: str, found: Value) -> None:
        """Notes a value that is not of the kind that belongs there."""
        missing = [*_open_in(self._resolver, found)]
        why = self._resolver.how_to_give(missing) if missing else f"it is {found.text() or 'a map'}"
        self.unclear.append(Fact(f"{key} is not known here ({why})", found.line))


def _open_in(resolver: Resolver, value: Value) -> Iterator[str]:
    yield from (name for name in names_in(value.text()) if resolver.is_open(name))
