"""The command line as its caller sees it: exit codes, one sentence on stderr, results on stdout."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness import experiments, processes
from harness.cli import main as cli
from harness.cli import rehearse
from harness.core.experiment.parse import parse
from harness.core.experiment.rates import worded
from harness.core.experiment.types import Call, Experiment, Outcome
from harness.core.timeline.events import RunEnded, RunStarted, encode
from harness.core.verdict.types import (
    Arms,
    Attribution,
    DeploymentFacts,
    Detection,
    Exposure,
    TrafficFacts,
    Verdict,
)
from harness.rehearsal import play as playing
from harness.rehearsal.play import Played
from harness.report.folder import RunFolder
from harness.run.experiment import read_experiment

Capture = pytest.CaptureFixture[str]
Script = Callable[..., None]

WRITES_A_DASH = "from harness.streams import bear_any_stream; bear_any_stream(); print('1–2')"


def verdict_of(name: str, exit_code: int = 0) -> Verdict:
    """A verdict with next to nothing in it."""
    return Verdict(
        experiment=name,
        outcome=Outcome.PROMOTED,
        expected=Outcome.PROMOTED,
        result="as_expected" if exit_code == 0 else "contrary",
        call=Call.CLEARED,
        exit_code=exit_code,
        because=("Because.",),
        deployment=DeploymentFacts(),
        detection=Detection(),
        traffic=TrafficFacts(),
        arms=Arms(),
        exposure=Exposure(),
        attribution=Attribution(),
    )


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Replaces playing: each experiment ends with its exit code, and with a verdict unless told otherwise."""

    def write(codes: dict[str, int], *, verdict: bool = True, trouble: str | None = None) -> None:
        def play(
            chosen: Sequence[Experiment],
            _: Any,
            *,
            open_folder: Callable[[Experiment], Path],
            stop: Any,
            sender: Any,
        ) -> Generator[Played, None, None]:
            for experiment in chosen:
                folder = open_folder(experiment)
                code = codes.get(experiment.name, 0)
                if verdict:
                    RunFolder.open(folder).write_verdict(verdict_of(experiment.name, code))
                yield Played(experiment, folder, code, trouble)

        monkeypatch.setattr(playing, "play", play)

    return write


@pytest.fixture
def reports(tmp_path: Path) -> list[str]:
    """The option that keeps run folders out of the way."""
    return ["--reports", str(tmp_path / "reports")]


def said(capture: Capture) -> str:
    """The only line on stderr."""
    lines = capture.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rehearse", "erorruser"], "unknown experiment 'erorruser'; did you mean erroruser?"),
        (["rehearse", "zzz"], "unknown experiment 'zzz'; known are healthy, erroruser, "),
        (["rehearse", "no/such.yaml"], "cannot read the experiment no/such.yaml: No such file or directory"),
        (["rehearse", "."], "cannot read the experiment .: Is a directory"),
        (["rehearse", "--name", "x"], "--name is for one experiment"),
        (["rehearse", "-f", "no.py"], "--locustfile: there is no file no.py"),
        (["watch", "--arrival-rate", "2"], "unrecognized arguments: --arrival-rate"),
        (["rehearse", "healthy", "--all"], "give names or --all, not both"),
        (["rehearse", "--speed", "0"], "argument --speed: must be a number above 0 and at most 1000, got 0"),
        (["rehearse", "--speed", "nan"], "argument --speed: must be a number above 0 and at most 1000, got nan"),
        (["rehearse", "--seed", "x"], "argument --seed: must be a whole number, got x"),
        (["judge", "x", "--", "-u", "3"], "only `canary-harness run`, `plan` and `rehearse` take a command after --"),
        (["rehearse", "healthy", "--", "-u", "3"], "there is no command -u to deploy with"),
        (["rehearse", "--change", ".", "healthy"], "--change goes with a command after --"),
        (["rehearse", "--", "true"], "nothing would change from the first deployment to the second: give --change DIR"),
        (["cloud", "--port", "70000"], "argument --port: must be between 0 and 65535, got 70000"),
        (["run", "no.yaml"], "cannot read the experiment no.yaml: No such file or directory"),
        (["judge", "nowhere"], "nowhere is not a run folder; give one such as reports/latest"),
        (
            ["watch", "--functon=x"],
            "unrecognized arguments: --functon=x; did you mean --function? (see canary-harness w",
        ),
        (["alarm", "set", "x", "OK", "--fro", "5m"], "unrecognized arguments: --fro 5m; did you mean --for?"),
        (["judge", "x", "y"], "unrecognized arguments: y (see canary-harness judge --help)"),
        (["dance"], "argument COMMAND: invalid choice: 'dance'"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_mistake_is_one_sentence_and_exit_2(words: list[str], sentence: str, capsys: Capture) -> None:
    """What was wrong, on stderr, and nothing on stdout."""
    assert cli.main(words) == 2
    assert said(capsys).startswith(f"canary-harness: {sentence}")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: x\ntraffic: {error_share: 1.5}", "traffic.error_share: must be between 0 and 1, got 1.5"),
        ("name: x\ntraffic: {arrival_rate: -1}", "traffic.arrival_rate: must be between 0 and 1,000,000, got -1"),
        ("name: x\ndeployment: {config: Canary0Percent5Minutes}", "deployment.config: must shift between 1 and 99"),
        ("name: x\ndeployment: {config: mine}", "deployment.config: a rehearsal knows AllAtOnce, "),
        ("name: [x", "line 1, column 9: expected"),
    ],
)
def test_bad_experiment_is_told_with_file_and_path(text: str, sentence: str, tmp_path: Path, capsys: Capture) -> None:
    """File, field, and what is wrong with it."""
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    assert cli.main(["rehearse", str(file)]) == 2
    assert said(capsys).startswith(f"canary-harness: {file}: {sentence}")


