"""What the plugins of the Serverless Framework do that a reader of the file would not guess, each with its answer."""

import pytest

from harness.core.timeline.alarm_rules import metrics_of
from harness.core.timeline.events import AlarmDefined
from tests.templates.conftest import Read, asked, examined, told, why

ALARMS = "      alarms:\n        - ApiCanaryAlarm\n"

SETTINGS = "      type: Canary10Percent5Minutes\n      alias: Live\n"
PLUGIN = "serverless-plugin-canary-deployments]"
FORK = (PLUGIN, "'@flagsmith/serverless-plugin-canary-deployments']")


def custom(text: str) -> tuple[str, str]:
    """The change that adds settings of all functions."""
    return "custom:\n", f"custom:\n  deploymentSettings: {text}\n"


# serverless-plugin-canary-deployments


def test_names_are_those_of_the_plugin(read: Read) -> None:
    """As a service of one public workshop has them; the application's name is made up by CloudFormation."""
    (one,) = read(
        ("service: shop", "service: better-apis-demo"),
        ("stage: prod", "stage: shared"),
        ("  api:", "  FakeUser:"),
        ("- ApiCanaryAlarm", "- FakeUserCanaryAlarm"),
    ).released
    assert one.group is not None
    assert (one.application, one.group.value, one.function) == (
        "${BetterapisdemosharedDeploymentApplication}",
        "better-apis-demo-shared-FakeUserLambdaFunctionDeploymentGroup",
        "better-apis-demo-shared-FakeUser",
    )


def test_settings_of_all_are_replaced_key_by_key(read: Read) -> None:
    """A list of a function's own is not joined with that of all."""
    general = custom("{type: Linear10PercentEvery1Minute, alias: Other, alarms: [{name: of-all}]}")
    (kept,) = read(general, ("      type: Canary10Percent5Minutes\n", ""), (ALARMS, "")).released
    (own,) = read(general).released
    assert (kept.config.value, kept.alias.value) == ("CodeDeployDefault.LambdaLinear10PercentEvery1Minute", "Live")
    assert [fact.value for fact in kept.alarms] == ["of-all"]
    assert [fact.value for fact in own.alarms] == ["${ApiCanaryAlarm}"]


@pytest.mark.parametrize("stages", ["", "[]", "[dev, prod]"])
def test_no_stages_are_all_stages(read: Read, stages: str) -> None:
    """An empty list gates nothing."""
    assert len(read(custom(f"{{stages: {stages}}}")).released) == 1


def test_a_configuration_of_the_team_is_impossible(read: Read) -> None:
    """The plugin writes CodeDeployDefault.Lambda before whatever is given, and CodeDeploy has none of that name."""
    check = asked(examined(read(("Canary10Percent5Minutes", "Canary5Percent7Minutes"))), "config-exists")
    assert check.severity == "error"
    assert "CodeDeployDefault.LambdaCanary5Percent7Minutes" in check.seen


def test_hooks_need_their_own_permission_beside_roles_per_function(read: Read) -> None:
    """The canary plugin allows the report in the default role alone."""
    hooks = [(SETTINGS, f"{SETTINGS}      preTrafficHook: pre\n"), ("functions:", "functions:\n  pre: {handler: x.y}")]
    roles = (PLUGIN, "serverless-plugin-canary-deployments, serverless-iam-roles-per-function]")
    assert "PutLifecycleEventHookExecutionStatus" in why(examined(read(*hooks, roles)), "hooks").advice
    assert "hooks" not in told(examined(read(*hooks)))


# Flagsmith's fork


def of_the_fork(read: Read, canary: str) -> AlarmDefined:
    """The alarm that Flagsmith's fork makes of one of the canaryAlarms."""
    release = read(FORK, (ALARMS, f"      canaryAlarms:\n        - {canary}\n"))
    (alarm,) = [alarm for alarm in release.alarms if alarm.logical.startswith("ApiLambdaFunctionCanary")]
    return alarm.defined


def test_the_preset_of_the_fork_bears_a_thousand_errors(read: Read) -> None:
    """Unless the file says less; missing data is good, and the version stands in the alarm's name."""
    alarm = of_the_fork(read, "{preset: errors}")
    assert (alarm.threshold, alarm.comparison, alarm.missing) == (1000, "GreaterThanThreshold", "notBreaching")
    assert alarm.name == "shop-prod-api-canary-errors-v${ApiLambdaVersion.Version}"


def test_a_metric_of_the_fork_is_read_on_the_new_version(read: Read) -> None:
    """Whatever the metric, with the numbers of the file."""
    alarm = of_the_fork(read, "{metric: Throttles, threshold: 2, statistic: Maximum, period: 120}")
    assert (alarm.metric, alarm.statistic, alarm.period_s, alarm.threshold) == ("Throttles", "Maximum", 120, 2)
    assert {*alarm.dimensions} == {"FunctionName", "Resource", "ExecutedVersion"}


