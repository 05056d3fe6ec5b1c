"""The state of a run as one JSON document: the page draws it, and scripts or chat bots read it.

`schema` 1: new keys may be added, none of these changes meaning. Instants are seconds of experiment time since the run
began, as in its timeline; shares and weights are 0..1; an unknown value is null.
"""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from harness.aws.eyes import METRIC_PERIOD_S
from harness.core.experiment.types import AlarmState, Outcome
from harness.core.timeline.alarm_rules import Rule, read_rule
from harness.core.timeline.deployments import Phase
from harness.core.timeline.events import AlarmDefined, FaultStarted, Intent
from harness.core.timeline.metric_math import NotEvaluated
from harness.core.timeline.rollout import Rollout
from harness.core.timeline.shadow import shadow_rule
from harness.core.verdict.types import Verdict
from harness.plugin.panel.chronicle import Chart, Chronicle, Judged, Points
from harness.report import facts
from harness.report.second_opinion import second_opinion
from harness.report.shadows import sentences
from harness.report.story import StoryLine

SCHEMA = 1
POINTS = 20
"""Periods of an alarm that are shown, the last ones."""

Stage = Literal["running", "ending", "over"]


class AlarmNow(Struct, frozen=True, kw_only=True):
    """One alarm: its state, how it counts, and by start of period what CloudWatch published and what clients saw."""

    name: str
    state: AlarmState | None
    reason: str = ""
    since_s: float | None = None
    stops_deployment: bool = False
    missing: bool = False
    rule: str | None = None
    threshold: float | None = None
    comparison: str | None = None
    period_s: int | None = None
    published: Points = ()
    seen: Points = ()


class WatcherNow(Struct, frozen=True, kw_only=True):
    """How well the watcher sees: how many looks, when the last good one was, and why the last failed one failed."""

    watching: bool
    looks: int
    failed_looks: int
    last_look_s: float | None
    age_s: float | None
    wall_age_s: float | None
    last_failure: str | None
    last_failure_s: float | None


class TrafficNow(Struct, frozen=True, kw_only=True):
    """The traffic that is asked for now.

    `planned_share` is the experiment's own from the deployment's creation on, `error_share` the share that is being
    sent; `workers` is how many processes send.
    """

    arrival_rate: float | None
    users: int | None
    planned_share: float
    error_share: float
    pattern: str
    workers: int


class AnsweredNow(Struct, frozen=True, kw_only=True):
    """How many requests of the run were answered so by this version; None where no header said which one did.

    `group` is the deployment group whose function answered; where that is None, the version may be any group's.
    """

    intent: Intent
    version: str | None
    group: str | None = None
    result: Literal["ok", "failed"]
    count: int


class FaultNow(Struct, frozen=True, kw_only=True):
    """A fault that lasts, since when, and who asked for it if it was not the plan."""

    fault: str
    kind: str
    value: str
    since_s: float
    by: str | None = None


class VerdictWords(Struct, frozen=True, kw_only=True):
    """The verdict in the words of the report: a ledger with rows of (step, at, took), and one sentence per subject."""

    ledger: tuple[tuple[str, ...], ...]
    totals: str
    traffic: str
    exposure: str
    attribution: str
    arms: str
    second_opinion: str
    shadow: tuple[str, ...] = ()


class Control(Struct, frozen=True, kw_only=True):
    """Whether a control may be used now and why not, its highest value, and whether it writes to AWS."""

    allowed: bool
    why: str | None = None
    most: float | None = None
    writes: bool = False


class RunNow(Struct, frozen=True, kw_only=True):
    """One run, as it is or as it ended.

    Until `stage` is over, `verdict` holds for what was seen so far, without what can only be said at the end.
    """

    stage: Stage
    name: str
    experiment: str
    expected: Outcome | None
    speed: float
    now_s: float
    created_s: float | None
    phase: Phase
    headline: str
    weight: float | None
    bake_ends_s: float | None
    baseline: str | None
    canary: str | None
    deployment: str | None
    config: str | None
    alarms: tuple[AlarmNow, ...]
    shadows: tuple[AlarmNow, ...] = ()
    watcher: WatcherNow
    traffic: TrafficNow
    counted: tuple[AnsweredNow, ...]
    faults: tuple[FaultNow, ...]
    chart: Chart
    story: tuple[StoryLine, ...]
    verdict: Verdict | None
    told: VerdictWords | None
    judged_s: float | None
    files: tuple[str, ...] = ()


class State(Struct, frozen=True, kw_only=True):
    """The whole answer; `run` is null before the first test.

    `refused` is why the last test could not begin, and `hindrance` why none could begin now.
    """

    schema: int = SCHEMA
    token: str = ""
    test: str
    run: RunNow | None = None
    refused: str | None = None
    hindrance: str | None = None
    controls: dict[str, Control] = {}


def alarms_of(chronicle: Chronicle, judged: Judged | None) -> tuple[AlarmNow, ...]:
    """All alarms that are known, those that can stop the deployment first."""
    rollout = chronicle.rollout
    stopping = rollout.alarm_names if rollout.run.group else ()
    others = {*rollout.alarms.states, *rollout.alarms.definitions, *rollout.alarms.missing} - {*stopping}
    names = [*stopping, *sorted(others)]
    seen = judged.seen if judged else {}
    return tuple(_alarm(chronicle, name, stopping, seen.get(name, ())) for name in names)


