"""What a report says of a verdict, in words: the rows that the terminal and Markdown both print."""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from harness.core.experiment.types import Call, Objective, Outcome
from harness.core.timeline.bounds import Bounds, interval_in_words
from harness.core.verdict.types import ArmFacts, RequestHurt, Source, Verdict, result_in_words

NOT_MEASURED = "–"
SMALLEST_P = 0.0001
Row = tuple[str, ...]

_ALL_AT_ONCE = (
    "estimate of failed requests, had all traffic of the time that both arms shared met the canary (95 % interval of "
    "its failure rate); no alarm would have rolled that back"
)

_SOURCES: Mapping[Source, str] = {
    "response header": "version by response header",
    "cloudwatch": "version by CloudWatch",
    "unknown": "version unknown",
}

_HEADLINES = {
    Outcome.PROMOTED: "PROMOTED",
    Outcome.ROLLED_BACK: "ROLLED BACK",
    Outcome.STOPPED: "STOPPED, NOT ROLLED BACK",
    Outcome.FAILED: "FAILED, NOT ROLLED BACK",
    Outcome.NOT_STARTED: "NOT STARTED",
    Outcome.UNKNOWN: "OUTCOME UNKNOWN",
}
USERS_HIT = "simulated users that met a failure, not people: rows of the feed, or personas of a locustfile"
CLIENT_LATENCY = (
    "client latency is what a client waited, from when a request was due to the last byte of its answer, in wall time; "
    "CloudWatch's Duration is how long the function took"
)
OTHERS_SENT = "The run sent no requests of its own; what CloudWatch counted is other people's."
NOTHING_SENT = "No request was sent, so nothing was measured: the outcome above is all that is known."
LEDGER_HEAD: Row = ("step", "at", "took")
EXPOSURE_HEAD: Row = ("exposure", "value", "what it is")
MATRIX_HEAD: Row = ("intent", "ok", "failed")
ARMS_HEAD: Row = (
    "arm",
    "version",
    "requests",
    "failed",
    "failure rate (95 %)",
    "client p50 ms",
    "client p95 ms",
    "client p99 ms",
)
CRITERIA_HEAD: Row = ("criterion", "limit", "measured", "met")
RUNS_HEAD: Row = ("experiment", "outcome", "call", "result", "detect", "roll back", "exit")
NAMED_GROUPS = 3
GROUPS_HEAD: Row = ("group", "outcome", "expected", "call", "result", "detect", "roll back", "deployment")


def headline(verdict: Verdict) -> str:
    """The outcome first, as `ROLLED BACK · caught · as expected (exit 0)`; of several groups each one's."""
    parts = dict.fromkeys((outcome(verdict), *([] if verdict.groups else [words(verdict.call)]), result(verdict)))
    return f"{' · '.join(parts)} (exit {verdict.exit_code})"


def outcome(verdict: Verdict) -> str:
    """The outcome as a headline says it; of several groups each one's, by name while they are few."""
    if not verdict.groups:
        return _HEADLINES[verdict.outcome]
    if len(verdict.groups) <= NAMED_GROUPS:
        return ", ".join(f"{plain(name)} {_HEADLINES[group.outcome]}" for name, group in verdict.groups.items())
    counts = Counter(group.outcome for group in verdict.groups.values())
    return ", ".join(f"{number} {_HEADLINES[outcome]}" for outcome, number in counts.most_common())


def result(verdict: Verdict) -> str:
    """The result against the expectation; where nothing was expected, it says so. Of several groups the worst."""
    if not verdict.groups and verdict.result == "contrary" and verdict.expected not in (None, verdict.outcome):
        return f"contrary, {words(str(verdict.expected))} was expected"
    return result_in_words(verdict)


def subject(verdict: Verdict) -> str:
    """Experiment, deployment and how it shifted traffic, in one line."""
    return " · ".join(filter(None, (verdict.experiment, deployment(verdict))))


def meant_so(verdict: Verdict) -> str:
    """Why a call that sounds bad is as expected; empty for any other."""
    if verdict.result != "as_expected" or verdict.call != verdict.expected_call or verdict.call not in _SOUND_BAD:
        return ""
    return f"This is what the experiment is for: it expects {_SOUND_BAD[verdict.call]}."


_SOUND_BAD = {
    Call.FALSE_ALARM: "an alarm that rolls a healthy canary back",
    Call.MISSED: "harm that the safety net does not stop",
    Call.INCONCLUSIVE: "that nothing can be said",
}


