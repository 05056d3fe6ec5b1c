"""From an experiment and its timeline to the verdict: pure and total, so any prefix of a timeline has a verdict.

Fact and measure stay apart: the outcome is what CodeDeploy did, harm is what the requests met, the call is the one
against the other, and the result is both against what was expected.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from harness.core.experiment.criteria import limit_word
from harness.core.experiment.types import Call, Expect, Experiment, Outcome
from harness.core.timeline.alias_astray import is_left_split
from harness.core.timeline.bounds import Bounds, Shift
from harness.core.timeline.events import Event
from harness.core.timeline.hooks import unreported
from harness.core.timeline.rollout import Rollout, replay
from harness.core.verdict.criteria import hold
from harness.core.verdict.evidence import Evidence, count, evidence_of
from harness.core.verdict.findings import findings_of
from harness.core.verdict.groups import View, for_all, views
from harness.core.verdict.harm import Harm, harm_of
from harness.core.verdict.measure import measure, metric_sum
from harness.core.verdict.punctual import departures, schedule_missed
from harness.core.verdict.second_opinion import second_opinion, told_of
from harness.core.verdict.shadows import shadow_facts
from harness.core.verdict.types import RESULTS, Criterion, DeploymentFacts, Result, Verdict
from harness.errors import ExitCode, worst

_CALLS: Mapping[tuple[Outcome, bool | None], Call] = {
    (Outcome.PROMOTED, False): Call.CLEARED,
    (Outcome.PROMOTED, True): Call.MISSED,
    (Outcome.ROLLED_BACK, False): Call.FALSE_ALARM,
    (Outcome.ROLLED_BACK, True): Call.CAUGHT,
}
_RESULT_WITHOUT_EXPECTATION: Mapping[Call, Result] = {
    Call.CLEARED: "as_expected",
    Call.CAUGHT: "as_expected",
    Call.MISSED: "contrary",
    Call.FALSE_ALARM: "contrary",
    Call.INCONCLUSIVE: "inconclusive",
}
_CALLED = frozenset(outcome for outcome, _ in _CALLS)
_UNDECIDED = (Outcome.UNKNOWN, Outcome.NOT_STARTED)
_EXIT_CODES: Mapping[Result, ExitCode] = {
    "as_expected": ExitCode.AS_EXPECTED,
    "contrary": ExitCode.CONTRARY,
    "inconclusive": ExitCode.INCONCLUSIVE,
    "aborted": ExitCode.GUARD_RAIL,
}


_SIGNALLED = {"SIGINT": ExitCode.INTERRUPTED, "SIGTERM": ExitCode.TERMINATED}


class Reason(Struct, frozen=True):
    """One check of the expectation: what it comes to, and a sentence if it is worth one."""

    result: Result
    because: str | None = None


def judge(experiment: Experiment, events: Sequence[Event]) -> Verdict:
    """The verdict on a run, or on as much of it as there is; of several groups, the one for all."""
    return judge_sorted(evidence_of(experiment, events, replay(events)), events)


def judge_sorted(evidence: Evidence, events: Sequence[Event]) -> Verdict:
    """The same of a timeline that is sorted already as the first group sees it."""
    return _as_asked(_judge_all(evidence, events), evidence)


def _judge_all(evidence: Evidence, events: Sequence[Event]) -> Verdict:
    first, experiment = _judge_one(evidence), evidence.experiment
    if not experiment.also:
        return first
    own, *further = views(experiment, events)
    return for_all(own.name, {own.name: first, **{one.name: _judge_view(one) for one in further}})


def _judge_view(view: View) -> Verdict:
    """The verdict on one of several groups."""
    return _judge_one(evidence_of(view.experiment, view.events, replay(view.events), view.whose))


def _judge_one(evidence: Evidence) -> Verdict:
    """The verdict on the experiment's first deployment group alone."""
    experiment, rollout = evidence.experiment, evidence.rollout
    measures = measure(evidence)
    harm = harm_of(evidence, measures)
    call = call_of(evidence, harm)
    criteria = hold(experiment.criteria, measures)
    cut_short = (*_tripped(evidence), *_how_the_run_ended(evidence))
    reasons = tuple(_reasons(evidence, call, criteria))
    # A run that was cut short proves nothing against the release either.
    result = min((reason.result for reason in cut_short or reasons), key=RESULTS.index)
    said = (reason.because for reason in (*cut_short, *reasons) if reason.because)
    return Verdict(
        experiment=experiment.name,
        outcome=rollout.outcome,
        expected=experiment.expect.outcome,
        result=result,
        call=call,
        expected_call=experiment.expect.call if isinstance(experiment.expect.call, Call) else None,
        has_expectation=experiment.expect != Expect() or bool(criteria),
        exit_code=exit_code_of(evidence, result),
        because=(_what_happened(rollout), *_why_unseen(evidence), *harm.because, *said),
        deployment=deployment_of(evidence),
        detection=measures.detection,
        traffic=measures.traffic,
        arms=measures.arms,
        exposure=measures.exposure,
        attribution=measures.attribution,
        second_opinion=second_opinion(evidence),
        shadow=shadow_facts(evidence, harm.done),
        command=evidence.command,
        criteria=criteria,
        findings=findings_of(evidence, measures, harm),
    )


