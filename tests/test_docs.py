"""Documents name only files that exist, and automated checks are those of the Makefile."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from tests.house import WAY, doubled_names

ROOT = Path(__file__).resolve().parent.parent
ENDINGS = "py|md|json|jsonl|yaml|yml|toml|css|html|js"
ROOMS = (".github", "harness", "locustfiles", "reports/sample", "tests")
FILES = [*ROOT.iterdir(), *(path for room in ROOMS for path in (ROOT / room).rglob("*"))]
PATHS = [f"/{path.relative_to(ROOT)}" for path in FILES]
DOCUMENTS = [path for path in sorted(FILES) if path.suffix == ".md" and path.name not in ("README.md", "report.md")]
DOCUMENTS += [path for path in sorted(FILES) if path.name == "README.md" and path.parent != ROOT]


def named_files(text: str) -> set[str]:
    """Paths in backquotes or links: those with a folder in them, and names of Python files."""
    quoted = re.findall(r"`([\w./-]+)`", text)
    linked = re.findall(r"\]\(([\w./-]+)\)", text)
    return {
        *linked,
        *(
            name
            for name in quoted
            if name.endswith("/") or re.fullmatch(rf"[\w./-]*(/[\w.-]+\.({ENDINGS})|\.py)", name)
        ),
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_named_in_a_document_exist(document: Path) -> None:
    """Counted from the document's folder, or as the end of a path: `core/version.py`."""
    ends = [name for name in named_files(document.read_text()) if not (document.parent / name).exists()]
    assert [name for name in ends if not any(path.endswith(f"/{name.rstrip('/')}") for path in PATHS)] == []


@pytest.mark.parametrize("document", ["harness/README.md", "harness/core/README.md", "tests/README.md"])
def test_readme_of_a_folder_fits_one_screen(document: str) -> None:
    """So that it is read."""
    assert len((ROOT / document).read_text().splitlines()) <= 60


def test_contributing_tells_each_addition_in_five_steps() -> None:
    """A fault, a finding, an AWS operation and a criterion."""
    sections = (ROOT / ".github" / "CONTRIBUTING.md").read_text().split("\n## ")
    additions = [section for section in sections if section.startswith("Add ")]
    assert [len(re.findall(r"^\d\. ", section, re.MULTILINE)) for section in additions] == [5, 5, 5, 5]


def test_checks_before_a_commit_are_those_of_make_check() -> None:
    """Neither has one that the other lacks."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook["entry"].removeprefix(".venv/bin/") for repo in config["repos"] for hook in repo["hooks"]]
    recipe = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    assert hooks == re.findall(r"\$\(BIN\)/(.+)", recipe)


def test_ci_runs_make_test() -> None:
    """The same command as on a person's machine."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert "make test" in [step.get("run") for step in workflow["jobs"]["test"]["steps"]]


def test_modules_on_the_way_of_a_request_exist() -> None:
    """Those that `tests/house.py` counts."""
    assert [place for place in WAY if not (ROOT / "harness" / place).exists()] == []


def test_a_public_class_has_a_name_of_its_own() -> None:
    """A name has one meaning in all of the house."""
    sources = (ROOT / "harness").rglob("*.py")
    assert doubled_names({path: ast.parse(path.read_text()) for path in sources}) == {}
