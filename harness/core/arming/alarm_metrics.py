"""Questions about the metrics that the guarding alarms read: each is asked of every metric of every alarm."""

from collections.abc import Mapping, Sequence

from harness.core.arming.diagnosis import Assessment, error, note, ok, warning
from harness.core.arming.judged import called, of_each_alarm, of_each_metric
from harness.core.arming.metric_names import (
    API_GATEWAY,
    LAMBDA,
    LOAD_BALANCER,
    RESERVED,
    WITH_EVERY_INVOCATION,
    meant_by,
    names_in,
    unit_of,
)
from harness.core.arming.snapshot import Snapshot
from harness.core.timeline.events import AlarmDefined, MetricQuery

_NAMED_DIMENSIONS = ({"FunctionName"}, {"FunctionName", "Resource"}, {"FunctionName", "Resource", "ExecutedVersion"})


def right_name(snapshot: Snapshot) -> Assessment:
    """The namespace of each metric has a metric of that name."""
    return of_each_alarm(snapshot, of_each_metric(_right_name))


def _right_name(snapshot: Snapshot, alarm: AlarmDefined, metric: MetricQuery) -> Assessment:
    name, known = called(alarm, metric), names_in(metric.namespace, metric.dimensions)
    if metric.namespace is None:
        return error(f"{name} watches {metric.metric} of no namespace: CloudWatch takes no such alarm.", "Name one.")
    watched = f"{name} watches {metric.namespace} {metric.metric}"
    if metric.metric in (known or ()) or snapshot.points.get((alarm.name, metric.id)):
        return ok(f"{watched}.")
    if _misspells_lambda(metric):
        return error(f"{watched}: Lambda writes to {LAMBDA} alone.", f"Make its namespace {LAMBDA}.")
    if known is None:
        return note(f"{watched}; whether there is such a metric is not judged.")
    if metric.namespace == API_GATEWAY and metric.metric in _OF_OTHER_APIS:
        return _of_another_api(watched, metric, meant_by(str(metric.metric), known))
    meant = meant_by(str(metric.metric), known)
    if meant is None:
        return warning(f"{watched}, and no such metric is known here.", f"Look the name up at {_place(metric)}.")
    seen = f"{watched}: {_place(metric)} has no metric {metric.metric}, {meant} is meant."
    return error(seen, f"Make its metric {meant}.")


_OF_OTHER_APIS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("4XXError", "5XXError"), ("a REST API", "ApiName, its name")),
    **dict.fromkeys(("4xx", "5xx"), ("an HTTP API", "ApiId, its id")),
}


def _of_another_api(watched: str, metric: MetricQuery, meant: str | None) -> Assessment:
    """A name of the other kind of API: either the name is wrong, or the dimension."""
    kind, dimension = _OF_OTHER_APIS[str(metric.metric)]
    seen = f"{watched}: {_place(metric)} has no metric {metric.metric}, {meant} is meant, or {kind}."
    return error(seen, f"Make its metric {meant}; for {kind} make its dimension {dimension}.")


def _place(metric: MetricQuery) -> str:
    kinds = {"ApiName": " for REST APIs", "ApiId": " for HTTP and WebSocket APIs"}
    own = (told for dimension, told in kinds.items() if dimension in metric.dimensions)
    return f"{metric.namespace}{next(own, '') if metric.namespace == API_GATEWAY else ''}"


def right_function(snapshot: Snapshot) -> Assessment:
    """The alarm watches the function that is deployed."""
    return of_each_alarm(snapshot, _right_functions)


def _right_functions(snapshot: Snapshot, alarm: AlarmDefined) -> Assessment:
    answers: list[Assessment] = []

    def asked(snapshot: Snapshot, alarm: AlarmDefined, metric: MetricQuery) -> Assessment:
        answers.append(_right_function(snapshot, alarm, metric))
        return answers[-1]

    whole = of_each_metric(asked)(snapshot, alarm)
    # An alarm may add the failures of several functions up.
    ours_too = whole.severity == "error" and any(answer.severity == "ok" for answer in answers)
    return whole._replace(severity="warning") if ours_too else whole