def test_an_expression_of_the_fork_is_read_on_the_new_version(read: Read) -> None:
    """Each of its metrics."""
    parts = "[{id: e, metric: Errors, statistic: Sum}, {id: i, metric: Invocations, statistic: Sum}]"
    alarm = of_the_fork(read, f"{{name: errorRate, threshold: 5, expression: e / i * 100, metrics: {parts}}}")
    assert [metric.metric for metric in metrics_of(alarm)] == ["Errors", "Invocations"]
    assert all("ExecutedVersion" in metric.dimensions for metric in metrics_of(alarm))
    assert [query.expression for query in alarm.queries if query.expression] == ["e / i * 100"]


# serverless-plugin-aws-alerts


def of_the_alerts(read: Read, *changes: tuple[str, str]) -> dict[str, AlarmDefined]:
    """The alarms of a file, by logical id."""
    return {alarm.logical: alarm.defined for alarm in read(*changes).alarms}


def test_an_alarm_counts_all_versions_unless_it_is_told_otherwise(read: Read) -> None:
    """The plugin appends the function, and drops a function that the file names."""
    dimensions = "dimensions: [{Name: FunctionName, Value: mine}, {Name: Resource, Value: 'shop-prod-api:Live'}]"
    named = ("        threshold: 3\n", f"        threshold: 3\n        {dimensions}\n")
    without = (named[0], f"{named[1]}        omitDefaultDimension: true\n")
    assert of_the_alerts(read)["ApiCanaryAlarm"].dimensions == {"FunctionName": "shop-prod-api"}
    both = of_the_alerts(read, named)["ApiCanaryAlarm"].dimensions
    assert both == {"Resource": "shop-prod-api:Live", "FunctionName": "shop-prod-api"}
    assert of_the_alerts(read, without)["ApiCanaryAlarm"].dimensions["FunctionName"] == "mine"
    assert "all versions" in asked(examined(read()), "alarm-versions").seen


def test_what_an_alarm_leaves_out_has_the_plugin_s_default(read: Read) -> None:
    """Missing data keeps the state; a statistic that CloudWatch has no word for is a percentile."""
    alarm = of_the_alerts(read, ("        treatMissingData: notBreaching\n", ""))["ApiCanaryAlarm"]
    assert alarm.missing == "missing"
    assert of_the_alerts(read, ("statistic: Sum", "statistic: p99"))["ApiCanaryAlarm"].statistic == "p99"


@pytest.mark.parametrize(
    ("name", "metric", "threshold"),
    [("Errors", "Errors", 1), ("Throttles", "Throttles", 1), ("Invocations", "Invocations", 100)],
)
def test_the_plugin_s_own_definitions_are_known(read: Read, name: str, metric: str, threshold: int) -> None:
    """As are the three places that name alarms of all functions."""
    for place in ("alarms", "global", "function"):
        alarms = of_the_alerts(read, ("alerts: {}", f"alerts: {{{place}: [function{name}]}}"))
        alarm = alarms[f"ApiFunction{name}Alarm"]
        assert (alarm.metric, alarm.statistic, alarm.period_s, alarm.threshold) == (metric, "Sum", 60, threshold)


def test_an_alarm_is_laid_over_the_definition_of_its_name(read: Read) -> None:
    """What it says goes first, and the definition says the rest."""
    defined = (
        "alerts: {}",
        "alerts: {definitions: {Canary: {threshold: 9, datapointsToAlarm: 2, evaluationPeriods: 3}}}",
    )
    alarm = of_the_alerts(read, defined)["ApiCanaryAlarm"]
    assert (alarm.threshold, alarm.evaluation_periods, alarm.datapoints) == (3, 1, 2)


def test_logical_ids_have_words_for_dashes(read: Read) -> None:
    """Of the function's key, and of the alarm's name."""
    named = (("  api:", "  api-one_x:"), ("name: Canary", "name: my-check"), (ALARMS, ""))
    assert [*of_the_alerts(read, *named)] == ["ApiDashoneUnderscorexMyDashcheckAlarm"]


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("stages: [dev]", "none of its stages"),
        ("stages: []", "none of its stages"),
        ("externalStack: {}", "another stack"),
    ],
)
def test_alarms_elsewhere_are_no_alarms_here(read: Read, says: str, words: str) -> None:
    """In a stage that the plugin leaves alone, and in another stack, a group cannot refer to them."""
    release = read(("alerts: {}", f"alerts: {{{says}}}"), (ALARMS, ""))
    assert release.alarms == ()
    assert words in why(examined(release), "alarm-exists").seen
