"""Plain YAML as people write it, and nothing that could surprise them."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from harness.errors import ExperimentError

MOST_VALUES = 1_000_000
"""Far more than any experiment has, its aliases written out."""
CHARACTERS = 100
"""So many characters of a text count as one more value: an alias repeats a long text as well."""


def read_yaml(text: str, source: str) -> Any:
    """The plain values of a YAML text; `source` names it in errors. Raises ExperimentError for all that is not YAML."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        raise ExperimentError(source, f"{_place(error)}: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        # PyYAML lets what its own types fail with through, as KeyError for `!!bool maybe`
        raise ExperimentError(source, f"is not YAML: {(str(error) or 'nothing to read').splitlines()[0]}") from error


def line_of(text: str, path: str) -> int | None:
    """The line of the innermost key on a path, such as `traffic.requests`, that a YAML text has; None without any."""
    line, node = None, yaml.compose(text, _Loader)
    while path and isinstance(node, yaml.MappingNode):
        found = [pair for pair in node.value if path == _key_of(pair[0]) or path.startswith(_inner(_key_of(pair[0])))]
        if not found:
            break
        key, node = max(found, key=lambda pair: len(_key_of(pair[0])))
        line, path = key.start_mark.line + 1, path[len(_key_of(key)) + 1 :]
    return line


def _inner(key: str) -> tuple[str, str]:
    """How paths below a key begin."""
    return f"{key}.", f"{key}["


class _Loader(yaml.SafeLoader):
    """Plain YAML whose keys are always text and never given twice, and whose aliases stand for a bounded size."""

    def get_single_node(self) -> yaml.Node | None:
        """The text as nodes. An alias repeats what it names, so a short text could stand for billions of values."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            _size(node, {})
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: ARG002 - PyYAML's own
        """A map as text to value; a key given twice would hide one of its values, so it is refused."""
        self._refuse_twice(node)
        self.flatten_mapping(node)
        return {_key_of(key): self.construct_object(value, deep=True) for key, value in node.value}

    def _refuse_twice(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            text = _key_of(key)
            if text in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {text} is given twice", key.start_mark)
            seen.add(text)


# YAML 1.1 takes 1e-2 for text; people mean a number.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def _key_of(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", node.start_mark)
    return str(node.value)


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for with its aliases written out."""
    if id(node) not in known:
        known[id(node)] = MOST_VALUES  # as long as it is counted: one that holds itself never ends
        own = len(node.value) // CHARACTERS if isinstance(node, yaml.ScalarNode) else 0
        known[id(node)] = 1 + own + sum(_size(part, known) for part in _parts(node))
        if known[id(node)] > MOST_VALUES:
            problem = f"aliases stand for more than {MOST_VALUES:,} values"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return known[id(node)]


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "is not YAML"
