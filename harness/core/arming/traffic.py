"""Questions about the service behind the host, and about the traffic that is planned."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from harness.core.arming.alarms import tries
from harness.core.arming.diagnosis import Assessment, error, note, ok, warning
from harness.core.arming.release import bake_s
from harness.core.arming.snapshot import LAMBDA, Probed, Snapshot, Unseen
from harness.core.experiment.rates import lasting_rate
from harness.core.experiment.types import Call, Experiment, Outcome, Traffic
from harness.core.timeline.alarm_rules import UNHANDLED_STATUS, Rule
from harness.core.timeline.events import AlarmDefined
from harness.core.timeline.stats import poisson_at_least
from harness.core.verdict.findings.net import SURE_ENOUGH

FAILED_FROM = 400
HOPELESS = 0.01
"""An alarm whose chance to go to ALARM in time is below this does not guard a deployment."""

_REASONS: Mapping[int, str] = {
    401: "the request carried no identity that the authorizer takes",
    403: "the authorizer refused the user, or the gateway knows no such path",
    404: "the path is not there",
    429: "the gateway throttles",
    502: "the function throws, or its answer cannot be read",
    504: "the function takes longer than the gateway waits",
}


def host(snapshot: Snapshot) -> Assessment:
    """The address of the service is known; AWS cannot be asked for it."""
    address = snapshot.experiment.target.host
    if address:
        return ok(f"Requests go to {address}.")
    seen = "The address of the service is not known, and AWS does not say which address leads to a function."
    return warning(seen, "Set target.host, or --host.")


def good_request(snapshot: Snapshot) -> Assessment:
    """One good request is answered 2xx."""
    probed = snapshot.good
    if probed is None:
        return note("No good request was sent: no host was given.")
    if probed.status is None:
        return error(f"A good request got no answer: {probed.problem}.", "Correct the host, or check the service.")
    if 200 <= probed.status < 300:
        by = f" by version {probed.version}" if probed.version else "; no header named the version"
        return ok(f"A good request was answered {probed.status}{by}.")
    reason = _REASONS.get(probed.status)
    seen = f"A good request was answered {probed.status}{f': {reason}' if reason else ''}."
    return error(seen, "Correct the host and its stage, or repair the service first.")


def fault_request(snapshot: Snapshot) -> Assessment:
    """One fault request fails."""
    probed = snapshot.fault
    if probed is None:
        return note(f"No fault request was sent: {snapshot.why_no_fault}.")
    if probed.status is None:
        return error(f"A fault request got no answer: {probed.problem}.", "Correct the host.")
    if probed.status < FAILED_FROM:
        seen = f"A fault request was answered {probed.status}: what was meant to make it fail is broken."
        return error(seen, "Have the service throw for the error user.")
    return ok(f"A fault request was answered {probed.status}.")


def handled_errors(snapshot: Snapshot) -> Assessment:
    """Some alarm counts the failures."""
    rules = snapshot.rules()
    if not rules:
        seen = "No alarm that counts failures guards the group."
        return warning(seen, "Add an alarm on Errors, or on the 5XXError of API Gateway.")
    failed = _failed_status(snapshot.fault)
    if failed is not None and not any(rule.counts(failed) for _, rule in rules):
        seen = f"The fault request was answered {failed}, which {_metrics(rules)} does not count: the code handled it."
        return error(seen, "Let the function throw the exception, or add an alarm on the 5XXError of API Gateway.")
    if any(alarm.namespace != LAMBDA for alarm, _ in rules):
        return ok(f"{_metrics(rules)} also counts a 5xx that the code returns.")
    seen = (
        f"Errors counts exceptions, timeouts and crashes, which a client sees as {UNHANDLED_STATUS}, and no other 5xx."
    )
    return note(seen, "To see every 5xx, add an alarm on the 5XXError of API Gateway.")


def _failed_status(probed: Probed | None) -> int | None:
    status = probed.status if probed else None
    return status if status is not None and status >= FAILED_FROM else None


def _metrics(rules: tuple[tuple[AlarmDefined, Rule], ...]) -> str:
    return " and ".join(dict.fromkeys(rule.metric for _, rule in rules))


def fault_counted(snapshot: Snapshot) -> Assessment:
    """The alarm's own metric counted the fault request."""
    counted = snapshot.counted
    if counted is None and snapshot.fault is not None and not snapshot.why_not_counted:
        raise Unseen(snapshot.failure("cloudwatch:GetMetricData") or "CloudWatch did not return what it counted")
    if counted is None:
        return note(f"Whether an alarm counts it is not known: {snapshot.why_not_counted}.")
    seeing = [name for name, value in counted.alarms.items() if value > 0]
    if seeing:
        return ok(f"The fault request was counted by the metric of {', '.join(seeing)}.")
    if counted.errors and all(snapshot.watches_the_next_version(alarm) for alarm, _ in snapshot.rules()):
        return ok(f"The function {snapshot.function} counted it; the alarm is for the next version.")
    if counted.errors:
        seen = f"The function {snapshot.function} counted the fault request as an error, but no alarm's metric did."
        return error(seen, "Correct the metric and dimensions of the alarm.")
    if counted.invocations:
        seen = f"The function {snapshot.function} was invoked and counted no error: the fault request failed elsewhere."
        return error(seen, "Let the function throw the exception; check the authorizer and the gateway.")
    seen = f"The function {snapshot.function} was not invoked at all: the host leads to another function."
    return error(seen, "Correct the host, or give the function that it leads to.")


