"""Findings of a template as GitHub, GitLab and readers of SARIF take them."""

import json
from pathlib import Path

import pytest

from harness.core.experiment.types import Experiment
from harness.errors import TemplateError
from harness.report.annotations import FORMATS, github, gitlab, refused, sarif
from harness.templates import TemplateDiagnosis, examine_template, read_release
from tests.templates.conftest import SAM

LINE = next(number for number, text in enumerate(SAM.splitlines(), 1) if "Threshold: 3" in text)


@pytest.fixture
def diagnosis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TemplateDiagnosis:
    """Of a template with a threshold that is always reached, in the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "infra" / "template.yaml"
    path.parent.mkdir()
    path.write_text(SAM.replace("Threshold: 3", "Threshold: 0"))
    return examine_template(read_release(path, {}), Experiment(name="doctor"))


def test_github_gets_one_command_a_finding(diagnosis: TemplateDiagnosis) -> None:
    """The worst first, with the file from the root of the repository."""
    lines = github(diagnosis).splitlines()
    assert lines[0].startswith(f"::error file=infra/template.yaml,line={LINE},title=alarm-threshold of ${{Api}}::")
    kinds = [line.split(" ")[0] for line in lines]
    assert kinds == sorted(kinds, key=["::error", "::warning", "::notice"].index)


def test_github_commands_cannot_be_broken_out_of() -> None:
    """Whatever stands in a name or a message."""
    check = refused(TemplateError("a,b:c.yaml", 3, "is 100% wrong\n::error::x"))
    assert (
        github(check) == "::error file=a%2Cb%3Ac.yaml,line=3,title=template::a,b:c.yaml:3: is 100%25 wrong ::error::x"
    )


def test_sarif_has_what_its_standard_asks_for(diagnosis: TemplateDiagnosis) -> None:
    """Each result has a rule, a level, a text, a place from the root, and a fingerprint of its own."""
    document = json.loads(sarif(diagnosis))
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert (document["version"], run["tool"]["driver"]["name"]) == ("2.1.0", "canary-harness doctor")
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "infra/template.yaml"
        assert place["region"]["startLine"] >= 1
    prints = [result["partialFingerprints"]["check/v1"] for result in run["results"]]
    assert len({*prints}) == len(prints)
    assert (run["results"][0]["ruleId"], run["results"][0]["level"]) == ("alarm-threshold", "error")


def test_gitlab_has_what_its_report_asks_for(diagnosis: TemplateDiagnosis) -> None:
    """A description, a name, a fingerprint, a severity that it knows, and a place."""
    document = json.loads(gitlab(diagnosis))
    first = document[0]
    assert (first["check_name"], first["severity"]) == ("alarm-threshold", "critical")
    assert first["location"] == {"path": "infra/template.yaml", "lines": {"begin": LINE}}
    assert {one["severity"] for one in document} <= {"info", "minor", "major", "critical", "blocker"}
    assert len({one["fingerprint"] for one in document}) == len(document)
    assert all(one["description"] for one in document)


def test_a_finding_keeps_its_fingerprint_where_its_line_moves(diagnosis: TemplateDiagnosis, tmp_path: Path) -> None:
    """So that a pull request shows only what is new."""
    path = tmp_path / "infra" / "template.yaml"
    path.write_text("# a comment\n" + path.read_text())
    moved = examine_template(read_release(path, {}), Experiment(name="doctor"))
    before, after = ({one["fingerprint"] for one in json.loads(gitlab(each))} for each in (diagnosis, moved))
    assert before == after


def test_what_is_not_known_is_no_note(tmp_path: Path) -> None:
    """It is a warning that says so, in each of them."""
    path = tmp_path / "template.yaml"
    path.write_text(SAM.replace("Threshold: 3", "Threshold: !Ref Owner"))
    diagnosis = examine_template(read_release(path, {}), Experiment(name="doctor"))
    first = [line for line in github(diagnosis).splitlines() if "alarm-threshold" in line]
    assert first[0].startswith("::warning ")
    assert "Not known whether this is armed." in first[0]
    assert "--parameter Owner=" in first[0]


@pytest.mark.parametrize("name", FORMATS)
def test_a_sound_template_has_no_more_than_notes(tmp_path: Path, name: str) -> None:
    """And an empty one is still a document."""
    path = tmp_path / "template.yaml"
    path.write_text(SAM)
    text = FORMATS[name](examine_template(read_release(path, {}), Experiment(name="doctor")))
    assert not any(word in text for word in ("::error", "::warning", '"critical"', '"level": "error"'))
    assert name == "github" or json.loads(text)