def _as_asked(verdict: Verdict, evidence: Evidence) -> Verdict:
    """The verdict with a worse exit code where the locustfile asked for one; fact, call and result stay."""
    asked = evidence.exits_asked
    code = worst((verdict.exit_code, *(one.exit_code for one in asked)))
    if code == verdict.exit_code:
        return verdict
    wishes = " and ".join(f"{one.exit_code} by {one.by}" for one in asked)
    said = f"The locustfile asked for exit code {wishes}; the run's own was {verdict.exit_code}."
    return replace(verdict, exit_code=code, because=(*verdict.because, said))


def call_of(evidence: Evidence, harm: Harm) -> Call:
    """Fact against measure; whatever is not certain is inconclusive."""
    rollout = evidence.rollout
    if harm.done and is_left_split(rollout.release):
        return Call.MISSED  # the deployment stopped, and the canary went on hurting with its share of the traffic
    if evidence.stopped_by_a_person or (rollout.release.stopped_by_hand and not harm.done):
        return Call.INCONCLUSIVE  # the safety net did nothing, neither well nor badly
    return Call.INCONCLUSIVE if harm.done is None else _CALLS.get((rollout.outcome, harm.done), Call.INCONCLUSIVE)


def exit_code_of(evidence: Evidence, result: Result) -> int:
    """What the process should tell its caller; a failure of the harness, or a signal, goes before any result."""
    ended = evidence.rollout.run.ended
    if ended and (ended.why == "failed" or (evidence.left and not ended.signal)):
        return int(ExitCode.HARNESS_FAILED)
    if ended and ended.signal:
        return int(_SIGNALLED[ended.signal])
    return int(_EXIT_CODES[result])


def deployment_of(evidence: Evidence) -> DeploymentFacts:
    """The forward deployment as CodeDeploy reported it last."""
    rollout = evidence.rollout
    forward, rollback = rollout.release.forward, rollout.release.rollback
    if forward is None:
        return DeploymentFacts(id=rollout.release.wanted)
    created_s, ended = rollout.release.created_s, rollout.release.ended
    return DeploymentFacts(
        id=forward.deployment_id,
        application=forward.application,
        group=forward.group,
        config=forward.config,
        status=forward.status,
        rollback_id=rollback.deployment_id if rollback else forward.rollback_id,
        error_code=forward.error_code,
        error_message=forward.error_message,
        stopped_on=evidence.found[-1].of if evidence.found and rollout.release.stopped_by_us else None,
        weight_at_end=rollout.release.weight_at_end,
        shifts=() if created_s is None else tuple(_since(created_s, shift) for shift in rollout.release.shifts),
        ended_s=None if created_s is None or ended is None else (ended[0] - created_s, ended[1] - created_s),
    )


def _since(created_s: float, shift: Shift) -> Shift:
    return Shift(shift.weight, (shift.at_s[0] - created_s, shift.at_s[1] - created_s))


# What was expected


