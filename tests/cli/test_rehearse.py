"""The command `rehearse`: which experiments a command line asks for."""

import argparse
from pathlib import Path

import pytest

from harness.cli.rehearse import add_rehearse_arguments, experiments_of
from harness.cli.words import pair
from harness.errors import UsageError
from tests.templates.conftest import SAM


def asked(*words: str) -> argparse.Namespace:
    """The options of a command line."""
    parser = argparse.ArgumentParser()
    add_rehearse_arguments(parser)
    return parser.parse_args(words)


def test_the_release_of_a_template_is_laid_over_each_experiment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And it is told that the template's own code does not answer."""
    path = tmp_path / "template.yaml"
    path.write_text(SAM.replace("Threshold: 3", "Threshold: !Ref Owner"))
    words = (
        "healthy",
        "erroruser",
        "--template",
        str(path),
        "--function",
        "Api",
        "--parameter",
        "Owner=7",
        "--stand-in",
    )
    played = [*experiments_of(asked(*words))]
    assert [(one.name, one.alarm.threshold, one.deployment.alias) for one in played] == [
        ("healthy", 7, "live"),
        ("erroruser", 7, "live"),
    ]
    assert "but the bundled service answers, as you asked" in capsys.readouterr().err
    with pytest.raises(UsageError, match="cannot run in a rehearsal"):
        [*experiments_of(asked(*words[:-1]))]


@pytest.mark.parametrize("words", [("--function", "Api"), ("--parameter", "Owner=7"), ("--stand-in",)])
def test_what_goes_with_a_template_alone_is_refused_without(words: tuple[str, ...]) -> None:
    """It would be left aside in silence."""
    with pytest.raises(UsageError, match="go with --template"):
        [*experiments_of(asked(*words))]


def test_every_released_function_is_played_where_none_is_named(tmp_path: Path) -> None:
    """Each in runs of its own, by its own name."""
    head, _, rest = SAM.partition("  Api:\n")
    body = "  Api:\n" + rest
    path = tmp_path / "template.yaml"
    path.write_text(head + body + body.replace("Api", "Other"))
    played = [*experiments_of(asked("healthy", "--template", str(path), "--stand-in"))]
    assert [one.name for one in played] == ["healthy-Api", "healthy-Other"]
    assert [one.deployment.function for one in played] == ["Api", "Other"]


def test_what_no_rehearsal_shows_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It sends all requests by the alias, where the template has them pass it."""
    url = "  Url: {Type: AWS::Lambda::Url, Properties: {TargetFunctionArn: !Ref Api}}\n"
    path = tmp_path / "template.yaml"
    path.write_text(SAM + url)
    assert [*experiments_of(asked("healthy", "--template", str(path), "--stand-in"))]
    assert "Url invokes Api itself" in capsys.readouterr().err


def test_a_webhook_that_is_not_known_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the words of the field, not as a failure of what would run."""
    monkeypatch.delenv("CHAT", raising=False)
    path = tmp_path / "told.yaml"
    path.write_text("{name: told, notify: {address_in: CHAT}}")
    with pytest.raises(UsageError, match="set the environment variable CHAT"):
        [*experiments_of(asked(str(path)))]


@pytest.mark.parametrize("value", ["…", "...", "***"])
def test_what_stands_for_a_value_is_no_value(value: str) -> None:
    """It stands in advice and in the command line of a report, from where people copy it."""
    with pytest.raises(UsageError, match="--parameter DbSecret: put its value in the place of"):
        pair(f"DbSecret={value}")
