"""The README of the experiments shows files that can be played."""

import re
from pathlib import Path

import pytest
import yaml

from harness.cli import main as cli
from harness.core.experiment.requests import METHODS

README = Path(__file__).resolve().parent.parent / "harness" / "experiments" / "README.md"
SHOP, MINE, *_ = re.findall(r"```yaml\n(.*?)```", README.read_text(), flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the README shows, and the customers of its shop."""
    (tmp_path / "shop.yaml").write_text(SHOP)
    (tmp_path / "mine.yaml").write_text(MINE)
    (tmp_path / "customers.csv").write_text("email,term\nann@example.com,shoes\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_the_plan_says_what_the_shop_is_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Singles and sequences, and what of it may change something at a host that is not this machine."""
    monkeypatch.setenv("SHOP_PASSWORD", "a-secret-of-the-shop")
    assert cli.main(["plan", "shop.yaml"]) == 0
    said = capsys.readouterr().out
    assert "# Sends: search (GET /search, weight 4), order (POST /orders, weight 1)" in said
    assert "#   In sequence: visit (login, mine)" in said
    assert "#   These may change something at api.example.com: POST /orders, POST /login" in said
    assert "a-secret-of-the-shop" not in said
    assert "{{env.SHOP_PASSWORD}}" in said


@pytest.mark.usefixtures("folder")
def test_a_secret_that_is_not_set_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is sent."""
    assert cli.main(["plan", "shop.yaml"]) == 2
    assert "{{env.SHOP_PASSWORD}} has no value; set the environment variable SHOP_PASSWORD" in capsys.readouterr().err


def test_a_feed_that_lacks_a_column_is_refused_with_its_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the plan as by the run."""
    (folder / "customers.csv").write_text("email\nann@example.com\n")
    assert cli.main(["plan", "shop.yaml"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("canary-harness: shop.yaml, line 8: traffic.requests.search: {{term}} has no column: ")
    assert "customers.csv has the columns email" in said


@pytest.mark.usefixtures("folder")
def test_a_rehearsal_asks_for_secrets_before_it_starts_anything(capsys: pytest.CaptureFixture[str]) -> None:
    """In the same sentence."""
    own = "baseline: {url: http://127.0.0.1:9}\n"
    Path("here.yaml").write_text(SHOP.replace('target: {host: "https://api.example.com/prod"}\n', own))
    assert cli.main(["rehearse", "here.yaml"]) == 2
    assert "{{env.SHOP_PASSWORD}} has no value" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_an_experiment_without_requests_of_its_own_is_planned(capsys: pytest.CaptureFixture[str]) -> None:
    """For a locustfile that says what is sent."""
    assert cli.main(["plan", "mine.yaml", "--host", "http://127.0.0.1:3000", "--locust=-f mine.py"]) == 0
    assert "Sends:" not in capsys.readouterr().out


def test_every_key_of_a_request_is_told() -> None:
    """And no other."""
    told = set(re.findall(r"`(\w+)`", README.read_text()))
    assert {*METHODS, "query", "headers", "json", "form", "body", "weight", "name", "expect", "check", "take"} <= told
    assert yaml.safe_load(SHOP)["traffic"].keys() <= {
        "arrival_rate",
        "error_share",
        "requests",
        "flow",
        "feed",
        "fault",
    }
