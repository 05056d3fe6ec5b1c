"""Questions about the service behind the host, and about the traffic that is planned."""

from collections.abc import Mapping
from statistics import median

from msgspec.structs import replace

from harness.core.arming.diagnosis import Assessment, error, note, ok, warning
from harness.core.arming.judged import not_judged, rules_of, together, why_not_judged
from harness.core.arming.metric_names import LAMBDA
from harness.core.arming.recent import recent_periods
from harness.core.arming.snapshot import LOOK_BACK_S, Probed, Snapshot, Unseen
from harness.core.experiment.rates import lasting_rate
from harness.core.experiment.types import Call, Experiment, Outcome, Traffic
from harness.core.numbers import figures, of_100
from harness.core.odds.asked import EVERY_REQUEST, NO_FAULT, question_of
from harness.core.odds.chances import by, chance
from harness.core.odds.from_experiment import planned_of, rates_of
from harness.core.odds.setting import Setting, Watch
from harness.core.timeline.alarm_rules import HTTP_API_STATUS, SURE_ENOUGH, UNHANDLED_STATUS, Rule
from harness.core.timeline.composites import ChildIs
from harness.core.timeline.events import AlarmDefined, ConfigSeen

FAILED_FROM = 400
MOST = 0.5
"""A smaller share of the invocations by way of the alias leaves most of the traffic unguarded."""
PLENTY = 100
"""So many invocations an hour are no test by hand."""
HANDFUL = 3
"""So few failures happen by chance."""
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
    """Good requests are answered 2xx, or as the experiment expects it."""
    probed = snapshot.good
    unsent = f" Not sent, because they may change something: {', '.join(snapshot.unsent)}." if snapshot.unsent else ""
    if probed is None:
        return note(f"No good request was sent: {snapshot.why_no_request}.{unsent}")
    which = f"A good request{f' ({probed.request})' if probed.request else ''}"
    if probed.status is None:
        return error(f"{which} got no answer: {probed.problem}.", "Correct the host, or check the service.")
    if probed.good:
        by = f" by version {probed.version}" if probed.version else "; no header named the version"
        return ok(f"{which} was answered {probed.status}{by}.{unsent}")
    reason = probed.wrong or _REASONS.get(probed.status)
    seen = f"{which} was answered {probed.status}{f': {reason}' if reason else ''}."
    return error(seen, "Correct the host and its stage, or repair the service first.")


def fault_request(snapshot: Snapshot) -> Assessment:
    """One fault request fails."""
    probed = snapshot.fault
    if probed is None:
        return note(f"No fault request was sent: {snapshot.why_no_fault}.")
    if probed.status is None:
        return error(f"A fault request got no answer: {probed.problem}.", "Correct the host.")
    if probed.status < FAILED_FROM and not probed.wrong:
        seen = f"A fault request was answered {probed.status}: what was meant to make it fail is broken."
        return error(seen, "Have the service fail such a request, or lay something else over it in traffic.fault.")
    return ok(f"A fault request was answered {probed.status}.")


def handled_errors(snapshot: Snapshot) -> Assessment:
    """Some alarm counts the failures."""
    rules = rules_of(snapshot)
    if not rules:
        if unjudged := _unjudged(snapshot):
            return unjudged
        seen = "No alarm that counts failures guards the group."
        return warning(seen, "Add an alarm on Errors, or on the 5XXError of API Gateway.")
    failed = _failed_status(snapshot.fault)
    if failed is not None and not any(_counts(snapshot, rule, failed) for _, rule in rules):
        seen = f"The fault request was answered {failed}, which {_metrics(rules)} does not count: the code handled it."
        return error(seen, "Let the function throw the exception, or add an alarm on the 5XXError of API Gateway.")
    if not any(rule.counts(UNHANDLED_STATUS) for _, rule in rules):
        seen = f"No alarm of the group counts an exception of the function: {_metrics(rules)} does not."
        return warning(seen, "Add an alarm on Errors, or on the 5XXError of API Gateway.")
    if any(metric.namespace != LAMBDA for _, rule in rules for metric in rule.metrics):
        return ok(f"{_metrics(rules)} also counts a 5xx that the code returns.")
    seen = (
        f"Errors counts exceptions, timeouts and crashes, which a client sees as {UNHANDLED_STATUS} "
        f"({HTTP_API_STATUS} of an HTTP API), and no other 5xx."
    )
    return note(seen, "To see every 5xx, add an alarm on the 5XXError of API Gateway.")


