"""Several deployment groups in one run: each gets its own view of the timeline, and all of them one verdict.

The first group is the experiment's `deployment`; what is seen of any other stands in the timeline as `Beside`, so that
whoever reads a timeline of one group reads these as before.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import asdict, replace

from harness.core.experiment.group_names import name_of
from harness.core.experiment.types import Alarm, Also, Deployment, Experiment
from harness.core.timeline.events import (
    AlarmDefined,
    AlarmSeen,
    Asked,
    Beside,
    ClockSeen,
    Event,
    EvidenceFound,
    ExitAsked,
    FaultEnded,
    FaultStarted,
    GroupSeen,
    Look,
    LookFailed,
    RunStarted,
    Shadow,
    TargetSeen,
    Write,
)
from harness.core.timeline.left import CREATION
from harness.core.verdict.evidence import FAULT_CALLS
from harness.core.verdict.types import RESULTS, GroupFacts, Verdict, result_in_words
from harness.core.verdict.whose import Whose, bare, whose_of
from harness.errors import ExitCode


class View(Struct, frozen=True):
    """One group's view of a run: the experiment, the timeline, and which requests are its."""

    name: str
    experiment: Experiment
    events: list[Event]
    whose: Whose


def views(experiment: Experiment, events: Sequence[Event]) -> Iterator[View]:
    """A run of several groups as each of them sees it, the first group first."""
    first, *further = whose_of(experiment, events)
    yield View(name_of(experiment.deployment, 0), alone(experiment), [*events_of_first(events)], first)
    for (name, seen), whose in zip(others(experiment).items(), further, strict=False):
        yield View(name, seen, [*events_of(name, seen.deployment, events)], whose)


def others(experiment: Experiment) -> Mapping[str, Experiment]:
    """The experiment as each further group sees it, by the group's name; the first one is not among them."""
    return {name_of(also, index): _as_seen_by(experiment, also) for index, also in enumerate(experiment.also)}


def alone(experiment: Experiment) -> Experiment:
    """The experiment as its first group sees it."""
    return replace(experiment, also=())


def events_of_first(events: Iterable[Event]) -> Iterator[Event]:
    """The timeline as the first group sees it alone; an exit code that was asked for is the whole run's."""
    return (event for event in events if not isinstance(event, ExitAsked))


def events_of(name: str, deployment: Deployment, events: Iterable[Event]) -> Iterator[Event]:
    """The timeline as a further group sees it, without the faults on what is another group's."""
    told = [*events]
    elsewhere = _faults_elsewhere(name, deployment, told)
    for event in told:
        match event:
            case FaultStarted(fault=fault) | FaultEnded(fault=fault) if fault in elsewhere:
                continue
            case Beside():
                if event.group == name:
                    yield event.seen
            case RunStarted():
                yield replace(event, deployment=deployment.id)
            case (
                Look() | LookFailed() | ClockSeen() | ExitAsked() | Shadow() | EvidenceFound() | Asked(what="roll_back")
            ):
                continue
            case Write(call=call) if call == CREATION:
                continue
            case _:
                yield event


def _faults_elsewhere(name: str, deployment: Deployment, events: Sequence[Event]) -> frozenset[str]:
    """The faults on an alarm or a function that are not the group's; where nothing tells on which, they may be its."""
    looks = [event.seen for event in events if isinstance(event, Beside) and event.group == name]
    alarms = {one.name for one in looks if isinstance(one, AlarmDefined | AlarmSeen)}
    alarms |= {alarm for one in looks if isinstance(one, GroupSeen) for alarm in one.alarms}
    functions = {one.function for one in looks if isinstance(one, TargetSeen)} | {deployment.function}
    owned = {"force_alarm": alarms, "concurrency": {bare(one) for one in functions if one}}
    kinds = set()
    for kind, own in owned.items():
        written = (event for event in events if isinstance(event, Write) and event.call == FAULT_CALLS[kind])
        subjects = {bare(event.subject) for event in written}
        if subjects and not subjects & own:
            kinds.add(kind)
    return frozenset(event.fault for event in events if isinstance(event, FaultStarted) and event.kind in kinds)


def for_all(first: str, verdicts: Mapping[str, Verdict]) -> Verdict:
    """The verdict of the group `first`, with the result of the worst of all, and every group's in short."""
    own = verdicts[first]
    worst = min(
        verdicts.values(),
        key=lambda verdict: (verdict.exit_code != ExitCode.HARNESS_FAILED, RESULTS.index(verdict.result)),
    )
    others_in_short = (f"{name}: {_in_short(verdict)}." for name, verdict in verdicts.items() if name != first)
    return replace(
        own,
        result=worst.result,
        exit_code=worst.exit_code,
        has_expectation=any(verdict.has_expectation for verdict in verdicts.values()),
        because=(*own.because, *others_in_short),
        groups={name: _facts(verdict) for name, verdict in verdicts.items()},
    )


def _as_seen_by(experiment: Experiment, also: Also) -> Experiment:
    """Its alarms are its own, the shadow alarms each group's. It sees those of the first group's faults that began."""
    own = {field: value for field, value in asdict(also).items() if field != "expect"}
    return replace(
        experiment,
        deployment=Deployment(**own),
        alarm=Alarm(),
        traffic=replace(experiment.traffic, error_share=0.0),
        faults=(),
        expect=also.expect or experiment.expect,
        also=(),
    )


def _in_short(verdict: Verdict) -> str:
    words = (str(verdict.outcome), str(verdict.call), result_in_words(verdict))
    return ", ".join(dict.fromkeys(word.replace("_", " ") for word in words))


def _facts(verdict: Verdict) -> GroupFacts:
    return GroupFacts(
        outcome=verdict.outcome,
        call=verdict.call,
        result=verdict.result,
        exit_code=verdict.exit_code,
        deployment=verdict.deployment.id,
        expected=verdict.expected,
        has_expectation=verdict.has_expectation,
        time_to_detect_s=verdict.detection.time_to_detect_s,
        time_to_roll_back_s=verdict.detection.time_to_roll_back_s,
    )