def deployment(verdict: Verdict) -> str:
    """The deployment and how it shifted traffic, in one line; empty where none was seen."""
    seen = verdict.deployment
    error = f"error {seen.error_code}" if seen.error_code else None
    rollback = f"rolled back by {seen.rollback_id}" if seen.rollback_id else None
    weight = f"{percent(seen.weight_at_end)} on the canary at its end" if seen.weight_at_end is not None else None
    config = seen.config.removeprefix("CodeDeployDefault.") if seen.config else None
    return " · ".join(filter(None, (seen.id, config, weight, error, rollback)))


def steps(verdict: Verdict) -> list[tuple[str, Bounds | None]]:
    """The steps of the detection in their order, in seconds since the creation; None of what was not seen."""
    seen = verdict.detection
    return [
        ("first fault request" if seen.first_fault_requested else "first fault", _exactly(seen.first_fault_s)),
        ("first failed request", _exactly(seen.first_error_s)),
        ("period that breached ended", _exactly(seen.breach_s)),
        ("alarm in ALARM", seen.alarm_s),
        ("deployment stopped", seen.stopped_s),
        ("all traffic on the baseline", seen.restored_s),
        ("first clean minute began", _exactly(seen.clean_s)),
    ]


def any_step(verdict: Verdict) -> bool:
    """Whether any step of a detection was seen."""
    return any(at for _, at in steps(verdict))


def no_step(verdict: Verdict) -> str:
    """Why there is no ledger."""
    if verdict.exposure.failed_requests == 0:
        why = "nothing failed"
    else:
        why = "nothing was measured" if verdict.deployment.id else "no deployment was seen"
    return f"No step of a detection was seen: {why}."


def ledger(verdict: Verdict) -> list[Row]:
    """Each step of the detection: when it was, in seconds since the creation, and how long after the one before."""
    return [(step.name, span(step.at), span(step.took)) for step in timed(verdict)]


def course(verdict: Verdict) -> list[str]:
    """How the release went, in the order of time: creation, shifts and end, and the steps of the detection.

    Empty where nothing but the creation was seen.
    """
    seen, promoted = verdict.deployment, verdict.outcome is Outcome.PROMOTED
    told: list[tuple[Bounds, str, int]] = [
        *((shift.at_s, f"{percent(shift.weight)} on the canary", 1) for shift in seen.shifts),
        *((at, name, 1) for name, at in steps(verdict) if at),
        *([(seen.ended_s, "promoted", 0)] if promoted and seen.ended_s else []),
    ]
    if not told:
        return []
    in_order = sorted([((0.0, 0.0), "created", 0), *told], key=lambda each: sum(each[0]))
    return [f"{span(at, digits=digits)} {what}" for at, what, digits in in_order]


class Step(Struct, frozen=True):
    """A step of the detection: when it was, how long after the one before, and that as a share of all steps together.

    `share` is taken at the middle of the bounds; None where the step or what came before it was not seen.
    """

    name: str
    at: Bounds | None
    took: Bounds | None
    share: float | None


def timed(verdict: Verdict) -> list[Step]:
    """Each step of the detection with the time it took."""
    took: list[tuple[str, Bounds | None, Bounds | None]] = []
    before: Bounds | None = None
    for name, at in steps(verdict):
        took.append((name, at, _between(before, at)))
        before = at or before
    whole = sum(sum(lasted) / 2 for _, _, lasted in took if lasted)
    return [Step(name, at, lasted, sum(lasted) / 2 / whole if lasted and whole else None) for name, at, lasted in took]


def totals(verdict: Verdict) -> str:
    """The two times that count."""
    seen = verdict.detection
    return f"time to detect {span(seen.time_to_detect_s)}, time to roll back {span(seen.time_to_roll_back_s)}"


def matrix(verdict: Verdict) -> list[Row]:
    """Intent against outcome: a fault request that succeeds, or a good one that fails, stands out."""
    good, fault = verdict.traffic.good, verdict.traffic.fault
    return [("good", count(good.ok), count(good.failed)), ("fault", count(fault.ok), count(fault.failed))]


def any_arm(verdict: Verdict) -> bool:
    """Whether anything was measured of either arm."""
    return any(arm.requests is not None for arm in (verdict.arms.baseline, verdict.arms.canary))


