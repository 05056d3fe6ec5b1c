"""The table of what is read, cell by cell: each fact of a release in each shape of template, changed and read again."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.core.timeline.alarm_rules import metrics_of
from harness.templates import read_release
from harness.templates.release import ReleasedFunction, TemplateRelease
from tests.templates.conftest import PLAIN, SAM, SERVERLESS
from tests.templates.test_terraform import HCL

README = Path(__file__).parents[2] / "harness" / "templates" / "README.md"
SHAPES = {
    "SAM": ("template.yaml", SAM),
    "CloudFormation": ("template.json", PLAIN),
    "`serverless.yml`": ("serverless.yml", SERVERLESS),
    "Terraform": ("main.tf", HCL),
}
ALL = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]

Change = tuple[str, str]
Cell = tuple[Sequence[Change], Any]


def alias_of(_: TemplateRelease, one: ReleasedFunction) -> Any:
    """The function and its alias."""
    return one.function, one.alias.value


def group_of(_: TemplateRelease, one: ReleasedFunction) -> Any:
    """The deployment group's name."""
    return one.group and one.group.value


def shift_of(release: TemplateRelease, one: ReleasedFunction) -> Any:
    """The configuration, with step and interval where it is the team's own."""
    own = release.configs.get(one.config.value)
    return (one.config.value, own.kind, own.step, own.interval_s) if own else one.config.value


def alarms_of(_: TemplateRelease, one: ReleasedFunction) -> Any:
    """The names of the group's alarms; None where they are switched off."""
    return [fact.value for fact in one.alarms] if one.alarms_enabled else None


def events_of(_: TemplateRelease, one: ReleasedFunction) -> Any:
    """What the group rolls back on."""
    return sorted(one.rollback_events)


def hooks_of(_: TemplateRelease, one: ReleasedFunction) -> Any:
    """Functions by event."""
    return {event: fact.value for event, fact in one.hooks.items()}


def rules_of(release: TemplateRelease, _: ReleasedFunction) -> Any:
    """What each alarm reads and compares; of a composite its rule."""
    return {
        alarm.logical: alarm.defined.rule
        or (
            [(metric.namespace, metric.metric, sorted(metric.dimensions)) for metric in metrics_of(alarm.defined)],
            alarm.defined.threshold,
        )
        for alarm in release.alarms
    }


