"""From text to an `Experiment`, or to one sentence that names the field and the fix."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import msgspec

from harness.core.experiment.alarm_contradictions import about_shadows
from harness.core.experiment.contradictions import contradictions, only_on_aws
from harness.core.experiment.criteria import check_criteria
from harness.core.experiment.former import about_former_keys, upgraded
from harness.core.experiment.plain_yaml import line_of, read_yaml
from harness.core.experiment.qualified import with_a_bare_function
from harness.core.experiment.rails import limits_of, refusals
from harness.core.experiment.replay import Steps, nowhere, with_the_rate
from harness.core.experiment.shape import Problems, mismatches, shape_of
from harness.core.experiment.types import Experiment, ShadowAlarm, ShadowFile
from harness.errors import ExperimentError

REHEARSED = "http://localhost"
"""Where the service of a rehearsal is, as far as guard rails ask."""
TOLD_BY_LINE = ("traffic.arrival_rate.", "traffic.requests", "traffic.feed", "traffic.fault", "traffic.flow")
"""Paths of errors that name their line, too."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def parse(text: str, *, source: str, steps: Steps = nowhere) -> Experiment:
    """The experiment that a YAML text describes; `source` names the text in errors that have no field.

    `steps` reads the file of a rate that one tells.

    Raises ExperimentError with the exact path for the first thing that is wrong.
    """
    return _parsed(read_yaml(text, source), text, source, steps)


def parse_former(text: str, *, source: str) -> Experiment:
    """The same for the experiment of a run that was, which may have keys that are gone by now."""
    return _parsed(upgraded(read_yaml(text, source)), text, source, nowhere)


def parse_shadows(text: str, *, source: str) -> tuple[ShadowAlarm, ...]:
    """The shadow alarms of a YAML text: a list of them, or a map with the key `shadow` as an experiment has it.

    Raises ExperimentError for the first thing that is wrong.
    """
    tree = read_yaml(text, source)
    listed = {"shadow": tree} if isinstance(tree, list) else tree
    _refuse(mismatches(listed, shape_of(ShadowFile), source))
    shadows = msgspec.convert(listed, ShadowFile).shadow
    _refuse(about_shadows(shadows))
    return shadows


def _parsed(tree: Any, text: str, source: str, steps: Steps) -> Experiment:
    with telling_lines(text):
        _refuse(about_former_keys(tree))
        tree = with_the_rate(tree, steps)
        _refuse(mismatches(tree, shape_of(Experiment), source))
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
    (whole,), parts = msgspec.json.schema_components((Experiment,), ref_template="#/$defs/{name}")
    return with_plain_texts({"$schema": DIALECT, "title": "canary-harness experiment", **whole, "$defs": parts})


def with_plain_texts(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema whose descriptions are not indented: they are docstrings, which Python before 3.13 leaves as written."""
    return {
        key: inspect.cleandoc(part) if key == "description" and isinstance(part, str) else _plain(part)
        for key, part in schema.items()
    }


def _plain(part: Any) -> Any:
    if isinstance(part, dict):
        return with_plain_texts(part)
    return [_plain(one) for one in part] if isinstance(part, list) else part


def _with_bare_functions(tree: dict[str, Any]) -> dict[str, Any]:
    """A tree that has the right types, with the functions of all its groups by name and their aliases apart."""
    also = [with_a_bare_function(group, f"also[{index}]") for index, group in enumerate(tree.get("also", ()))]
    deployment = with_a_bare_function(tree.get("deployment", {}))
    return {**tree, "deployment": deployment, "also": also}


@contextlib.contextmanager
def telling_lines(text: str) -> Iterator[None]:
    """Adds its line to an error about what is sent: requests are many, and much alike."""
    try:
        yield
    except ExperimentError as error:
        if error.path.startswith(TOLD_BY_LINE):
            error.line = line_of(text, error.path)
        raise


def _refuse(problems: Problems) -> None:
    for problem in problems:
        raise problem