def _reasons(evidence: Evidence, call: Call, criteria: Sequence[Criterion]) -> Iterator[Reason]:
    yield _outcome_reason(evidence, call)
    yield from _call_reasons(evidence, call)
    yield from _hand_reasons(evidence, call)
    yield from _time_reasons(evidence)
    yield from _command_reasons(evidence)
    yield from _traffic_reasons(evidence)
    yield from (Reason("inconclusive", said) for said in departures(evidence))
    yield from _left_reasons(evidence)
    yield from (_criterion_reason(criterion) for criterion in criteria)


def _how_the_run_ended(evidence: Evidence) -> Iterator[Reason]:
    ended = evidence.rollout.run.ended
    if ended is None or ended.why == "settled":
        return
    detail = f": {ended.detail.rstrip('.')}" if ended.detail else ""
    expected = evidence.experiment.expect.outcome
    if ended.why == "guard_rail":
        yield Reason("aborted", None if evidence.rails else f"A guard rail stopped the run{detail}.")
    elif ended.why == "given_up" and evidence.rollout.outcome != expected:
        yield Reason("inconclusive", f"The run gave up waiting for the end of the deployment{detail}.")
    elif ended.why == "unsteady":
        yield Reason("inconclusive", f"Before the deployment, {ended.detail.rstrip('.')}.")
    elif ended.why == "stopped":
        yield Reason("inconclusive", f"The run was stopped before its end{detail}.")
    elif ended.why == "failed":
        yield Reason("inconclusive", f"The harness or its surroundings failed{detail}.")


def _tripped(evidence: Evidence) -> Iterator[Reason]:
    """A trip ends the experiment as it was asked for, though what is not known stays inconclusive."""
    for trip in evidence.rails:
        result: Result = "aborted"
        if trip.rail == "blind_s" and evidence.rollout.outcome in _UNDECIDED:
            result = "inconclusive"
        yield Reason(result, f"The guard rail {trip.rail} tripped: {trip.message.rstrip('.')}.")


def _outcome_reason(evidence: Evidence, call: Call) -> Reason:
    outcome, expect = evidence.rollout.outcome, evidence.experiment.expect
    if expect.outcome is None and expect.call is None and outcome not in _UNDECIDED:
        return Reason(_RESULT_WITHOUT_EXPECTATION[call])
    if expect.outcome == outcome or (expect.outcome is None and outcome not in _UNDECIDED):
        return Reason("as_expected")
    if outcome in _UNDECIDED:
        return Reason("inconclusive")
    return Reason("contrary", f"The outcome {_words(expect.outcome)} was expected, and it was {_words(outcome)}.")


def _call_reasons(evidence: Evidence, call: Call) -> Iterator[Reason]:
    expected = evidence.experiment.expect.calls
    if not expected and call is Call.MISSED:
        went_on = "was left with its share" if is_left_split(evidence.release) else "was promoted"
        asked = evidence.experiment.expect != Expect()
        meant = "; expect.call does not say that this is meant" if asked else ""
        yield Reason("contrary", f"Harm was done and the canary {went_on}{meant}.")
    if not expected and call is Call.INCONCLUSIVE and evidence.rollout.outcome in _CALLED:
        # Of these outcomes a call can be made. Where none was, the outcome alone proves neither health nor a good net.
        yield Reason("inconclusive")
    if not expected or call in expected:
        return
    said = f"The call {' or '.join(map(_words, expected))} was expected, and it is {_words(call)}."
    yield Reason("inconclusive" if call is Call.INCONCLUSIVE else "contrary", said)


def _hand_reasons(evidence: Evidence, call: Call) -> Iterator[Reason]:
    """A person's stop, or our own, is no alarm, be it false or not."""
    known: Result = "inconclusive" if call is Call.INCONCLUSIVE else "as_expected"
    if evidence.stopped_by_a_person:
        said = f"{_who_stopped(evidence)}, and no alarm did: that proves nothing of the safety net."
        yield Reason(known, said)
    elif evidence.release.stopped_by_us:
        on = f", on this evidence: {told_of(evidence.found[-1])}" if evidence.found else ""
        yield Reason(known, f"The harness stopped the deployment{on}. No alarm did, so nothing is proved of the alarm.")