def _counts(snapshot: Snapshot, rule: Rule, failed: int) -> bool:
    """Whether an alarm counts the fault request; a 500 is an exception where CloudWatch counted it as an error.

    Raises Unseen where only that would tell, and was not read.
    """
    if rule.counts(failed) or failed != HTTP_API_STATUS or not rule.counts(UNHANDLED_STATUS):
        return rule.counts(failed)
    if snapshot.counted is None:
        raise Unseen(
            f"The fault request was answered {failed}: by an HTTP API for an exception, which Errors counts, by a REST "
            "API where the code handled it, which Errors does not count"
        )
    return snapshot.counted.errors > 0


def _unjudged(snapshot: Snapshot) -> Assessment | None:
    """An alarm that is not judged, and might be the one that counts failures; in the words of all other questions."""
    reasons = ((alarm, why_not_judged(alarm)) for alarm in snapshot.alarms())
    return next((not_judged(alarm, reason) for alarm, reason in reasons if reason), None)


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
    rules = [rule for _, rule in rules_of(snapshot)]
    if counted.errors and not rules:
        return note(f"The function {snapshot.function} counted it; no alarm that counts failures guards the group.")
    if counted.errors and all(any(map(snapshot.awaits_its_version, rule.metrics)) for rule in rules):
        return ok(f"The function {snapshot.function} counted it; the alarm is for the next version.")
    if counted.errors:
        seen = f"The function {snapshot.function} counted the fault request as an error, but no alarm's metric did."
        return error(seen, "Correct the metric and dimensions of the alarm.")
    if counted.invocations:
        seen = f"The function {snapshot.function} was invoked and counted no error: the fault request failed elsewhere."
        return error(seen, "Let the function throw the exception; check the authorizer and the gateway.")
    seen = f"The function {snapshot.function} was not invoked at all: the host leads to another function."
    return error(seen, "Correct the host, or give the function that it leads to.")


# Traffic of the last hour


def by_the_alias(snapshot: Snapshot) -> Assessment:
    """Requests reach the function by way of the alias that is shifted."""
    alias, invoked = f"{snapshot.function}:{snapshot.alias_name}", snapshot.invocations()
    shifted = snapshot.invocations_of_the_alias()
    if not invoked:
        return note("The function had no invocation within the last hour.")
    seen = f"Of {invoked:.0f} invocations within the last hour, {shifted:.0f} came by way of {alias}."
    if shifted >= MOST * invoked:
        return ok(seen)
    advice = f"Have API Gateway, and whatever else calls the function, invoke {alias}."
    if shifted or invoked < PLENTY:
        return warning(f"{seen} A deployment shifts only those.", advice)
    return error(f"{seen} A deployment would shift no traffic at all.", advice)


def few_failures(snapshot: Snapshot) -> Assessment:
    """An alarm on a rate needs more than a handful of failures at the traffic of the last hour."""
    rates = [(alarm, rule) for alarm, rule in rules_of(snapshot) if rule.is_rate]
    if not rates:
        return ok("No alarm that counts failures compares a rate.")
    return together([_few_failures(snapshot, alarm, rule) for alarm, rule in rates])


