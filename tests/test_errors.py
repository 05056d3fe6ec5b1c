"""Whose fault an error is, and what is told of descriptors and memory that ran out."""

import errno
import os

import pytest

from harness.cli import main as cli
from harness.cli import rehearse
from harness.errors import Unreachable, UsageError, exhausted, sentence_of

WORDS = {
    errno.EMFILE: "this process ran out of file descriptors",
    errno.ENFILE: "this machine ran out of file descriptors",
    errno.ENOMEM: "this process got no more memory",
}


def lack(code: int) -> OSError:
    """What Python raises for it."""
    return OSError(code, os.strerror(code))


@pytest.mark.parametrize("code", WORDS)
def test_what_ran_out_is_told_also_where_it_led_to_another_error(code: int) -> None:
    """Such as AWS that cannot be reached without a descriptor."""
    reached = Unreachable("codedeploy:GetDeployment", "no connection")
    reached.__cause__ = lack(code)
    assert all(WORDS[code] in (sentence_of(error) or "") for error in (lack(code), reached))


def test_other_errors_ran_out_of_nothing() -> None:
    """They are told in their own words, and a bug has none."""
    assert exhausted(lack(errno.ENOENT)) is None
    assert sentence_of(UsageError("name: is missing")) == "name: is missing"
    assert sentence_of(KeyError("x")) is None


@pytest.mark.parametrize("error", [MemoryError(), lack(errno.EMFILE), lack(errno.ENFILE)])
def test_a_command_that_gets_no_more_says_so(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, and exit code 1."""

    def fails(_: object) -> int:
        raise error

    monkeypatch.setattr(rehearse, "run_rehearse", fails)
    assert cli.main(["rehearse"]) == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert told == f"canary-harness: {sentence_of(error)}"
