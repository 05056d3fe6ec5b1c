"""The evidence of a run: its timeline sorted for measuring, and how requests are counted.

"From the deployment's creation on" means whole seconds: the second in which the deployment was created holds good
requests from before it, which are left out, and the first fault requests, which are not.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from harness.core.experiment.faults import BASE, SHARE
from harness.core.experiment.former import FORMER_SHARE
from harness.core.experiment.types import Experiment
from harness.core.timeline.alarm_evaluation import MINUTE_S
from harness.core.timeline.alarm_rules import HTTP_API_STATUS, UNHANDLED_STATUS
from harness.core.timeline.events import (
    AlarmMetricSeen,
    AliasMetricSeen,
    AliasSeen,
    Arrivals,
    Asked,
    Beside,
    CommandEnded,
    CommandStarted,
    Event,
    EvidenceFound,
    Exemplar,
    ExitAsked,
    FaultEnded,
    FaultStarted,
    Intent,
    Look,
    LookFailed,
    MetricSeen,
    RailTripped,
    Requests,
    Shadow,
    TargetSeen,
    Totals,
    Trouble,
    Write,
)
from harness.core.timeline.left import Left, unhealed
from harness.core.timeline.release import Release
from harness.core.timeline.rollout import Rollout
from harness.core.verdict.types import Answers, CommandFacts
from harness.core.verdict.whose import Belongs, Whose, whose_of

Told = TypeVar("Told")

FAULT_CALLS = {
    "force_alarm": "cloudwatch:SetAlarmState",
    "concurrency": "lambda:PutFunctionConcurrency",
    "fis_template": "fis:StartExperiment",
}
"""The call that each kind of fault on AWS takes effect by."""
HURTING = ("concurrency", "fis_template")
"""Kinds of fault that make the function itself fail."""


_STEERING = ("error_share", "force_alarm", "release_alarm", "stop_faults")
"""What a person may ask for that changes the faults."""


Row = TypeVar("Row", Requests, Exemplar)


class FaultTime(Struct, frozen=True):
    """A fault that took effect, and from when until when; `ended_s` is infinite while it lasts."""

    name: str
    kind: str
    value: str
    began_s: float
    ended_s: float

    @property
    def forces_alarm(self) -> bool:
        """Whether it set the alarm to ALARM."""
        return self.kind == "force_alarm" and self.value == "ALARM"

    @property
    def hurts_service(self) -> bool:
        """Whether it made the function itself fail, for every request alike."""
        return self.kind in HURTING

    @property
    def plans_requests(self) -> bool:
        """Whether it planned fault requests."""
        return self.kind in (SHARE, FORMER_SHARE)

    def share(self, kind: str) -> float | None:
        """The share of fault requests it planned; None of another kind of fault."""
        try:
            return float(self.value) if self.kind == kind else None
        except ValueError:
            return None

    def lasts(self, at_s: float) -> bool:
        """Whether it was in effect at an instant."""
        return self.began_s <= at_s < self.ended_s


MOST = 0.5
"""Of the 500s so many have to be errors by CloudWatch before they count as the function's exceptions."""