def _who_stopped(evidence: Evidence) -> str:
    if evidence.release.stop_asked_s is None:
        return "Somebody stopped the deployment (MANUAL_STOP)"
    return (
        f"{evidence.rolled_back_by or 'Somebody'}, as operator, stopped the deployment from this run (StopDeployment)"
    )


def _time_reasons(evidence: Evidence) -> Iterator[Reason]:
    limit_s, created_s = evidence.experiment.expect.within_s, evidence.release.created_s
    rollout = evidence.rollout
    if limit_s is None or rollout.outcome in _UNDECIDED or created_s is None:
        return
    ended = rollout.release.restored if rollout.outcome is Outcome.ROLLED_BACK else rollout.release.ended
    if ended is None:
        yield Reason("inconclusive", f"Whether it took less than {limit_s:g} s is not known.")
    elif ended[0] - created_s > limit_s:
        # The limit was meant for faults that come when they are planned.
        result: Result = "inconclusive" if any(departures(evidence)) else "contrary"
        yield Reason(result, f"It took {_span(ended, created_s)}, and at most {limit_s:g} s were expected.")
    elif ended[1] - created_s > limit_s:
        yield Reason(
            "inconclusive", f"It took {_span(ended, created_s)}, which may or may not be within {limit_s:g} s."
        )


def _command_reasons(evidence: Evidence) -> Iterator[Reason]:
    """A deployment command fails where its deployment is not promoted: that alone is no news."""
    command, outcome = evidence.command, evidence.rollout.outcome
    if command is None:
        return
    ended = f"The command that deploys ended with exit code {command.exit_code}"
    if command.exit_code is None:
        yield Reason("inconclusive", "The command that deploys had not ended.")
    elif outcome is Outcome.NOT_STARTED:
        yield Reason("as_expected", f"{ended} and made no deployment of this group.")
    elif not command.exit_code:
        yield Reason("as_expected")
    elif outcome is Outcome.PROMOTED:
        yield Reason("contrary", f"{ended}, though the canary was promoted.")
    else:
        yield Reason("as_expected", f"{ended}.")


def _traffic_reasons(evidence: Evidence) -> Iterator[Reason]:
    """Zero requests never turn a run green, nor do requests that nobody recorded."""
    if evidence.unrecorded:
        yield Reason("inconclusive", f"{evidence.unrecorded} requests that Locust counted were not recorded.")
    if not evidence.rollout.run.sends:
        yield from _others_traffic_reasons(evidence)
        return
    asked = evidence.since if evidence.release.created_s is not None else evidence.requests
    if not count(asked):
        yield Reason("inconclusive", "No request was sent after the deployment's creation, so nothing was proved.")
    elif not count(asked, lambda seen: seen.answered):
        yield Reason("inconclusive", "No request got an answer, so nothing was proved.")
    elif late := schedule_missed(evidence):
        yield Reason("inconclusive", f"{late}, so this was not the traffic that was asked for.")


def _others_traffic_reasons(evidence: Evidence) -> Iterator[Reason]:
    """A run without traffic of its own needs others'."""
    created_s = evidence.release.created_s
    if created_s is not None and not metric_sum(evidence, "Invocations", None, (created_s, math.inf)):
        yield Reason("inconclusive", "CloudWatch counted no request since the creation, so nothing was proved.")


def _left_reasons(evidence: Evidence) -> Iterator[Reason]:
    """A release under changes of ours that are still there is not over."""
    if evidence.left:
        named = ", ".join(f"{left.write.call} on {left.write.subject}" for left in evidence.left)
        undone_by = "`canary-harness alarm reset --run` and the folder of this run"
        yield Reason("inconclusive", f"Not undone on AWS when the run ended: {named}. Undo it by {undone_by}.")


def _criterion_reason(criterion: Criterion) -> Reason:
    limit = f"{limit_word(criterion.name)} {criterion.limit:g}"
    if criterion.met is None:
        return Reason("inconclusive", f"The criterion {criterion.name} ({limit}) was not measured.")
    if criterion.met:
        return Reason("as_expected")
    return Reason("contrary", f"{criterion.name} was {criterion.value:.4g}, and {limit} was asked.")


