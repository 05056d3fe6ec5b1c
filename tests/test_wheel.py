"""Somebody who has the wheel, the README and an empty folder comes to a verdict."""

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.sources import shop

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.prefix) / "bin" / "uv"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def built(folder: Path) -> Path:
    """The wheel of this tree; a release tests the one that it publishes, CANARY_WHEEL."""
    build = [UV, "build", "-q", "--wheel", "--out-dir", folder]
    said = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def installed_for(interpreter: str, folder: Path) -> Path:
    """The folder of the commands of a fresh environment that has the wheel, with what it needs as locked."""
    wheel = Path(os.environ["CANARY_WHEEL"]).resolve() if "CANARY_WHEEL" in os.environ else built(folder)
    subprocess.run([UV, "venv", "-q", "--python", interpreter, folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    install = [UV, "pip", "install", "-q", "--python", python, wheel, "-c", ROOT / "requirements.lock"]
    said = subprocess.run(install, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return python.parent


def runner(commands: Path, folder: Path) -> Run:
    """One command in an empty folder, with nothing but the wheel on the path; it must end `well`."""

    def command(*words: str, well: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{commands}:/usr/bin:/bin", "HOME": str(folder)}
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0 or not well, done.stdout + done.stderr
        return done

    return command


def interpreter_of(version: str) -> str | None:
    """An interpreter of this version on this machine, pyenv's included; its shims may be of none. None without any."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    there = [shutil.which(f"python{version}"), *map(str, pyenv.glob(f"versions/{version}.*/bin/python"))]
    asked = [one for one in there if one and subprocess.run([one, "-c", ""], capture_output=True).returncode == 0]
    return next(iter(asked), None)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel on the Python of the tests."""
    return installed_for(sys.executable, tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Run:
    """Commands of the wheel."""
    return runner(installed, tmp_path)


def test_older_pips_find_versions_of_the_instrumentations_that_fit_together() -> None:
    """Of those of Locust all but one are named here too: each pins what all need, and pip before 25 gives up else."""
    of_locust = {
        Requirement(one).name for one in requires("locust") or () if "extra == 'otel'" in one.replace('"', "'")
    }
    instrumentations = {name for name in of_locust if name.startswith("opentelemetry-instrumentation-")}
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert len(instrumentations - {Requirement(one).name for one in ours}) == 1


@pytest.mark.slow
def test_a_newcomer_has_a_verdict_and_a_workflow(run: Run, tmp_path: Path) -> None:
    """The first verdict in two minutes; their API, and a workflow that zizmor passes, in ten."""
    began = time.monotonic()
    run("canary-harness", "rehearse", "healthy")
    assert time.monotonic() - began < 120
    shutil.copy(shop.OPENAPI, tmp_path / "openapi.yaml")
    with shop.served() as url:
        run("canary-harness", "init", "--openapi", "openapi.yaml", "--baseline", url, "--ci", "github")
        words = ("canary-harness", "rehearse", "shop.yaml", "--speed", "60", "--arrival-rate", "8")
        done = shop.in_time(lambda: run(*words, well=False))
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((tmp_path / "reports" / "latest" / "verdict.json").read_text())
    assert verdict["call"] == "cleared"
    workflows = [str(path) for path in (tmp_path / ".github" / "workflows").iterdir()]
    zizmor = [Path(sys.prefix) / "bin" / "zizmor", "--offline", "--quiet", *workflows]
    assert subprocess.run(zizmor, capture_output=True).returncode == 0
    assert time.monotonic() - began < 600


@pytest.mark.slow
def test_the_wheel_has_the_locustfiles(run: Run, tmp_path: Path) -> None:
    """Locust with ours beside it, wherever it is installed."""
    (tmp_path / "mine.py").write_text(
        "from locust import HttpUser, task\nclass Mine(HttpUser):\n    @task\n    def go(self): ...\n"
    )
    said = run("canary-harness", "locust", "-f", "mine.py", "--help").stdout
    assert "--canary-error-share" in said


@pytest.mark.soak
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_the_wheel_rehearses_on_every_python_of_the_machine(version: str, tmp_path: Path) -> None:
    """A release that is rolled back, from the wheel alone."""
    interpreter = interpreter_of(version)
    if interpreter is None:
        pytest.skip(f"this machine has no Python {version}")
    run = runner(installed_for(interpreter, tmp_path), tmp_path)
    assert run("python", "--version").stdout.startswith(f"Python {version}")
    run("canary-harness", "rehearse", "erroruser")
    assert json.loads((tmp_path / "reports" / "latest" / "verdict.json").read_text())["call"] == "caught"
