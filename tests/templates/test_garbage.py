"""Templates with anything in any place: a sentence, or a diagnosis; never a traceback, and no question that crashes."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.core.experiment.types import Experiment
from harness.errors import TemplateError
from harness.templates import examine_template, read_release
from harness.templates.values import Value, read_values
from tests.templates.conftest import PLAIN, SAM

ODD: tuple[Any, ...] = (
    None,
    "",
    "x",
    -1,
    1.5,
    True,
    [],
    [[]],
    {},
    {"Ref": "Nobody"},
    {"Fn::If": 1},
    {"Fn::Sub": []},
    "9" * 400,
)


def plain(value: Value) -> Any:
    """A template's values without their lines."""
    if isinstance(value.content, dict):
        return {key: plain(part) for key, part in value.content.items()}
    return [plain(part) for part in value.content] if isinstance(value.content, tuple) else value.content


def spoiled(value: Any) -> Iterator[Any]:
    """The value with something odd in each place."""
    yield from ODD
    if isinstance(value, dict):
        yield from ({**value, key: odd} for key, part in value.items() for odd in spoiled(part))
    elif isinstance(value, list):
        places = enumerate(value)
        yield from ([*value[:at], odd, *value[at + 1 :]] for at, part in places for odd in spoiled(part))


@pytest.mark.parametrize("text", [SAM, PLAIN], ids=["sam", "cloudformation"])
def test_anything_in_any_place_is_borne(tmp_path: Path, text: str) -> None:
    """Some are refused, and the others are diagnosed."""
    path = tmp_path / "template.json"
    path.write_text(text)
    whole = plain(read_values(path))
    refused: list[str] = []
    diagnosed = 0
    for odd in islice(spoiled(whole), 0, None, 5):  # each fifth, so that all odd values have their turn
        path.write_text(yaml.dump(odd, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))
        try:
            diagnosis = examine_template(read_release(path, {}), Experiment(name="doctor"))
        except TemplateError as error:
            refused.append(str(error))
            continue
        diagnosed += 1
        checks = [check for one in diagnosis.diagnoses for check in one.checks]
        assert not [check.seen for check in checks if "itself failed" in check.seen], odd
    assert len(refused) > 5
    assert diagnosed > 50
    assert not [sentence for sentence in refused if "\n" in sentence]


@pytest.mark.parametrize("opening", ["[", '{"a":', "- ", "!Sub [", "{Fn::If: [A, "])
def test_deep_nesting_is_refused(tmp_path: Path, opening: str) -> None:
    """In one sentence, however deep."""
    path = tmp_path / "template.yaml"
    path.write_text("Resources: " + opening * 200_000)
    with pytest.raises(TemplateError):
        read_release(path, {})