class Evidence(Struct, frozen=True):
    """A timeline sorted for measuring.

    `requests` are all, `since` those from the deployment's creation on (none before a creation is known) until the next
    one's. `end_s` is the end of the run, or of what is there of it, and `until_s` the same or the next deployment's
    creation; `looks` are the instants of the good ones, `blind` the failed ones.
    Those of `contested` names that no version tells apart may be another group's (`is_unclear`).
    `sent` counts all requests, those that other groups answer too. `steered_s` is when a person first changed the
    faults, from when on the plan holds no more; infinite if nobody did. `left` is what the run changed on AWS and did
    not undo until its end, `found` the evidence on which it was to stop the deployment. `rolled_back_by`
    is the operator whose rollback CodeDeploy took; empty where nobody asked for one. `unhandled_as_500` says that the
    function's exceptions reach clients as 500, by CloudWatch's count of them.
    """

    experiment: Experiment
    rollout: Rollout
    requests: tuple[Requests, ...]
    since: tuple[Requests, ...]
    arrivals: tuple[Arrivals, ...]
    metrics: tuple[MetricSeen, ...]
    alias_metrics: tuple[AliasMetricSeen, ...]
    alarm_metrics: tuple[AlarmMetricSeen, ...]
    faults: tuple[FaultTime, ...]
    looks: tuple[float, ...]
    blind: tuple[LookFailed, ...]
    troubles: tuple[Trouble, ...]
    command: CommandFacts | None
    rails: tuple[RailTripped, ...]
    exemplars: tuple[Exemplar, ...]
    totals: tuple[Totals, ...]
    exits_asked: tuple[ExitAsked, ...]
    sent: int
    end_s: float
    contested: frozenset[str] = frozenset()
    steered_s: float = math.inf
    left: tuple[Left, ...] = ()
    found: tuple[EvidenceFound, ...] = ()
    rolled_back_by: str = ""
    shadows: tuple[Shadow, ...] = ()
    unhandled_as_500: bool = False

    @property
    def release(self) -> Release:
        """The release that was followed."""
        return self.rollout.release

    @property
    def stopped_by_a_person(self) -> bool:
        """Whether a person stopped the deployment, and neither an alarm nor the harness by its own evidence.

        Of an operator whose stop CodeDeploy took, any error code tells it: AWS does not document which one that has.
        """
        release = self.release
        if self.rolled_back_by:
            return release.forward is not None and release.forward.status == "Stopped"
        return release.stopped_by_hand and not (release.stopped_by_us and self.found)

    @property
    def until_s(self) -> float:
        """Until when what was measured can be this deployment's doing."""
        return min(self.end_s, self.release.superseded_s)

    @property
    def unrecorded(self) -> int:
        """How many requests Locust counted that are not in the timeline."""
        return sum(max(0, process.counted - process.recorded) for process in self.totals)

    def is_unclear(self, seen: Requests) -> bool:
        """Whether another group of the run may have answered a request: then it proves nothing of this one."""
        return seen.version is None and seen.endpoint in self.contested

    def own(self, requests: Iterable[Requests]) -> list[Requests]:
        """Those of some requests that no other group of the run can have answered."""
        if not self.contested:
            return [*requests]
        return [seen for seen in requests if not self.is_unclear(seen)]

    @property
    def unclear(self) -> list[Requests]:
        """The requests since the creation that another group of the run may have answered."""
        return [seen for seen in self.since if self.is_unclear(seen)]

    @property
    def of_its_own(self) -> "Evidence":
        """The evidence without the requests that another group may have answered."""
        requests, since = (tuple(self.own(some)) for some in (self.requests, self.since))
        return self if len(requests) == len(self.requests) else replace(self, requests=requests, since=since)

    @property
    def knows_canary(self) -> bool:
        """Whether anything tells which version is on trial: where nothing does, no request is known not to be its."""
        return bool(self.release.canary or self.release.baseline)

    def is_canary(self, version: str | None) -> bool:
        """Whether this version is the one on trial; with no name for it, whatever is not the baseline."""
        if version is None:
            return False
        canary = self.rollout.release.canary
        return version == canary if canary else self.is_other(version)

    def is_baseline(self, version: str | None) -> bool:
        """Whether this version is the one in service."""
        return version is not None and version == self.rollout.release.baseline

    def is_other(self, version: str) -> bool:
        """Whether this version is known not to be the one in service."""
        return self.release.baseline is not None and version != self.release.baseline


