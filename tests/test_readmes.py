"""Every command of the READMEss runs as written there."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from harness.aws.policy import policy
from harness.cli.main import main
from harness.core.experiment.parse import parse
from harness.core.experiment.rails import RAILS
from harness.core.verdict.judge import judge
from harness.rehearsal.cloud import Cloud
from harness.report.actions import outputs
from harness.report.folder import RunFolder
from tests.report.conftest import caught
from tests.sources import shop
from tests.templates.conftest import SAM

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("harness", "locustfiles", "tests")
READMES = [ROOT / "README.md", ROOT / "reports" / "README.md", ROOT / ".github" / "CONTRIBUTING.md"]
READMES += sorted(path for room in ROOMS for path in (ROOT / room).rglob("README.md"))
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in READMES)


def blocks(language: str) -> list[str]:
    """The fenced blocks of all READMEs in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)


def shown(language: str, beginning: str) -> str:
    """The one block that begins with these words."""
    (found,) = {block for block in blocks(language) if block.startswith(beginning)}
    return found


def commands() -> list[str]:
    """Every command line of the shell blocks, once, comments left out."""
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    stripped = [line.partition(" #")[0].strip() for line in lines]
    return [*dict.fromkeys(line for line in stripped if line and not line.startswith("#"))]


def test_commands_are_all_run() -> None:
    """A command of a new kind needs a test before it can be shown."""
    rest = [command for command in commands() if shlex.split(command)[0] not in ("make", "locust", ".venv/bin/pytest")]
    assert sorted(rest) == sorted([*RUNNABLE, *OTHERS])
    assert [shown for shown in OTHERS.values() if shown not in globals() and not (ROOT / shown).exists()] == []


@pytest.mark.parametrize("command", [command for command in commands() if command.startswith(".venv/bin/pytest")])
def test_selected_tests_exist(command: str) -> None:
    """Each file or folder that is named."""
    assert [word for word in shlex.split(command)[1:] if "/" in word and not (ROOT / word).exists()] == []


@pytest.mark.parametrize("target", sorted({c.split()[1] for c in commands() if c.startswith("make ")}))
def test_make_targets_exist(target: str) -> None:
    """`make -n` knows every target that the READMEs name."""
    assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True).returncode == 0