def _alarm(chronicle: Chronicle, name: str, stopping: tuple[str, ...], seen: Points) -> AlarmNow:
    state = chronicle.rollout.alarms.states.get(name)
    defined = chronicle.rollout.alarms.definitions.get(name)
    gone = name in chronicle.rollout.alarms.missing
    return AlarmNow(
        name=name,
        state=state.state if state and not gone else None,
        reason=state.reason if state else "",
        since_s=state.since_s if state else None,
        stops_deployment=name in stopping,
        missing=gone,
        rule=_rule(defined),
        threshold=defined.threshold if defined else None,
        comparison=defined.comparison if defined else None,
        period_s=defined.period_s if defined else None,
        published=_published(chronicle, defined)[-POINTS:],
        seen=seen[-POINTS:],
    )


def shadows_of(chronicle: Chronicle) -> tuple[AlarmNow, ...]:
    """The alarms that do not exist, in the states that they would be in."""
    known = chronicle.rollout.shadows
    return tuple(
        AlarmNow(
            name=name,
            state=seen.state if (seen := known.states.get(name)) else None,
            reason=seen.reason if seen else "",
            since_s=seen.since_s if seen else None,
            rule=_rule(defined, shadow_rule),
            threshold=defined.threshold,
            comparison=defined.comparison,
            period_s=defined.period_s,
        )
        for name, defined in known.definitions.items()
    )


def _rule(defined: AlarmDefined | None, read: Callable[[AlarmDefined], Rule] = read_rule) -> str | None:
    """An alarm's rule in words; None of one that is not known, and why it is not told of one that is not evaluated."""
    if defined is None or defined.kind == "composite":
        return defined.rule if defined else None
    try:
        return f"{read(defined)}; missing data: {defined.missing or 'missing'}"
    except NotEvaluated as reason:
        return f"not evaluated here: {reason}"


def _published(chronicle: Chronicle, defined: AlarmDefined | None) -> Points:
    """The datapoints of the alarm's own metric by start of period, where it is one that is looked at."""
    if defined is None or defined.metric is None or defined.statistic != "Sum" or defined.period_s != METRIC_PERIOD_S:
        return ()
    points = chronicle.metrics.get((defined.metric, defined.dimensions.get("ExecutedVersion")), {})
    epoch_s = chronicle.rollout.run.aws_epoch_s
    # AnsweredNow as the periods of `seen` are, so that both have the same starts to the last digit.
    periods = {round((epoch_s + at_s) / METRIC_PERIOD_S): value for at_s, value in points.items()}
    return tuple((period * METRIC_PERIOD_S - epoch_s, value) for period, value in sorted(periods.items()))


def watcher_of(chronicle: Chronicle, now_s: float, *, watching: bool) -> WatcherNow:
    """How well the watcher sees at an instant."""
    rollout, failed = chronicle.rollout, chronicle.last_failed
    age_s = None if rollout.run.last_look_s is None else max(0.0, now_s - rollout.run.last_look_s)
    return WatcherNow(
        watching=watching,
        looks=rollout.run.looks,
        failed_looks=rollout.run.failed_looks,
        last_look_s=rollout.run.last_look_s,
        age_s=age_s,
        wall_age_s=None if age_s is None else age_s / rollout.run.speed,
        last_failure=failed.message if failed else None,
        last_failure_s=failed.at_s if failed else None,
    )


def counted_of(chronicle: Chronicle) -> tuple[AnsweredNow, ...]:
    """All requests of the run, by what they were for, who answered, and how."""
    return tuple(
        AnsweredNow(intent=intent, group=group, version=version, result="failed" if failed else "ok", count=count)
        for (intent, group, version, failed), count in sorted(chronicle.answers.items(), key=str)
    )


def faults_of(chronicle: Chronicle) -> tuple[FaultNow, ...]:
    """The faults that last."""
    return tuple(_fault(one) for one in chronicle.faults.values())


def _fault(began: FaultStarted) -> FaultNow:
    return FaultNow(fault=began.fault, kind=began.kind, value=began.value, since_s=began.at_s, by=began.by or None)


def told(verdict: Verdict) -> VerdictWords:
    """A verdict in words."""
    return VerdictWords(
        ledger=tuple(facts.ledger(verdict)),
        totals=facts.totals(verdict),
        traffic=facts.traffic(verdict),
        exposure=facts.exposure(verdict),
        attribution=facts.attribution(verdict),
        arms=facts.arms_source(verdict),
        second_opinion=second_opinion(verdict),
        shadow=tuple(sentences(verdict)),
    )


def headline_of(rollout: Rollout, verdict: Verdict | None, stage: Stage) -> str:
    """The headline of the page: the verdict once it is reached, and the phase of the release until then."""
    if stage == "over" and verdict:
        return facts.headline(verdict)
    return _HEADLINES.get(rollout.release.phase, facts.words(rollout.release.phase))


_HEADLINES = {
    Phase.WAITING: "waiting for the deployment",
    Phase.CREATED: "deployment created",
    Phase.BEFORE_TRAFFIC: "before the shift",
    Phase.CANARY: "the canary takes its share of the traffic",
    Phase.AFTER_TRAFFIC: "all traffic on the new version",
    Phase.STOPPING: "stopped, rollback awaited",
}
