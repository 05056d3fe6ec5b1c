"""Starting tests one at a time, and what a refusal leaves."""

from argparse import Namespace
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from harness.core.experiment.types import Experiment
from harness.errors import HarnessError, NotAllowed, UsageError
from harness.plugin import options
from harness.plugin.lifecycle import DirectorState
from harness.plugin.starting import BUSY, JUDGING, Starts

HOST = "http://127.0.0.1:9"
PLAIN = Experiment(name="test")


class Playing:
    """A Locust process whose runs begin, or are refused with `why`, a moment after they were started."""

    def __init__(self, **given: Any) -> None:
        names = dict.fromkeys(options.in_form(), None) | {"canary_allow_writes": False, "canary_redeploy": False}
        locusts = {"host": None, "num_users": 1, "spawn_rate": None, "web_host": "127.0.0.1", "web_login": False}
        self.given = Namespace(**{**names, **locusts, **given})
        self.state, self.is_closed, self.attempts = DirectorState.WAITING, True, 0
        self.refused: str | None = None
        self.why: str | None = None
        self.started: list[dict[str, Any]] = []
        self.admission = SimpleNamespace(settings=lambda asked, host: SimpleNamespace(experiment=PLAIN))
        runner = SimpleNamespace(start=self.begin)
        self.environment = SimpleNamespace(parsed_options=self.given, runner=runner, host=HOST, shape_class=None)
        self.starts = Starts(self.environment, self)  # type: ignore[arg-type]

    def begin(self, users: int, rate: float) -> None:
        """What Locust's runner does, which takes its time."""
        gevent.sleep(0.05)
        self.started.append({**vars(self.given), "at": self.environment.host, "users": users})
        self.refused = self.why
        self.state = DirectorState.WAITING if self.why else DirectorState.TESTING
        self.attempts += 1

    def ask(self, users: int | None = None, host: str | None = None, **asked: Any) -> None:
        """Starts a test."""
        self.starts.start({f"canary_{name}": value for name, value in asked.items()}, host, users)


def refusal(act: Callable[..., None], **asked: Any) -> str:
    """Why something was refused."""
    with pytest.raises(HarnessError) as refused:
        act(**asked)
    return str(refused.value)


def test_of_two_starts_at_once_one_begins() -> None:
    """With what it asked for, and nothing of the other's."""
    playing = Playing()
    told: list[str] = []

    def start(version: str) -> None:
        try:
            playing.ask(target_version=version)
        except NotAllowed as error:
            told.append(str(error))

    gevent.joinall([gevent.spawn(start, version) for version in ("2", "3", "4")])
    assert told == [BUSY, BUSY]
    assert [one["canary_target_version"] for one in playing.started] == ["2"]
    assert refusal(playing.ask) == BUSY


def test_no_test_begins_while_the_last_one_is_judged() -> None:
    """Its verdict and its files are its own."""
    playing = Playing()
    playing.is_closed = False
    assert refusal(playing.ask) == JUDGING
    assert not playing.started


def test_what_is_left_out_is_as_in_the_last_round() -> None:
    """And a way to deploy takes the place of the one before."""
    playing = Playing()
    playing.ask(target_version="2", group="live", host="http://localhost:9", users=3)
    playing.state = DirectorState.WAITING
    playing.ask(redeploy=True)
    first, second = playing.started
    assert (second["canary_group"], second["at"], second["users"]) == ("live", "http://localhost:9", 3)
    assert (first["canary_target_version"], first["canary_redeploy"]) == ("2", False)
    assert (second["canary_target_version"], second["canary_redeploy"]) == ("", True)


def test_a_refused_start_leaves_nothing_to_the_next() -> None:
    """Neither its options nor its host."""
    playing = Playing()
    playing.ask(target_version="2")
    playing.state, playing.why = DirectorState.WAITING, "there is no version 77"
    assert refusal(playing.ask, target_version="77", host="http://localhost:1", users=9) == "there is no version 77"
    playing.why = None
    playing.ask()
    assert playing.started[-1] == playing.started[0]


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({}, True),
        ({"web_host": "0.0.0.0"}, False),
        ({"web_host": ""}, False),
        ({"web_host": "0.0.0.0", "web_login": True}, True),
        ({"web_host": "0.0.0.0", "canary_allow_writes": True}, True),
    ],
)
def test_permission_to_write_is_not_for_everybody_to_give(given: dict[str, Any], allowed: bool) -> None:
    """A page that others reach without a login grants none that Locust was not started with."""
    playing = Playing(**given)
    if allowed:
        playing.ask(allow_writes=True)
        assert playing.started[0]["canary_allow_writes"] is True
    else:
        assert "--canary-allow-writes" in refusal(playing.ask, allow_writes=True)
        assert not playing.started


def test_a_test_that_is_on_changes_its_traffic_only() -> None:
    """What else Locust's form for changes sends must be as it is."""
    playing = Playing()
    playing.ask(group="live")
    playing.starts.check_edit({"canary_error_share": "0.2", "canary_group": "live", "canary_redeploy": False}, None)
    with pytest.raises(UsageError, match="canary_allow_writes can be set only before a test begins"):
        playing.starts.check_edit({"canary_allow_writes": True}, None)


def test_the_same_host_changes_a_test_and_another_one_asks_for_another_test() -> None:
    """As scripts ask Locust for other users: with its whole form. While a test begins, whoever names a host starts."""
    playing = Playing()
    assert not playing.starts.changes(None)
    playing.ask()
    environment = playing.starts._environment
    assert [playing.starts.changes(host) for host in (None, environment.host, "http://other")] == [True, True, False]
    playing.starts._busy = True
    assert [playing.starts.changes(host) for host in (None, environment.host)] == [True, False]


def test_what_no_form_may_set_is_refused() -> None:
    """Whoever asks."""
    assert "canary_reports is set where Locust is started" in refusal(Playing().ask, reports="/")
