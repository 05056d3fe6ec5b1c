"""The verdict: outcome, call, result against the expectation, and every reason.

`Verdict` is verdict.json. A value that nobody measured is None, never 0. Bounds are [lo, hi] in seconds, because a
look brackets a change and does not date it; lo and hi are equal where AWS dated it itself.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from harness.core.experiment.types import Call, Outcome
from harness.core.timeline.bounds import Bounds, Interval, Shift

Result = Literal["as_expected", "contrary", "inconclusive", "aborted"]
Severity = Literal["error", "warning", "note"]
RESULTS: tuple[Result, ...] = ("aborted", "contrary", "inconclusive", "as_expected")
"""The worst first."""
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The worst first."""
Source = Literal["response header", "cloudwatch", "unknown"]


class DeploymentFacts(Struct, frozen=True, kw_only=True):
    """The forward deployment as CodeDeploy reported it last; all None if none was seen.

    `shifts` are the canary's weights while the versions shared the traffic, each from between the last look that did
    not show it, or the earliest instant by CodeDeploy's own dates, and the first look that did; `ended_s` is when the
    deployment ended. Both are in seconds since its creation. `stopped_on` is what the evidence was of on which the
    harness had it stopped; None where it had not.
    """

    id: str | None = None
    application: str | None = None
    group: str | None = None
    config: str | None = None
    status: str | None = None
    rollback_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    stopped_on: Literal["failures", "slowness"] | None = None
    weight_at_end: float | None = None
    shifts: tuple[Shift, ...] = ()
    ended_s: Bounds | None = None


class Detection(Struct, frozen=True, kw_only=True):
    """The detection ledger: instants in seconds since the deployment's creation.

    `clean_s` is the beginning of the first minute without a failed request once the deployment was over.
    `first_fault_requested` says whether the first fault was a request, or else tampering with the alarm or function.
    """

    first_fault_s: float | None = None
    first_fault_requested: bool | None = None
    first_error_s: float | None = None
    breach_s: float | None = None
    alarm_s: Bounds | None = None
    stopped_s: Bounds | None = None
    restored_s: Bounds | None = None
    clean_s: float | None = None
    time_to_detect_s: Bounds | None = None
    time_to_roll_back_s: Bounds | None = None


class Answers(Struct, frozen=True, kw_only=True):
    """Requests of one intent by how they were answered."""

    ok: int = 0
    failed: int = 0


class TrafficFacts(Struct, frozen=True, kw_only=True):
    """What was sent over the whole run; `error_share` is the achieved share from the deployment's creation on.

    `lost` are requests that were planned, and neither counted as sent nor as not started; None where no plan was kept.
    """

    planned: int | None = None
    sent: int = 0
    unstarted: int | None = None
    lost: int | None = None
    good: Answers = Answers()
    fault: Answers = Answers()
    error_share: float | None = None
    schedule_lag_p99_s: float | None = None


class ArmFacts(Struct, frozen=True, kw_only=True):
    """One arm over the time that both arms had traffic.

    `failure_interval` is the exact 95 % interval of its rate, the others are the exact 99 % intervals of quantiles,
    without an upper end where the answers are too few for one.
    """

    version: str | None = None
    requests: int | None = None
    failures: int | None = None
    failure_interval: Bounds | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    p50_interval_ms: Interval | None = None
    p95_interval_ms: Interval | None = None
    p99_interval_ms: Interval | None = None


class LatencyFacts(Struct, frozen=True, kw_only=True):
    """The 99th percentile of good requests' latency, of both arms over the same time: exact 99 % intervals.

    `ratio` is how many times slower the canary was, at the least and at the most; None of a baseline that took no time.
    The upper end is None where the answers are too few for one: fewer than 528. Of a baseline without one there is no
    ratio, and whether the canary was slower is decided by how many answers of each arm took longer than is borne.
    """

    canary_p99_ms: Interval
    baseline_p99_ms: Interval
    ratio: Interval | None


class Arms(Struct, frozen=True, kw_only=True):
    """Both arms over the same time, and where the version of a request was known from.

    Where the canary's weight and the planned faults changed meanwhile, it is the time of the gravest faults alone, and
    the finding `compared-in-part` says so; `p_value` takes all the time, weight by weight. `latency` is None
    where an arm answered too little, or nothing tells the arms apart.
    """

    baseline: ArmFacts = ArmFacts()
    canary: ArmFacts = ArmFacts()
    source: Source = "unknown"
    p_value: float | None = None
    latency: LatencyFacts | None = None


class RequestHurt(Struct, frozen=True, kw_only=True):
    """Failures of one request, by its name: how many, how many of them good, and the first rows of the feed hit."""

    name: str
    failed: int
    failed_good: int
    users: int | None
    rows: tuple[int, ...] = ()

    @property
    def whom(self) -> str:
        """Which rows of the feed they hit, in words; empty where there are none."""
        if not self.rows:
            return ""
        named = ", ".join(map(str, self.rows))
        more = (self.users or 0) - len(self.rows)
        rest = f" and {more} more" if more > 0 else ""
        return f"row{'s' if len(self.rows) > 1 else ''} {named}{rest} of the feed"


