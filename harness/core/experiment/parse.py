"""From text to an `Experiment`, or to one sentence that names the field and the fix."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml
from msgspec import inspect

from harness.core.experiment.contradictions import contradictions, only_on_aws
from harness.core.experiment.criteria import check_criteria
from harness.core.experiment.qualified import with_a_bare_function
from harness.core.experiment.rails import limits_of, refusals
from harness.core.experiment.shape import Problems, mismatches
from harness.core.experiment.types import Experiment
from harness.errors import ExperimentError

REHEARSED = "http://localhost"
"""Where the service of a rehearsal is, as far as guard rails ask."""
TOLD_BY_LINE = ("traffic.requests", "traffic.feed", "traffic.fault", "traffic.flow")
"""Paths of errors that name their line, too."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def parse(text: str, *, source: str) -> Experiment:
    """The experiment that a YAML text describes; `source` names the text in errors that have no field.

    Raises ExperimentError with the exact path for the first thing that is wrong.
    """
    tree = _tree(text, source)
    with _telling_lines(text):
        _refuse(mismatches(tree, inspect.type_info(Experiment), source))
        experiment = msgspec.convert(_with_bare_functions(tree), Experiment)
        _refuse(contradictions(experiment))
    check_criteria(experiment.criteria)
    return experiment


def rehearsable(experiment: Experiment) -> None:
    """Raises ExperimentError for what only AWS can play, such as a host, and for what its own guard rails forbid."""
    _refuse(only_on_aws(experiment))
    _refuse(refusals(experiment, limits_of(experiment.rails, REHEARSED)))


def schema() -> dict[str, Any]:
    """The JSON Schema of an experiment file."""
    return {"$schema": DIALECT, "title": "canary-harness experiment", **msgspec.json.schema(Experiment)}


def _with_bare_functions(tree: dict[str, Any]) -> dict[str, Any]:
    """A tree that has the right types, with the functions of all its groups by name and their aliases apart."""
    also = [with_a_bare_function(group, f"also[{index}]") for index, group in enumerate(tree.get("also", ()))]
    deployment = with_a_bare_function(tree.get("deployment", {}))
    return {**tree, "deployment": deployment, "also": also}


@contextlib.contextmanager
def _telling_lines(text: str) -> Iterator[None]:
    """Adds its line to an error about what is sent: requests are many, and much alike."""
    try:
        yield
    except ExperimentError as error:
        if error.path.startswith(TOLD_BY_LINE):
            error.line = _line_of(yaml.compose(text, _Loader), error.path)
        raise


def _line_of(node: yaml.Node | None, path: str) -> int | None:
    """The line of the innermost key on a path that the text has."""
    line = None
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


def _refuse(problems: Problems) -> None:
    for problem in problems:
        raise problem


class _Loader(yaml.SafeLoader):
    """Plain YAML whose keys are always text and never given twice."""

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
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+"), list("-+0123456789")
)


def _key_of(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", node.start_mark)
    return str(node.value)


def _tree(text: str, source: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        raise ExperimentError(source, f"{_place(error)}: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ExperimentError(source, f"is not YAML: {str(error).splitlines()[0]}") from error


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "is not YAML"
