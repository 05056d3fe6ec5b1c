"""`canary-harness advise`: from an experiment, runs, a template and AWS, and what bad input gets."""

import json
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.errors import ExitCode
from tests.templates.conftest import SAM


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command prints."""
    assert main(["advise", *words]) == ExitCode.AS_EXPECTED
    return capsys.readouterr().out


def test_an_experiment_gets_a_table_and_snippets_of_all_tools(capsys: pytest.CaptureFixture[str]) -> None:
    """The recommendation first, then the options beside what stands, then the first one for each tool."""
    told = said(capsys, "broken-canary")
    assert told.splitlines()[2].startswith("Recommended: Errors Sum of the alias >= 10")
    for title in ("serverless.yml", "SAM:", "CDK (TypeScript):", "Terraform:", "AWS CLI:"):
        assert title in told


def test_one_tool_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """--as leaves the others out."""
    told = said(capsys, "broken-canary", "--as", "terraform")
    assert "aws_codedeploy_deployment_group" in told
    assert "AWS::CloudWatch::Alarm" not in told


def test_a_run_says_traffic_and_usual_failures_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """None of 3750 good requests that failed leave one in a thousand possible."""
    document = json.loads(said(capsys, "reports/sample", "--json"))
    assert 0.0005 < document["usual"] < 0.002
    assert document["now"]["false_rollbacks"] > 20
    assert len(document["snippets"]) == len(document["options"])


def test_a_template_is_advised_in_its_own_names(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Its logical id and alias stand in the snippet."""
    (tmp_path / "template.yaml").write_text(SAM)
    words = ("--template", str(tmp_path / "template.yaml"), "--parameter", "Owner=me", "--arrival-rate", "20")
    told = said(capsys, *words, "--as", "sam")
    assert "  ApiCanaryErrors:" in told
    assert 'Value: !Sub "${Api}:live"' in told


def test_without_traffic_it_asks_for_the_rate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A template knows none."""
    (tmp_path / "template.yaml").write_text(SAM)
    told = said(capsys, "--template", str(tmp_path / "template.yaml"), "--parameter", "Owner=me")
    assert "give --arrival-rate" in told


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "name an experiment, or what is released"),
        (("broken-canary", "healthy"), "only runs may be several"),
        (("reports/sample", "broken-canary"), "either runs or one experiment"),
        (("reports/sample", "--function", "shop"), "runs tell their own release"),
        (("broken-canary", "--option", "99"), "there are options 1 to"),
        (("broken-canary", "--as", "pulumi"), "invalid choice"),
    ],
)
def test_bad_input_gets_one_sentence(words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And exit code 2."""
    assert main(["advise", *words]) == ExitCode.USAGE
    assert sentence in capsys.readouterr().err
