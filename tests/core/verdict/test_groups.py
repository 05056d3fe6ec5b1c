"""Several deployment groups in one run: a verdict each, and one for all."""

from collections.abc import Callable
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from harness.core.experiment.parse import parse
from harness.core.experiment.types import Alarm, Also, Deployment, Expect, Experiment, Fault, Outcome, Traffic
from harness.core.timeline.events import (
    AlarmDefined,
    Beside,
    Event,
    ExitAsked,
    FaultEnded,
    FaultStarted,
    Look,
    LookFailed,
    Seen,
    Write,
    decode,
    encode,
)
from harness.core.timeline.rollout import replay
from harness.core.verdict.groups import alone, events_of, others
from harness.core.verdict.judge import judge
from harness.core.verdict.types import Verdict
from harness.errors import ExperimentError

Build = Callable[..., list[Event]]


def beside(events: list[Event]) -> list[Event]:
    """What was seen in one run, as another run saw it beside its own."""
    seen = [event for event in events if isinstance(event, Look | LookFailed)]
    return [Beside(at_s=event.at_s, group="second", seen=event) for event in seen]  # type: ignore[arg-type]


def both(**more: Any) -> Experiment:
    """An experiment on two groups."""
    return Experiment(name="both", deployment=Deployment(group="first"), also=(Also(group="second", **more),))


@pytest.fixture(scope="module")
def events(build: Build) -> list[Event]:
    """The first group is promoted, the second rolled back by its alarm."""
    undone = build(end="rolled_back", end_s=130.0, alarms=((120.0, 200.0),), canary_fails=0.5, shifts=((5.0, 0.1),))
    return [*build(), *beside(undone)]


def test_the_first_group_is_judged_as_if_it_were_alone(events: list[Event]) -> None:
    """What is seen beside it changes nothing of it."""
    own = [event for event in events if not isinstance(event, Beside)]
    assert replay(events) == replay(own)
    assert judge(alone(both()), events) == judge(alone(both()), own)


def test_each_group_has_its_own_outcome(events: list[Event]) -> None:
    """In the verdict for all, each stands in short."""
    verdict = judge(both(), events)
    assert verdict.outcome == "promoted"
    assert {name: group.outcome for name, group in verdict.groups.items()} == {
        "first": "promoted",
        "second": "rolled_back",
    }
    assert any(reason.startswith("second: rolled back") for reason in verdict.because)


def test_the_result_of_all_is_the_worst_of_each(events: list[Event]) -> None:
    """One group contrary to its expectation makes the whole run so."""
    fine = both(expect=Expect(outcome=Outcome.ROLLED_BACK))
    bad = both(expect=Expect(outcome=Outcome.PROMOTED))
    assert judge(bad, events).exit_code == 3
    assert judge(bad, events).groups["second"].exit_code == 3
    assert judge(bad, events).groups["first"].exit_code == judge(fine, events).groups["first"].exit_code == 0


def test_whatever_a_look_comes_to_can_stand_beside() -> None:
    """A new kind of look must be able to be read back."""
    looks = {kind for kind in get_args(Event) if issubclass(kind, Look)}
    assert looks <= {*get_args(Seen)}


def test_requests_count_for_the_group_that_answers_them(build: Build) -> None:
    """A group that answers other requests has none of them, and so nothing is proved for it."""
    events = [*build(), *beside(build())]
    wanted = both(requests=("featureToggles",))
    seen = others(wanted)["second"]
    assert judge(seen, [*events_of("second", seen.deployment, events)]).traffic.sent == 0
    assert judge(alone(wanted), events).traffic.sent > 0


def test_what_is_seen_beside_survives_the_file(events: list[Event]) -> None:
    """Line by line."""
    told = [event for event in events if isinstance(event, Beside)]
    assert list(decode(map(encode, told))) == told


@pytest.mark.parametrize(
    ("also", "told"),
    [
        ("{group: a, target_version: '2'}", r"also\[0\]\.target_version: a run makes its first deployment only"),
        ("{alias: Live}", r"also\[0\]: names no deployment group"),
    ],
)
def test_a_further_group_that_cannot_be_is_refused(also: str, told: str) -> None:
    """With its place in the list."""
    with pytest.raises(ExperimentError, match=told):
        parse(f"name: x\nalso: [{also}]", source="x.yaml")


def of_second(experiment: Experiment, events: list[Event]) -> Verdict:
    """The verdict on the second group alone."""
    seen = others(experiment)["second"]
    return judge(seen, [*events_of("second", seen.deployment, events)])


def fault(kind: Any, call: str, subject: str) -> list[Event]:
    """A fault of a minute, and the write that made it."""
    write = Write(at_s=119.0, call=call, subject=subject, step="intended")
    value = "ALARM" if kind == "force_alarm" else "0"
    began = FaultStarted(at_s=120.0, fault="faults[0]", kind=kind, value=value)
    return [write, began, FaultEnded(at_s=180.0, fault="faults[0]")]


@pytest.mark.parametrize(
    ("kind", "call", "shared"),
    [
        ("force_alarm", "cloudwatch:SetAlarmState", "errors"),
        ("concurrency", "lambda:PutFunctionConcurrency", "fakeUser"),
        ("concurrency", "lambda:PutFunctionConcurrency", "arn:aws:lambda:eu-north-1:123456789012:function:fakeUser"),
    ],
)
def test_a_fault_on_what_is_not_the_groups_is_no_fault_of_it(build: Build, kind: str, call: str, shared: str) -> None:
    """Only where it hit the group's own alarm or function must the group show it."""
    seen = [*build(), *beside(build())]
    assert of_second(both(), [*seen, *fault(kind, call, "another")]).call == "cleared"
    assert of_second(both(), [*seen, *fault(kind, call, shared)]).call == "inconclusive"


def test_the_alarm_of_the_experiment_is_the_first_groups(build: Build) -> None:
    """What another group's alarm bears is not known by it: failures stay unweighed where that could not be read."""
    told = [event for event in build(faults=((30.0, 250.0, 0.05),)) if not isinstance(event, AlarmDefined)]
    experiment = replace(both(), alarm=Alarm(threshold=1e6))
    events = [*told, *beside(told)]
    assert judge(alone(experiment), events).call == "cleared"
    assert of_second(experiment, events).call == "inconclusive"


def test_faults_are_on_time_by_the_first_groups_creation(build: Build) -> None:
    """A group that deploys earlier or later was promised nothing."""
    experiment = replace(both(), traffic=Traffic(error_share=0.05), faults=(Fault(at_s=30, for_s=60, error_share=0.2),))
    events = [*build(faults=((30.0, 90.0, 0.2),)), *beside(build(created_s=20.0))]
    assert not [said for said in of_second(experiment, events).because if "planned" in said]


def test_an_exit_code_that_was_asked_for_is_the_whole_runs(events: list[Event]) -> None:
    """It stands in the verdict for all, never in a group's own, and makes nothing better."""
    fine = both(expect=Expect(outcome=Outcome.ROLLED_BACK))
    own = judge(fine, events)
    for asked, code in ((7, 7), (0, own.exit_code)):
        verdict = judge(fine, [*events, ExitAsked(at_s=500.0, exit_code=asked, by="sys.exit")])
        assert verdict.exit_code == code
        assert verdict.groups == own.groups
        assert any("asked for exit code" in said for said in verdict.because) == (code == 7)