def test_file_that_is_not_text_is_told(tmp_path: Path, capsys: Capture) -> None:
    """Bytes that are no UTF-8 are no experiment."""
    file = tmp_path / "mine.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    assert cli.main(["rehearse", str(file)]) == 2
    assert "cannot read the experiment" in said(capsys)


def test_list_names_every_experiment(capsys: Capture) -> None:
    """One line each, name first."""
    assert cli.main(["rehearse", "--list"]) == 0
    assert tuple(line.split()[0] for line in capsys.readouterr().out.splitlines()) == experiments.NAMES


def test_list_speaks_json(capsys: Capture) -> None:
    """Machines get the same list."""
    assert cli.main(["rehearse", "--list", "--json"]) == 0
    assert tuple(entry["name"] for entry in json.loads(capsys.readouterr().out)) == experiments.NAMES


def test_pair_is_played_without_a_name(script: Script, reports: list[str], capsys: Capture) -> None:
    """The first two experiments, each with its summary, and a table of both."""
    script({})
    assert cli.main(["rehearse", *reports]) == 0
    shown = capsys.readouterr()
    assert shown.out.count("PROMOTED") == 2
    assert "All runs" in shown.out
    assert [line.split(":")[0] for line in shown.err.splitlines()] == ["healthy", "erroruser"]


