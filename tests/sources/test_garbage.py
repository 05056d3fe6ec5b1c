"""Documents with anything in any place are read, or refused in one sentence; nothing else comes out of a reader."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.experiment.parse import parse
from harness.errors import UsageError
from harness.sources.access_log import read_access_log
from harness.sources.drafts import Described
from harness.sources.experiment import Choices, written
from harness.sources.files import SourceFile
from harness.sources.har import read_har
from harness.sources.openapi import read_openapi
from harness.sources.postman import read_postman
from tests.sources.shop import HAR, OPENAPI, POSTMAN, logs

SWAGGER = {
    "swagger": "2.0",
    "host": "a.example.com",
    "basePath": "/v1",
    "schemes": ["https"],
    "securityDefinitions": {"k": {"type": "apiKey", "in": "header", "name": "X-K"}},
    "security": [{"k": []}],
    "paths": {
        "/a/{id}": {
            "parameters": [
                {"name": "id", "in": "path", "type": "array", "items": {"type": "integer"}, "required": True}
            ],
            "post": {"parameters": [{"name": "b", "in": "body", "schema": {"$ref": "#/definitions/B"}}]},
        }
    },
    "definitions": {"B": {"allOf": [{"type": "object", "required": ["a"], "properties": {"a": {"minLength": 3}}}]}},
}
GOOD: dict[str, tuple[Callable[[SourceFile], Described], Any]] = {
    "openapi": (read_openapi, yaml.safe_load(OPENAPI.read_text())),
    "swagger": (read_openapi, SWAGGER),
    "har": (read_har, msgspec.json.decode(HAR.read_bytes())),
    "postman": (read_postman, msgspec.json.decode(POSTMAN.read_bytes())),
    "log": (read_access_log, msgspec.json.decode(logs.log("gateway-json").splitlines()[0])),
}
TEXTS = ("", "{{x}}", "#/paths", "a\nb", "\u2028", "://", "/{", "é" * 300)
NODES = ({"$ref": 1}, {"$ref": "#"}, {"type": 7}, {"enum": []}, {"allOf": 1}, {"items": {}}, {"key": None}, {"": ""})
ODD = st.sampled_from([None, True, 0, -1, 1.5, 10**30, [], [None], [[]], {}, *TEXTS, *NODES])


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every node below another one."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places(value, (*path, key))


SPOTS = {kind: st.lists(st.sampled_from([*places(tree)]), min_size=1, max_size=3) for kind, (_, tree) in GOOD.items()}
"""One to three places of each document."""


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The tree with another value in one place; where the place is gone, as it is."""
    tree = copy.deepcopy(tree)
    node = tree
    try:
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value
    except (KeyError, IndexError, TypeError):
        pass
    return tree


@pytest.mark.parametrize("kind", GOOD)
@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_a_document_with_anything_anywhere_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    """What is read becomes an experiment that our parser takes."""
    read, tree = GOOD[kind]
    for path in data.draw(SPOTS[kind]):
        tree = changed(tree, path, data.draw(ODD))
    text = msgspec.json.encode(tree).decode() if kind == "log" else yaml.safe_dump(tree)
    if kind in ("har", "postman"):
        text = msgspec.json.encode(tree).decode()
    try:
        made = written(read(SourceFile("x", text)), Choices(source="x", include_writes=True))
    except UsageError as error:
        told = str(error)
    else:
        assert parse(made.text, source="x") == made.experiment
        told = made.experiment.name
    assert told
    assert "\n" not in told


@settings(deadline=None, max_examples=60)
@given(text=st.text(max_size=200), kind=st.sampled_from([*GOOD]))
def test_any_text_is_refused_in_a_sentence(text: str, kind: str) -> None:
    """Whatever the reader."""
    with pytest.raises(UsageError, match=r"^x"):
        GOOD[kind][0](SourceFile("x", text))