# What happened, in words


def _what_happened(rollout: Rollout) -> str:
    tell = _STORIES.get(rollout.outcome)
    return tell(rollout) if tell and rollout.release.forward else _undecided(rollout)


def _promoted(rollout: Rollout) -> str:
    release = rollout.release
    return f"CodeDeploy promoted {_version(release.canary)} with {_name(rollout)} {_when(rollout, release.ended)}."


def _rolled_back(rollout: Rollout) -> str:
    return f"{_ending(rollout)} and rolled back to {_version(rollout.release.baseline)}{_restored(rollout)}."


def _not_rolled_back(rollout: Rollout) -> str:
    return f"{_ending(rollout)}; {_no_rollback(rollout)}."


_STORIES = {
    Outcome.PROMOTED: _promoted,
    Outcome.ROLLED_BACK: _rolled_back,
    Outcome.STOPPED: _not_rolled_back,
    Outcome.FAILED: _not_rolled_back,
}


def _ending(rollout: Rollout) -> str:
    forward = rollout.release.forward
    stopped = "stopped" if forward and forward.status == "Stopped" else "failed"
    code = f" with {forward.error_code}" if forward and forward.error_code else ""
    return f"CodeDeploy {stopped} {_name(rollout)}{code} {_when(rollout, rollout.release.ended)}"


def _restored(rollout: Rollout) -> str:
    if rollout.release.restored is None or rollout.release.created_s is None:
        return ""
    return (
        f", where all traffic was again {_span(rollout.release.restored, rollout.release.created_s)} after the creation"
    )


def _no_rollback(rollout: Rollout) -> str:
    if rollout.release.rollback:
        return f"its rollback {rollout.release.rollback.deployment_id} ended {rollout.release.rollback.status}"
    return "no rollback followed"


def _undecided(rollout: Rollout) -> str:
    if rollout.release.forward:
        return f"What became of {_name(rollout)} is not known: it was last seen {rollout.release.forward.status}."
    if rollout.release.wanted:
        return f"What became of {rollout.release.wanted} is not known: it was never seen."
    if rollout.release.refused:
        return f"No deployment was created: {rollout.release.refused}"
    if rollout.release.in_doubt:
        return "Whether a deployment was created is not known: AWS gave no answer to the call that asks for it."
    if rollout.run.looks and not rollout.run.ended:
        return "What CodeDeploy did is not known: the timeline was cut off before a deployment was seen."
    if rollout.run.looks:
        return "No deployment was seen."
    return "What CodeDeploy did is not known: nothing was seen of it."


def _why_unseen(evidence: Evidence) -> Iterator[str]:
    """What kept the deployment from its end, or us from seeing it."""
    rollout = evidence.rollout
    target = rollout.release.target
    if rollout.outcome in _UNDECIDED and not rollout.release.ended and target and (said := unreported(target)):
        yield f"{said}."
    seen_s = rollout.release.forward.at_s if rollout.release.forward else 0.0
    missed = [look for look in evidence.blind if look.call.startswith("codedeploy:") and look.at_s >= seen_s]
    if rollout.outcome in _UNDECIDED and missed:
        yield f"The last of {len(missed)} looks that failed since: {missed[-1].message.rstrip('.')}."


def _name(rollout: Rollout) -> str:
    return rollout.release.forward.deployment_id if rollout.release.forward else str(rollout.release.wanted)


def _version(version: str | None) -> str:
    return f"version {version}" if version else "a version nobody saw"


def _when(rollout: Rollout, at: Bounds | None) -> str:
    if at is None or rollout.release.created_s is None:
        return "at a time nobody saw"
    return f"{_span(at, rollout.release.created_s)} after its creation"


def _span(at: Bounds, created_s: float) -> str:
    low, high = (f"{bound - created_s:.0f}" for bound in at)
    return f"{low} s" if low == high else f"{low} to {high} s"


def _words(name: str | None) -> str:
    return str(name).replace("_", " ")
