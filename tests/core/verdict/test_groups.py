"""Several deployment groups in one run: a verdict each, and one for all."""

from collections.abc import Callable
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from harness.core.experiment.parse import parse
from harness.core.experiment.types import Alarm, Also, Deployment, Expect, Experiment, Fault, Outcome, Traffic
from harness.core.odds.whatif import recorded
from harness.core.timeline.events import (
    AlarmDefined,
    AliasSeen,
    Beside,
    Event,
    ExitAsked,
    FaultEnded,
    FaultStarted,
    Look,
    LookFailed,
    MetricSeen,
    Requests,
    Seen,
    TargetSeen,
    Write,
    decode,
    encode,
)
from harness.core.timeline.rollout import replay
from harness.core.verdict.evidence import evidence_of
from harness.core.verdict.groups import alone, events_of, others
from harness.core.verdict.judge import judge
from harness.core.verdict.types import Verdict
from harness.errors import ExperimentError, UsageError

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


def neighbours(events: list[Event], endpoint: str = "/fakeUser", **change: str) -> list[Event]:
    """The second group's looks and traffic; `change` gives its versions other names."""
    told = [*beside(events), *(replace(row, endpoint=endpoint) for row in events if isinstance(row, Requests))]
    for old, new in change.items():
        told = [changed(event, old.removeprefix("v"), new) for event in told]
    return told


def changed(event: Event, old: str, new: str) -> Event:
    """The same event of a function whose version has another name."""
    text = encode(event)
    for field in ("version", "current_version", "target_version"):
        text = text.replace(f'"{field}":"{old}"'.encode(), f'"{field}":"{new}"'.encode())
    (told,) = decode([text.replace(f'"weights":{{"{old}":'.encode(), f'"weights":{{"{new}":'.encode())])
    return told


def without_metrics(events: list[Event]) -> list[Event]:
    """What CloudWatch would tell of each version is left out."""
    return [event for event in events if not isinstance(getattr(event, "seen", event), MetricSeen)]


NAMED = Experiment(
    name="both",
    deployment=Deployment(group="first", requests=("/fakeUser",)),
    also=(Also(group="second", requests=("/toggles",)),),
)


@pytest.fixture(scope="module")
def bad(build: Build) -> list[Event]:
    """A release whose canary fails half of its requests, and that is promoted."""
    return build(canary_fails=0.5, guards=())


@pytest.fixture(scope="module")
def well(build: Build) -> list[Event]:
    """One whose versions answer well."""
    return build(guards=())


@pytest.mark.parametrize("leave_out", [list, without_metrics])
def test_failures_of_a_neighbour_with_the_same_version_numbers_are_no_harm(
    bad: list[Event], well: list[Event], leave_out: Callable[[list[Event]], list[Event]]
) -> None:
    """Where requests have names, each group's count for it alone, whichever group it is."""
    healthy, hurt = leave_out([*well, *neighbours(bad, "/toggles")]), leave_out([*bad, *neighbours(well, "/toggles")])
    assert calls(NAMED, healthy) == {"first": "cleared", "second": "missed"}
    assert calls(NAMED, hurt) == {"first": "missed", "second": "cleared"}


def test_a_group_that_names_no_requests_has_those_that_no_other_one_names(bad: list[Event], well: list[Event]) -> None:
    """What another group names is its."""
    some = replace(NAMED, deployment=Deployment(group="first"))
    assert calls(some, [*well, *neighbours(bad, "/toggles")]) == {"first": "cleared", "second": "missed"}
    assert calls(some, [*bad, *neighbours(well, "/toggles")]) == {"first": "missed", "second": "cleared"}


@pytest.mark.parametrize("experiment", [both(), replace(NAMED, also=(Also(group="second", requests=("/fakeUser",)),))])
def test_answers_that_may_be_anothers_are_neither_harm_nor_health(
    bad: list[Event], well: list[Event], experiment: Experiment
) -> None:
    """Where both may answer a request and have versions of the same numbers, nobody knows whose failure it was."""
    flood = [replace(row, count=row.count * 50) for row in neighbours(well) if isinstance(row, Requests)]
    for events in ([*well, *neighbours(bad)], [*bad, *neighbours(well), *flood]):
        told = without_metrics(events)
        assert calls(experiment, told) == {"first": "inconclusive", "second": "inconclusive"}
        verdict = judge(experiment, told)
        assert "nothing tells which group's function answered them" in verdict.because[1]
        assert "whose-requests" in {finding.id for finding in verdict.findings}
        assert (verdict.arms.source, verdict.arms.canary.requests) == ("unknown", None)
        assert verdict.second_opinion is None


def test_answers_that_may_be_anothers_are_not_replayed(bad: list[Event], well: list[Event], build: Build) -> None:
    """Another alarm would be judged by failures that it never saw."""
    events = [*build(), *neighbours(bad)]
    with pytest.raises(UsageError, match="may have been answered by another group's function"):
        recorded(evidence_of(both(), events, replay(events)))
    named = [*build(), *neighbours(well, "/toggles")]
    assert recorded(evidence_of(NAMED, named, replay(named))).rate < 21


def test_where_answers_name_nobody_cloudwatch_tells_each_functions_versions(
    bad: list[Event], well: list[Event]
) -> None:
    """Its metrics are the function's own. Failures of nobody stay a doubt of the other group."""
    assert calls(both(), [*well, *neighbours(bad)]) == {"first": "inconclusive", "second": "missed"}
    assert calls(both(), [*bad, *neighbours(well)]) == {"first": "missed", "second": "inconclusive"}
    assert calls(both(), [*well, *neighbours(well)]) == {"first": "cleared", "second": "cleared"}


def test_versions_that_only_one_group_has_tell_its_answers(bad: list[Event], well: list[Event]) -> None:
    """The alias of each showed which versions it had."""
    told = without_metrics([*well, *neighbours(bad, v1="7", v2="8")])
    assert calls(both(), told) == {"first": "cleared", "second": "missed"}
    unseen = [event for event in told if not isinstance(event, Beside)]
    assert calls(both(), unseen)["first"] == "inconclusive"
    lost = [event for event in told if not (isinstance(event, Beside) and event.at_s > 100.0)]
    assert calls(both(), lost)["first"] == "inconclusive"  # the second may have deployed any number since


def test_an_answer_that_names_its_function_is_that_functions(bad: list[Event], well: list[Event]) -> None:
    """`X-Lambda-Version: orders:7`, or an ARN: the number alone may be anybody's."""
    experiment = replace(
        NAMED, deployment=Deployment(group="first", function="shop"), also=(Also(group="second", function="orders"),)
    )
    first = [named(event, "shop") for event in well]
    arn = "arn:aws:lambda:eu-north-1:123456789012:function:orders"
    second = [named(event, arn) for event in neighbours(bad)]
    assert calls(experiment, without_metrics([*first, *second])) == {"first": "cleared", "second": "missed"}
    alone_too = [named(event, "shop") for event in bad]
    assert judge(alone(experiment), without_metrics(alone_too)).call == "missed"


def named(event: Event, function: str) -> Event:
    """An answer, or a look, of a function of this name."""
    if isinstance(event, Requests):
        return replace(event, version=f"{function}:{event.version}")
    if isinstance(event, Beside):
        return replace(event, seen=named(event.seen, function))  # type: ignore[arg-type]
    return replace(event, function=function) if isinstance(event, TargetSeen | AliasSeen) else event


def calls(experiment: Experiment, events: list[Event]) -> dict[str, str]:
    """The call on each group."""
    return {name: str(group.call) for name, group in judge(experiment, events).groups.items()}


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