class Exposure(Struct, frozen=True, kw_only=True):
    """Who got hurt from the deployment's creation on.

    `users` counts distinct rows of the feed and personas; None without traffic, and where nothing tells users apart.
    `requests` are the failures by request, the most first.
    `error_budget_share` is what the failures took of the objective's error budget, were the rate of this run to last.
    `all_at_once_failures` is an estimate: the failures if all traffic of the time that both arms shared had gone to the
    canary, by the exact interval of its failure rate.
    """

    failed_requests: int | None = None
    failed_good_requests: int | None = None
    users: int | None = None
    blast_radius: float | None = None
    error_budget_share: float | None = None
    all_at_once_failures: Bounds | None = None
    requests: tuple[RequestHurt, ...] = ()


class Attribution(Struct, frozen=True, kw_only=True):
    """Whose errors the alarm counted, from the deployment's creation until the canary was gone."""

    counted_errors: int | None = None
    from_canary: int | None = None
    canary_share: float | None = None
    source: Source = "unknown"


class Finding(Struct, frozen=True, kw_only=True):
    """Something a person should know: a stable id, how bad, and one or two sentences with what to do."""

    id: str
    severity: Severity
    text: str


class Criterion(Struct, frozen=True, kw_only=True):
    """A number of the verdict held against a limit of the experiment; `met` None where it was not measured."""

    name: str
    limit: float
    value: float | None
    met: bool | None


class CommandFacts(Struct, frozen=True, kw_only=True):
    """The command that deployed; `exit_code` and `took_s` are None if its end was not seen."""

    command: str
    exit_code: int | None = None
    took_s: float | None = None


class GroupFacts(Struct, frozen=True, kw_only=True):
    """One of several deployment groups of a run, in short; its own verdict stands in a folder of its name."""

    outcome: Outcome
    call: Call
    result: Result
    exit_code: int
    deployment: str | None = None
    expected: Outcome | None = None
    has_expectation: bool = True
    time_to_detect_s: Bounds | None = None
    time_to_roll_back_s: Bounds | None = None


class EProcess(Struct, frozen=True, kw_only=True):
    """Evidence that the canary gives more bad answers than the baseline, looked at all the time.

    `e_value` is the highest it came to, 1e9 at the most, `least` what stops a release, and `stop_s` when that was
    reached, in seconds since the creation. `canary` and `baseline` are (bad answers, answers) until then, else of all
    the time.
    """

    e_value: float
    least: float
    stop_s: float | None
    canary: tuple[int, int]
    baseline: tuple[int, int]


class SecondOpinion(Struct, frozen=True, kw_only=True):
    """When a comparison of both versions would have stopped the release: a measure, and no part of outcome or call.

    A slow answer takes longer than `slow_above_ms`. `stop_s` is the earlier of both, in seconds since the creation;
    `lead_s` how long that was before the first alarm, negative if after it, None where no alarm rang. `spared` are our
    requests that went to the canary afterwards, and `spared_failures` how many of them failed.
    """

    failures: EProcess | None = None
    slowness: EProcess | None = None
    slow_above_ms: float | None = None
    stop_s: float | None = None
    lead_s: Bounds | None = None
    spared: int | None = None
    spared_failures: int | None = None


class ShadowFacts(Struct, frozen=True, kw_only=True):
    """What an alarm that does not exist would have done: a measure, and no part of outcome, call, result or exit code.

    Instants are seconds since the creation. `decided_s` is the end of the period that would have put it in ALARM, and
    `alarm_s` when CloudWatch would have shown that, by how long it takes; both None where it never would. `seen_s` is
    when the watcher told of it. `lead_s` is how long before the first real alarm that was, negative if after it, None
    where one of the two did not ring. `stops` says whether it would have stopped the release, None where that is not
    known, and `call` holds that against the harm. `alarms` counts its times in ALARM until the end of the release,
    `false_alarms` those in which the canary had done no harm. `why` is the sentence for what is not known.
    """

    name: str
    rule: str | None = None
    decided_s: float | None = None
    alarm_s: Bounds | None = None
    seen_s: float | None = None
    lead_s: Bounds | None = None
    stops: bool | None = None
    call: Call = Call.INCONCLUSIVE
    alarms: int | None = None
    false_alarms: int | None = None
    why: str | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """What happened, whether it was expected, and why we say so.

    `has_expectation` says whether an outcome, a call, a time or a criterion was asked for.
    """

    schema: int = 1
    experiment: str
    outcome: Outcome
    expected: Outcome | None
    result: Result
    call: Call
    expected_call: Call | None = None
    has_expectation: bool = True
    exit_code: int
    because: tuple[str, ...]
    deployment: DeploymentFacts
    detection: Detection
    traffic: TrafficFacts
    arms: Arms
    exposure: Exposure
    attribution: Attribution
    second_opinion: SecondOpinion | None = None
    shadow: tuple[ShadowFacts, ...] = ()
    command: CommandFacts | None = None
    groups: dict[str, GroupFacts] = {}
    criteria: tuple[Criterion, ...] = ()
    findings: tuple[Finding, ...] = ()


def result_in_words(judged: Verdict | GroupFacts) -> str:
    """The result as a person writes it; where nothing was expected, nothing is as expected or contrary to it."""
    told = "" if judged.has_expectation else _WITHOUT_EXPECTATION.get(judged.result)
    return told or judged.result.replace("_", " ")


_WITHOUT_EXPECTATION: Mapping[Result, str] = {"as_expected": "nothing expected", "contrary": "went wrong"}