def arms(verdict: Verdict) -> list[Row]:
    """Both arms over the same time."""
    return [_arm("baseline", verdict.arms.baseline), _arm("canary", verdict.arms.canary)]


def criteria(verdict: Verdict) -> list[Row]:
    """Each number that had a limit."""
    met = {True: "yes", False: "no", None: "not measured"}
    return [(criterion(c.name), number(c.limit), number(c.value), met[c.met]) for c in verdict.criteria]


def criterion(name: str) -> str:
    """The name of a criterion as people read it: which latency it is, where it is one."""
    return f"{name} (client latency)" if name.endswith("_ms") else name


def traffic(verdict: Verdict) -> str:
    """What was sent, and how well the schedule was kept."""
    facts = verdict.traffic
    lag = None if facts.schedule_lag_p99_s is None else facts.schedule_lag_p99_s * 1000
    kept = f"{count(facts.sent)} sent of {count(facts.planned)} planned, {count(facts.unstarted)} not started"
    return f"{kept}; error share {percent(facts.error_share)}; schedule lag p99 {number(lag)} ms"


def unheld(verdict: Verdict) -> bool:
    """Whether there was traffic and no deployment to hold it against."""
    return verdict.deployment.id is None and verdict.exposure.failed_requests is None and bool(verdict.traffic.sent)


def failures(verdict: Verdict) -> int | None:
    """How many of all requests of the run failed, whenever they were sent; None where none was."""
    good, fault = verdict.traffic.good.failed, verdict.traffic.fault.failed
    return None if good is None or fault is None else good + fault


def nobody_can_say(verdict: Verdict) -> str:
    """Why there is no exposure."""
    if unheld(verdict):
        why = f"{count(failures(verdict))} of {count(verdict.traffic.sent)} requests failed, and no deployment was seen"
        return f"Nobody can say whom a release hurt: {why} to hold them against."
    return "Nobody can say who got hurt: no request was sent after the creation of a deployment."


def exposure(verdict: Verdict) -> str:
    """Who got hurt."""
    hurt = verdict.exposure
    failed = f"{count(hurt.failed_requests)} failed requests ({count(hurt.failed_good_requests)} of them good)"
    users = (
        "simulated users not told apart"
        if hurt.users is None
        else f"{count(hurt.users)} simulated user{'' if hurt.users == 1 else 's'}"
    )
    used = f"error budget used {percent(hurt.error_budget_share)}"
    return f"{failed}, {users}, blast radius {percent(hurt.blast_radius)}, {used}"


def budget(objective: Objective) -> str:
    """The error budget in words."""
    return f"{percent(objective.availability)} over {objective.days:g} days"


def exposures(verdict: Verdict, objective: Objective) -> list[Row]:
    """Who got hurt, a number a row, and what each counts."""
    hurt = verdict.exposure
    allowed = f"of what {budget(objective)} allows, were this rate to last"
    return [
        ("failed requests", count(hurt.failed_requests), "from the deployment's creation on"),
        ("good requests among them", count(hurt.failed_good_requests), "nobody meant these to fail"),
        ("users hit", count(hurt.users), USERS_HIT),
        ("blast radius", percent(hurt.blast_radius), "failed ÷ all requests"),
        ("error budget used", percent(hurt.error_budget_share), allowed),
        ("all at once instead", _estimate(hurt.all_at_once_failures), _ALL_AT_ONCE),
        *((f"failed {one.name}", count(one.failed), _whom(one)) for one in hurt.requests),
    ]


def _whom(hurt: RequestHurt) -> str:
    """How many failures of a request were good ones, and which rows of the feed they hit."""
    return ", ".join(filter(None, (f"{count(hurt.failed_good)} of them good", hurt.whom)))


def attribution(verdict: Verdict) -> str:
    """Whose errors the alarm counted."""
    facts = verdict.attribution
    share = f"{count(facts.from_canary)} from the canary ({percent(facts.canary_share)})"
    return f"{count(facts.counted_errors)} errors counted, {share}; {_source(facts.source)}"


def arms_source(verdict: Verdict) -> str:
    """Where the version of a request was known from, and the p-value against a canary no worse than the baseline."""
    source = _source(verdict.arms.source)
    if verdict.arms.p_value is None:
        return f"{source}; whether the canary was worse is not known"
    of = "good requests alone" if verdict.arms.source == "response header" else "all requests"
    return f"{source}; {_chance(verdict.arms.p_value)} for a canary no worse than the baseline (exact test, {of})"