ONE = "canary-harness rehearse erroruser"
OWN_API = [c for c in commands() if c.startswith(("canary-harness init", "canary-harness rehearse shop.yaml"))]
BY_TOOL = [c for c in commands() if c.startswith("canary-harness rehearse") and " -- sam " in c]
SHADOW = "canary-harness rehearse shadow.yaml"
NOT_ALONE = (ONE, "canary-harness rehearse --all --json", SHADOW, *OWN_API, *BY_TOOL)
RUNNABLE = [c for c in commands() if c.startswith("canary-harness rehearse") and c not in NOT_ALONE]
ODDS = [command for command in commands() if command.startswith(("canary-harness predict", "canary-harness whatif"))]
ADVICES = [command for command in commands() if command.startswith("canary-harness advise")]
DOCTORS = [command for command in commands() if command.startswith("canary-harness doctor") and "--host" in command]
AROUND = "canary-harness run game.yaml --stack shop-prod -- sam deploy --no-confirm-changeset"
CURLS = [command for command in commands() if command.startswith("curl ")]
AGAIN = "canary-harness run game.yaml --stack shop-prod --redeploy --allow-writes --dry-run"
SCALES = [command for command in commands() if command.startswith("canary-harness scale")]
INSTALLS = [command for command in commands() if command.startswith(("pipx", "uvx", "pip "))]
REPORTS = (
    "canary-harness report reports/latest",
    "canary-harness report reports/latest --chart timeline.svg --table seconds.csv",
    "canary-harness compare reports/erroruser/* --html compared.html",
)
WATCHES = [command for command in commands() if command.startswith("canary-harness watch ")]
ALARMS = [command for command in commands() if command.startswith("canary-harness alarm") and "--run" not in command]
DEPLOYS = [
    command
    for command in commands()
    if command.startswith(("eval ", "sam ", "kill ")) or "--stack shop -- sam" in command
]
OTHERS = {
    **dict.fromkeys(CURLS, "test_game_day_page_has_our_options_and_answers"),
    ONE: "test_judge_repeats_the_verdict",
    **dict.fromkeys(OWN_API, "test_own_api_is_rehearsed_by_two_commands"),
    "canary-harness rehearse --all --json": "tests/cli/test_rehearsals.py",
    SHADOW: "test_shadow_alarms_are_rehearsed",
    "source <(canary-harness completion bash)": "test_bash_completes_commands_and_options",
    **dict.fromkeys(ODDS, "test_odds_are_told"),
    "canary-harness cloud --speed 60": "test_cloud_serves",
    **dict.fromkeys([*DEPLOYS, *BY_TOOL], "tests/deploys/sam.py"),
    "canary-harness run game.yaml --dry-run": "test_plan_is_printed",
    AROUND: "test_run_takes_a_command",
    AGAIN: "test_redeployment_is_planned",
    **dict.fromkeys(WATCHES, "test_watch_asks_for_the_stack"),
    "canary-harness plan game.yaml": "test_plan_is_printed",
    "canary-harness alarm reset --run reports/latest": "test_judge_repeats_the_verdict",
    "canary-harness alarm reset --run reports/latest --wait 15m": "tests/cli/test_alarm.py",
    **dict.fromkeys(ALARMS, "test_alarm_commands_do_what_they_say"),
    "canary-harness judge reports/latest": "test_judge_repeats_the_verdict",
    **dict.fromkeys(REPORTS, "test_reports_are_made_again"),
    "canary-harness doctor --template template.yaml --parameter Stage=prod": "test_template_is_examined",
    "canary-harness doctor --print-policy": "test_policy_is_printed",
    **dict.fromkeys(DOCTORS, "test_doctor_finds_the_net_armed"),
    **dict.fromkeys(INSTALLS, "tests/test_wheel.py"),
    **dict.fromkeys(ADVICES, "test_advice_is_given"),
    **dict.fromkeys(SCALES, "tests/templates/test_scaled.py"),
}


HANDLER = """
def handler(event, context):
    if event["headers"].get("Authorization", "").startswith("erroruser"):
        raise RuntimeError("this user fails")
    return {"statusCode": 200, "body": "{}"}
"""


class Service(BaseHTTPRequestHandler):
    """Somebody's service on a port of this machine; the error user gets a 502."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answers, also to POST."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(502 if self.headers.get("Authorization", "").startswith("erroruser") else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET  # noqa: N815 - the name that http.server calls

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def own_services(tmp_path: Path) -> Iterator[Path]:
    """A folder with the release of the READMEs, its handler, and its service running on a free port."""
    (tmp_path / "myservice").mkdir()
    (tmp_path / "myservice" / "app.py").write_text(HANDLER)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    (tmp_path / "my-release.yaml").write_text(
        shown("yaml", "# my-release.yaml").replace("127.0.0.1:3000", f"127.0.0.1:{server.server_port}")
    )
    yield tmp_path
    server.shutdown()
    server.server_close()


SOONER = ("--speed", "60", "--arrival-rate", "8")
"""What a test adds to a rehearsal of somebody's own service, so that it is soon over, and takes less of the machine."""