def why_no_fault(snapshot: Snapshot) -> str | None:
    """Why a fault request should not be sent now, because it might do harm; None where it may."""
    if snapshot.active is None or snapshot.active:
        return "a deployment runs, or might"
    try:
        rules = snapshot.rules()
    except Unseen as unseen:
        return str(unseen)
    touchy = [alarm.name for alarm, rule in rules if rule.datapoints == 1 and (rule.errors_needed() or 1) <= 1]
    return f"a single failure could put an alarm in ALARM: {', '.join(touchy)}" if touchy else None


# Traffic planned


class PlannedLoad(Struct, frozen=True):
    """What one alarm would get: failures and requests a second, and why they fail."""

    failures_per_s: float
    requests_per_s: float
    why: str


def enough(snapshot: Snapshot) -> Assessment:
    """Enough failures come that an alarm goes to ALARM for sure, not by luck."""
    experiment, bake = _with_its_traffic(snapshot), bake_s(snapshot.config())
    if experiment.traffic.users is not None:
        return note("A closed loop sends as fast as it gets answers, so no chance can be computed beforehand.")
    step = snapshot.config().step or 1.0
    chances = [_chance(planned(experiment, rule, step), alarm, rule, bake) for alarm, rule in snapshot.rules()]
    if not chances:
        raise Unseen("no alarm that counts failures guards the group")
    likely, in_time, seen = max(chances)
    if likely >= SURE_ENOUGH:
        return ok(seen)
    if experiment.expect.outcome is Outcome.PROMOTED:
        return note(f"{seen} The experiment expects a promotion.")
    hopeless = in_time < HOPELESS and _must_ring(snapshot.experiment)
    advice = "Send more requests, raise the error share, or lower the threshold."
    if not _says_its_traffic(snapshot.experiment):
        advice = "Lower the threshold, or run doctor with an experiment that says which traffic will come."
    return Assessment("error" if hopeless else "warning", seen, advice)


def _with_its_traffic(snapshot: Snapshot) -> Experiment:
    """Without traffic in the experiment: the default rate, or that of the busiest minute if it was higher."""
    experiment, busiest = snapshot.experiment, snapshot.busiest_rate()
    if _says_its_traffic(experiment) or busiest <= lasting_rate(experiment.traffic.arrival_rate):
        return experiment
    return replace(experiment, traffic=replace(experiment.traffic, arrival_rate=busiest))


def _says_its_traffic(experiment: Experiment) -> bool:
    return experiment.traffic != Traffic() or bool(experiment.faults)


def _must_ring(experiment: Experiment) -> bool:
    """Whether the deployment is unguarded, or the expectation not met, if no alarm goes to ALARM by itself."""
    if any(fault.force_alarm == "ALARM" for fault in experiment.faults):
        return False
    expected = experiment.expect.outcome is Outcome.ROLLED_BACK or Call.CAUGHT in experiment.expect.calls
    return expected or _highest_share(experiment) > 0 or not _says_its_traffic(experiment)


def _chance(plan: PlannedLoad, alarm: AlarmDefined, rule: Rule, bake: float) -> tuple[float, float, str]:
    once = chance_of_a_period(rule, plan)
    in_time = 1 - (1 - once) ** tries(alarm, bake)
    seen = (
        f"{rule.name} ({rule}) gets {plan.failures_per_s * rule.period_s:.3g} failures a period when {plan.why}. The "
        f"chance that a given period breaches is {once:.2g}, and that it goes to ALARM in time {in_time:.2g} (Poisson)."
    )
    return once, in_time, seen


def planned(experiment: Experiment, rule: Rule, step: float) -> PlannedLoad:
    """What the alarm gets at the highest planned error share; without one, from a canary that fails every request."""
    sent = lasting_rate(experiment.traffic.arrival_rate)
    rate = sent * (step if rule.version else 1.0)
    share = _highest_share(experiment)
    if share:
        return PlannedLoad(rate * share, rate, f"{share:.2%} of {sent:g} requests/s are faults")
    return PlannedLoad(sent * step, rate, f"a canary with {step:.0%} of {sent:g} requests/s always fails")


def _highest_share(experiment: Experiment) -> float:
    shares = (fault.error_share for fault in experiment.faults if fault.error_share is not None)
    return max((experiment.traffic.error_share, *shares))


def chance_of_a_period(rule: Rule, plan: PlannedLoad) -> float:
    """How likely M periods in a row breach; an average uses the expected number of requests."""
    needed = rule.failures_needed(plan.requests_per_s * rule.period_s)
    if needed is None:
        return 0.0
    return float(poisson_at_least(needed, plan.failures_per_s * rule.period_s) ** rule.datapoints)