FACTS: Mapping[str, Callable[[TemplateRelease, ReleasedFunction], Any]] = {
    "function and alias": alias_of,
    "group": group_of,
    "how traffic shifts": shift_of,
    "alarms": alarms_of,
    "rollback events": events_of,
    "hooks": hooks_of,
    "alarms' definitions": rules_of,
}
ERRORS = ("AWS/Lambda", "Errors", ["FunctionName", "Resource"])
OWN_CONFIG = (
    "  Slow:\n    Type: AWS::CodeDeploy::DeploymentConfig\n    Properties:\n      DeploymentConfigName: slow\n"
    "      TrafficRoutingConfig: {Type: TimeBasedLinear, TimeBasedLinear: {LinearPercentage: 20, LinearInterval: 2}}\n"
)
PLAIN_CONFIG = (
    '"Slow": {"Type": "AWS::CodeDeploy::DeploymentConfig", "Properties": {"DeploymentConfigName": "slow", '
    '"TrafficRoutingConfig": {"Type": "TimeBasedCanary", '
    '"TimeBasedCanary": {"CanaryPercentage": 5, "CanaryInterval": 45}}}},\n  "App":'
)
MATH = (
    "  Rate:\n    Type: AWS::CloudWatch::Alarm\n    Properties:\n      Threshold: 5\n      EvaluationPeriods: 1\n"
    "      ComparisonOperator: GreaterThanThreshold\n      Metrics:\n"
    "        - {Id: e, ReturnData: false, MetricStat: {Period: 60, Stat: Sum, Metric: "
    "{Namespace: AWS/Lambda, MetricName: Errors, Dimensions: [{Name: FunctionName, Value: !Ref Api}]}}}\n"
    "        - {Id: p, ReturnData: false, MetricStat: {Period: 60, Stat: p99, Metric: "
    "{Namespace: Shop, MetricName: Baskets}}}\n"
    "        - {Id: r, Expression: e / p}\n"
)
BAND = (
    "  Band:\n    Type: AWS::CloudWatch::Alarm\n    Properties:\n      ThresholdMetricId: b\n"
    "      EvaluationPeriods: 1\n      ComparisonOperator: GreaterThanUpperThreshold\n      Metrics:\n"
    "        - {Id: e, MetricStat: {Period: 60, Stat: Sum, Metric: {Namespace: AWS/Lambda, MetricName: Errors}}}\n"
    "        - {Id: b, Expression: 'ANOMALY_DETECTION_BAND(e, 2)'}\n"
)
ANY = "  Any:\n    Type: AWS::CloudWatch::CompositeAlarm\n    Properties: {AlarmRule: !Sub 'ALARM(${ApiErrors})'}\n"
PLAIN_ANY = (
    '"Any": {"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": '
    '{"AlarmRule": {"Fn::Join": ["", ["ALARM(", {"Ref": "Errors"}, ")"]]}}},\n  "App":'
)
TERRAFORM_ANY = (
    'resource "aws_cloudwatch_composite_alarm" "any" {\n  alarm_name = "any"\n'
    '  alarm_rule = "ALARM(${aws_cloudwatch_metric_alarm.errors.alarm_name})"\n}\nresource "aws_codedeploy_app" "a"'
)
OWN = "    deploymentSettings:\n      type: Canary10Percent5Minutes\n"
LAST = "      TreatMissingData: notBreaching\n"
FORK = "'@flagsmith/serverless-plugin-canary-deployments']"
CELLS: Mapping[tuple[str, str], Sequence[Cell]] = {
    ("SAM", "function and alias"): [
        ([], ("${Api}", "live")),
        (
            [("      CodeUri", "      AutoPublishAlias: prod\n      FunctionName: shop\n      CodeUri")],
            ("shop", "prod"),
        ),
    ],
    ("SAM", "group"): [([], "${ApiDeploymentGroup}")],
    ("SAM", "how traffic shifts"): [
        ([], "CodeDeployDefault.LambdaCanary10Percent5Minutes"),
        (
            [("Type: Canary10Percent5Minutes", "Type: !Ref Slow"), ("Resources:\n", f"Resources:\n{OWN_CONFIG}")],
            ("slow", "linear", 0.2, 120.0),
        ),
    ],
    ("SAM", "alarms"): [
        ([], ["${ApiErrors}"]),
        ([("- !Ref ApiErrors", "- shop-errors")], ["shop-errors"]),
        (
            [
                ("    AutoPublishAlias", "    DeploymentPreference: {Alarms: [of-all]}\n    AutoPublishAlias"),
            ],
            ["of-all", "${ApiErrors}"],
        ),
    ],
    ("SAM", "rollback events"): [([], ALL)],
    ("SAM", "hooks"): [
        (
            [("        Alarms:", "        Hooks: {PreTraffic: !Ref ApiErrors, PostTraffic: after}\n        Alarms:")],
            {"BeforeAllowTraffic": "${ApiErrors}", "AfterAllowTraffic": "after"},
        )
    ],
    ("SAM", "alarms' definitions"): [
        ([], {"ApiErrors": ([ERRORS], 3)}),
        ([("Statistic: Sum", "ExtendedStatistic: p99")], {"ApiErrors": ([ERRORS], 3)}),
        ([(LAST, LAST + ANY)], {"ApiErrors": ([ERRORS], 3), "Any": "ALARM(${ApiErrors})"}),
        (
            [(LAST, LAST + MATH)],
            {
                "ApiErrors": ([ERRORS], 3),
                "Rate": ([("AWS/Lambda", "Errors", ["FunctionName"]), ("Shop", "Baskets", [])], 5),
            },
        ),
        ([(LAST, LAST + BAND)], {"ApiErrors": ([ERRORS], 3), "Band": ([("AWS/Lambda", "Errors", [])], None)}),
    ],
    ("CloudFormation", "function and alias"): [
        ([], ("${Fn}", "live")),
        ([('"Runtime"', '"FunctionName": "shop", "Runtime"'), ('"Name": "live"', '"Name": "prod"')], ("shop", "prod")),
    ],
    ("CloudFormation", "group"): [
        ([], "${Group}"),
        ([('"ApplicationName": {"Ref": "App"},\n    "Dep', '"DeploymentGroupName": "g",\n    "Dep')], "g"),
    ],
    ("CloudFormation", "how traffic shifts"): [
        ([], "CodeDeployDefault.LambdaLinear10PercentEvery1Minute"),
        (
            [('"CodeDeployDefault.LambdaLinear10PercentEvery1Minute"', '{"Ref": "Slow"}'), ('"App":', PLAIN_CONFIG)],
            ("slow", "canary", 0.05, 2700.0),
        ),
    ],
    ("CloudFormation", "alarms"): [
        ([], ["${Errors}"]),
        ([('}], "Enabled": true', '}], "Enabled": false')], None),
        ([('[{"Name": {"Ref": "Errors"}}]', '[{"Name": {"Ref": "Errors"}}, {"Name": "x"}]')], ["${Errors}", "x"]),
    ],
    ("CloudFormation", "rollback events"): [
        ([], ALL[:2]),
        ([('["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]', '["DEPLOYMENT_STOP_ON_REQUEST"]')], ALL[2:]),
        ([('"AutoRollbackConfiguration": {"Enabled": true', '"AutoRollbackConfiguration": {"Enabled": false')], []),
    ],
    ("CloudFormation", "hooks"): [
        ([], {}),
        (
            [
                (
                    '"DeploymentGroupName": {"Ref": "Group"}',
                    '"DeploymentGroupName": {"Ref": "Group"}, "BeforeAllowTrafficHook": {"Ref": "Fn"}, '
                    '"AfterAllowTrafficHook": "after"',
                )
            ],
            {"BeforeAllowTraffic": "${Fn}", "AfterAllowTraffic": "after"},
        ),
    ],
    ("CloudFormation", "alarms' definitions"): [
        ([], {"Errors": ([("AWS/Lambda", "Errors", ["ExecutedVersion", "FunctionName", "Resource"])], 1)}),
        (
            [('"App":', PLAIN_ANY)],
            {
                "Errors": ([("AWS/Lambda", "Errors", ["ExecutedVersion", "FunctionName", "Resource"])], 1),
                "Any": "ALARM(${Errors})",
            },
        ),
    ],
    ("`serverless.yml`", "function and alias"): [
        ([], ("shop-prod-api", "Live")),
        ([("    handler", "    name: own\n    handler"), ("alias: Live", "alias: x")], ("own", "x")),
    ],
    ("`serverless.yml`", "group"): [
        ([], "shop-prod-ApiLambdaFunctionDeploymentGroup"),
        ([("  stage: prod", "  stage: prod\n  stackName: s")], "s-ApiLambdaFunctionDeploymentGroup"),
    ],
    ("`serverless.yml`", "how traffic shifts"): [
        ([], "CodeDeployDefault.LambdaCanary10Percent5Minutes"),
        (
            [
                (OWN, "    deploymentSettings:\n"),
                ("custom:\n", "custom:\n  deploymentSettings: {type: AllAtOnce, alias: x}\n"),
            ],
            "CodeDeployDefault.LambdaAllAtOnce",
        ),
    ],
    ("`serverless.yml`", "alarms"): [
        ([], ["${ApiCanaryAlarm}"]),
        ([("        - ApiCanaryAlarm", "        - ApiCanaryAlarm\n        - name: x")], ["${ApiCanaryAlarm}", "x"]),
        (
            [
                ("serverless-plugin-canary-deployments]", FORK),
                ("      alias: Live\n", "      alias: Live\n      canaryAlarms: [{preset: errors}]\n"),
            ],
            ["${ApiCanaryAlarm}", "shop-prod-canary-composite"],
        ),
    ],
    ("`serverless.yml`", "rollback events"): [([], ALL)],
    ("`serverless.yml`", "hooks"): [
        (
            [
                ("functions:\n", "functions:\n  pre: {handler: x.y}\n  post: {handler: x.y, name: after}\n"),
                ("      alias: Live\n", "      alias: Live\n      preTrafficHook: pre\n      postTrafficHook: post\n"),
            ],
            {"BeforeAllowTraffic": "shop-prod-pre", "AfterAllowTraffic": "after"},
        )
    ],
    ("`serverless.yml`", "alarms' definitions"): [
        ([], {"ApiCanaryAlarm": ([("AWS/Lambda", "Errors", ["FunctionName"])], 3)}),
        (
            [("alerts: {}", "alerts: {alarms: [functionDuration]}")],
            {
                "ApiCanaryAlarm": ([("AWS/Lambda", "Errors", ["FunctionName"])], 3),
                "ApiFunctionDurationAlarm": ([("AWS/Lambda", "Duration", ["FunctionName"])], 500),
            },
        ),
        (
            [
                (
                    "functions:\n",
                    "resources:\n  Resources:\n    Own:\n      Type: AWS::CloudWatch::Alarm\n      Properties: "
                    "{Namespace: Shop, MetricName: Baskets, Threshold: 9}\nfunctions:\n",
                )
            ],
            {
                "ApiCanaryAlarm": ([("AWS/Lambda", "Errors", ["FunctionName"])], 3),
                "Own": ([("Shop", "Baskets", [])], 9),
            },
        ),
    ],
    ("Terraform", "function and alias"): [
        ([], ("shop-prod", "live")),
        ([('"shop-${var.stage}"', '"own"'), ('             = "live"', ' = "x"')], ("own", "x")),
    ],
    ("Terraform", "group"): [([], "shop"), ([('group_name  = "shop"', 'group_name  = "g-${var.stage}"')], "g-prod")],
    ("Terraform", "how traffic shifts"): [
        ([], ("Canary10Percent7Minutes", "canary", 0.1, 420.0)),
        (
            [("aws_codedeploy_deployment_config.slow.id", '"CodeDeployDefault.LambdaAllAtOnce"')],
            "CodeDeployDefault.LambdaAllAtOnce",
        ),
    ],
    ("Terraform", "alarms"): [
        ([], ["shop-prod-errors"]),
        ([("errors.alarm_name]\n    enabled = true", "errors.alarm_name]")], None),
        ([("errors.alarm_name]", 'errors.alarm_name, "x"]')], ["shop-prod-errors", "x"]),
    ],
    ("Terraform", "rollback events"): [
        ([], ALL[:2]),
        ([('["DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_FAILURE"]', '["DEPLOYMENT_STOP_ON_REQUEST"]')], ALL[2:]),
    ],
    ("Terraform", "hooks"): [([], {})],
    ("Terraform", "alarms' definitions"): [
        (
            [],
            {
                "aws_cloudwatch_metric_alarm.errors": (
                    [("AWS/Lambda", "Errors", ["ExecutedVersion", "FunctionName", "Resource"])],
                    3,
                )
            },
        ),
        (
            [('resource "aws_codedeploy_app" "a"', TERRAFORM_ANY)],
            {
                "aws_cloudwatch_metric_alarm.errors": (
                    [("AWS/Lambda", "Errors", ["ExecutedVersion", "FunctionName", "Resource"])],
                    3,
                ),
                "aws_cloudwatch_composite_alarm.any": "ALARM(shop-prod-errors)",
            },
        ),
    ],
}


