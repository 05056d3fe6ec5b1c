"""The schedule of error shares: which holds when."""

import math

import pytest

from harness.core.experiment.faults import BASE, Share, changes_s, share_at, spans_of
from harness.core.experiment.types import Experiment, Fault, Traffic


def experiment(*faults: Fault, base: float = 0.05) -> Experiment:
    """An experiment with these faults."""
    return Experiment(name="test", traffic=Traffic(error_share=base), faults=faults)


WINDOW = Fault(at_s=60, for_s=120, error_share=0.2)


@pytest.mark.parametrize(
    ("at_s", "share"),
    [
        (-1, None),
        (0, Share(BASE, 0.05)),
        (59, Share(BASE, 0.05)),
        (60, Share("faults[0]", 0.2)),
        (179, Share("faults[0]", 0.2)),
        (180, Share(BASE, 0.05)),
    ],
)
def test_the_base_share_holds_from_the_creation_on_but_in_a_window(at_s: float, share: Share | None) -> None:
    """Before the deployment nothing fails on purpose; a fault's window goes before the base."""
    assert share_at(experiment(WINDOW), at_s) == share


def test_without_any_share_nothing_is_planned() -> None:
    """A share of 0 is no fault."""
    assert share_at(experiment(base=0.0), 10) is None


def test_a_fault_may_come_before_the_deployment() -> None:
    """A negative instant lies before the creation."""
    early = experiment(Fault(at_s=-180, for_s=150, error_share=0.05), base=0.0)
    assert share_at(early, -100) == Share("faults[0]", 0.05)
    assert share_at(early, -30) is None


def test_of_two_windows_the_later_in_the_list_holds() -> None:
    """Overlap is decided by order."""
    both = experiment(WINDOW, Fault(at_s=100, for_s=10, error_share=0.5))
    assert share_at(both, 105) == Share("faults[1]", 0.5)


def test_a_fault_without_an_end_lasts() -> None:
    """Without `for_s` it goes on to the end of the run."""
    assert share_at(experiment(Fault(at_s=60, error_share=0.2)), 1e6) == Share("faults[0]", 0.2)


def test_forced_alarms_are_no_shares() -> None:
    """Only faults with a share change what is sent."""
    forced = experiment(Fault(at_s=60, for_s=10, force_alarm="ALARM"))
    assert changes_s(forced) == [0.0]
    assert share_at(forced, 65) == Share(BASE, 0.05)


def test_every_start_and_end_is_a_change() -> None:
    """The creation, and both ends of every window, in order."""
    assert changes_s(experiment(WINDOW, Fault(at_s=-30, error_share=0.1))) == [-30, 0.0, 60, 180]


def test_a_plan_tells_when_each_fault_holds() -> None:
    """A share that another one covers holds for the rest of its time; an effect on AWS holds for all of its own."""
    plan = experiment(WINDOW, Fault(at_s=100, for_s=10, error_share=0.5), Fault(at_s=60, force_alarm="ALARM"))
    assert [*spans_of(plan)] == [
        (BASE, "error_share", 0.0, 60),
        ("faults[0]", "error_share", 60, 100),
        ("faults[1]", "error_share", 100, 110),
        ("faults[0]", "error_share", 110, 180),
        (BASE, "error_share", 180, math.inf),
        ("faults[2]", "force_alarm", 60, math.inf),
    ]
