"""The timeline: everything seen or done in one run, in one history.

One JSON object a line, tagged by `type`, appended as things happen. `at_s` is the time of an event, in seconds of
experiment time since the run began. Every other field in `_s` that dates something counts from there, too, so a time
may be negative (an alarm that changed before the run). A look has `asked_s` and `at_s`: the state that it reports held
at some time between the two. A value that was not there is None, never 0 or empty text. Only latencies, service times
and schedule lags are wall time, because they measure real machines: at every speed a millisecond is a millisecond.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal, Union, get_args

import msgspec
from msgspec import Struct

from harness.core.experiment.types import AlarmState
from harness.core.timeline.histogram import Bins, Unread
from harness.errors import TimelineError
from harness.files import NOT_JSON

SCHEMA = 1

Intent = Literal["good", "fault"]
Answer = Literal["ok", "failed"]


MOST_S = 1e11
"""Seconds, three thousand years: an instant beyond is damage, and whole seconds beyond are no numbers of NumPy's."""

Instant = Annotated[float, msgspec.Meta(ge=-MOST_S, le=MOST_S)]


class Entry(Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every event has: `at_s`, when it happened or the run learned of it."""

    at_s: Instant


class RunStarted(Entry, frozen=True, kw_only=True, tag="run_started"):
    """The first line. `epoch_s` is experiment time at `at_s` = 0, in seconds since 1970.

    `deployment` is the id of the deployment that the run was told to follow; `sends` is false for a run without traffic
    of its own.
    """

    experiment: str
    epoch_s: float
    deployment: str | None = None
    sends: bool = True
    speed: float = 1.0
    harness: str = ""
    schema: int = SCHEMA


Why = Literal["settled", "given_up", "unsteady", "stopped", "guard_rail", "failed"]
Signal = Literal["SIGINT", "SIGTERM"]


class RunEnded(Entry, frozen=True, kw_only=True, tag="run_ended"):
    """The last line of a run that could still write it.

    `why`: `settled` (the outcome was there), `given_up` (give_up_s), `unsteady` (nothing was deployed, since traffic
    was not steady), `stopped` (a person or a signal), `guard_rail`, `failed` (the harness or its surroundings).
    `signal` is the one that stopped it, if one did. If there are two such lines, the later one counts: the process that
    started the run wrote it.
    """

    why: Why
    detail: str = ""
    signal: Signal | None = None


ANYONE = "anyone"
"""The persona of a request where nothing names one."""


MOST_COUNTED = 10**9
"""Far above what one second can hold. A file that somebody edited may hold any number."""
Number = Annotated[int, msgspec.Meta(ge=0, le=MOST_COUNTED)]

MOST_PERIODS = 7 * 86_400
Periods = Annotated[int, msgspec.Meta(ge=1, le=MOST_PERIODS)]
"""Seconds of a period, or how many periods: CloudWatch lets an alarm look back seven days at most (PutMetricAlarm)."""


class _RequestFields(Entry, frozen=True, kw_only=True, omit_defaults=True):
    intent: Intent
    persona: str
    endpoint: str
    version: str | None
    outcome: Answer
    status: int
    count: Number
    http: bool = True
    rows: tuple[int, ...] = ()
    worker: str = ""

    @property
    def answered(self) -> bool:
        """Whether anybody answered: without a status of HTTP, what did not fail was answered."""
        return self.status > 0 or (not self.http and self.outcome == "ok")


class Requests(_RequestFields, frozen=True, kw_only=True, tag="requests"):
    """Requests that really began in the second starting at `at_s` and shared all these features.

    `version` is the Lambda version that answered, by its response header; None if no header said so. `status` 0 is
    no answer; where `http` is false there is no status to have, and `outcome` alone says how it went. `rows` are those
    of the feed that failed requests were for. `latency` runs from the due time, `service_time` from the real start.
    """

    latency: Bins
    service_time: Bins


class _ArrivalFields(Entry, frozen=True, kw_only=True):
    planned: Number
    started: Number
    unstarted: Number = 0
    worker: str = ""


class Arrivals(_ArrivalFields, frozen=True, kw_only=True, tag="arrivals"):
    """The schedule in the second starting at `at_s`: starts planned, started, and given up for lack of room.

    `lag` is how late the starts were. A closed-loop user plans what it starts.
    """

    lag: Bins = {}


class Exemplar(Entry, frozen=True, kw_only=True, tag="exemplar"):
    """One failed request as it was, from a bounded sample."""

    intent: Intent
    persona: str
    endpoint: str
    version: str | None
    status: int
    reason: str
    latency_s: float
    http: bool = True
    row: int | None = None


class Totals(Entry, frozen=True, kw_only=True, tag="totals"):
    """What one process sent from the beginning of the run to its end: as Locust counted it, and as it was recorded.

    `odd` requests had values that no request has, and were recorded with what was left. `example` names one such value,
    `odd_values` says of how many requests it was the name, the response time and so on. `folded` says how many have
    "other" for their version, name or persona, since there were too many different ones to tell apart.
    """

    counted: int
    recorded: int
    odd: int = 0
    example: str = ""
    odd_values: dict[str, int] = {}
    folded: dict[str, int] = {}
    worker: str = ""


class Look(Entry, frozen=True, kw_only=True):
    """One successful read of the control plane."""

    asked_s: float


class GroupSeen(Look, frozen=True, kw_only=True, tag="group_seen"):
    """The deployment group as configured."""

    application: str
    group: str
    config: str
    alarms: tuple[str, ...]
    alarms_enabled: bool
    rollback_events: tuple[str, ...]
    ignore_poll_failure: bool = False


class ConfigSeen(Look, frozen=True, kw_only=True, tag="config_seen"):
    """How a deployment configuration shifts traffic: `step` (0..1) at first, each `interval_s` more or the rest."""

    name: str
    kind: Literal["all_at_once", "canary", "linear"]
    step: float | None = None
    interval_s: float | None = None


class DeploymentSeen(Look, frozen=True, kw_only=True, tag="deployment_seen"):
    """A deployment, forward or rollback; `status` is CodeDeploy's own word.

    `alarms` are those that stop this deployment in place of the group's, none where it looks at no alarm; None if it
    says nothing, so that the group's count. `rollback_events` are its own in the same way.
    """

    deployment_id: str
    status: str
    creator: str | None = None
    application: str | None = None
    group: str | None = None
    config: str | None = None
    created_s: float | None = None
    started_s: float | None = None
    completed_s: float | None = None
    error_code: str | None = None
    error_message: str | None = None
    rollback_id: str | None = None
    rollback_of: str | None = None
    rollback_message: str | None = None
    alarms: tuple[str, ...] | None = None
    rollback_events: tuple[str, ...] | None = None


class LifecycleEvent(Struct, frozen=True, kw_only=True):
    """One lifecycle event of a target as CodeDeploy shows it.

    Of a hook that failed, `error_code` says how (`ScriptTimedOut`, …), and `script` is its function. The end of its log
    is left out: it may hold secrets.
    """

    name: str
    status: str
    started_s: float | None = None
    ended_s: float | None = None
    message: str | None = None
    error_code: str | None = None
    script: str | None = None


class TargetSeen(Look, frozen=True, kw_only=True, tag="target_seen"):
    """The deployment's target: which version goes where, with what weight (0..1)."""

    deployment_id: str
    status: str
    function: str | None = None
    alias: str | None = None
    current_version: str | None = None
    target_version: str | None = None
    weight: float | None = None
    lifecycle: tuple[LifecycleEvent, ...] = ()


Place = Literal["baseline", "split", "canary"]
"""Where an alias sends traffic."""


class AliasSeen(Look, frozen=True, kw_only=True, tag="alias_seen"):
    """The alias: `version` takes what `weights` (version to share) leaves."""

    function: str
    alias: str
    version: str
    weights: dict[str, float] = {}


class MetricQuery(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of an alarm's `Metrics`: a metric, or an `expression` over the ids of others.

    `account` is set where the metric is another account's. `returned` marks the one that the alarm compares.
    """

    id: str
    expression: str | None = None
    metric: str | None = None
    namespace: str | None = None
    dimensions: dict[str, str] = {}
    statistic: str | None = None
    period_s: Periods | None = None
    unit: str | None = None
    account: str | None = None
    returned: bool = True


class AlarmDefined(Look, frozen=True, kw_only=True, tag="alarm_defined"):
    """How an alarm counts; read at the start and again when its configuration changed.

    `queries` are its `Metrics`; empty if the alarm names one metric itself. `band` is the id of the query for the
    anomaly band that it compares with. `suppressor` is the alarm that holds back the actions of a composite, not its
    state. `unlike` says what kind of alarm it is if the harness does not know that kind.
    """

    name: str
    kind: Literal["metric", "composite"] = "metric"
    metric: str | None = None
    namespace: str | None = None
    dimensions: dict[str, str] = {}
    statistic: str | None = None
    period_s: Periods | None = None
    evaluation_periods: Periods | None = None
    datapoints: Periods | None = None
    threshold: float | None = None
    comparison: str | None = None
    missing: str | None = None
    rule: str | None = None
    suppressor: str | None = None
    unit: str | None = None
    queries: tuple[MetricQuery, ...] = ()
    band: str | None = None
    unlike: str | None = None


class AlarmSeen(Look, frozen=True, kw_only=True, tag="alarm_seen"):
    """The state of an alarm, and since when by its own word."""

    name: str
    state: AlarmState
    reason: str = ""
    since_s: float | None = None


class AlarmChanged(Look, frozen=True, kw_only=True, tag="alarm_changed"):
    """A state change from the alarm's history; `changed_s` is CloudWatch's own date, exact to the millisecond."""

    name: str
    changed_s: float
    from_state: str
    to_state: str
    reason: str = ""
    datapoints: tuple[float, ...] = ()


class AlarmGone(Look, frozen=True, kw_only=True, tag="alarm_gone"):
    """CloudWatch does not know an alarm of this name."""

    name: str


class MetricSeen(Look, frozen=True, kw_only=True, tag="metric_seen"):
    """Datapoints of a Lambda metric: start of period and value, for one executed version or for all (`version` None).

    A later look at the same period replaces the earlier one.
    """

    metric: str
    version: str | None
    period_s: int
    points: tuple[tuple[float, float], ...]


class AliasMetricSeen(Look, frozen=True, kw_only=True, tag="alias_metric_seen"):
    """Datapoints of a Lambda metric that came by the alias, all its versions together; otherwise as `MetricSeen`."""

    metric: str
    alias: str
    period_s: int
    points: tuple[tuple[float, float], ...]


class AlarmMetricSeen(Look, frozen=True, kw_only=True, tag="alarm_metric_seen"):
    """Datapoints of a metric that an alarm reads, with its own statistic and period; `query` is its id in the alarm.

    An alarm that names its one metric itself calls it `m1`. No points means that CloudWatch was asked and had none. A
    later look at the same period replaces the earlier one.
    """

    alarm: str
    query: str
    period_s: int
    points: tuple[tuple[float, float], ...]


class NoDeployment(Look, frozen=True, kw_only=True, tag="no_deployment"):
    """The group's deployments were listed, and none of them is the one that the run waits for."""


class ClockSeen(Entry, frozen=True, kw_only=True, tag="clock_seen"):
    """AWS's clock is `ahead_s` ahead of this machine's; AWS's dates in the timeline are corrected by it."""

    ahead_s: float


class LookFailed(Entry, frozen=True, kw_only=True, tag="look_failed"):
    """A read of the control plane that failed after its retries: evidence about us, not about the canary."""

    asked_s: float
    call: str
    code: str
    message: str


Seen = (
    GroupSeen
    | ConfigSeen
    | DeploymentSeen
    | TargetSeen
    | AliasSeen
    | AlarmDefined
    | AlarmSeen
    | AlarmChanged
    | AlarmGone
    | MetricSeen
    | AliasMetricSeen
    | AlarmMetricSeen
    | NoDeployment
    | ClockSeen
    | LookFailed
)
"""What a look can bring."""


class Shadow(Entry, frozen=True, kw_only=True, tag="shadow"):
    """What a shadow alarm is, what it reads, and the state that it would be in; it does not exist.

    An `AlarmSeen` is by our own evaluation, `since_s` the end of the period that led to the state. A `LookFailed` says
    why shadow alarms are not read any more; it is no look at the release.
    """

    seen: AlarmDefined | AlarmMetricSeen | AlarmSeen | LookFailed


class Beside(Entry, frozen=True, kw_only=True, tag="beside"):
    """What was seen of another deployment group of the same run, its shadow alarms too; `group` is its name."""

    group: str
    seen: Seen | Shadow


class FaultStarted(Entry, frozen=True, kw_only=True, tag="fault_started"):
    """A fault took effect. `kind` is its key in the experiment; `value` its share, state, concurrency or template.

    `by` is who asked for it while the run lasted; empty where the experiment planned it.
    """

    fault: str
    kind: Literal["error_share", "client_version_share", "force_alarm", "concurrency", "fis_template"]
    value: str
    by: str = ""


class FaultEnded(Entry, frozen=True, kw_only=True, tag="fault_ended"):
    """A fault was healed; `fault` is the name that its start gave, `by` whoever asked for its end, if anybody did."""

    fault: str
    why: str = ""
    by: str = ""


class Write(Entry, frozen=True, kw_only=True, tag="write"):
    """A change of AWS by us: noted `intended` before the call, and `done`, `refused` or `unanswered` after it.

    Without an answer it may have taken effect, or may still do so. Healing notes `undone`, or `failed` and why; earlier
    versions noted `failed` for what was refused or had no answer, too.

    `before` and `after` let it be undone after a crash: `before` is what to put back (None: there was nothing), `after`
    is what the call sets: a state, a number, or the mark of what was started.
    """

    call: str
    subject: str
    step: Literal["intended", "done", "refused", "unanswered", "failed", "undone"]
    detail: str = ""
    before: str | None = None
    after: str | None = None


MISSED_STEPS = ("refused", "unanswered", "failed")
"""Steps of a write that say that it did not, or may not, have come about."""


class RailTripped(Entry, frozen=True, kw_only=True, tag="rail_tripped"):
    """A guard rail stopped the faults, and the run too unless it was `blind_s`: `seen` was above `limit`."""

    rail: str
    limit: float
    seen: float
    message: str


class EvidenceFound(Entry, frozen=True, kw_only=True, tag="evidence_found"):
    """The comparison of both versions sufficed to stop the release, and the run was asked to stop it then.

    `of` is what was compared, `e_value` what the evidence came to and `least` what it takes. `canary` and `baseline`
    are (bad answers, answers) until then. A slow answer takes longer than `slow_above_ms`.
    """

    of: Literal["failures", "slowness"]
    e_value: float
    least: float
    canary: tuple[int, int]
    baseline: tuple[int, int]
    slow_above_ms: float | None = None


class Note(Entry, frozen=True, kw_only=True, tag="note"):
    """A moment that a person marked; `by` says who, if that is known."""

    text: str
    by: str


class Asked(Entry, frozen=True, kw_only=True, tag="asked"):
    """A person asked for something while the run lasted; the events beside it show what came of it.

    `refused` says why it was not done.
    `what` is `start`, `error_share`, `arrival_rate`, `pattern`, `force_alarm`, `release_alarm`, `stop_faults`,
    `roll_back` or `end`; of what could not be read, the name of the control, with the beginning of what was sent as
    `value`.
    """

    what: str
    value: str
    by: str
    refused: str | None = None


class CommandStarted(Entry, frozen=True, kw_only=True, tag="command_started"):
    """The command that deploys began; without secrets."""

    command: str


class CommandEnded(Entry, frozen=True, kw_only=True, tag="command_ended"):
    """The command that deploys ended; a negative `exit_code` is the number of the signal that ended it."""

    exit_code: int


class Trouble(Entry, frozen=True, kw_only=True, tag="trouble"):
    """Something went wrong with the harness or its surroundings: a worker lost, the cloud gone, a signal."""

    what: str
    message: str


class ExitAsked(Entry, frozen=True, kw_only=True, tag="exit_asked"):
    """The locustfile asked for an exit code of the process that is worse than the run's own; `by` says how it asked.

    It stands after the run's end and has the time of that: Locust asks for the code last, when all is recorded.
    """

    exit_code: int
    by: str


Event = (
    RunStarted
    | RunEnded
    | Requests
    | Arrivals
    | Exemplar
    | Totals
    | Seen
    | FaultStarted
    | FaultEnded
    | Write
    | EvidenceFound
    | Beside
    | Shadow
    | CommandStarted
    | CommandEnded
    | RailTripped
    | Note
    | Asked
    | Trouble
    | ExitAsked
)


class _SkimmedRequests(_RequestFields, frozen=True, kw_only=True, tag="requests"):
    """A line of requests whose latency nobody has read yet."""

    latency: msgspec.Raw


class _SkimmedArrivals(_ArrivalFields, frozen=True, kw_only=True, tag="arrivals"):
    """A line of arrivals whose lag nobody has read yet."""

    lag: msgspec.Raw = msgspec.Raw(b"{}")


_OTHERS = tuple(kind for kind in get_args(Event) if kind not in (Requests, Arrivals))
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_skimmer: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Union[(_SkimmedRequests, _SkimmedArrivals, *_OTHERS)])
_write_decoder: msgspec.json.Decoder[RunStarted | Write] = msgspec.json.Decoder(RunStarted | Write)
_OF_OTHERS = re.compile(rb'\{"type":"(?!write"|run_started")\w+"')
_encoder = msgspec.json.Encoder()


def encode(event: Event) -> bytes:
    """One line of a timeline, newline included."""
    return _encoder.encode(event) + b"\n"


def decode(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events of a timeline; a last line cut off by a crash is left out, anything else broken is a TimelineError.

    So is a timeline of another schema than this one's.
    """
    return _decoded(lines, _decoder.decode)


def skim(lines: Iterable[bytes]) -> Iterator[Event]:
    """As `decode`, but in a fraction of the time and memory: histograms stay unread, and service times are left out.

    This is what judging and reporting need: both add histograms up, and neither asks for service times.
    """
    return _decoded(lines, _skimmed)


_TRUNCATED = "truncated"
"""What msgspec says of JSON that is well as far as it goes; NULs and bytes of another format are not."""


def of_writes(lines: Iterable[bytes]) -> Iterator[RunStarted | Write | None]:
    """The beginning of a run and its writes, line by line, whatever stands in other lines, and in however old a schema.

    None for a line that cannot be read and may tell of a write; a last line that was cut off tells of none.
    """
    for line in lines:
        if not line.strip() or _OF_OTHERS.match(line):
            continue
        try:
            yield _write_decoder.decode(line)
        except NOT_JSON as error:
            if line.endswith(b"\n") or _TRUNCATED not in str(error):
                yield None


def _skimmed(line: bytes) -> Event:
    seen = _skimmer.decode(line)
    if isinstance(seen, _SkimmedRequests):
        return Requests(
            at_s=seen.at_s,
            intent=seen.intent,
            persona=sys.intern(seen.persona),
            endpoint=sys.intern(seen.endpoint),
            version=seen.version and sys.intern(seen.version),
            outcome=seen.outcome,
            status=seen.status,
            count=seen.count,
            http=seen.http,
            rows=seen.rows,
            latency=Unread(bytes(seen.latency)),
            service_time={},
            worker=sys.intern(seen.worker),
        )
    if isinstance(seen, _SkimmedArrivals):
        lag = Unread(bytes(seen.lag))
        return Arrivals(
            at_s=seen.at_s,
            planned=seen.planned,
            started=seen.started,
            unstarted=seen.unstarted,
            lag=lag,
            worker=seen.worker,
        )
    event: Event = seen
    return event


def _decoded(lines: Iterable[bytes], decode_line: Callable[[bytes], Event]) -> Iterator[Event]:
    pending: tuple[int, Exception] | None = None
    for number, line in enumerate(lines, 1):
        if pending:
            raise TimelineError(f"timeline line {pending[0]}: {pending[1]}") from pending[1]
        if not line.strip():
            continue
        try:
            event = decode_line(line)
        except NOT_JSON as error:
            pending = (number, error)
            continue
        _check_schema(event)
        yield event


def _check_schema(event: Event) -> None:
    if isinstance(event, RunStarted) and event.schema != SCHEMA:
        raise TimelineError(
            f"the timeline is of schema {event.schema}, and this canary-harness reads schema {SCHEMA}: "
            "read it with the version that wrote it"
        )
