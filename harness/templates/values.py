"""The text of a template as values, each with its line; YAML with CloudFormation's tags, and JSON, which is YAML too.

A tag is its long form here: `!Sub x` is `{"Fn::Sub": x}`, so what reads the values knows one form.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import yaml
from msgspec import Struct

from harness.errors import TemplateError
from harness.files import read_plain

Content: TypeAlias = "dict[str, Value] | tuple[Value, ...] | str | int | float | bool | None"

MOST_VALUES = 200_000
"""Far more than any template has, its aliases written out: CloudFormation takes 1 MB of text."""

CHARACTERS = 100
"""So many characters of a text count as one more value: an alias repeats a long text as well."""

DEEPEST = 100
"""How deep values may nest to be read; a template has some ten."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN = yaml.constructor.SafeConstructor()
_SCALARS = {
    "tag:yaml.org,2002:int": _PLAIN.construct_yaml_int,
    "tag:yaml.org,2002:float": _PLAIN.construct_yaml_float,
    "tag:yaml.org,2002:bool": _PLAIN.construct_yaml_bool,
    "tag:yaml.org,2002:null": _PLAIN.construct_yaml_null,
}
_SHORT_AS_LONG = ("Ref", "Condition")
"""The two functions whose long form has no `Fn::` before it."""


class Value(Struct, frozen=True):
    """One value of a template, and the line on which it begins."""

    content: Content
    line: int

    def get(self, key: str) -> "Value | None":
        """What a map has under a key; None for a key that it has not, and for what is no map."""
        return self.content.get(key) if isinstance(self.content, dict) else None

    def items(self) -> Iterator[tuple[str, "Value"]]:
        """The pairs of a map; none of anything else."""
        yield from self.content.items() if isinstance(self.content, dict) else ()

    def parts(self) -> "tuple[Value, ...]":
        """The values of a list; none of anything else."""
        return self.content if isinstance(self.content, tuple) else ()

    def text(self) -> str:
        """A scalar as CloudFormation writes it into a text."""
        if isinstance(self.content, bool):
            return "true" if self.content else "false"
        if isinstance(self.content, dict | tuple):
            return "a map" if isinstance(self.content, dict) else "a list"
        return "" if self.content is None else str(self.content)


def read_values(path: Path, before: int = 0) -> Value:
    """The values of a template, its lines counted on from a number (see `places`).

    Raises TemplateError where the file cannot be read, or is neither YAML nor JSON.
    """
    try:
        text = read_plain(path).decode("utf-8-sig")
    except OSError as error:
        raise TemplateError(str(path), None, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise TemplateError(str(path), None, "is not UTF-8 text") from error
    return values_of(text, str(path), before)


def values_of(text: str, source: str, before: int = 0) -> Value:
    """The values of a text; `source` is what errors call it. Raises TemplateError where it is neither YAML nor JSON."""
    try:
        _refuse_the_deep(text, source)
        node = yaml.compose(text, _LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "is not YAML"
        raise TemplateError(source, mark.line + 1 if mark else None, problem) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise TemplateError(source, None, f"is not YAML: {str(error).splitlines()[0]}") from error
    if node is None:
        raise TemplateError(source, None, "is empty")
    return _Reading(source, before).value(node)


def made(content: object, line: int) -> Value:
    """What a tool writes into a template, as values of one line; values among it keep theirs, and None is left out."""
    if isinstance(content, Value):
        return content
    if isinstance(content, dict):
        return Value({key: made(part, line) for key, part in content.items() if part is not None}, line)
    if isinstance(content, list | tuple):
        return Value(tuple(made(part, line) for part in content), line)
    assert content is None or isinstance(content, str | int | float), content
    return Value(content, line)


def mentions(value: Value, word: str) -> bool:
    """Whether a word is any key or text of a value."""
    if any(key == word or mentions(part, word) for key, part in value.items()):
        return True
    return any(mentions(part, word) for part in value.parts()) or value.text() == word


def _refuse_the_deep(text: str, source: str) -> None:
    """Raises TemplateError for a text that nests too deep: libyaml would end the process when it composes it."""
    depth = 0
    for event in yaml.parse(text, _LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else None
            raise TemplateError(source, line, f"nests deeper than {DEEPEST} values")


class _Reading:
    """Turns nodes of YAML into values, and counts them: an alias repeats what it names."""

    def __init__(self, source: str, before: int) -> None:
        self._source = source
        self._first = before + 1
        self._left = MOST_VALUES
        self._open: set[int] = set()

    def value(self, node: yaml.Node) -> Value:
        """The value of a node. Raises TemplateError for one that stands for too much, or holds itself."""
        self._left -= 1 + (len(node.value) // CHARACTERS if isinstance(node, yaml.ScalarNode) else 0)
        if self._left < 0 or id(node) in self._open:
            raise self._wrong(node, f"aliases stand for more than {MOST_VALUES:,} values")
        self._open.add(id(node))
        try:
            plain = Value(self._content(node), node.start_mark.line + self._first)
        except (RecursionError, ValueError) as error:
            raise self._wrong(node, f"cannot be read: {error}") from error
        finally:
            self._open.discard(id(node))
        return _long_form(node.tag, plain)

    def _content(self, node: yaml.Node) -> Content:
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node))
        if isinstance(node, yaml.SequenceNode):
            return tuple(self.value(part) for part in node.value)
        read = _SCALARS.get(node.tag) if isinstance(node, yaml.ScalarNode) else None
        content: Content = read(node) if read else str(node.value)  # type: ignore[arg-type]
        return content

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[str, Value]]:
        seen: set[str] = set()
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                yield from ((name, merged) for part in self._merged(value) for name, merged in part.items())
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise self._wrong(key, "a key must be plain text")
            if key.value in seen:
                raise self._wrong(key, f"the key {key.value} is given twice")
            seen.add(key.value)
            yield key.value, Value(self.value(value).content, key.start_mark.line + self._first)

    def _merged(self, node: yaml.Node) -> Iterator[Value]:
        value = self.value(node)
        yield from reversed(value.parts() or (value,))

    def _wrong(self, node: yaml.Node, problem: str) -> TemplateError:
        return TemplateError(self._source, node.start_mark.line + 1, problem)


def _long_form(tag: str, plain: Value) -> Value:
    """A value whose tag is one of CloudFormation's short forms, in the long form."""
    if not tag.startswith("!") or tag == "!":
        return plain
    name = tag[1:]
    if name == "GetAtt" and isinstance(plain.content, str):
        resource, _, attribute = plain.content.partition(".")
        plain = Value((Value(resource, plain.line), Value(attribute, plain.line)), plain.line)
    return Value({name if name in _SHORT_AS_LONG else f"Fn::{name}": plain}, plain.line)
