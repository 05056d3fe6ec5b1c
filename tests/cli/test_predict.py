"""`canary-harness predict`: what it says, in which forms, and what bad input gets."""

import json
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.errors import ExitCode


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command prints."""
    assert main(["predict", *words]) == ExitCode.AS_EXPECTED
    return capsys.readouterr().out


def test_each_number_says_how_it_came_about(capsys: pytest.CaptureFixture[str]) -> None:
    """By formula, by playing it, or taken for granted."""
    lines = [line for line in said(capsys, "broken-canary").splitlines() if line.startswith("  ")]
    assert {line.split()[0] for line in lines if "Chance to catch" not in line} <= {"exact", "simulated", "assumed"}


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """With the chance and its interval, every number by its id, and the cause."""
    document = json.loads(said(capsys, "thin-traffic", "--json"))
    ids = {line["id"] for line in document["lines"]}
    assert {"rolled_back", "smallest_fault", "least_rate", "largest_threshold", "shortest_bake", "presets"} <= ids
    assert (document["cause"], document["outlook"]["rolled_back"]["by"]) == ("traffic", "exact")


def test_quiet_says_the_chance_and_what_binds(capsys: pytest.CaptureFixture[str]) -> None:
    """Two sentences."""
    told = said(capsys, "thin-traffic", "-q").splitlines()
    assert [line.split()[0] for line in told] == ["Rolled", "Thin"]


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("broken-canary",), "none"),
        (("wrong-dimension",), "dimension"),
        (("no-rollback",), "rollback"),
        (("broken-canary", "--slow", "2s"), "dimension"),
        (("broken-canary", "--config", "Canary10Percent2Minutes"), "phase"),
        (("broken-canary", "--config", "Canary10Percent1Minutes"), "delay"),
        (("broken-canary", "--begins", "4m50s"), "bake"),
        (("broken-canary", "--fail", "0.02"), "threshold"),
        (("broken-canary", "--arrival-rate", "0.2"), "traffic"),
        (("broken-canary", "--arrival-rate", "0"), "traffic"),
    ],
)
def test_the_cause_that_binds_is_named(words: tuple[str, ...], cause: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In one word, and in a sentence."""
    document = json.loads(said(capsys, *words, "--json"))
    assert (document["cause"], document["binding"].count(". ")) == (cause, 0)


def test_a_rate_of_zero_still_gets_the_least_rate(capsys: pytest.CaptureFixture[str]) -> None:
    """What can still be said."""
    document = json.loads(said(capsys, "broken-canary", "--arrival-rate", "0", "--json"))
    told = {line["id"]: line["value"] for line in document["lines"]}
    assert told["rolled_back"] == 0.0
    assert 1.0 < told["least_rate"] < 2.0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "name an experiment, or what is released"),
        (("broken-canary", "--config", "Canary10Percent5Minute5"), "did you mean Canary10Percent5Minutes?"),
        (("broken-canary", "--fail", "2"), "must be a share from 0 to 1"),
        (("broken-canary", "--on", "5s"), "--on and --every go together"),
        (("broken-canary", "--slow", "5s", "--ramp", "9s"), "give one of them"),
        (("broken-canary", "--parameter", "a=b"), "goes with --template"),
        (("broken-canery",), "did you mean broken-canary?"),
    ],
)
def test_bad_input_gets_one_sentence(words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and no traceback."""
    assert main(["predict", *words]) == ExitCode.USAGE
    assert sentence in capsys.readouterr().err


def test_an_alarm_that_cannot_be_evaluated_gets_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no chance."""
    file = tmp_path / "own.yaml"
    file.write_text("name: own\nalarm: {metric: OrdersLost, namespace: Shop, dimensions: {Shop: a}}\n")
    document = json.loads(said(capsys, str(file), "--json"))
    assert (document["outlook"], document["lines"]) == (None, [])
    assert "OrdersLost is none that answers tell of" in document["unsaid"][0]
