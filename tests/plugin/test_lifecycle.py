"""The states of the process that directs runs."""

from itertools import pairwise
from typing import get_args

import pytest

from harness.plugin.lifecycle import IN_A_TEST, NEXT, DirectorState, Happening


def after(*happenings: Happening) -> DirectorState:
    """The state that these lead to, from the beginning."""
    state = DirectorState.WAITING
    for happening in happenings:
        state = NEXT[state][happening]
    return state


def test_every_state_says_what_every_happening_leads_to() -> None:
    """Locust's events may come in any order: none may find a hole in the table."""
    assert set(NEXT) == set(DirectorState)
    assert all(set(row) == set(get_args(Happening)) for row in NEXT.values())


def test_a_test_goes_through_all_states_of_a_run() -> None:
    """From its start to its verdict, and the next one may begin."""
    road: list[Happening] = ["test_start", "run_begun", "test_stop", "run_closed"]
    states = [after(*road[:passed]) for passed in range(len(road) + 1)]
    assert [state.value for state in states] == ["waiting", "beginning", "testing", "ending", "waiting"]
    assert all(before is not then for before, then in pairwise(states))


@pytest.mark.parametrize("begun", [True, False])
def test_a_refused_test_is_over_at_once(begun: bool) -> None:
    """Also if its run failed in its first step; there is no run to close, and Locust's own stop changes nothing."""
    road: list[Happening] = ["test_start", "run_begun", "refused"] if begun else ["test_start", "refused"]
    assert after(*road) is DirectorState.WAITING
    assert after(*road, "test_stop") is DirectorState.WAITING


def test_the_end_of_a_run_leaves_the_next_test_alone() -> None:
    """A person may begin it while the last one is being judged."""
    closing: list[Happening] = ["test_start", "run_begun", "test_stop", "test_start", "run_begun"]
    assert after(*closing, "run_closed") is DirectorState.TESTING


def test_a_test_that_is_asked_for_again_keeps_its_run() -> None:
    """Locust asks until it has spawned the first users; a second run would leave the first without an end."""
    assert after("test_start", "run_begun", "test_start") is DirectorState.TESTING


def test_a_run_that_is_judged_is_no_test() -> None:
    """A signal then ends the process, and is no reason why the run ended."""
    assert after("test_start", "run_begun", "test_stop") not in IN_A_TEST
    assert after("test_start") in IN_A_TEST
