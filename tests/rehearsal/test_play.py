"""Playing with stand-ins for both processes: small scripts that behave, or do not."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import processes
from harness.core.experiment.types import Experiment, Traffic
from harness.errors import CloudError, HarnessError, UsageError
from harness.processes import Interrupted, Interrupts
from harness.rehearsal import play as playing
from harness.rehearsal.play import CloudOptions, Played, Ready, play, resolve

READY = {
    "endpoint_url": "http://127.0.0.1:1",
    "service_url": "http://127.0.0.1:2/shared",
    "region": "eu-north-1",
    "account": "123456789012",
    "function": "fakeUser",
    "alias": "Live",
    "application": "app",
    "group": "group",
    "alarm": "Errors",
    "speed": 60.0,
    "now": 1000.5,
    "epoch": 1000.0,
    "baseline": "1",
    "canary": "2",
    "hooks": {},
}
CLOUD = f"import sys, time; print({json.dumps(READY)!r}, flush=True); "
SERVING_CLOUD = CLOUD + "time.sleep(60)"
QUICK_LOCUST = "pass"
ENDLESS_LOCUST = "import time; time.sleep(60)"
STUBBORN_LOCUST = (
    "import signal, time\n"
    "for signum in (signal.SIGINT, signal.SIGTERM): signal.signal(signum, signal.SIG_IGN)\n"
    "open('deaf', 'w').close()\n"
    "time.sleep(60)"
)

Stage = Callable[..., list[Played]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every process that was started, in order."""
    begun: list[subprocess.Popen[bytes]] = []
    real = processes.start

    def start(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        begun.append(real(*arguments, **options))  # type: ignore[arg-type]
        return begun[-1]

    monkeypatch.setattr(playing, "start", start)
    return begun


@pytest.fixture
def stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[subprocess.Popen[bytes]]
) -> Iterator[Callable[..., Iterator[Played]]]:
    """Plays experiments with scripts in place of the cloud and of Locust; afterwards no process may live."""

    def open_folder(experiment: Experiment) -> Path:
        folder = tmp_path / experiment.name
        folder.mkdir()
        return folder

    def run(
        *names: str, cloud: str = SERVING_CLOUD, locust: str = QUICK_LOCUST, stop: Interrupts | None = None
    ) -> Iterator[Played]:
        monkeypatch.setattr(playing, "cloud_command", lambda *_: [sys.executable, "-c", cloud])
        monkeypatch.setattr(playing, "locust_command", lambda *_, **__: [sys.executable, "-c", locust])
        experiments = [Experiment(name=name) for name in names]
        return play(experiments, CloudOptions(60.0), open_folder=open_folder, stop=stop or Interrupts())

    yield run
    assert [process.args for process in started if process.poll() is None] == []


def soon(done: Callable[[], bool]) -> None:
    """Waits until something holds, at most ten seconds."""
    until_s = time.monotonic() + 10
    while not done():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def test_experiments_are_played_in_order(stage: Stage) -> None:
    """One after the other, each with the exit code of its Locust."""
    played = list(stage("one", "two", locust="raise SystemExit(3)"))
    assert [(run.experiment.name, run.exit_code, run.trouble) for run in played] == [("one", 3, None), ("two", 3, None)]


