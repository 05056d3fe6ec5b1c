"""The doctor's questions about alarms in all the forms that teams write them in."""

from typing import Any

import pytest
from msgspec.structs import replace

from harness.core.arming import diagnose
from harness.core.arming.metric_names import API_GATEWAY, LAMBDA, LOAD_BALANCER, meant_by, names_in, unit_of
from harness.core.timeline.events import AlarmDefined, AlarmSeen, MetricQuery
from tests.core.arming.armed import ARMED, AT, ERRORS, GROUP, INVOKED, asked, seeing

OF_EACH_ALARM = (
    *("alarm-metric", "alarm-function", "alarm-resource", "alarm-versions", "alarm-threshold"),
    *("alarm-unit", "alarm-data", "alarm-in-time", "alarm-missing-data"),
)


def query(id_: str, name: str, **changes: Any) -> MetricQuery:
    """A metric of the function that is deployed."""
    own = MetricQuery(
        id=id_,
        metric=name,
        namespace="AWS/Lambda",
        dimensions={"FunctionName": "fn"},
        statistic="Sum",
        period_s=60,
        returned=False,
    )
    return replace(own, **changes)


def math_of(expression: str, *queries: MetricQuery, **changes: Any) -> AlarmDefined:
    """An alarm by metric math, as CloudWatch describes it."""
    whole = (*queries, MetricQuery(id="value", expression=expression))
    bare = {"metric": None, "namespace": None, "dimensions": {}, "statistic": None, "period_s": None}
    return replace(ERRORS, **{**bare, "queries": whole, **changes})


RATE = math_of("100 * e / i", query("e", "Errors"), query("i", "Invocations"), threshold=5.0)
SINGLE = replace(math_of("", query("m1", "Errors", returned=True)), queries=(query("m1", "Errors", returned=True),))
READ = {("errors", id_): ((-120.0, 1.0),) for id_ in ("e", "i", "m1")}


@pytest.mark.parametrize("alarm", [ERRORS, SINGLE, RATE], ids=["flat", "one metric", "math"])
@pytest.mark.parametrize("question", OF_EACH_ALARM)
def test_an_alarm_is_well_in_every_form(alarm: AlarmDefined, question: str) -> None:
    """Nobody reads None where AWS describes the alarm by its Metrics."""
    check = asked(question, seeing(alarm, points=READ))
    assert (check.severity in ("ok", "note"), "None" in check.seen) == (True, False)


@pytest.mark.parametrize(
    ("question", "changes"),
    [
        ("alarm-metric", {"metric": "Error"}),
        ("alarm-function", {"dimensions": {"FunctionName": "other"}}),
        ("alarm-resource", {"dimensions": {"FunctionName": "fn", "Resource": "arn:aws:lambda:::function:fn:Live"}}),
        ("alarm-unit", {"unit": "Seconds"}),
    ],
)
def test_every_metric_of_an_expression_must_be_right(question: str, changes: dict[str, Any]) -> None:
    """The second one is wrong, and named; a sum over several functions, ours among them, may be meant."""
    alarm = math_of("e + f", query("e", "Errors"), query("f", "Errors", **changes))
    check = asked(question, seeing(alarm, points={}))
    assert check.severity == ("warning" if question == "alarm-function" else "error")
    assert f"errors (f: {changes.get('metric', 'Errors')})" in check.seen


def test_a_metric_of_an_expression_without_data_is_named() -> None:
    """The other one has some."""
    points = {("errors", "e"): (), ("errors", "i"): ((-120.0, 5.0),)}
    check = asked("alarm-data", seeing(RATE, points=points))
    assert (check.severity, "errors (e: Errors) (AWS/Lambda Errors of FunctionName=fn) had no" in check.seen) == (
        "error",
        True,
    )


def test_an_alarm_on_a_percentile_of_latency_counts_no_failures() -> None:
    """It is read all the same."""
    slow = replace(ERRORS, metric="Duration", statistic="p99", threshold=500.0)
    check = asked("alarm-threshold", seeing(slow))
    assert (check.severity, check.seen) == ("note", "errors (Duration p99 >= 500 in 60 s, 1 of 1) counts no failures.")
    assert asked("handled-errors", seeing(slow)).severity == "warning"


@pytest.mark.parametrize("period_s", [60, 300])
def test_the_time_of_an_expression_is_that_of_its_metrics(period_s: int) -> None:
    """The alarm itself names no period."""
    slow = math_of("e", query("e", "Errors", period_s=period_s))
    check = asked("alarm-in-time", seeing(slow))
    assert f"may take {period_s + 110} s" in check.seen
    assert check.severity == ("ok" if period_s == 60 else "warning")