@pytest.mark.slow
@pytest.mark.parametrize("command", RUNNABLE)
def test_rehearsals_run(command: str, own_services: Path) -> None:
    """Each rehearsal shown ends as its experiment expects."""
    words = [*shlex.split(command)[1:], *(SOONER if "my-release.yaml" in command else ())]
    done = subprocess.run([sys.executable, "-m", "harness", *words], cwd=own_services, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_own_api_is_rehearsed_by_two_commands(tmp_path: Path) -> None:
    """From a shop's OpenAPI file to a verdict about the shop, with nothing typed in between."""
    shutil.copy(shop.OPENAPI, tmp_path / "openapi.yaml")
    with shop.served() as url:
        for command in OWN_API:
            words = [url if word.startswith("http://") else word for word in shlex.split(command)[1:]]
            words += [] if "init" in words else SOONER
            done = shop.in_time(partial(run_harness, tmp_path, *words))
            assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((tmp_path / "reports" / "latest" / "verdict.json").read_text())
    assert verdict["call"] == "cleared"
    assert verdict["traffic"]["good"]["failed"] == 0


@pytest.mark.parametrize("command", ODDS)
def test_odds_are_told(command: str, tmp_path: Path) -> None:
    """Before a release, and after a run."""
    shutil.copytree(ROOT / "reports" / "sample", tmp_path / "reports" / "latest")
    done = run_harness(tmp_path, *shlex.split(command)[1:])
    assert done.returncode == 0, done.stderr
    assert "100 releases" in done.stdout or "As it was" in done.stdout


@pytest.mark.parametrize("command", ADVICES)
def test_advice_is_given(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With something to paste."""
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(command)[1:]) == 0
    assert "CanaryErrors" in (told := capsys.readouterr().out) or "_canary_errors" in told


@pytest.mark.slow
def test_pytest_example_passes(tmp_path: Path) -> None:
    """The fixture does what the READMEs show, in a project of its own."""
    (tmp_path / "test_release.py").write_text(shown("python", "# test_release.py"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:locust", "-q"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_experiments_are_valid(tmp_path: Path) -> None:
    """Every experiment shown can be read."""
    for block in blocks("yaml"):
        parse(block if "name:" in block else f"name: shown\n{block}", source="READMEs")


def run_harness(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """One command of ours, to its end, where SAM is there to be named."""
    (folder / "sam").touch(mode=0o755)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "harness", *words]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)


@pytest.mark.slow
def test_cloud_serves() -> None:
    """The cloud prints one JSON line, serves, and ends well by SIGINT."""
    command = [sys.executable, "-m", "harness", "cloud", "--speed", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as cloud:
        assert cloud.stdout is not None
        ready = json.loads(cloud.stdout.readline())
        with socket.create_connection(("127.0.0.1", urlsplit(ready["endpoint_url"]).port or 0), timeout=5):
            cloud.send_signal(signal.SIGINT)
        assert cloud.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("typed", "among"), [("rehe", "rehearse"), ("rehearse --spe", "--speed"), ("completion z", "zsh")]
)
def test_bash_completes_commands_and_options(typed: str, among: str, tmp_path: Path) -> None:
    """By the function that bash calls when somebody presses Tab."""
    script = run_harness(tmp_path, "completion", "bash").stdout
    words = ["canary-harness", *typed.split()]
    function = re.search(r"complete .*-F (\w+) canary-harness", script)
    assert function
    ask = f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; {function[1]}"
    done = subprocess.run(
        ["bash", "-c", f'{script}\n{ask}\nprintf "%s\\n" "${{COMPREPLY[@]}}"'], capture_output=True, text=True
    )
    assert among in done.stdout.split(), done.stderr


def test_plan_is_printed(tmp_path: Path) -> None:
    """The dry run shows the whole reference experiment and starts nothing."""
    (tmp_path / "game.yaml").write_text(shown("yaml", "name: erroruser"))
    done = run_harness(tmp_path, "run", "game.yaml", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "error_share: 0.05" in done.stdout
    for write in ("cloudwatch:SetAlarmState", "lambda:PutFunctionConcurrency", "fis:StartExperiment"):
        assert f"#   {write} on" in done.stdout
    assert run_harness(tmp_path, "plan", "game.yaml").stdout == done.stdout
    assert not (tmp_path / "reports").exists()


def test_run_takes_a_command(tmp_path: Path) -> None:
    """What stands after `--` is what deploys; a rehearsal of the plan starts nothing."""
    (tmp_path / "game.yaml").write_text("name: game\ntarget: {host: https://example.com}\n")
    own, _, deploys = AROUND.removeprefix("canary-harness ").partition(" -- ")
    done = run_harness(tmp_path, *shlex.split(own), "--dry-run", "--", *shlex.split(deploys))
    assert done.returncode == 0, done.stderr
    assert f"command: {deploys}" in done.stdout


def test_redeployment_is_planned(tmp_path: Path) -> None:
    """The plan names every write, and nothing is started."""
    (tmp_path / "game.yaml").write_text("name: game\ntarget: {host: https://example.com}\n")
    done = run_harness(tmp_path, *shlex.split(AGAIN)[1:])
    assert done.returncode == 0, done.stderr
    for call in ("lambda:PublishVersion", "codedeploy:CreateDeployment", "lambda:UpdateAlias"):
        assert call in done.stdout


def test_workflow_is_one_that_runs(tmp_path: Path) -> None:
    """It is YAML, its commands are understood, and the outputs that it uses are given."""
    text = shown("yml", "# .github/workflows/canary.yml")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"]["id-token"] == "write"
    steps = workflow["jobs"]["canary"]["steps"]
    ours = [step["run"] for step in steps if step.get("run", "").startswith("canary-harness ")]
    assert len(ours) == 2
    (tmp_path / "game.yaml").write_text("name: game\ntarget: {host: https://example.com}\n")
    for command in ours:
        own, _, deploys = command.partition(" -- ")
        words = [*shlex.split(own)[1:], *(["--dry-run", "--", *shlex.split(deploys)] if deploys else ["--help"])]
        done = run_harness(tmp_path, *words)
        assert done.returncode == 0, done.stderr
    used = set(re.findall(r"steps\.canary\.outputs\.(\w+)", text))
    assert used <= {*outputs(caught(), RunFolder(tmp_path))}
    sids = {statement["Sid"] for statement in policy()["Statement"]}
    named = set(re.findall(r"`(CanaryHarness\w+)`", TEXT))
    named |= {f"CanaryHarness{word}" for word in re.findall(r"`…(\w+)`", TEXT)}
    assert named == sids


@pytest.mark.parametrize("command", WATCHES)
def test_watch_asks_for_the_stack(command: str, tmp_path: Path) -> None:
    """It is understood; where no AWS is at hand, it ends with one sentence."""
    words = command.split()[1:]
    nowhere = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "eu-north-1", "HOME": str(tmp_path)}
    run = [sys.executable, "-m", "harness", *words]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, env=nowhere)
    assert done.returncode == 2
    assert "no AWS credentials" in done.stderr


@pytest.mark.slow
def test_shadow_alarms_are_rehearsed(tmp_path: Path) -> None:
    """One is stricter than the real alarm and rings before it, one never would, and the timeline tells it again."""
    (tmp_path / "shadow.yaml").write_text(shown("yaml", "# shadow.yaml"))
    done = run_harness(tmp_path, *shlex.split(SHADOW)[1:], "--speed", "150")
    assert done.returncode == 0, done.stderr
    folder = RunFolder.open(tmp_path / "reports" / "latest")
    verdict = folder.read_verdict()
    assert verdict
    told = {one.name: one for one in verdict.shadow}
    assert [told[name].stops for name in ("strict", "never")] == [True, None]
    assert told["strict"].decided_s < told["strict"].alarm_s[0] < verdict.detection.alarm_s[0]
    assert told["strict"].lead_s[1] > 0
    assert told["strict"].false_alarms == told["never"].alarms == 0
    assert "Shadow alarm strict would have gone to ALARM" in done.stdout
    assert "shadow alarm strict would be in ALARM" in done.stderr
    assert judge(folder.read_experiment(), folder.read_events()).shadow == verdict.shadow


@pytest.mark.slow
def test_judge_repeats_the_verdict(tmp_path: Path) -> None:
    """A run judged again has the verdict it had, and an alarm reset after it nothing to undo."""
    assert run_harness(tmp_path, *shlex.split(ONE)[1:], "--speed", "120").returncode == 0
    verdict = (tmp_path / "reports" / "latest" / "verdict.json").read_bytes()
    assert run_harness(tmp_path, "judge", "reports/latest").returncode == 0
    assert run_harness(tmp_path, "alarm", "reset", "--run", "reports/latest").returncode == 0
    assert (tmp_path / "reports" / "latest" / "verdict.json").read_bytes() == verdict


def test_reports_are_made_again(tmp_path: Path) -> None:
    """Report, compare and notebook as shown, on the sample in the place of a run."""
    folder = tmp_path / "reports" / "erroruser"
    for name in ("first", "second"):
        shutil.copytree(ROOT / "reports" / "sample", folder / name)
    (tmp_path / "reports" / "latest").symlink_to(folder / "second")
    for command in REPORTS:
        words = [each for word in shlex.split(command)[1:] for each in _globbed(tmp_path, word)]
        done = run_harness(tmp_path, *words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert {"timeline.svg", "seconds.csv", "compared.html"} <= {file.name for file in tmp_path.iterdir()}
    done = subprocess.run(
        [sys.executable, "-c", shown("python", "# notebook.py")], cwd=tmp_path, capture_output=True, text=True
    )
    assert "p99_ms" in done.stdout, done.stderr


def _globbed(folder: Path, word: str) -> list[str]:
    """A word as a shell hands it over."""
    return sorted(str(path.relative_to(folder)) for path in folder.glob(word)) if "*" in word else [word]


def test_template_is_examined(tmp_path: Path) -> None:
    """Without AWS, and without credentials."""
    (tmp_path / "template.yaml").write_text(SAM)
    done = run_harness(tmp_path, "doctor", "--template", "template.yaml", "--parameter", "Stage=prod")
    assert "ARMED, AS FAR AS THE TEMPLATE SAYS" in done.stdout


def test_policy_is_printed(tmp_path: Path) -> None:
    """The policy is JSON that IAM takes."""
    done = run_harness(tmp_path, "doctor", "--print-policy")
    assert json.loads(done.stdout)["Version"] == "2012-10-17"


MINE = """
from locust import FastHttpUser, constant, task


class Mine(FastHttpUser):
    wait_time = constant(0.2)  # at the speed of a rehearsal, the canary's tenth must be no trickle

    @task
    def user(self):
        headers = {"Authorization": "betauser@company.com", "X-Client-Version": "2"}
        self.client.get("/shared/fakeUser", headers=headers)
"""
HEADLESS = [command for command in commands() if command.startswith("locust") and "--headless" in command]
WEB = [command for command in commands() if command.startswith("locust") and "--headless" not in command]
SHOP = """
name: shop
deployment: {stack: shop-prod, application: shop, group: shop-api, function: shop-api}
"""


@pytest.fixture
def shop_cloud(canary_cloud_factory: Any, tmp_path: Path) -> Cloud:
    """The release that the READMEs speak of, in a local cloud, and a folder with a locustfile of somebody."""
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "locustfiles").symlink_to(ROOT / "locustfiles")
    cloud: Cloud = canary_cloud_factory(parse(SHOP, source="shop"), speed=60)
    return cloud


def led_to(cloud: Cloud, command: str) -> list[str]:
    """The words of a command, with the service of the cloud for the one of the READMEs."""
    return shlex.split(command.replace("https://api.example.com", cloud.ready["service_url"].removesuffix("/shared")))


def environment_of(cloud: Cloud) -> dict[str, str]:
    """What the READMEs say of the environment."""
    ready = cloud.ready
    return {
        **os.environ,
        "AWS_ENDPOINT_URL": ready["endpoint_url"],
        "AWS_REGION": ready["region"],
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "LOCUST_CANARY_CLOCK": ready["clock"],
    }


def start_locust(command: str, cloud: Cloud, folder: Path, *options: str) -> subprocess.Popen[str]:
    """The command as shown, led to the cloud."""
    command_line = [sys.executable, "-m", *led_to(cloud, command), *options]
    environment = environment_of(cloud)
    return subprocess.Popen(command_line, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("command", DOCTORS)
def test_doctor_finds_the_net_armed(command: str, shop_cloud: Cloud, tmp_path: Path) -> None:
    """The stack of the local cloud is armed; its fault request is answered and counted."""
    words = [sys.executable, "-m", "harness", *led_to(shop_cloud, command)[1:]]
    done = subprocess.run(words, cwd=tmp_path, env=environment_of(shop_cloud), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_alarm_commands_do_what_they_say(canary_cloud_factory: Any, tmp_path: Path) -> None:
    """The alarm of the READMEs is forced, held for its time, and reset."""
    cloud = canary_cloud_factory(parse(f"{SHOP}alarm: {{name: shop-errors}}", source="shop"), speed=60)
    environment = environment_of(cloud)
    for command in ALARMS:
        words = shlex.split(command.replace("--for 2m", "--for 1s"))[1:]
        command_line = [sys.executable, "-m", "harness", *words]
        done = subprocess.run(command_line, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "shop-errors" in done.stdout
    history = cloud.cloudwatch.describe_alarm_history({"AlarmName": "shop-errors", "HistoryItemType": "StateUpdate"})
    assert any("to ALARM" in item["HistorySummary"] for item in history["AlarmHistoryItems"])
    assert cloud.cloudwatch.states(["shop-errors"])["shop-errors"] != "ALARM"


def test_guard_rails_are_the_ones_of_the_code() -> None:
    """Every rail with its default and what it bounds."""
    for name, rail in RAILS.items():
        assert f"| `{name}` |" in TEXT
        assert f"| {rail.default:.10g} | {rail.bounds} |" in TEXT


def wait_for_looks(folder: Path) -> None:
    """Until the watcher has seen the group, so that the next deployment is the next one for it, too."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if any(b"group_seen" in file.read_bytes() for file in folder.glob("reports/*/*/timeline.jsonl")):
            return
        time.sleep(0.1)
    raise AssertionError("the watcher never saw the group")


@pytest.mark.slow
@pytest.mark.parametrize("command", HEADLESS)
def test_headless_runs_end_by_themselves(
    command: str, shop_cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locust alone watches the group's next deployment, ends when it is judged, and its exit code is the verdict."""
    # A user a second is a user a minute at this speed: the canary would stay without requests for its first minute.
    rate = [] if " -r " in command else ["-r", "60"]
    (tmp_path / "mine.yaml").write_text("name: mine\nobjective: {latency: {p99_s: 5}}\n")  # a busy machine may be slow
    monkeypatch.setenv("LOCUST_CANARY_EXPERIMENT", str(tmp_path / "mine.yaml"))
    monkeypatch.setenv("LOCUST_CANARY_ARRIVAL_RATE", "5")
    with start_locust(command, shop_cloud, tmp_path, *rate) as locust:
        wait_for_looks(tmp_path)
        shop_cloud.deploy()
        _, said = locust.communicate(timeout=120)
    assert locust.returncode == 0, said


@pytest.mark.slow
@pytest.mark.parametrize("command", WEB)
def test_game_day_page_has_our_options_and_answers(command: str, shop_cloud: Cloud, tmp_path: Path) -> None:
    """The start form asks for the error share, and what a script asks of a running test is answered."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with start_locust(command, shop_cloud, tmp_path, "--web-port", str(port)) as locust:
        page = ask_patiently(f"http://127.0.0.1:{port}/")
        form = urllib.parse.urlencode(
            {"user_count": 1, "spawn_rate": 1, "host": shop_cloud.ready["service_url"]}
        ).encode()
        urllib.request.urlopen(f"http://127.0.0.1:{port}/swarm", form).close()
        state = running_state(f"http://127.0.0.1:{port}/canary/api/v1/state")
        curls = [curl.replace("8089", str(port)) for curl in CURLS]
        answers = [subprocess.run(curl, shell=True, capture_output=True, text=True, check=True) for curl in curls]
        locust.send_signal(signal.SIGTERM)
        locust.communicate(timeout=20)
    assert "canary_error_share" in page
    assert state["schema"] == 1
    assert [("error" in json.loads(one.stdout), bool(one.stdout)) for one in answers] == [(False, True)] * len(CURLS)


def running_state(url: str) -> dict[str, Any]:
    """The state once a test is on."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        state: dict[str, Any] = json.loads(ask_patiently(url))
        if state["run"] and state["run"]["stage"] == "running":
            return state
        time.sleep(0.1)
    raise AssertionError("no test was on")


def ask_patiently(url: str) -> str:
    """The page, once somebody serves it."""
    until = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
