"""The states of the process that directs runs, as a table: state x event = next state."""

from collections.abc import Mapping
from enum import Enum
from typing import Literal


class DirectorState(Enum):
    """What a director does now."""

    WAITING = "waiting"
    """No test is on."""
    BEGINNING = "beginning"
    """A test began, and its run is being set up."""
    TESTING = "testing"
    """A run is under way."""
    ENDING = "ending"
    """The test is over, and its run heals, looks a last time, and is judged."""


Happening = Literal["test_start", "run_begun", "refused", "test_stop", "run_closed"]

_WAITING, _BEGINNING, _TESTING, _ENDING = DirectorState

NEXT: Mapping[DirectorState, Mapping[Happening, DirectorState]] = {
    _WAITING: {
        "test_start": _BEGINNING,
        "run_begun": _TESTING,  # its test was stopped while it was being set up
        "refused": _WAITING,
        "test_stop": _WAITING,
        "run_closed": _WAITING,
    },
    _BEGINNING: {
        "test_start": _BEGINNING,
        "run_begun": _TESTING,
        "refused": _WAITING,
        "test_stop": _WAITING,
        "run_closed": _BEGINNING,  # that of the test before
    },
    _TESTING: {
        "test_start": _TESTING,  # Locust asks again for a test that it has not spawned users for
        "run_begun": _TESTING,
        "refused": _WAITING,
        "test_stop": _ENDING,
        "run_closed": _TESTING,  # that of the test before
    },
    _ENDING: {
        "test_start": _BEGINNING,  # Locust offers a new test while the last one is being judged
        "run_begun": _TESTING,
        "refused": _WAITING,
        "test_stop": _ENDING,
        "run_closed": _WAITING,
    },
}

IN_A_TEST = frozenset({_BEGINNING, _TESTING})
"""States in which Locust's test is on."""
