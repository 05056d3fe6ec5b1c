"""The command that writes an experiment: what it writes, what it refuses, and that a rehearsal plays it."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.aws.counted import MetricCounts
from harness.cli.main import main
from harness.core.experiment.parse import parse
from harness.core.experiment.rates import steps
from harness.run.experiment import read_experiment
from tests.sources import shop
from tests.sources.shop import logs
from tests.templates.conftest import SAM

BEGAN_S = datetime(2026, 11, 20, 18, tzinfo=UTC).timestamp()
SOURCES = {"openapi": shop.OPENAPI, "har": shop.HAR, "postman": shop.POSTMAN}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to write in, and a log to read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "access.log").write_text(logs.log("nginx"))
    return tmp_path


@pytest.mark.parametrize("kind", SOURCES)
def test_a_file_becomes_an_experiment_that_a_run_takes(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Named after the API, with what is not known told on the terminal and in the file."""
    assert main(["init", f"--{kind}", str(SOURCES[kind])]) == 0
    said = capsys.readouterr().out
    file = re.search(r"Wrote (\S+\.yaml)", said)
    assert file
    assert read_experiment(file[1]).target.host
    assert "what makes a request fail" in said
    assert "what makes a request fail" in Path(file[1]).read_text()


def test_nothing_is_written_over_without_force(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even another file that goes with it."""
    (folder / "shop.yaml").write_text("mine")
    words = ["init", "--openapi", str(shop.OPENAPI), "--locustfile"]
    assert main(words) == 2
    assert "shop.yaml exists already; give --force" in capsys.readouterr().err
    assert (folder / "shop.yaml").read_text() == "mine"
    assert not (folder / "locustfile.py").exists()
    assert main([*words, "--force"]) == 0
    assert parse((folder / "shop.yaml").read_text(), source="it").name == "shop"


def test_one_document_says_what_was_written_left_out_and_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    """For programs."""
    assert main(["init", "--har", str(shop.HAR), "--name", "mine", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["files"] == ["mine.yaml"]
    assert len(document["requests"]) == len(document["left_out"]) == 3
    assert document["unknown"]


def test_a_service_of_this_machine_is_what_a_rehearsal_plays(folder: Path) -> None:
    """Where the file names one."""
    text = shop.OPENAPI.read_text().replace("https://shop.example.com/prod", "http://localhost:3000")
    (folder / "local.yaml").write_text(text)
    assert main(["init", "--openapi", "local.yaml", "-o", "x.yaml"]) == 0
    experiment = read_experiment("x.yaml")
    assert experiment.baseline.url == experiment.canary.url == "http://localhost:3000"
    assert experiment.target.host is None


@pytest.mark.parametrize(
    ("name", "content", "kind", "says"),
    [
        ("empty.json", b"", "openapi", "empty.json: is empty"),
        ("bytes.har", b"\xff\xfe\x00", "har", "bytes.har, line 1: is no text in UTF-8"),
        ("cut.gz", b"\x1f\x8b\x08\x00", "access-log", "cut.gz: is compressed by gzip, and damaged"),
        ("other.json", b'{"name": "package"}', "openapi", "has no key openapi or swagger"),
        ("other.json", b'{"name": "package"}', "har", "is not a HAR file"),
        ("other.json", b'{"name": "package"}', "postman", "is not a Postman collection"),
        ("other.json", b'{"name": "package"}', "access-log", "line 1: is in no known format"),
    ],
)
def test_a_bad_file_gets_one_sentence(
    name: str, content: bytes, kind: str, says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And exit code 2, and nothing is written."""
    (folder / name).write_bytes(content)
    before = sorted(folder.iterdir())
    assert main(["init", f"--{kind}", name]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert sorted(folder.iterdir()) == before


def test_a_huge_file_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before it is read as a whole."""
    with (folder / "huge.log").open("wb") as file:
        file.truncate(10**9)
    assert main(["init", "--access-log", "huge.log"]) == 2
    assert "it has more than 64 MiB; give a part of it" in capsys.readouterr().err


def test_a_missing_file_and_no_file_at_all_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """In a sentence."""
    assert main(["init", "--openapi", "nowhere.yaml"]) == 2
    assert "nowhere.yaml: cannot be read: No such file" in capsys.readouterr().err
    assert main(["init"]) == 2
    assert "--openapi" in capsys.readouterr().err
    assert main(["init", "--openapi", str(shop.OPENAPI), "--canary", "http://127.0.0.1:1"]) == 2
    assert "--canary needs --baseline" in capsys.readouterr().err


def test_a_workflow_goes_with_it(folder: Path) -> None:
    """Its actions are pinned, its rights few, and its secrets those that the requests use."""
    assert main(["init", "--har", str(shop.HAR), "--name", "shop", "--ci", "github"]) == 0
    text = (folder / ".github" / "workflows" / "canary.yml").read_text()
    job = yaml.safe_load(text)["jobs"]["canary"]
    assert re.findall(r"uses: (?!.*@[0-9a-f]{40} # v).*", text) == []
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    run = next(step for step in job["steps"] if step.get("name") == "Deploy under traffic")
    assert run["env"] == {name: f"${{{{ secrets.{name} }}}}" for name in ("TOKEN", "COOKIE", "API_KEY", "PASSWORD")}
    assert run["run"].startswith("canary-harness run shop.yaml --stack YOUR-STACK -- sam deploy")


def test_the_workflow_passes_an_audit(folder: Path) -> None:
    """Of everything that zizmor can look at without the network, at its strictest."""
    assert main(["init", "--har", str(shop.HAR), "--name", "shop", "--ci", "github"]) == 0
    zizmor = Path(sys.executable).parent / "zizmor"
    command = [zizmor, "--offline", "--persona=auditor", ".github/workflows/canary.yml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings" in done.stdout + done.stderr


def test_a_job_for_gitlab_goes_with_it(folder: Path) -> None:
    """In a file of its own, which is included."""
    assert main(["init", "--access-log", "access.log", "--ci", "gitlab"]) == 0
    job = yaml.safe_load((folder / "canary.gitlab-ci.yml").read_text())["canary"]
    assert job["script"][1].startswith(
        "canary-harness run access.yaml --stack YOUR-STACK --host https://YOUR-HOST -- sam"
    )
    assert job["id_tokens"]["AWS_TOKEN"]["aud"]


def test_a_job_is_written_for_an_experiment_that_is_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing else is; what would make another experiment is refused, and so is nothing to write."""
    (folder / "mine.yaml").write_text("name: mine\ntarget: {host: https://api.example.com}\n")
    before = {*folder.iterdir()}
    assert main(["init", "mine.yaml", "--ci", "gitlab", "--stack", "shop-prod"]) == 0
    assert {*folder.iterdir()} - before == {folder / "canary.gitlab-ci.yml"}
    job = yaml.safe_load((folder / "canary.gitlab-ci.yml").read_text())["canary"]
    assert job["script"][1].startswith("canary-harness run mine.yaml --stack shop-prod -- sam")
    capsys.readouterr()
    assert main(["init", "mine.yaml", "--ci", "github", "--har", str(shop.HAR)]) == 2
    assert "--har makes another experiment" in capsys.readouterr().err
    assert main(["init", "mine.yaml"]) == 2
    assert "by --ci or --locustfile" in capsys.readouterr().err


def test_a_locustfile_goes_with_it(folder: Path) -> None:
    """Importing it is enough to play the experiment."""
    assert main(["init", "--openapi", str(shop.OPENAPI), "--locustfile"]) == 0
    check = "import locustfile; assert locustfile.Customer.sends_canary_traffic"
    done = subprocess.run([sys.executable, "-c", check], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def rehearsed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Writes an experiment of the shop, plays it, and gives the verdict."""
    for name in ("TOKEN", "COOKIE", "API_KEY", "PASSWORD"):
        monkeypatch.setenv(name, "x")

    def play(*words: str) -> dict[str, Any]:
        assert main(["init", *words, "--name", "shop"]) == 0
        with (folder / "shop.yaml").open("a") as file:
            file.write("objective: {latency: {p99_s: 5}}\n")  # how fast a busy machine answers is nothing of theirs
        command = [sys.executable, "-m", "harness", "rehearse", "shop.yaml", "--speed", "120", "--arrival-rate", "8"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        file = folder / "reports" / "latest" / "verdict.json"
        assert file.exists(), done.stderr
        verdict: dict[str, Any] = json.loads(file.read_text())
        return verdict

    return play


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["openapi", "har"])
def test_a_file_is_rehearsed_by_a_second_command(kind: str, rehearsed: Callable[..., dict[str, Any]]) -> None:
    """Every request that it describes is answered well, and the canary is promoted."""
    with shop.served() as url:
        verdict = rehearsed(f"--{kind}", str(SOURCES[kind]), "--baseline", url)
    assert (verdict["call"], verdict["traffic"]["good"]["failed"]) == ("cleared", 0)


@pytest.mark.slow
def test_a_version_that_fails_for_some_values_of_a_log_is_caught(rehearsed: Callable[..., dict[str, Any]]) -> None:
    """The log's own values meet what is broken: one endpoint, for those who look for shoes."""
    with shop.served() as url, shop.served(shop.Shop(fails_for="shoes")) as broken:
        verdict = rehearsed("--access-log", "access.log", "--baseline", url, "--canary", broken)
    assert (verdict["call"], verdict["outcome"]) == ("caught", "rolled_back")
    (hurt,) = verdict["exposure"]["requests"]
    feed = read_experiment("shop.yaml").traffic.feed
    assert hurt["name"] == "get-search"
    assert isinstance(feed, tuple)
    assert {feed[row - 1]["q"] for row in hurt["rows"]} == {"shoes"}


def test_productions_rate_is_fetched_from_cloudwatch_and_replayed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With an experiment, which then knows its rate, or for one that is there already."""
    fetched = MetricCounts("Invocations", {BEGAN_S + 60 * minute: 60.0 * minute for minute in range(3)})
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr("harness.aws.clients.Aws.warm", lambda *_: None)
    monkeypatch.setattr("harness.aws.counted.counted", lambda _, *words: asked.append(words) or fetched)
    window = ["--from-cloudwatch", "shop/prod", "--window", "2026-11-20T18:00/3m"]
    assert main(["init", "--openapi", str(shop.OPENAPI), *window]) == 0
    said = capsys.readouterr().out
    assert "Wrote shop.yaml and shop-prod-rate.csv" in said
    assert "how much traffic" not in said
    assert asked[0][:3] == ("shop/prod", BEGAN_S, BEGAN_S + 180)
    rate = read_experiment("shop.yaml").traffic.arrival_rate
    assert [(step.at_s, step.rate) for step in steps(rate)] == [(0, 0), (60, 1), (120, 2)]
    assert main(["init", *window, "-o", "alone.csv"]) == 0
    assert "{from: alone.csv}" in capsys.readouterr().out
    assert Path("alone.csv").read_text() == Path("shop-prod-rate.csv").read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--window", "2026-11-20T18:00/3m"], "--window goes with --from-cloudwatch"),
        (["--from-cloudwatch", "shop", "--window", "noon"], "--window: must be a time and a duration"),
    ],
)
def test_a_window_that_makes_no_sense_is_told(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before CloudWatch is asked."""
    assert main(["init", "--openapi", str(shop.OPENAPI), *words]) == 2
    assert says in capsys.readouterr().err


EVENTS = """\
      Handler: app.handler
      Runtime: python3.13
      Events:
        Read: {Type: HttpApi, Properties: {Path: "/orders/{id}", Method: get}}
        Any: {Type: Api, Properties: {Path: /status, Method: ANY}}
        Write: {Type: Api, Properties: {Path: /orders, Method: POST}}
        Night: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
"""


def test_a_template_becomes_an_experiment_of_its_release_and_routes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which `rehearse --template` plays; what may change something is not sent."""
    (folder / "src").mkdir()
    (folder / "src" / "app.py").write_text("def handler(event, context): return {}\n")
    (folder / "template.yaml").write_text(SAM.replace("      CodeUri: src/\n", f"      CodeUri: src/\n{EVENTS}"))
    assert main(["init", "--template", "template.yaml", "--function", "Api", "-o", "own.yaml"]) == 0
    assert "rehearse own.yaml --template template.yaml --function Api" in capsys.readouterr().out
    made = read_experiment("own.yaml")
    sent = {f"{one.method} {one.path}": one.weight for one in made.traffic.requests.values()}
    assert sent == {"get /orders/1": None, "get /status": None, "post /orders": 0}
    assert (made.deployment.config, made.deployment.alias) == ("Canary10Percent5Minutes", "live")
    assert (made.alarm.threshold, made.alarm.dimensions) == (3, "alias")


def test_what_an_experiment_has_no_words_for_is_told_and_the_rest_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the release, and the parameters that the next command needs."""
    text = SAM.replace("      CodeUri: src/\n", f"      CodeUri: src/\n{EVENTS}").replace(
        "Value: !Ref Api}", "Value: other}"
    )
    (folder / "template.yaml").write_text(text)
    words = ["init", "--template", "template.yaml", "--function", "Api", "--parameter", "Stage=prod", "-o", "own.yaml"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "it watches AWS/Lambda Errors of FunctionName=other" in told
    next_command = "rehearse own.yaml --template template.yaml --function Api --parameter Stage=prod -- COMMAND"
    assert next_command in told, "a rehearsal without the tool would refuse the alarm"
    assert read_experiment("own.yaml").deployment.config == "Canary10Percent5Minutes"


@pytest.mark.parametrize("kind", ["openapi", "har", "postman", "access_log"])
def test_a_template_says_the_release_and_another_source_the_requests(folder: Path, kind: str) -> None:
    """The template need not give a route to the function then."""
    (folder / "template.yaml").write_text(SAM)
    source = str(SOURCES.get(kind, folder / "access.log"))
    words = ["init", f"--{kind.replace('_', '-')}", source, "--host", "https://shop.example.com/prod"]
    assert main([*words, "-o", "alone.yaml"]) == 0
    assert main([*words, "-o", "both.yaml", "--template", "template.yaml", "--function", "Api"]) == 0
    both = read_experiment("both.yaml")
    assert both.target.host is None  # as a rehearsal wants it
    assert both.traffic == read_experiment("alone.yaml").traffic
    assert (both.deployment.config, both.deployment.alias) == ("Canary10Percent5Minutes", "live")
    assert (both.alarm.threshold, both.alarm.dimensions) == (3, "alias")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--template", "template.yaml"), "gives no route to the function"),
        (("--openapi", str(shop.OPENAPI), "--har", str(shop.HAR)), "--openapi and --har both say what is sent"),
        (("--openapi", str(shop.OPENAPI), "--function", "Api"), "go with --template"),
    ],
)
def test_what_a_template_cannot_give_is_said(
    folder: Path, words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one sentence, and nothing is written."""
    (folder / "template.yaml").write_text(SAM)
    assert main(["init", *words]) == 2
    assert told in capsys.readouterr().err
    assert not [*folder.glob("api*.yaml")]
