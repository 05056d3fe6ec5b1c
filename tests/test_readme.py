"""Every command of the README runs as written there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.parse import parse

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"


def blocks(language: str) -> list[str]:
    """The fenced blocks of the README in one language."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), flags=re.DOTALL)


def commands() -> list[str]:
    """Every command line of the README's shell blocks, comments left out."""
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    return [
        stripped for line in lines if (stripped := line.partition(" #")[0].strip()) and not stripped.startswith("#")
    ]


def test_readme_commands_are_known() -> None:
    """A command of a new kind must be taken into account here before it can be shown."""
    assert {shlex.split(command)[0] for command in commands()} <= {"make", "canary-harness", "locust"}


@pytest.mark.parametrize("target", sorted({c.split()[1] for c in commands() if c.startswith("make ")}))
def test_readme_make_targets_exist(target: str) -> None:
    """`make -n` knows every target that the README names."""
    assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True).returncode == 0


RUNNABLE = [c for c in commands() if c.startswith("canary-harness rehearse") and "--all" not in c]


@pytest.mark.slow
@pytest.mark.parametrize("command", RUNNABLE)
def test_readme_rehearsals_run(command: str, tmp_path: Path) -> None:
    """Each rehearsal shown ends as its experiment expects."""
    service = "def handler(event, context):\n    return {'statusCode': 200, 'body': '{}'}\n"
    (tmp_path / "myservice").mkdir()
    (tmp_path / "myservice" / "app.py").write_text(service)
    arguments = shlex.split(command)[1:]
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-m", "harness", *arguments], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_readme_pytest_example_passes(tmp_path: Path) -> None:
    """The fixture does what the README shows, in a project of its own."""
    for block in blocks("python"):
        (tmp_path / block.partition("\n")[0].removeprefix("# ")).write_text(block)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:locust", "-q"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_readme_experiments_are_valid(tmp_path: Path) -> None:
    """Every experiment shown can be read."""
    for block in blocks("yaml"):
        parse(block, source="README.md")