def test_a_period_shorter_than_the_minute_of_aws_metrics_is_told() -> None:
    """CloudWatch's documentation of PutMetricAlarm: such an alarm often lapses into INSUFFICIENT_DATA."""
    check = asked("alarm-in-time", seeing(replace(ERRORS, period_s=10)))
    assert (check.severity, "once a minute" in check.seen) == ("warning", True)


@pytest.mark.parametrize(("periods", "severity"), [(1, "warning"), (2, "error")])
def test_a_long_period_is_late_for_few_failures_and_two_for_any(periods: int, severity: str) -> None:
    """A period of five minutes ends each minute, so that one minute of many failures is enough for the last one."""
    long = replace(ERRORS, period_s=300, evaluation_periods=periods, datapoints=periods)
    assert asked("alarm-in-time", seeing(long)).severity == severity


@pytest.mark.parametrize(
    ("dimensions", "severity"),
    [
        ({"FunctionName": "fn"}, "warning"),
        ({"FunctionName": "fn", "Resource": "fn:Live", "ExecutedVersion": "2"}, "error"),
    ],
)
def test_an_alarm_of_one_version_must_not_take_silence_for_failures(dimensions: dict[str, str], severity: str) -> None:
    """Between two deployments nobody sends to it: this alarm alone would stop each deployment at its start."""
    silent = replace(ERRORS, name="silent", dimensions=dimensions, missing="breaching")
    group = replace(GROUP, alarms=("errors", "silent"))
    assert asked("alarm-missing-data", seeing(group, ERRORS, silent)).severity == severity


UNJUDGED = {
    "an anomaly band": replace(ERRORS, comparison="GreaterThanUpperThreshold", threshold=None, band="band"),
    "Metrics Insights": replace(RATE, queries=(), unlike="a query of Metrics Insights"),
    "a log alarm": replace(RATE, queries=(), unlike="an alarm on logs"),
    "another account": math_of("e", query("e", "Errors", account="123456789012")),
    "no metric math": math_of("e +* i", query("e", "Errors"), query("i", "Invocations")),
    "a function that is not computed": math_of("SEARCH('x', 'Sum')", query("e", "Errors")),
    "a metric of the team's own": replace(ERRORS, namespace="Shop", metric="Failures"),
    "failures and latency together": math_of("IF(d > 500, e, 0)", query("e", "Errors"), query("d", "Duration")),
    "a percentile of failures": replace(ERRORS, statistic="p99"),
    "a metric of failures that is not understood": replace(ERRORS, metric="DestinationDeliveryFailures"),
}


@pytest.mark.parametrize("name", UNJUDGED)
def test_what_cannot_be_judged_is_named_and_never_armed(name: str) -> None:
    """Exit code 4 at the best, with the reason; no fault request goes there."""
    points = {**READ, ("errors", "d"): ((-120.0, 1.0),)}
    diagnosis = diagnose(seeing(UNJUDGED[name], points=points))
    check = next(check for check in diagnosis.checks if check.id == "alarm-threshold")
    assert check.severity == "unknown"
    assert check.seen.startswith("errors is not judged: ")
    assert diagnosis.exit_code in (3, 4)
    assert not [check.seen for check in diagnosis.checks if "None" in check.seen]


def test_an_alarm_that_is_not_judged_takes_nothing_from_a_good_one() -> None:
    """It is a note then."""
    band = replace(UNJUDGED["an anomaly band"], name="band")
    states = (AlarmSeen(**AT, name="errors", state="OK"), AlarmSeen(**AT, name="band", state="OK"))
    points = {**ARMED.points, ("band", "m1"): ((-120.0, 0.0),)}
    snapshot = seeing(ERRORS, band, *states, points=points)
    check = asked("alarm-threshold", snapshot)
    assert (check.severity, "band is not judged" in check.seen, "errors goes to ALARM" in check.seen) == (
        "note",
        True,
        True,
    )
    assert diagnose(snapshot).exit_code == 0


def test_two_alarms_that_are_each_wrong_guard_nothing() -> None:
    """One is on another function, the other one comes too late: no question finds both wrong."""
    stray = replace(ERRORS, name="stray", dimensions={"FunctionName": "other"})
    late = replace(ERRORS, name="late", evaluation_periods=9, datapoints=9)
    points = {(name, "m1"): ((-120.0, 0.0),) for name in ("errors", "stray", "late")}
    states = tuple(AlarmSeen(**AT, name=name, state="OK") for name in ("errors", "stray", "late"))
    group = replace(GROUP, alarms=("errors", "stray", "late"))
    assert asked("alarm-sound", seeing(group, stray, late, *states, points=points)).severity == "error"
    assert asked("alarm-sound", seeing(group, ERRORS, stray, late, *states, points=points)).severity == "ok"