def _few_failures(snapshot: Snapshot, alarm: AlarmDefined, rule: Rule) -> Assessment:
    busy = [requests for _, requests in recent_periods(snapshot, alarm, rule, LOOK_BACK_S) if requests]
    what = f"{rule.name} ({rule})"
    if not busy:
        return note(f"{what} is a rate, and of how many requests is not known: a single failure may be enough.")
    requests = round(median(busy))
    needed = rule.failures_needed(requests)
    at = f"At {requests} requests in {rule.period_s} s, as in the last hour,"
    if needed is None:
        return warning(f"{at} no number of failures makes {what} breach.", "Have the alarm ask for fewer requests.")
    if needed > HANDFUL:
        return ok(f"{at} {what} takes {needed} failures.")
    seen = f"{at} {needed} failure{'s are' if needed > 1 else ' is'} enough to make {what} breach."
    return warning(seen, "Have the expression ask for enough requests, such as IF(requests > 100, rate, 0).")


# Traffic planned


def enough(snapshot: Snapshot) -> Assessment:
    """Enough failures come that an alarm goes to ALARM for sure, not by luck."""
    experiment, config = _with_its_traffic(snapshot), snapshot.config()
    if experiment.traffic.users is not None:
        return note("A closed loop sends as fast as it gets answers, so no chance can be computed beforehand.")
    ruled = rules_of(snapshot)
    if not ruled:
        return _without_a_rule(snapshot)
    guarding = [rule for alarm, rule in ruled if snapshot.suffice([alarm.name])]
    if not guarding:
        names = ", ".join(alarm.name for alarm, _ in ruled)
        raise Unseen(f"{names} takes no alarm of the group to ALARM alone, so no chance can be computed")
    settings = [(_alone(experiment, config, rule), rule) for rule in guarding]
    likely, setting, rule = max(((chance(one), one, rule) for one, rule in settings), key=lambda found: found[0])
    seen = _told(setting, rule, likely)
    if _counts_the_live_version(snapshot, rule):
        return note(f"If each deployment moves {rule.name} to its own version: {seen}")
    if likely >= SURE_ENOUGH:
        return ok(seen)
    if experiment.expect.outcome is Outcome.PROMOTED:
        return note(f"{seen} The experiment expects a promotion.")
    hopeless = likely < HOPELESS and _must_ring(snapshot.experiment)
    advice = "Send more requests, raise the error share, or lower the threshold; predict says by how much."
    if not _says_its_traffic(snapshot.experiment):
        advice = "Lower the threshold, or run doctor with an experiment that says which traffic will come."
    return Assessment("error" if hopeless else "warning", seen, advice)


def _without_a_rule(snapshot: Snapshot) -> Assessment:
    """Which alarm is not judged; raises Unseen where none may count failures."""
    if unjudged := _unjudged(snapshot):
        return unjudged
    raise Unseen("no alarm that counts failures guards the group")


def _alone(experiment: Experiment, config: ConfigSeen, rule: Rule) -> Setting:
    """The release as if this were its only alarm; where no fault is planned, of a canary that fails every request.

    Whether its dimensions are right is asked elsewhere.
    """
    planned = planned_of(experiment)
    name = str(rule.name)
    return Setting(
        config=config,
        watches=(Watch(name=name, rule=rule, counts="canary" if rule.version else "all"),),
        guards=(ChildIs("ALARM", name),),
        rate=rates_of(experiment),
        fault=NO_FAULT if planned else EVERY_REQUEST,
        planned=planned,
        pattern="bernoulli",
    )


def _told(setting: Setting, rule: Rule, likely: float) -> str:
    sent = max(rate for _, rate in setting.rate)
    return (
        f"{rule.name} ({rule}) goes to ALARM and stops the deployment before its last shift in {of_100(likely)} of 100 "
        f"releases, at {figures(sent)} requests/s ({by(setting)}): {question_of(setting)}."
    )


def _counts_the_live_version(snapshot: Snapshot, rule: Rule) -> bool:
    """Whether an alarm counts the version that is live, as it stands, and so no canary."""
    return rule.version is not None and rule.version == snapshot.alias().version


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


def _highest_share(experiment: Experiment) -> float:
    shares = (fault.error_share for fault in experiment.faults if fault.error_share is not None)
    return max((experiment.traffic.error_share, *shares))