def latency(verdict: Verdict) -> str:
    """The 99th percentile of both arms' client latency and how many times slower the canary was, by intervals."""
    seen = verdict.arms.latency
    if seen is None:
        return "whether the canary was slower is not known"
    times = f", {interval_in_words(seen.ratio)} times the baseline's" if seen.ratio else ""
    canary, baseline = interval_in_words(seen.canary_p99_ms), interval_in_words(seen.baseline_p99_ms)
    return (
        f"p99 of good requests {canary} ms on the canary, {baseline} ms on the baseline{times} (exact 99 % intervals)"
    )


def run(verdict: Verdict) -> Row:
    """One line of several."""
    seen = verdict.detection
    times = (span(seen.time_to_detect_s, digits=0), span(seen.time_to_roll_back_s, digits=0))
    facts = (words(verdict.outcome), words(verdict.call), result_in_words(verdict))
    return (verdict.experiment, *facts, *times, str(verdict.exit_code))


def count(value: int | None) -> str:
    """A count as 12,345."""
    return NOT_MEASURED if value is None else f"{value:,}"


def number(value: float | None) -> str:
    """A number in as few digits as say it."""
    return NOT_MEASURED if value is None else f"{value:.4g}"


def percent(share: float | None) -> str:
    """A share in percent; small ones keep two digits that mean something."""
    if share is None:
        return NOT_MEASURED
    hundredths = share * 100
    return f"{hundredths:.2g} %" if 0 < hundredths < 1 else f"{hundredths:.1f} %".replace(".0 %", " %")


def span(bounds: Bounds | None, *, digits: int = 1) -> str:
    """Bounds in seconds as `95.2 s`, or `95.2–101.0 s` where a look only brackets the change."""
    if bounds is None:
        return NOT_MEASURED
    low, high = (f"{value:.{digits}f}" for value in bounds)
    if low == high:
        return f"{low} s"
    return f"{low} to {high} s" if "-" in low else f"{low}–{high} s"


def groups(verdict: Verdict) -> list[Row]:
    """One line for each of several deployment groups; none where there is but one."""
    return [
        (
            name,
            words(group.outcome),
            words(group.expected) if group.expected else NOT_MEASURED,
            words(group.call),
            result_in_words(group),
            span(group.time_to_detect_s, digits=0),
            span(group.time_to_roll_back_s, digits=0),
            group.deployment or NOT_MEASURED,
        )
        for name, group in verdict.groups.items()
    ]


def others_traffic(verdict: Verdict) -> bool:
    """Whether a run that sent nothing knows of other people's requests."""
    return not verdict.traffic.sent and verdict.arms.source == "cloudwatch"


def words(name: str) -> str:
    """A word of the verdict as a person writes it."""
    return name.replace("_", " ")


def plain(text: str) -> str:
    """Foreign text on one line without control characters, so that it cannot rewrite a terminal or a document."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _estimate(bounds: Bounds | None) -> str:
    if bounds is None:
        return NOT_MEASURED
    low, high = (f"{value:,.0f}" for value in bounds)
    return f"about {low}" if low == high else f"about {low}–{high}"


def _exactly(at_s: float | None) -> Bounds | None:
    return None if at_s is None else (at_s, at_s)


def _between(before: Bounds | None, at: Bounds | None) -> Bounds | None:
    if before is None or at is None:
        return None
    return max(0.0, at[0] - before[1]), max(0.0, at[1] - before[0])


def _arm(name: str, facts: ArmFacts) -> Row:
    counts = (count(facts.requests), count(facts.failures))
    quantiles = (number(facts.p50_ms), number(facts.p95_ms), number(facts.p99_ms))
    return (name, facts.version or NOT_MEASURED, *counts, _rate(facts), *quantiles)


def _rate(facts: ArmFacts) -> str:
    if not facts.requests or facts.failures is None:
        return NOT_MEASURED
    rate = percent(facts.failures / facts.requests)
    if facts.failure_interval is None:
        return rate
    low, high = map(percent, facts.failure_interval)
    return f"{rate} ({low.removesuffix(' %')}–{high})"


def _chance(p_value: float) -> str:
    return f"p = {p_value:.2g}" if p_value >= SMALLEST_P else f"p < {SMALLEST_P:g}"


def _source(source: Source) -> str:
    return _SOURCES[source]