def test_all_plays_everything(script: Script, reports: list[str], capsys: Capture) -> None:
    """`--all` is every experiment of the package, in order."""
    script({})
    assert cli.main(["rehearse", "--all", "--json", *reports]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert tuple(run["verdict"]["experiment"] for run in runs) == experiments.NAMES


@pytest.mark.parametrize(
    ("codes", "worst"),
    [
        ({}, 0),
        ({"erroruser": 4}, 4),
        ({"healthy": 3, "erroruser": 4}, 3),
        ({"healthy": 3, "erroruser": 1}, 3),
        ({"healthy": 1, "erroruser": 4}, 1),
    ],
)
def test_worst_exit_code_wins(codes: dict[str, int], worst: int, script: Script, reports: list[str]) -> None:
    """An outcome contrary to the expectation is worse than not knowing, which is worse than all well."""
    script(codes)
    assert cli.main(["rehearse", *reports]) == worst


def test_seed_of_the_command_line_is_played(script: Script, reports: list[str], tmp_path: Path) -> None:
    """`--seed` replaces the one of the experiment."""
    script({})
    cli.main(["rehearse", "healthy", "--seed", "42", *reports])
    assert RunFolder.open(tmp_path / "reports" / "latest").read_experiment().seed == 42


def test_json_is_alone_on_stdout(script: Script, reports: list[str], capsys: Capture) -> None:
    """One document with the run folder and the verdict."""
    script({"healthy": 3})
    assert cli.main(["rehearse", "healthy", "--json", *reports]) == 3
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert run["exit_code"] == run["verdict"]["exit_code"] == 3
    assert (Path(run["folder"]) / "verdict.json").is_file()


def test_run_without_a_verdict_is_no_success(script: Script, reports: list[str], capsys: Capture) -> None:
    """Locust that ends well and says nothing has failed."""
    script({}, verdict=False)
    assert cli.main(["rehearse", "healthy", "--json", *reports]) == 1
    shown = capsys.readouterr()
    (run,) = json.loads(shown.out)["runs"]
    assert (run["verdict"]["outcome"], run["verdict"]["exit_code"]) == ("unknown", 1)
    assert any("Locust ended with exit code 0 and no verdict" in reason for reason in run["verdict"]["because"])
    assert "no verdict; see" in shown.err


def test_trouble_is_told_and_is_exit_1(script: Script, reports: list[str], capsys: Capture) -> None:
    """A verdict cannot hide that the surroundings failed."""
    script({"healthy": 1}, trouble="the local cloud died in the middle: out of memory")
    assert cli.main(["rehearse", "healthy", *reports]) == 1
    assert "canary-harness: healthy: the local cloud died in the middle: out of memory; see" in capsys.readouterr().err


def judged(folder: RunFolder) -> RunFolder:
    """A run folder whose run ended before a deployment was seen."""
    folder.write_manifest(Experiment(name="x"), [])
    events = (RunStarted(at_s=0.0, experiment="x", epoch_s=0.0), RunEnded(at_s=9.0, why="given_up"))
    folder.timeline.write_bytes(b"".join(map(encode, events)))
    return folder


def test_judge_gives_the_same_verdict_again(tmp_path: Path, capsys: Capture) -> None:
    """Twice judged is once judged, by exit code, document and file."""
    folder = judged(RunFolder.create(tmp_path, "x", 0.0))
    answers = []
    for _ in range(2):
        code = cli.main(["judge", str(folder.path), "--json"])
        answers.append((code, capsys.readouterr().out, folder.verdict.read_bytes()))
    assert answers[0] == answers[1]
    document = json.loads(answers[0][1])
    assert document["verdict"]["exit_code"] == document["exit_code"] == answers[0][0] != 0


def test_judge_prints_a_summary(tmp_path: Path, capsys: Capture) -> None:
    """People get words, and report.md is there."""
    folder = judged(RunFolder.create(tmp_path, "x", 0.0))
    cli.main(["judge", str(folder.path)])
    assert "Report:" in capsys.readouterr().out
    assert folder.markdown.is_file()


def test_dry_run_prints_the_plan(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command, and the experiment with every default and option; no secrets, and nothing is started."""
    (tmp_path / "sam").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\ncanary: {env: {API_TOKEN: hunter2}}")
    words = ["--stack", "shop", "--expect", "promoted", "--host", "https://example.com"]
    deploys = ["sam", "deploy", "--parameter-overrides", "DbPassword=hunter2"]
    assert cli.main(["run", str(file), "--dry-run", *words, "--", *deploys]) == 0
    plan = capsys.readouterr().out
    resolved = parse(plan, source="plan")
    assert "-m harness.plugin" in plan.splitlines()[0]
    assert (resolved.deployment.stack, resolved.target.host) == ("shop", "https://example.com")
    assert (resolved.deployment.command or "").startswith("sam deploy")
    assert "hunter2" not in plan


def test_run_becomes_locust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locust takes over: the resolved experiment travels as a file, Locust's own options stand on its command line."""
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\ntarget: {host: http://localhost}")
    seen: list[Any] = []

    def execve(program: str, command: list[str], environment: dict[str, str]) -> None:
        seen.extend((program, command, read_experiment(environment["LOCUST_CANARY_RESOLVED"])))

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setenv("LOCUST_CANARY_SEED", "7")
    monkeypatch.setenv("LOCUST_CANARY_STACK", "other")
    words = ["--function", "f", "--stack", "shop", "--locust=-u 3 --canary-error-share 0.1"]
    cli.main(["run", str(file), *words, "--", "make", "deploy", "X=a b"])
    program, command, experiment = seen
    assert program == command[0] == sys.executable
    assert command[-6:] == ["-u", "3", "--canary-error-share", "0.1", "--host", "http://localhost"]
    deployment = experiment.deployment
    assert (deployment.function, deployment.stack, deployment.command) == ("f", "shop", "make deploy 'X=a b'")
    assert (experiment.traffic.error_share, experiment.seed) == (0.1, 7)


@pytest.fixture
def run_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[str], Experiment]]:
    """The command of Locust that `run` becomes with these words, and the experiment that it is handed."""

    def run(*words: str) -> tuple[list[str], Experiment]:
        seen: list[Any] = []
        monkeypatch.setattr(os, "execve", lambda _, command, environment: seen.extend((command, {**environment})))
        monkeypatch.setattr("harness.cli.run.handed_on", lambda experiment: contextlib.nullcontext({"it": experiment}))
        assert cli.main(["run", "--host", "http://localhost", *words]) == 0
        return seen[0], seen[1]["it"]

    return run


def test_common_options_go_over_the_file(run_of: Callable[..., tuple[list[str], Experiment]]) -> None:
    """Each changes its field; without a deployment Locust itself ends the traffic."""
    words = ["--arrival-rate", "5 for 30s, 9", "--error-share", "0.5", "--name", "mine", "--duration", "90s"]
    command, experiment = run_of("erroruser", *words)
    assert worded(experiment.traffic.arrival_rate) == "5, from 30s 9"
    assert (experiment.traffic.error_share, experiment.name, experiment.give_up_s) == (0.5, "mine", 90.0)
    assert command[command.index("--run-time") + 1] == "90s"
    command, experiment = run_of("--users", "7", "--function", "f", "--give-up", "5m")
    assert (experiment.traffic.users, experiment.give_up_s) == (7, 300.0)
    assert "--run-time" not in command


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], ["--only-summary", "--loglevel", "WARNING", "--canary-print", "summary"]),
        (["-q"], ["--only-summary", "--loglevel", "WARNING", "--canary-print", "verdict"]),
        (["--json"], ["--only-summary", "--loglevel", "WARNING", "--canary-print", "json"]),
        (["-v"], ["--canary-print", "all"]),
        (["-v", "--reports", "there"], ["--canary-print", "all", "--canary-reports", "there"]),
    ],
)
def test_locust_is_told_what_to_print(
    words: list[str], told: list[str], run_of: Callable[..., tuple[list[str], Experiment]]
) -> None:
    """One summary unless something else is asked for; what --locust says goes before."""
    command, _ = run_of(*words, "--locust", "--loglevel INFO")
    assert command[command.index("--headless") + 1 :] == [*told, "--loglevel", "INFO", "--host", "http://localhost"]


