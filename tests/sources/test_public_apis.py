"""OpenAPI files of real services become experiments, and no operation of theirs is lost."""

from pathlib import Path

import pytest

from harness.core.experiment.parse import rehearsable
from harness.core.experiment.requests import HARMLESS
from harness.sources.experiment import Choices, written
from harness.sources.files import read_source, tree_of
from harness.sources.openapi import read_openapi

FILES = sorted(path for path in (Path(__file__).parent / "public").iterdir() if path.suffix in (".yaml", ".json"))
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_every_operation_is_in_the_experiment_or_named_with_the_reason(file: Path) -> None:
    """Counted in the document itself."""
    source = read_source(file)
    operations = [
        f"{method.upper()} {path}"
        for path, item in tree_of(source, "it")["paths"].items()
        for method in item
        if method in METHODS
    ]
    described = read_openapi(source)
    told = [draft.label for draft in described.drafts] + [one.label for one in described.left_out if one.why]
    assert sorted(told) == sorted(operations)
    assert len(described.drafts) > 0.8 * len(operations)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_the_experiment_can_be_rehearsed_and_sends_what_changes_nothing(file: Path) -> None:
    """Where a service on this machine stands in; all other requests are there, too, with weight 0."""
    described = read_openapi(read_source(file))
    made = written(described, Choices(source=file.name, baseline="http://127.0.0.1:3000"))
    rehearsable(made.experiment)
    requests = made.experiment.traffic.requests
    assert len(requests) == len(described.drafts)
    assert {request.weight for request in requests.values() if request.method not in HARMLESS} <= {0}
    for one in described.left_out:
        assert one.label in " ".join(made.text.replace("\n#  ", "").split())


def test_there_are_six_of_them() -> None:
    """In both versions of the format, and in both spellings."""
    heads = [file.read_text()[:200] for file in FILES]
    assert len(FILES) == 6
    assert any("swagger" in head for head in heads)
    assert any(file.suffix == ".json" for file in FILES)
