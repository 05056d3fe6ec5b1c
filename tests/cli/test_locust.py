"""The command `canary-harness locust`: which words Locust gets."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.locust import located
from harness.processes import locustfile

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