def _right_function(snapshot: Snapshot, alarm: AlarmDefined, metric: MetricQuery) -> Assessment:
    name = called(alarm, metric)
    if metric.namespace != LAMBDA:
        return note(f"{name} watches {metric.namespace} {metric.metric}: of which function and version is not judged.")
    watched = metric.dimensions.get("FunctionName")
    if watched is None:
        seen = f"{name} has no dimension FunctionName: it counts all functions of the account."
        return warning(seen, f"Give it the dimension FunctionName={snapshot.function}.")
    if watched != snapshot.function:
        seen = f"{name} watches the function {watched}, and {snapshot.function} is deployed."
        return error(seen, f"Make its dimension FunctionName {snapshot.function}.")
    return ok(f"{name} watches the function {watched}.")


def right_resource(snapshot: Snapshot) -> Assessment:
    """The alarm has dimensions that Lambda writes, and those of this alias."""
    return of_each_alarm(snapshot, of_each_metric(_right_resource))


def _right_resource(snapshot: Snapshot, alarm: AlarmDefined, metric: MetricQuery) -> Assessment:
    name = called(alarm, metric)
    if metric.namespace != LAMBDA:
        return ok(f"{name} does not use Lambda's dimensions.")
    names, resource = set(metric.dimensions), metric.dimensions.get("Resource")
    if names and names not in _NAMED_DIMENSIONS:
        known = "FunctionName, with it Resource, and with both ExecutedVersion"
        several = ("dimensions", "together") if len(names) > 1 else ("dimension", "alone")
        seen = f"{name} has the {several[0]} {', '.join(sorted(names))}, which Lambda never writes {several[1]}."
        return error(seen, f"Lambda writes {known}.")
    expected = f"{snapshot.function}:{snapshot.alias_name}"
    if resource is None or resource == expected:
        return ok(f"{name} has {'no dimension Resource' if resource is None else f'Resource {resource}'}.")
    what = "an ARN" if resource.startswith("arn:") else "not this alias"
    return error(f"The dimension Resource of {name} is {what}: {resource}.", f"Make its Resource {expected}.")


def right_versions(snapshot: Snapshot) -> Assessment:
    """The alarm counts the errors of the canary, and at best only those."""
    return of_each_alarm(snapshot, of_each_metric(_right_versions))


def _right_versions(snapshot: Snapshot, alarm: AlarmDefined, metric: MetricQuery) -> Assessment:
    name = called(alarm, metric)
    if metric.namespace in (API_GATEWAY, LOAD_BALANCER):
        return note(f"{name} counts the requests to all versions.")
    if metric.namespace != LAMBDA:
        return note(f"{name} watches {metric.namespace} {metric.metric}: of which function and version is not judged.")
    version = metric.dimensions.get("ExecutedVersion")
    if version is None:
        advice = f"To count only the canary: Resource={snapshot.function}:{snapshot.alias_name} and ExecutedVersion."
        return note(f"{name} counts all versions.", advice)
    return _right_version(snapshot, name, version)


def _right_version(snapshot: Snapshot, name: str, version: str) -> Assessment:
    wanted, live = snapshot.experiment.deployment, snapshot.alias().version
    target = wanted.target_version
    if version == target:
        return ok(f"{name} counts only the version on trial.")
    if target is None and version != live and not _is_older(version, live):
        return ok(f"{name} counts only version {version}, and version {live} is live.")
    if version == live and target is None and not wanted.redeploy:
        # Between two deployments this is how such an alarm looks, if the stack moves it before CodeDeploy begins.
        seen = f"{name} counts only version {version}, which is live. That is right only between deployments."
        return warning(seen, "See that each deployment sets its ExecutedVersion to the new version before it shifts.")
    other = f"version {target} is the canary" if target else f"version {live} is live"
    seen = f"{name} counts only version {version}, and {other}."
    return error(seen, "Set its dimension ExecutedVersion to the version that is deployed, with each deployment.")


def _is_older(version: str, live: str) -> bool:
    return version.isdigit() and live.isdigit() and int(version) < int(live)


