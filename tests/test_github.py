"""The action for GitHub runs what it is told, and nothing else; its comment is one."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from harness.report.actions import outputs
from harness.report.folder import RunFolder
from tests.report.conftest import caught

ACTION = Path(__file__).resolve().parent.parent / ".github" / "actions" / "canary"
OURS = "<!-- canary-harness -->"


def played(script: str, folder: Path, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """A script of the action, with the commands that stand in `folder`."""
    told = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", **environment}
    return subprocess.run([ACTION / script], cwd=folder, env=told, capture_output=True, text=True)


def stands_in(folder: Path, name: str, text: str) -> Path:
    """A command that does as its text says."""
    path = folder / name
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)
    return path


def told(folder: Path, **wanted: str) -> list[str]:
    """The words that canary-harness gets; they are written by a command in its place, which ends with 3."""
    harness = stands_in(folder, "harness", 'printf "%s\\0" "$@" > words; exit 3')
    defaults = {"COMMAND": "run", "EXPERIMENT": "", "OPTIONS": "", "DEPLOY": ""}
    assert played("canary.sh", folder, {"HARNESS": str(harness), **defaults, **wanted}).returncode == 3
    return (folder / "words").read_text().split("\0")[:-1]


def test_options_are_words_and_the_deploy_command_is_one_line(tmp_path: Path) -> None:
    """Quotes hold a word together, and the exit code is that of the harness."""
    words = told(
        tmp_path, EXPERIMENT="game.yaml", OPTIONS='--stack shop --host "https://a b"', DEPLOY="sam deploy && echo done"
    )
    assert words == ["run", "game.yaml", "--stack", "shop", "--host", "https://a b", "--", "bash", "-c", words[-1]]
    assert words[-1] == "sam deploy && echo done"


def test_nothing_in_an_option_is_run(tmp_path: Path) -> None:
    """As a title of a pull request would."""
    assert told(tmp_path, COMMAND="watch", OPTIONS="--name '$(touch made)`touch made`'") == [
        "watch",
        "--name",
        "$(touch made)`touch made`",
    ]
    assert not (tmp_path / "made").exists()


def test_an_unknown_command_is_refused(tmp_path: Path) -> None:
    """In one annotation."""
    done = played("canary.sh", tmp_path, {"COMMAND": "alarm", "RUNNER_TEMP": str(tmp_path)})
    assert done.returncode == 2
    assert "doctor, run, watch or rehearse" in done.stdout


@pytest.mark.parametrize(("present", "calls"), [("", "POST"), ("17", "PATCH")])
def test_the_comment_of_an_earlier_run_is_changed(present: str, calls: str, tmp_path: Path) -> None:
    """A first one is made; its text is report.md behind a mark."""
    stands_in(
        tmp_path,
        "gh",
        f"""case "$*" in *--jq*) echo "{present}" ;; *) printf '%s\\n' "$@" > asked
for word in "$@"; do case $word in body=@*) cat "${{word#body=@}}" > sent ;; esac; done ;; esac""",
    )
    (tmp_path / "report.md").write_text("# Rolled back\n")
    environment = {"GITHUB_REPOSITORY": "shop/api", "PULL_REQUEST": "4", "FOLDER": str(tmp_path)}
    done = played("comment.sh", tmp_path, environment)
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "asked").read_text().split()
    assert ("PATCH" in asked) == (calls == "PATCH")
    assert ("repos/shop/api/issues/comments/17" in asked) == (calls == "PATCH")
    assert (tmp_path / "sent").read_text() == f"{OURS}\n# Rolled back\n"


def test_a_run_without_a_verdict_is_told_on_the_pull_request(tmp_path: Path) -> None:
    """Not left as the comment of the run before."""
    stands_in(tmp_path, "gh", 'for word in "$@"; do case $word in body=@*) cat "${word#body=@}" > sent ;; esac; done')
    environment = {"GITHUB_REPOSITORY": "shop/api", "PULL_REQUEST": "4", "FOLDER": ""}
    assert played("comment.sh", tmp_path, environment).returncode == 0
    assert "without a verdict" in (tmp_path / "sent").read_text()


def test_outputs_of_the_action_are_those_of_a_run() -> None:
    """Each under its own name."""
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    assert {*action["outputs"]} == {*outputs(caught(), RunFolder(ACTION))}
    for name, output in action["outputs"].items():
        assert output["value"] == f"${{{{ steps.canary.outputs.{name} }}}}"
    assert json.dumps(action["runs"]).count("secrets") == 0


def test_the_example_in_the_readme_gives_inputs_that_there_are() -> None:
    """No other word."""
    text = (ACTION.parents[2] / "harness" / "run" / "README.md").read_text()
    (step,) = yaml.safe_load(text.partition("```yml\n")[2].partition("```")[0])
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    assert step["with"].keys() <= action["inputs"].keys()
    assert step["uses"].partition("@")[0].endswith("/.github/actions/canary")


def test_the_action_installs_the_commit_that_it_is_of() -> None:
    """So it needs no registry, and says what the code beside it says; another package may be named."""
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    (install,) = (step["run"] for step in action["runs"]["steps"] if "pip" in step.get("run", ""))
    said = subprocess.run(
        ["bash", "-c", install.split("install -q ")[1].join(["echo ", ""])],
        env={"GITHUB_ACTION_PATH": str(ACTION), "PACKAGE": action["inputs"]["package"]["default"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'name = "canary-harness"' in (Path(said.stdout.strip()) / "pyproject.toml").read_text()
