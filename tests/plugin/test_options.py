"""Options: flags go before the file, and what cannot be is one clear sentence and exit code 2."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import configargparse
import pytest

from harness.core.experiment.types import Outcome, RateStep
from harness.core.timeline.clock import Clock
from harness.errors import ExperimentError, UsageError
from harness.plugin.options import add_options, settings_of
from harness.run.experiment import Settings, watched

ROOT = Path(__file__).parents[2]


def parsed(*words: str) -> Any:
    """The options of a command line."""
    parser = configargparse.ArgumentParser()
    parser.add_argument("--host")
    add_options(parser)
    return parser.parse_args([*words])


def settings(*words: str) -> Settings:
    """The settings of a command line."""
    return settings_of(parsed(*words))


@pytest.fixture
def experiment_file(tmp_path: Path) -> str:
    """An experiment with a rate, a share and a seed."""
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nseed: 5\ntraffic: {arrival_rate: 7, error_share: 0.25}\n", encoding="utf-8")
    return str(path)


def test_without_options_there_is_an_experiment_of_defaults() -> None:
    """A person with nothing but a locustfile gets traffic; nothing is watched."""
    experiment = settings().experiment
    assert (experiment.name, experiment.traffic.arrival_rate) == ("adhoc", 20.0)
    assert not watched(experiment)


def test_an_experiment_comes_from_a_file(experiment_file: str) -> None:
    """The file is read whole."""
    experiment = settings("--canary-experiment", experiment_file).experiment
    assert (experiment.name, experiment.seed, experiment.traffic.arrival_rate) == ("mine", 5, 7.0)


def test_an_experiment_comes_from_the_package_by_name() -> None:
    """The names of `canary-harness rehearse` are good here too."""
    assert settings("--canary-experiment", "erroruser").experiment.traffic.error_share == 0.05


def test_flags_go_before_the_file(experiment_file: str) -> None:
    """What is on the command line holds, the rest stays as in the file."""
    words = ["--canary-experiment", experiment_file, "--canary-error-share", "0.5", "--canary-seed", "9"]
    experiment = settings(*words, "--host", "http://x/s", "--canary-expect", "promoted").experiment
    assert (experiment.traffic.error_share, experiment.traffic.arrival_rate, experiment.seed) == (0.5, 7.0, 9)
    assert (experiment.target.host, experiment.expect.outcome) == ("http://x/s", Outcome.PROMOTED)


def test_a_function_with_its_alias_goes_before_the_file_s_alias(tmp_path: Path) -> None:
    """What stands behind the name is said on the command line; beside another alias there it is refused."""
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ndeployment: {function: other, alias: Beta}\n", encoding="utf-8")
    words = ["--canary-experiment", str(path), "--canary-function", "shop-api:Prod"]
    deployment = settings(*words).experiment.deployment
    assert (deployment.function, deployment.alias) == ("shop-api", "Prod")
    with pytest.raises(ExperimentError, match="names the alias Prod"):
        settings(*words, "--canary-alias", "Beta")


def test_a_rate_may_ramp_and_burst() -> None:
    """In words on the command line, as in the web form."""
    rate = settings("--canary-arrival-rate", "5 for 30s, to 50 in 1m").experiment.traffic.arrival_rate
    assert rate == (RateStep(at_s=0, rate=5), RateStep(at_s=30, ramp_to=50, for_s=60))


def test_the_environment_says_the_same_as_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each option has its variable."""
    monkeypatch.setenv("LOCUST_CANARY_ARRIVAL_RATE", "42")
    monkeypatch.setenv("LOCUST_CANARY_CLOCK", "1000.5:60.0")
    given = settings()
    assert given.experiment.traffic.arrival_rate == 42.0
    assert (given.clock, given.rehearsal) == (Clock(epoch_s=1000.5, speed=60.0), True)


def test_without_a_clock_it_is_no_rehearsal() -> None:
    """On AWS time is time."""
    assert (settings().clock, settings().rehearsal) == (Clock(), False)


def test_users_make_a_closed_loop_and_a_rate_opens_it_again(tmp_path: Path) -> None:
    """The last word is the flag's."""
    assert settings("--canary-users", "5").experiment.traffic.users == 5
    path = tmp_path / "closed.yaml"
    path.write_text("name: closed\ntraffic: {users: 3}\n", encoding="utf-8")
    assert settings("--canary-experiment", str(path)).experiment.traffic.users == 3
    assert settings("--canary-experiment", str(path), "--canary-arrival-rate", "9").experiment.traffic.users is None


