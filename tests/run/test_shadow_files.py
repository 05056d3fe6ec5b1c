"""Files of shadow alarms: what is read from them, and the sentence that each mistake gets."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.cli.wanted import wanted_of
from harness.core.experiment.alarm_contradictions import MOST_SHADOWS
from harness.errors import UsageError
from harness.plugin.options import settings_of
from harness.run.experiment import asked, read_shadows

STRICT = "- {name: strict, threshold: 1}\n"


def written(folder: Path, text: str) -> Path:
    """A file with this text."""
    path = folder / "shadow.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", [STRICT, f"shadow:\n{STRICT}"])
def test_a_list_or_the_key_of_an_experiment_is_read(text: str, tmp_path: Path) -> None:
    """Both are what a person would write."""
    assert [(one.name, one.threshold) for one in read_shadows(written(tmp_path, text))] == [("strict", 1)]


def test_the_option_goes_before_the_file(tmp_path: Path) -> None:
    """As every option does; `run` and Locust hand it on alike."""
    path = written(tmp_path, STRICT)
    experiment = tmp_path / "game.yaml"
    experiment.write_text("name: game\nshadow: [{name: own, threshold: 9}]\n")
    assert [one.name for one in asked(str(experiment), {}).shadow] == ["own"]
    assert [one.name for one in asked(str(experiment), {"shadow": str(path)}).shadow] == ["strict"]
    settings = settings_of(SimpleNamespace(canary_experiment=str(experiment), canary_shadow=str(path)))
    assert [one.name for one in settings.experiment.shadow] == ["strict"]
    options = SimpleNamespace(locustfile=None, locust=[f"--canary-shadow {path}"], experiment=str(experiment))
    options.host = "http://127.0.0.1:1"
    wanted = wanted_of(options)  # type: ignore[arg-type]  # what argparse would have made
    assert [one.name for one in wanted.experiment.shadow] == ["strict"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {name: a, treshold: 1}", "shadow[0].treshold: unknown key; did you mean threshold?"),
        ("- {threshold: 1}", "shadow[0].name: needs a name of its own"),
        ("- {name: a}\n- {name: a}", "shadow[1].name: needs a name of its own"),
        ("shadows: []", "shadows: unknown key; did you mean shadow?"),
        ("just words", "must be a map of keys"),
        ("{}", "shadow: is missing"),
        ("- {name: a, period_s: 7200}", "shadow[0].period_s: must be at most 3600"),
        ("- {name: a, statistic: p101}", "shadow[0].statistic: must be one of"),
        ("- {name: a, expression: m1 / 2}", "needs expression and metrics together"),
        ("- {name: a, metrics: {m: {metric: Errors}}}", "needs expression and metrics together"),
        ("- {name: a, expression: M, metrics: {M: {metric: Errors}}}", "an id begins with a small letter"),
        ("- {name: a, expression: m, metrics: {m: {metric: Errors, dimensions: stage}}}", "metrics.m.dimensions"),
        ('- {name: a, dimensions: {Resource: "{alias_arn}"}}', "cannot hold {alias_arn}"),
        ('- {name: a, dimensions: {Resource: "{nobody}"}}', "unknown placeholder {nobody}"),
        ("\n".join(f"- {{name: a{number}}}" for number in range(MOST_SHADOWS + 1)), "at most 20 alarms"),
        ("- {name: a, threshold: .nan}", "finite number"),
        ("- [", "line 1"),
    ],
)
def test_a_mistake_gets_one_sentence_that_names_file_and_field(text: str, said: str, tmp_path: Path) -> None:
    """Before anything is asked of AWS."""
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_shadows(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_an_expression_that_cannot_be_evaluated_is_refused(tmp_path: Path) -> None:
    """A typing mistake would otherwise be told only after the release."""
    text = "- {name: a, expression: m /, metrics: {m: {metric: Errors}}}"
    with pytest.raises(UsageError, match=r"shadow\[0\]\.expression: cannot be evaluated: .* no metric math"):
        asked(None, {"shadow": str(written(tmp_path, text))})


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """So is a folder."""
    for path in (tmp_path / "nowhere.yaml", tmp_path):
        with pytest.raises(UsageError, match="cannot read the shadow alarms"):
            read_shadows(path)