def right_unit(snapshot: Snapshot) -> Assessment:
    """The alarm asks for its metric in the unit in which that metric is published."""
    return of_each_alarm(snapshot, of_each_metric(_right_unit))


def _right_unit(_: Snapshot, alarm: AlarmDefined, metric: MetricQuery) -> Assessment:
    name = called(alarm, metric)
    if metric.unit is None:
        return ok(f"{name} reads its metric in any unit.")
    named = f"{name} reads {metric.namespace} {metric.metric} only in {metric.unit}"
    published = unit_of(metric.namespace, metric.metric)
    if published is None:
        return note(f"{named}; the unit in which it is published is not known here.")
    if metric.unit != published:
        return error(f"{named}, but it is published in {published}.", "Remove the unit from the alarm.")
    return ok(f"{named}, in which it is published.")


def has_data(snapshot: Snapshot) -> Assessment:
    """The metric of the alarm had datapoints within the last hour."""
    return of_each_alarm(snapshot, of_each_metric(_has_data))


def _has_data(snapshot: Snapshot, alarm: AlarmDefined, metric: MetricQuery) -> Assessment:
    name, unit = called(alarm, metric), f" in {metric.unit}" if metric.unit else ""
    what = f"{name} ({metric.namespace} {metric.metric}{unit} of {_shown(metric)})"
    points = snapshot.lately(alarm, metric)
    if points:
        return ok(f"{name} had {len(points)} datapoints within the last hour, the last {_age(points)}.")
    if _misspells_lambda(metric):
        return error(f"{what} never has data: Lambda writes to {LAMBDA}.", f"Make its namespace {LAMBDA}.")
    if not _comes_with_every_invocation(metric):
        return _without_data(snapshot, what)
    if snapshot.awaits_its_version(metric):
        return note(f"{what} has no datapoint yet: its version is not in service yet.")
    invoked = snapshot.invocations()
    if invoked:
        seen = f"{what} had no datapoint within the last hour, though the function was invoked {invoked:.0f} times."
        return error(seen, "Correct its metric, dimensions and unit." if unit else "Correct its metric and dimensions.")
    seen = f"{what} had no datapoint within the last hour, and the function no invocation."
    return warning(seen, "Send traffic and run doctor again.")


def _comes_with_every_invocation(metric: MetricQuery) -> bool:
    """Whether each invocation would write it; so would it by its word where Lambda has no metric of that name."""
    known = names_in(metric.namespace, metric.dimensions) or frozenset()
    return metric.namespace == LAMBDA and (metric.metric in WITH_EVERY_INVOCATION or metric.metric not in known)


def _misspells_lambda(metric: MetricQuery) -> bool:
    """Whether the namespace is a misspelled AWS/Lambda: only AWS writes to AWS/..., and only Lambda FunctionName.

    CloudWatch distinguishes upper and lower case.
    """
    namespace = str(metric.namespace)
    if namespace == LAMBDA or not namespace.upper().startswith(RESERVED):
        return False
    of_lambda = metric.metric in WITH_EVERY_INVOCATION and "FunctionName" in metric.dimensions
    return namespace.upper() == LAMBDA.upper() or of_lambda


def _without_data(snapshot: Snapshot, what: str) -> Assessment:
    """For a metric that not every invocation writes: requests may reach the function in another way."""
    invoked = snapshot.invocations()
    if not invoked:
        seen = f"{what} had no datapoint within the last hour, and the function no invocation."
        return warning(seen, "Send traffic and run doctor again.")
    seen = (
        f"{what} had no datapoint within the last hour, though the function was invoked {invoked:.0f} times. AWS "
        "writes its request metrics with every request: none came this way, or a name in the alarm is wrong."
    )
    advice = "Correct its namespace, metric and dimensions, unless the metric is written only when something fails."
    return warning(seen, advice)


def _shown(metric: MetricQuery) -> str:
    return ", ".join(f"{name}={value}" for name, value in metric.dimensions.items()) or "all functions"


def _age(points: Sequence[tuple[float, float]]) -> str:
    return f"{max(0.0, -points[-1][0]) / 60:.0f} min ago"
