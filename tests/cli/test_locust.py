"""The command `canary-harness locust`: which words Locust gets."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from harness.cli.locust import located
from harness.cli.main import main
from harness.processes import LOCUST, locustfile, python
from tests.templates.conftest import SAM

WATCH = str(locustfile("watch.py"))
CANARY = str(locustfile())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-f", "mine.py", "-u", "3"], ["-f", f"mine.py,{WATCH}", "-u", "3"]),
        (["-u", "3", "--locustfile=a.py,b.py"], ["-u", "3", "-f", f"a.py,b.py,{WATCH}"]),
        (["-fmine.py"], ["-f", f"mine.py,{WATCH}"]),
        (["-f", "canary.py", "-t", "9"], ["-f", CANARY, "-t", "9"]),
        (["--headless"], ["-f", CANARY, "--headless"]),
    ],
)
def test_ours_is_found_beside_what_is_named(
    words: list[str], told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A locustfile of one's own is watched; without one, ours sends."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOCUST_LOCUSTFILE", raising=False)
    assert located(words) == told


def test_the_locustfile_that_locust_would_take_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by a variable, or called as Locust's own default."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOCUST_LOCUSTFILE", raising=False)
    Path("locustfile.py").touch()
    assert located([]) == ["-f", f"locustfile.py,{WATCH}"]
    monkeypatch.setenv("LOCUST_LOCUSTFILE", "other.py")
    assert located([]) == ["-f", f"other.py,{WATCH}"]


@pytest.mark.slow
def test_help_has_our_options(tmp_path: Path) -> None:
    """Locust alone prints its help without those of a locustfile."""
    command = [sys.executable, "-m", "harness", "locust", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--canary-error-share" in done.stdout
    assert "--run-time" in done.stdout


def run_beside_xml(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Runs Python as we start it, in a folder with a file that is called like a module of Python's."""
    (folder / "xml.py").write_text("")
    (folder / "argparse.py").write_text("")
    (folder / "mine.py").write_text(MINE)
    return subprocess.run(python(*words), cwd=folder, capture_output=True, text=True, timeout=60)


def test_a_file_of_ones_own_takes_the_place_of_no_module_of_pythons(tmp_path: Path) -> None:
    """A local cloud is started where a person works."""
    done = run_beside_xml(tmp_path, "-m", "harness", "--version")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_nor_does_one_beside_a_locustfile(tmp_path: Path) -> None:
    """Locust itself looks into the working folder first, once it reads a locustfile."""
    done = run_beside_xml(tmp_path, *LOCUST, "-f", f"mine.py,{WATCH}", "--list")
    assert "Mine" in done.stdout, done.stderr


MINE = """
from locust import HttpUser, task

class Mine(HttpUser):
    @task
    def ask(self):
        self.client.get("/fakeUser", context={"intent": "fault"})
"""


@pytest.mark.slow
def test_a_locustfile_has_its_page_beside_the_local_cloud(tmp_path: Path) -> None:
    """The ready line says where; the page is told of the cloud, and ends with it."""
    (tmp_path / "mine.py").write_text(MINE)
    command = [sys.executable, "-m", "harness", "cloud", "-f", "mine.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as cloud:
        assert cloud.stdout
        try:
            ready = json.loads(cloud.stdout.readline())
            with urllib.request.urlopen(ready["locust_url"], timeout=10) as page:
                shown = page.read().decode()
        finally:
            cloud.send_signal(signal.SIGINT)
        assert cloud.wait(30) == 0
    assert ready["service_url"] in shown
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(ready["locust_url"], timeout=10)


@pytest.mark.slow
def test_doctor_loads_a_locustfile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As Locust does: one that cannot be loaded leaves the net unarmed, and one that is not there is refused."""
    (tmp_path / "template.yaml").write_text(SAM)
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "broken.py").write_text("import nowhere_to_be_found")
    words = ["doctor", "--template", str(tmp_path / "template.yaml"), "--function", "Api", "-v", "-f"]
    assert main([*words, str(tmp_path / "mine.py")]) == 0
    assert "has the user class Mine, and its fault requests are known" in " ".join(capsys.readouterr().out.split())
    assert main([*words, str(tmp_path / "broken.py")]) == 3
    assert "No module named" in " ".join(capsys.readouterr().out.split())
    assert main([*words, str(tmp_path / "none.py")]) == 2