def test_own_locustfile_stands_beside_ours(tmp_path: Path, run_of: Callable[..., tuple[list[str], Experiment]]) -> None:
    """Its users send, and ours watches."""
    file = tmp_path / "mine.py"
    file.touch()
    command, _ = run_of("-f", str(file))
    assert command[command.index("-f") + 1] == f"{file},{processes.locustfile('watch.py')}"


def test_options_change_what_is_rehearsed(script: Script, reports: list[str], tmp_path: Path) -> None:
    """The run folder has the name and the experiment that were asked for."""
    script({})
    words = ["--users", "9", "--error-share", "0.25", "--name", "mine", "--duration", "20m"]
    assert cli.main(["rehearse", "healthy", *words, *reports]) == 0
    experiment = RunFolder.open(tmp_path / "reports" / "latest").read_experiment()
    assert (experiment.name, experiment.give_up_s) == ("mine", 1200.0)
    assert (experiment.traffic.users, experiment.traffic.error_share) == (9, 0.25)


@pytest.mark.parametrize("words", [["-q"], ["--quiet"]])
def test_quiet_tells_the_verdict_alone(words: list[str], script: Script, reports: list[str], capsys: Capture) -> None:
    """One line of verdict and where the report is; what is not as expected comes with its reasons."""
    script({"erroruser": 3})
    assert cli.main(["rehearse", *words, *reports]) == 3
    out, err = capsys.readouterr()
    assert (out.count("Report: "), out.count("Because."), "Detection" in out, err) == (2, 1, False, "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--deployment", "d-1", "--", "make"], "deployment.id: cannot stand beside command"),
        (["--target-version", "2", "--", "make"], "deployment.target_version: cannot stand beside command"),
        (["--locust", "'"], "--locust: No closing quotation"),
        (["--expect", "luck"], "argument --expect: invalid choice"),
        (["--arrival-rate", "5", "--users", "3"], "argument --users: not allowed with argument --arrival-rate"),
        (["--error-share", "2"], "argument --error-share: must be between 0 and 1, not '2'"),
        (["--name", "a/b"], "argument --name: must be 1 to 64 letters, digits, dots, dashes and underscores"),
        (["-f", "no/such.py"], "--locustfile: there is no file no/such.py"),
    ],
)
def test_a_run_that_contradicts_itself_is_refused(words: list[str], told: str, capsys: Capture) -> None:
    """One sentence, exit code 2, and nothing is started."""
    assert cli.main(["run", *words]) == 2
    assert told in said(capsys)