SLOW = replace(ERRORS, name="slow", metric="Duration", statistic="p99", threshold=1500.0)
BY_ARN = replace(ERRORS, name="by-arn", dimensions={"FunctionName": "fn", "Resource": "arn:aws:lambda:::function:fn"})
OF_OURS = replace(ERRORS, name="of-ours", namespace="Shop", metric="FailedBaskets")


@pytest.mark.parametrize(
    ("changes", "question", "severity", "says"),
    [
        ({"namespace": "Shop"}, "alarm-threshold", "unknown", "its metric Shop Errors is none that answers tell of"),
        ({"namespace": "Shop"}, "handled-errors", "unknown", "its metric Shop Errors is none that answers tell of"),
        ({"namespace": "Shop"}, "alarm-versions", "note", "of which function and version is not judged"),
        ({"metric": "Throttles"}, "handled-errors", "warning", "No alarm of the group counts an exception"),
        ({"namespace": None}, "alarm-metric", "error", "of no namespace"),
        ({"namespace": "AWS/lambda"}, "alarm-metric", "error", "Lambda writes to AWS/Lambda alone"),
        ({"datapoints": 3, "evaluation_periods": 2}, "alarm-threshold", "error", "asks for 3 of 2 datapoints"),
        (
            {"namespace": "AWS/ApiGateway", "metric": "4xx", "dimensions": {"ApiName": "shop"}},
            "alarm-metric",
            "error",
            "4XXError is meant, or an HTTP API",
        ),
        (
            {"namespace": "AWS/SQS", "metric": "ApproximateNumberOfMessageVisible", "dimensions": {"QueueName": "q"}},
            "alarm-metric",
            "error",
            "ApproximateNumberOfMessagesVisible is meant",
        ),
        ({"metric": "Url5xxCount"}, "alarm-threshold", "ok", "goes to ALARM at Url5xxCount Sum >= 3"),
    ],
)
def test_no_alarm_is_taken_for_another(changes: dict[str, Any], question: str, severity: str, says: str) -> None:
    """A team's own Errors is not Lambda's, and what CloudWatch refuses guards nothing."""
    check = asked(question, seeing(replace(ERRORS, **changes), points={("errors", "m1"): ()}, fault=None))
    assert (check.severity, says in check.seen) == (severity, True), check.seen


@pytest.mark.parametrize(
    ("guards", "severity", "names"),
    [
        ((BY_ARN, SLOW), "error", "by-arn; slow counts none"),
        ((BY_ARN, OF_OURS), "unknown", "of-ours is not judged, and there is an error in by-arn"),
        ((BY_ARN, OF_OURS, SLOW), "unknown", "of-ours is not judged, and there is an error in by-arn"),
        ((ERRORS, BY_ARN, OF_OURS, SLOW), "ok", "errors"),
    ],
)
def test_an_alarm_on_latency_stands_in_for_none_that_counts_failures(
    guards: tuple[AlarmDefined, ...], severity: str, names: str
) -> None:
    """A group is not armed by what is well in one alarm here and in another one there."""
    group = replace(GROUP, alarms=tuple(alarm.name for alarm in guards))
    points = {(alarm.name, "m1"): ((-120.0, 1.0),) for alarm in guards}
    states = (AlarmSeen(**AT, name=alarm.name, state="OK") for alarm in guards)
    check = asked("alarm-sound", seeing(group, *guards, *states, points=points))
    assert (check.severity, names in check.seen) == (severity, True), check.seen


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({"threshold": 0.0}, "error"),
        ({"threshold": 100_000.0, "statistic": "Average"}, "error"),
        ({"comparison": "LessThanThreshold"}, "error"),
        ({"statistic": "SampleCount"}, "error"),
        ({"threshold": 100_000.0}, "ok"),
    ],
)
def test_an_alarm_must_be_able_to_breach_by_failures_alone(changes: dict[str, Any], severity: str) -> None:
    """Whatever the traffic is."""
    assert asked("alarm-threshold", seeing(replace(ERRORS, **changes))).severity == severity


def test_a_rate_that_never_reaches_its_threshold_is_an_error() -> None:
    """No more than all requests can fail."""
    never = replace(RATE, threshold=100.0, comparison="GreaterThanThreshold")
    assert asked("alarm-threshold", seeing(never)).severity == "error"


# Names of metrics


