"""A throttled function gets back what was reserved for it, whatever happens."""

from typing import Any

import pytest

from harness.aws.concurrency import ReservedConcurrency
from harness.aws.journal import SETTLED_S
from harness.core.timeline.events import Write
from harness.errors import AccessDenied, NotFound, Unreachable
from tests.aws.scripted_aws import Stage

LOST = Unreachable("lambda:PutFunctionConcurrency", "read timeout")


class Function:
    """A function of the scripted AWS with reserved concurrency, None for none."""

    def __init__(self, stage: Stage, reserved: int | None) -> None:
        self.reserved = reserved
        stage.aws.script = {
            "get_function_concurrency": self.told,
            "put_function_concurrency": self.put,
            "delete_function_concurrency": self.deleted,
        }

    def told(self, **_: Any) -> dict[str, Any]:
        """GetFunctionConcurrency."""
        return {} if self.reserved is None else {"ReservedConcurrentExecutions": self.reserved}

    def put(self, ReservedConcurrentExecutions: int, **_: Any) -> dict[str, Any]:  # noqa: N803
        """PutFunctionConcurrency."""
        self.reserved = ReservedConcurrentExecutions
        return self.told()

    def deleted(self, **_: Any) -> dict[str, Any]:
        """DeleteFunctionConcurrency."""
        self.reserved = None
        return {}


def throttle(stage: Stage) -> ReservedConcurrency:
    """The fault that all tests inject."""
    journal = stage.journal()
    return ReservedConcurrency(stage.aws, function="fn", limit=0, journal=journal)  # type: ignore[arg-type]


@pytest.mark.parametrize("before", [None, 5])
def test_what_was_reserved_before_is_given_back(stage: Stage, before: int | None) -> None:
    """A number, or nothing at all; both are in the journal before the call."""
    function = Function(stage, before)
    fault = throttle(stage)
    fault.inject()
    fault.inject()
    assert function.reserved == 0
    assert fault.heal()
    assert fault.heal()
    assert function.reserved == before
    writes = stage.seen(Write)
    assert [write.step for write in writes] == ["intended", "done", "undone"]
    assert {(write.before, write.after) for write in writes} == {(None if before is None else str(before), "0")}


def test_what_somebody_else_set_since_is_left_alone(stage: Stage) -> None:
    """Their reservation is newer than ours."""
    function = Function(stage, 5)
    fault = throttle(stage)
    fault.inject()
    function.reserved = 7
    assert fault.heal()
    assert function.reserved == 7
    assert stage.seen(Write)[-1].detail == "no longer 0 but 7, which somebody else set"


def test_a_refused_throttle_is_raised_and_journaled(stage: Stage) -> None:
    """The caller must know that the fault is not there."""
    Function(stage, 5)
    stage.aws.script["put_function_concurrency"] = AccessDenied("lambda:PutFunctionConcurrency", "AccessDenied", "no")
    with pytest.raises(AccessDenied):
        throttle(stage).inject()
    assert [write.step for write in stage.seen(Write)] == ["intended", "refused"]


def test_a_throttle_whose_answer_was_lost_is_healed(stage: Stage) -> None:
    """It may be there all the same, or come yet: it is written back at once, and called undone when it cannot come."""
    function = Function(stage, None)
    works = stage.aws.script["put_function_concurrency"]
    stage.aws.script["put_function_concurrency"] = LOST
    fault = throttle(stage)
    with pytest.raises(Unreachable):
        fault.inject()
    stage.aws.script["put_function_concurrency"] = works
    assert not fault.heal()
    function.reserved = 0
    assert not fault.heal()
    assert function.reserved is None
    function.reserved = 0
    stage.clock.at_s += SETTLED_S
    assert fault.heal()
    assert function.reserved is None


def test_a_failed_healing_is_journaled_and_may_be_repeated(stage: Stage) -> None:
    """It never raises, and says that something is left."""
    function = Function(stage, None)
    fault = throttle(stage)
    fault.inject()
    works = dict(stage.aws.script)
    stage.aws.script = dict.fromkeys(works, LOST)
    assert not fault.heal()
    assert stage.seen(Write)[-1].step == "failed"
    stage.aws.script = works
    assert fault.heal()
    assert function.reserved is None


def test_a_function_that_vanished_is_healed(stage: Stage) -> None:
    """Nothing is left to throttle."""
    Function(stage, None)
    fault = throttle(stage)
    fault.inject()
    gone = NotFound("lambda:GetFunctionConcurrency", "ResourceNotFoundException", "gone")
    stage.aws.script = {"get_function_concurrency": gone}
    assert fault.heal()