def test_bug_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """What nobody expected is exit 1 without a traceback."""
    monkeypatch.setattr(rehearse, "_list", lambda _: 1 / 0)
    assert cli.main(["rehearse", "--list"]) == 1
    assert said(capsys) == "canary-harness: unexpected ZeroDivisionError: division by zero (--debug shows where)"


def test_bug_shows_where_with_debug(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """`--debug` is for those who want to know."""
    monkeypatch.setattr(rehearse, "_list", lambda _: 1 / 0)
    assert cli.main(["rehearse", "--list", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_help_lists_the_exit_codes() -> None:
    """They are part of the contract, and `python -m harness` is the same command."""
    done = subprocess.run([sys.executable, "-m", "harness", "--help"], capture_output=True, text=True, check=True)
    assert "3    the outcome is contrary to the expectation" in done.stdout


def test_closed_pipe_is_no_traceback() -> None:
    """A reader that has seen enough does not make a mess."""
    command = f"{sys.executable} -m harness rehearse --list | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize("redirected", ["| true", ">&-"])
def test_nobody_who_reads_changes_no_exit_code(redirected: str) -> None:
    """What was asked for was done; that its words reach nobody is not the harness failing."""
    command = f"set -o pipefail; {sys.executable} -m harness rehearse --list {redirected}"
    assert subprocess.run(["bash", "-c", command], capture_output=True).returncode == 0


def test_a_stream_that_cannot_write_a_character_gets_another() -> None:
    """An ASCII terminal reads a question mark where a dash was meant."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", WRITES_A_DASH], env=environment, capture_output=True, check=True)
    assert done.stdout == b"1?2\n"


def test_a_list_of_some_is_refused(capsys: Capture) -> None:
    """A name beside --list would be ignored."""
    assert cli.main(["rehearse", "--list", "nosuch"]) == 2
    assert "leave the names out" in capsys.readouterr().err


def test_help_loads_nothing_heavy() -> None:
    """The command line answers at once."""
    heavy = ("boto3", "gevent", "locust", "rich", "moto", "pandas", "scipy")
    code = f"""
import atexit, sys, harness.cli.main
atexit.register(lambda: print([name for name in {heavy} if name in sys.modules]))
harness.cli.main.main(["--help"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_signal_while_playing_decides_the_exit_code(
    reports: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Interrupted is 130, and the person learns where the rest is."""

    def play(
        chosen: Sequence[Experiment], _: Any, *, open_folder: Callable[[Experiment], Path], **__: Any
    ) -> Generator[Played, None, None]:
        open_folder(chosen[0])
        raise processes.Interrupted(2)
        yield

    monkeypatch.setattr(playing, "play", play)
    assert cli.main(["rehearse", "healthy", *reports]) == 130
    assert "canary-harness: stopped by SIGINT; what happened until then is in" in capsys.readouterr().err
    (folder,) = Path(reports[1]).glob("healthy/*")
    verdict = RunFolder.open(folder).read_verdict()
    assert verdict
    assert verdict.exit_code == 130
    assert any("SIGINT came before the run could begin" in reason for reason in verdict.because)