def test_a_value_emptied_in_the_web_form_is_left_out(experiment_file: str) -> None:
    """The form sends empty texts, which mean what the file says."""
    options = parsed("--canary-experiment", experiment_file)
    options.canary_error_share = ""
    assert settings_of(options).experiment.traffic.error_share == 0.25


@pytest.mark.parametrize("share", ["1.5", "-0.1", "many", "nan"])
def test_a_value_from_the_web_form_is_checked_too(share: str) -> None:
    """The form writes texts over checked values."""
    options = parsed()
    options.canary_error_share = share
    with pytest.raises(UsageError, match="--canary-error-share: must be"):
        settings_of(options)


@pytest.mark.parametrize(
    "words",
    [
        ["--canary-application", "a", "--canary-group", "g"],
        ["--canary-deployment", "d-123456789"],
        ["--canary-stack", "shop"],
        ["--canary-function", "shop-api"],
    ],
)
def test_a_deployment_is_watched_when_it_can_be_found(words: list[str]) -> None:
    """By its id, or as the next one of a group, which anything may lead to."""
    assert watched(settings(*words).experiment)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--canary-error-share", "1.5"], "argument --canary-error-share: must be between 0 and 1, not '1.5'"),
        (["--canary-error-share", "some"], "argument --canary-error-share: must be a number, not 'some'"),
        (["--canary-arrival-rate", "-1"], "argument --canary-arrival-rate: must be a rate such as '20' or '5 for 30s,"),
        (["--canary-arrival-rate", "inf"], "not 'inf': 'inf' is no rate"),
        (["--canary-pattern", "odd"], "argument --canary-pattern: must be one of even, bernoulli, burst, not 'odd'"),
        (["--canary-users", "0"], "argument --canary-users: must be at least 1 and at most 1,000,000, not '0'"),
        (["--canary-users", "1000001"], "argument --canary-users: must be at least 1 and at most 1,000,000, not"),
        (["--canary-max-fault-requests=-1"], "argument --canary-max-fault-requests: must not be negative, not '-1'"),
        (["--canary-users", "few"], "argument --canary-users: must be a whole number, not 'few'"),
        (["--canary-seed", "1.5"], "argument --canary-seed: must be a whole number, not '1.5'"),
        (["--canary-clock", "now"], "argument --canary-clock: must be EPOCH:SPEED, not 'now'"),
        (["--canary-clock", "1:0"], "argument --canary-clock: must be EPOCH:SPEED with a speed above 0, not '1:0'"),
    ],
)
def test_a_value_that_cannot_be_ends_the_program(
    capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    """Exit code 2, and the sentence names the option."""
    with pytest.raises(SystemExit) as ended:
        parsed(*words)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_rail_that_is_sure_to_trip_is_refused_where_a_deployment_is_followed() -> None:
    """Traffic alone waits for nothing."""
    short = ("--canary-max-wall-time", "10m")
    assert settings(*short).experiment.rails.wall_time_s == 600
    with pytest.raises(UsageError, match=r"rails\.wall_time_s: .* lower give_up_s"):
        settings(*short, "--canary-group", "live")


def test_an_experiment_that_is_not_there_is_one_sentence() -> None:
    """It names the experiments that are."""
    with pytest.raises(UsageError, match="unknown experiment 'nope'; known are healthy, erroruser"):
        settings("--canary-experiment", "nope")


def test_an_experiment_that_is_wrong_names_its_field(tmp_path: Path) -> None:
    """The path of the field is exact."""
    path = tmp_path / "wrong.yaml"
    path.write_text("name: wrong\ntraffic: {error_share: 1.5}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"wrong\.yaml: traffic\.error_share"):
        settings("--canary-experiment", str(path))


def test_a_host_that_cannot_be_is_one_sentence() -> None:
    """Found before the first request."""
    with pytest.raises(UsageError, match=r"target\.host: must be a URL such as"):
        settings("--host", "example.com")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--canary-error-share", "2"], "--canary-error-share: must be between 0 and 1, not '2'"),
        (["--canary-experiment", "nope"], "unknown experiment 'nope'; known are"),
        ([], "no host to send traffic to: give --host"),
    ],
)
def test_locust_itself_ends_with_the_sentence(words: list[str], sentence: str, tmp_path: Path) -> None:
    """The whole program: exit code 2, one sentence, no traceback."""
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles" / "canary.py"), "--headless", *words]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