def test_each_cell_of_the_readme_is_tried() -> None:
    """A row or column that is added there needs its test here."""
    table = README.read_text().partition("## What is read\n")[2].partition("\n\nTerraform's files")[0]
    head, _, *rows = [[word.strip() for word in line.split("|")[1:-1]] for line in table.split("\n") if "|" in line]
    shapes = [next(shape for shape in SHAPES if word.startswith(shape)) for word in head[1:]]
    assert {(shape, row[0]) for row in rows for shape in shapes} == {*CELLS}
    assert [row[0] for row in rows] == [*FACTS]


@pytest.mark.parametrize(
    ("shape", "fact", "changes", "expected"),
    [(*where, *cell) for where, cells in CELLS.items() for cell in cells],
    ids=[
        re.sub(r"\W+", "-", f"{shape} {fact} {at}")
        for (shape, fact), cells in CELLS.items()
        for at, _ in enumerate(cells)
    ],
)
def test_the_fact_is_read(tmp_path: Path, shape: str, fact: str, changes: Sequence[Change], expected: object) -> None:
    """As it is written, and as it is written otherwise."""
    name, text = SHAPES[shape]
    for old, new in changes:
        assert old in text, f"the template has no {old!r}"
        text = text.replace(old, new)
    path = tmp_path / name
    path.write_text(text)
    release = read_release(path, {})
    (one,) = release.released
    assert FACTS[fact](release, one) == expected