def test_what_a_cloud_warns_of_reaches_the_person(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """An alarm without data, for example, is named once the run is over, with the experiment's name."""
    warning = "The alarm backlog will have no data: this local cloud writes nothing to AWS/SQS."
    list(stage("one", cloud=f"import sys; print({warning!r}, file=sys.stderr, flush=True); {SERVING_CLOUD}"))
    assert capsys.readouterr().err == f"one: {warning}\n"


def test_next_cloud_starts_while_one_plays(stage: Stage, started: list[subprocess.Popen[bytes]]) -> None:
    """When the first experiment has ended, the second one's cloud is there already."""
    plays = iter(stage("one", "two"))
    next(plays)
    assert len(started) == 3
    list(plays)
    assert len(started) == 4


def test_locust_learns_where_everything_is(stage: Stage, tmp_path: Path) -> None:
    """Endpoint, experiment, clock and run folder come by environment."""
    asked = "open(os.environ['LOCUST_CANARY_EXPERIMENT']).read()"
    list(stage("one", locust=f"import json, os; json.dump([dict(os.environ), {asked}], open('env.json', 'w'))"))
    environment, experiment = json.loads((tmp_path / "one" / "env.json").read_text())
    assert environment["AWS_ENDPOINT_URL"] == READY["endpoint_url"]
    assert environment["AWS_REGION"] == "eu-north-1"
    assert environment["LOCUST_CANARY_CLOCK"] == "1000.0:60.0"
    assert environment["LOCUST_CANARY_RUN_DIR"] == str(tmp_path / "one")
    assert json.loads(experiment)["name"] == "one"  # with its secrets, which the run folder does not have


def test_settings_of_the_caller_lead_nobody_astray(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile, an endpoint or a Locust option in the caller's environment stays there."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_CODEDEPLOY", "LOCUST_USERS"):
        monkeypatch.setenv(name, "mine")
    list(stage("one", locust="import json, os; json.dump(dict(os.environ), open('env.json', 'w'))"))
    assert "mine" not in json.loads((tmp_path / "one" / "env.json").read_text()).values()


def test_cloud_gets_the_whole_experiment(stage: Stage, tmp_path: Path) -> None:
    """The file that the cloud reads is the experiment, before anything was filled in."""
    seen: list[Experiment] = []
    real = playing.cloud_command

    def command(file: Path, experiment: Experiment, asked: CloudOptions) -> list[str]:
        seen.append(playing.msgspec.json.decode(file.read_bytes(), type=Experiment))
        assert real(file, experiment, asked)[-1] == "--with-parent"
        return [sys.executable, "-c", SERVING_CLOUD]

    plays = stage("one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(playing, "cloud_command", command)
        list(plays)
    assert seen == [Experiment(name="one")]


@pytest.mark.parametrize(
    ("cloud", "error", "sentence"),
    [
        ("import sys; sys.exit('canary-harness: port 80 is taken')", CloudError, "did not start: port 80 is taken"),
        (
            "import sys; print('canary-harness: no module app', file=sys.stderr); sys.exit(2)",
            UsageError,
            "^no module app$",
        ),
        ("print('hello'); import time; time.sleep(60)", CloudError, "instead of its ready line"),
        ("pass", CloudError, "it wrote nothing"),
    ],
)
def test_cloud_that_does_not_start_is_told_in_one_sentence(
    cloud: str, error: type[HarnessError], sentence: str, stage: Stage
) -> None:
    """Its own words reach the person, and a mistake of the person stays one."""
    with pytest.raises(error, match=sentence):
        list(stage("one", cloud=cloud))


def test_cloud_that_is_never_ready_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cloud that hangs does not hang us."""
    monkeypatch.setattr(playing, "READY_WITHIN_S", 0.3)
    with pytest.raises(CloudError, match="was not ready within"):
        list(stage("one", cloud="import time; time.sleep(60)"))


def test_cloud_that_dies_in_the_middle_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends soon, with its last words and exit code 1, even where Locust does not notice."""
    monkeypatch.setattr(playing, "ORPHAN_S", 0.2)
    (played,) = stage("one", cloud=CLOUD + "sys.exit('out of memory')", locust=ENDLESS_LOCUST)
    assert played.exit_code == 1
    assert played.trouble == "the local cloud died in the middle: out of memory"


def test_cloud_that_is_killed_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it could say nothing, the signal says it."""
    monkeypatch.setattr(playing, "ORPHAN_S", 0.2)
    cloud = CLOUD + "import os; os.kill(os.getpid(), 9)"
    (played,) = stage("one", cloud=cloud, locust=ENDLESS_LOCUST)
    assert played.trouble == "the local cloud died in the middle: ended by SIGKILL"


def test_locust_that_never_ends_is_ended(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond what the experiment can take, a run is over."""
    monkeypatch.setattr(playing, "SPARE_S", -60.0)
    (played,) = stage("one", locust=ENDLESS_LOCUST)
    assert (played.exit_code, played.trouble) == (1, "Locust did not end in time and was stopped")


def test_locust_that_is_killed_is_told(stage: Stage) -> None:
    """A signal from elsewhere is not an outcome."""
    (played,) = stage("one", locust="import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert (played.exit_code, played.trouble) == (1, "Locust was ended by SIGKILL")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_signal_is_passed_on_and_everything_ends(
    signum: signal.Signals, stage: Stage, tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    """Locust is asked to end by what came and does so by itself; the exit code says what came."""
    script = (
        "import signal, sys, time\n"
        "def note(signum, frame):\n    open('got', 'w').write(str(signum)); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, note); signal.signal(signal.SIGINT, note)\n"
        "open('up', 'w').close()\n"
        "time.sleep(60)"
    )

    def interrupt() -> None:
        soon((tmp_path / "one" / "up").exists)
        os.kill(os.getpid(), signum)

    threading.Thread(target=interrupt).start()
    with Interrupts() as stop, pytest.raises(Interrupted) as interrupted:
        list(stage("one", "two", locust=script, stop=stop))
    assert interrupted.value.exit_code == 128 + signum
    assert (tmp_path / "one" / "got").read_text() == str(int(signum))


def test_second_signal_kills_at_once(stage: Stage, tmp_path: Path) -> None:
    """A process that does not listen is not waited for twice."""

    def interrupt() -> None:
        soon((tmp_path / "one" / "deaf").exists)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    began_s = time.monotonic()
    with Interrupts() as stop, pytest.raises(Interrupted):
        list(stage("one", locust=STUBBORN_LOCUST, stop=stop))
    assert time.monotonic() - began_s < processes.GRACE_S


def test_deaf_process_is_killed_after_the_grace(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting is bounded."""
    monkeypatch.setattr(processes, "GRACE_S", 0.2)
    monkeypatch.setattr(playing, "SPARE_S", -34.5)
    (played,) = stage("one", locust=STUBBORN_LOCUST)
    assert played.exit_code == 1


def test_signals_are_given_back() -> None:
    """After playing, Ctrl-C means what it meant before."""
    before = signal.getsignal(signal.SIGINT)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_nothing_lives_on_when_nobody_listens_any_more(stage: Stage, started: list[subprocess.Popen[bytes]]) -> None:
    """Leaving in the middle ends every process."""
    plays = iter(stage("one", "two"))
    next(plays)
    plays.close()  # type: ignore[attr-defined]
    assert all(process.poll() is not None for process in started)


def test_resolved_experiment_names_what_the_cloud_set_up() -> None:
    """Names come from the ready line, everything else from the experiment."""
    experiment = Experiment(name="x", traffic=Traffic(error_share=0.5), seed=9)
    resolved = resolve(experiment, Ready(**{key: value for key, value in READY.items() if key != "hooks"}))  # type: ignore[arg-type]
    deployment = resolved.deployment
    assert resolved.target.host == "http://127.0.0.1:2/shared"
    assert (deployment.application, deployment.group, deployment.function) == ("app", "group", "fakeUser")
    assert (deployment.alias, deployment.target_version, resolved.alarm.name) == ("Live", "2", "Errors")
    assert (resolved.traffic, resolved.seed) == (experiment.traffic, 9)


def test_locustfile_is_found() -> None:
    """In a clone it lies beside the package."""
    assert processes.locustfile().name == "canary.py"