@pytest.mark.parametrize(
    ("namespace", "dimension", "metric", "meant"),
    [
        (LAMBDA, "FunctionName", "Error", "Errors"),
        (LAMBDA, "FunctionName", "errors", "Errors"),
        (LAMBDA, "FunctionName", "Throttle", "Throttles"),
        (LAMBDA, "FunctionName", "Invocation", "Invocations"),
        (API_GATEWAY, "ApiName", "5xx", "5XXError"),
        (API_GATEWAY, "ApiName", "5XXErrors", "5XXError"),
        (API_GATEWAY, "ApiId", "5XXError", "5xx"),
        (LOAD_BALANCER, "LoadBalancer", "HTTPCode_Target_5xx_Count", "HTTPCode_Target_5XX_Count"),
    ],
)
def test_a_misspelled_metric_is_an_error_that_names_the_right_one(
    namespace: str, dimension: str, metric: str, meant: str
) -> None:
    """CloudWatch takes any name, and distinguishes upper and lower case."""
    alarm = replace(ERRORS, namespace=namespace, metric=metric, dimensions={dimension: "fn"})
    check = asked("alarm-metric", seeing(alarm, points={}))
    assert (check.severity, f"has no metric {metric}, {meant} is meant" in check.seen) == ("error", True)


@pytest.mark.parametrize(
    ("namespace", "metric", "severity"),
    [
        (LAMBDA, "DeadLetterErrors", "ok"),
        (LAMBDA, "ConcurrentExecutions", "ok"),
        (LAMBDA, "Zebras", "warning"),
        (API_GATEWAY, "IntegrationLatency", "ok"),
        ("Shop", "Error", "note"),
    ],
)
def test_a_name_is_held_against_what_its_namespace_has(namespace: str, metric: str, severity: str) -> None:
    """A name like none that is known may be newer than the table; a team's own namespace has any."""
    alarm = replace(ERRORS, namespace=namespace, metric=metric)
    assert asked("alarm-metric", seeing(alarm, points={})).severity == severity


def test_a_metric_that_has_data_is_there() -> None:
    """Whatever the table says."""
    alarm = replace(ERRORS, metric="Error")
    assert asked("alarm-metric", seeing(alarm, points={("errors", "m1"): ((-120.0, 1.0),)})).severity == "ok"


def test_every_known_name_means_itself() -> None:
    """In each namespace."""
    for place in ((LAMBDA, ()), (API_GATEWAY, ("ApiName",)), (API_GATEWAY, ("ApiId",)), (LOAD_BALANCER, ())):
        known = names_in(*place)
        assert known
        assert {name: meant_by(name, known) for name in known} == {name: name for name in known}
    assert names_in("Shop", ()) is None


def test_units_are_those_of_aws() -> None:
    """A team's own metric may have any."""
    assert [unit_of(LAMBDA, "Errors"), unit_of(LAMBDA, "Duration"), unit_of(LOAD_BALANCER, "TargetResponseTime")] == [
        "Count",
        "Milliseconds",
        "Seconds",
    ]
    assert unit_of("Shop", "Errors") is None


# Rates


@pytest.mark.parametrize(
    ("requests", "severity", "told"),
    [(4.0, "warning", "1 failure is enough"), (40.0, "warning", "2 failures are enough"), (400.0, "ok", "takes 20")],
)
def test_a_rate_that_a_handful_of_requests_moves_is_told_with_the_number(
    requests: float, severity: str, told: str
) -> None:
    """At the traffic of the last hour."""
    minutes = tuple((-60.0 * minute, requests) for minute in range(5, 60))
    points = {("errors", "e"): (), ("errors", "i"): minutes}
    check = asked("few-failures", seeing(RATE, points=points))
    assert (check.severity, told in check.seen) == (severity, True)


def test_a_rate_without_any_traffic_is_not_judged() -> None:
    """It is no reason to call it well."""
    idle = {("errors", "e"): (), ("errors", "i"): ()}
    assert asked("few-failures", seeing(RATE, points=idle)).severity == "note"


def test_a_rate_that_asks_for_more_requests_than_come_is_told() -> None:
    """It never goes to ALARM then."""
    asking = math_of("IF(i > 100, 100 * e / i, 0)", query("e", "Errors"), query("i", "Invocations"), threshold=5.0)
    minutes = tuple((-60.0 * minute, 10.0) for minute in range(5, 60))
    points = {("errors", "e"): (), ("errors", "i"): minutes}
    check = asked("few-failures", seeing(asking, points=points))
    assert (check.severity, "no number of failures" in check.seen) == ("warning", True)


def test_an_average_is_a_rate_of_the_function_s_invocations() -> None:
    """Its alarm reads no metric of requests."""
    minutes = tuple((-60.0 * minute, 4.0) for minute in range(5, 60))
    average = replace(ERRORS, statistic="Average", threshold=0.25)
    check = asked("few-failures", seeing(average, replace(INVOKED, points=minutes)))
    assert (check.severity, "At 4 requests in 60 s" in check.seen) == ("warning", True)