def answered_by(whose: Whose, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows of requests that a group answered, or may have, with the version where it is known to be the group's."""
    told: dict[tuple[str, str | None, bool], tuple[Belongs, str | None]] = {}
    known_s = whose.known_s
    for row in rows:
        key = row.endpoint, row.version, row.at_s > known_s
        if key not in told:
            told[key] = whose.of(row.endpoint, row.version, late=key[2])
        belongs, version = told[key]
        if belongs != "other":
            yield row if version == row.version else replace(row, version=version)


def evidence_of(
    experiment: Experiment, events: Sequence[Event], rollout: Rollout, whose: Whose | None = None
) -> Evidence:
    """The timeline sorted for measuring, as a group sees it whose requests are told by `whose`: the first, without."""
    told = _ByKind(events).told
    whose = whose or whose_of(experiment, (*told(AliasSeen), *told(TargetSeen), *told(Beside)))[0]
    requests = tuple(answered_by(whose, told(Requests)))
    created_s = rollout.release.created_s
    since = tuple(
        seen
        for seen in requests
        if created_s is not None and _is_since(seen, created_s) and seen.at_s < rollout.release.superseded_s
    )
    return Evidence(
        experiment=experiment,
        rollout=rollout,
        requests=requests,
        since=since,
        unhandled_as_500=_answers_500(since, told(MetricSeen)),
        arrivals=told(Arrivals),
        metrics=told(MetricSeen),
        alias_metrics=told(AliasMetricSeen),
        alarm_metrics=told(AlarmMetricSeen),
        faults=tuple(fault_times(events)),
        looks=tuple(event.at_s for event in events if isinstance(event, Look)),
        blind=told(LookFailed),
        troubles=told(Trouble),
        command=_command(events),
        rails=told(RailTripped),
        exemplars=tuple(answered_by(whose, told(Exemplar))),
        totals=told(Totals),
        shadows=told(Shadow),
        exits_asked=told(ExitAsked),
        sent=sum(seen.count for seen in told(Requests)),
        contested=frozenset(name for name in {seen.endpoint for seen in requests} if whose.contested(name)),
        end_s=max((event.at_s for event in events if not isinstance(event, Exemplar)), default=0.0),
        left=tuple(unhealed(events)) if rollout.run.ended else (),
        found=told(EvidenceFound),
        rolled_back_by=next((asked.by for asked in told(Asked) if _rolls_back(asked)), ""),
        steered_s=min((asked.at_s for asked in told(Asked) if _steers(asked)), default=math.inf),
    )


def _answers_500(since: Sequence[Requests], metrics: Iterable[MetricSeen]) -> bool:
    """Whether most of the 500s were exceptions of the function, as behind an HTTP API: Errors counted that many more.

    An answer does not say so. The count comes late, so it may be short of some; that of a REST API is that of the 502s.
    """
    began_s = min((seen.at_s for seen in since), default=math.inf)
    errors = {
        start_s: value
        for seen in metrics
        if seen.metric == "Errors" and seen.version is None
        for start_s, value in seen.points
        if start_s >= began_s
    }
    until_s = max(errors, default=-math.inf) + MINUTE_S
    counted = [seen for seen in since if min(errors, default=math.inf) <= seen.at_s < until_s]
    as_500 = count(counted, lambda seen: seen.status == HTTP_API_STATUS)
    as_502 = count(counted, lambda seen: seen.status == UNHANDLED_STATUS)
    return as_500 > 0 and sum(errors.values()) - as_502 >= MOST * as_500


class _ByKind:
    """The events of each kind, in their order."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._of: dict[type, list[Any]] = {}
        for event in events:
            self._of.setdefault(type(event), []).append(event)

    def told(self, kind: type[Told]) -> tuple[Told, ...]:
        """All of one kind."""
        return tuple(self._of.get(kind, ()))


def _rolls_back(asked: Asked) -> bool:
    return asked.what == "roll_back" and asked.refused is None


def _steers(asked: Asked) -> bool:
    return asked.what in _STEERING and asked.refused is None


def _command(events: Sequence[Event]) -> CommandFacts | None:
    """The command that deployed; its exit code and time are None while it ran."""
    started = next((event for event in events if isinstance(event, CommandStarted)), None)
    if started is None:
        return None
    ended = next((event for event in events if isinstance(event, CommandEnded)), None)
    if ended is None:
        return CommandFacts(command=started.command)
    return CommandFacts(command=started.command, exit_code=ended.exit_code, took_s=ended.at_s - started.at_s)


def _is_since(seen: Requests, created_s: float) -> bool:
    return seen.at_s >= (math.floor(created_s) if is_fault(seen) else created_s)


def fault_times(events: Sequence[Event]) -> Iterator[FaultTime]:
    """Faults that took effect, in the order in which they began."""
    healed = [event for event in events if isinstance(event, FaultEnded)]
    for fault in (event for event in events if isinstance(event, FaultStarted)):
        ends = (end.at_s for end in healed if end.fault == fault.fault and end.at_s >= fault.at_s)
        yield FaultTime(fault.fault, fault.kind, fault.value, _began(fault, events), min(ends, default=math.inf))


def _began(fault: FaultStarted, events: Sequence[Event]) -> float:
    """A fault is noted when its call has returned, but takes effect during the call: it began with the intention."""
    call = FAULT_CALLS.get(fault.kind)
    intended = (
        event.at_s
        for event in events
        if isinstance(event, Write) and event.call == call and event.step == "intended" and event.at_s <= fault.at_s
    )
    return max(intended, default=fault.at_s)


def planned_share(evidence: Evidence, at_s: float) -> float:
    """The share of fault requests that was planned for an instant: of each kind the latest fault that lasts.

    The experiment's own error share begins with the deployment, and is a fault like the others where the timeline
    tells of it.
    """
    return _error_share(evidence, at_s) + (_latest_share(evidence, FORMER_SHARE, at_s) or 0.0)


def planned_shares(evidence: Evidence) -> Mapping[float, float]:
    """The same for each second in which requests were due since the deployment's creation."""
    return {at_s: planned_share(evidence, at_s) for at_s in {seen.at_s for seen in evidence.since}}


def _error_share(evidence: Evidence, at_s: float) -> float:
    share = _latest_share(evidence, SHARE, at_s)
    if share is not None:
        return share
    created_s = evidence.release.created_s
    told = any(fault.name == BASE for fault in evidence.faults)
    return evidence.experiment.traffic.error_share if not told and created_s is not None and at_s >= created_s else 0.0


def _latest_share(evidence: Evidence, kind: str, at_s: float) -> float | None:
    shares = [share for fault in evidence.faults if fault.lasts(at_s) and (share := fault.share(kind)) is not None]
    return shares[-1] if shares else None


def answers(requests: Iterable[Requests], intent: Intent) -> Answers:
    """Requests of one intent by how they were answered."""
    told = [seen for seen in requests if seen.intent == intent]
    failures = count(told, failed)
    return Answers(ok=count(told) - failures, failed=failures)


THROTTLED = 429


def failed(seen: Requests) -> bool:
    """Whether the client saw a failure, whatever its locustfile thinks of it: a 5xx that it expected is one, too."""
    return seen.outcome == "failed" or _is_the_services(seen.status)


def server_failed(seen: Requests) -> bool:
    """Whether the service answered with a failure: no answer at all says as much about us, and 4xx about the caller."""
    return seen.status >= 500


def reached_service(seen: Requests) -> bool:
    """Whether the service failed a request, or did not answer it: any other 4xx is a refusal of the caller."""
    return seen.status == 0 or seen.status < 400 or _is_the_services(seen.status)


def _is_the_services(status: int) -> bool:
    return status >= 500 or status == THROTTLED


def by_status(requests: Iterable[Requests]) -> str:
    """How many requests had each of the commonest statuses, as `12 x 502, 3 x 404`."""
    counts: Counter[str] = Counter()
    for seen in requests:
        counts[str(seen.status or ("no answer" if seen.http else "failed"))] += seen.count
    return ", ".join(f"{number} x {status}" for status, number in counts.most_common(3))


def is_fault(seen: Requests) -> bool:
    """Whether the request was meant to fail."""
    return seen.intent == "fault"


def count(requests: Iterable[Requests], fits: Callable[[Requests], bool] | None = None) -> int:
    """How many requests fit; all of them where nothing is asked."""
    return sum(seen.count for seen in requests if fits is None or fits(seen))


def first_s(requests: Iterable[Requests], fits: Callable[[Requests], bool]) -> float | None:
    """The second in which the first request that fits was due."""
    return min((seen.at_s for seen in requests if seen.count and fits(seen)), default=None)
