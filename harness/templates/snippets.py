"""What is advised as text to paste, in the words of each deploy tool: an alarm, and the preference that it guards."""

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Literal, get_args

from msgspec import Struct

from harness.core.experiment.types import ALL_ROLLBACK_EVENTS, AWS_PREFIX, Deployment
from harness.core.odds.advised import AdvisedAlarm
from harness.core.timeline.alarm_evaluation import MINUTE_S

Tool = Literal["serverless", "sam", "cdk", "terraform", "cli"]
TOOLS: tuple[Tool, ...] = get_args(Tool)
TITLES: Mapping[Tool, str] = {
    "serverless": "serverless.yml, with serverless-plugin-canary-deployments",
    "sam": "SAM",
    "cdk": "CDK (TypeScript)",
    "terraform": "Terraform",
    "cli": "AWS CLI",
}
COMPARISON = "GreaterThanOrEqualToThreshold"
MISSING = "notBreaching"
_OF_TERRAFORM = re.compile(r"(?:^|\.)aws_lambda_function\.([A-Za-z0-9_-]+)")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")


class Names(Struct, frozen=True, kw_only=True):
    """What the release's parts are called: `logical` in templates, `label` in Terraform's, the others on AWS."""

    logical: str = "MyFunction"
    label: str = ""
    function: str = "my-function"
    alias: str = "live"
    application: str = "my-application"
    group: str = "my-deployment-group"

    @property
    def alarm(self) -> str:
        """The alarm's name on AWS."""
        return f"{self.function}-canary-errors"

    @property
    def snake(self) -> str:
        """The logical name as Terraform writes names."""
        return self.label or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.logical).lower()

    @property
    def key(self) -> str:
        """The logical name as a key of a serverless.yml."""
        own = self.of_serverless
        return (own[:1].lower() + own[1:]).replace("Underscore", "_").replace("Dash", "-")

    @property
    def of_serverless(self) -> str:
        """The logical name without what serverless appends to it."""
        own = self.logical.removesuffix("LambdaFunction") or self.logical
        return own[:1].upper() + own[1:]


def logical_of(function: str) -> str:
    """A name as logical ids are written: `shop-prod-api` is ShopProdApi."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", function)) or "MyFunction"


def names_of(deployment: Deployment, logical: str = "") -> Names:
    """What a release calls its parts; a usual name for one that is not known, or that is no plain name."""
    usual = Names()
    function = _plain(deployment.function, "")
    address = _OF_TERRAFORM.search(logical)
    label = address[1] if address else ""
    known = logical_of(label) if label else _plain(logical, "")
    return Names(
        logical=known or (logical_of(function) if function else usual.logical),
        label=label,
        function=function or usual.function,
        alias=_plain(deployment.alias, usual.alias),
        application=_plain(deployment.application, usual.application),
        group=_plain(deployment.group, usual.group),
    )


def _plain(name: str | None, usual: str) -> str:
    """A name that means nothing else in YAML, HCL, TypeScript, a shell or a page; what is open has a `$` in it."""
    return name if name and _PLAIN.fullmatch(name) else usual


def snippet(tool: Tool, alarm: AdvisedAlarm, config: str, names: Names) -> str | None:
    """The text for one tool; None where it has no words for such an alarm.

    serverless.yml has none for the version on trial, whose logical id changes with each release.
    """
    if tool == "serverless" and alarm.counts == "canary":
        return None
    return _WRITERS[tool](alarm, config.removeprefix(AWS_PREFIX), names)


# CloudFormation: SAM and Serverless


def _sam(alarm: AdvisedAlarm, config: str, names: Names) -> str:
    name = names.logical
    version = f"!GetAtt {name}.Version.Version"
    return f"""\
Resources:
  {name}CanaryErrors:
{_resource(alarm, name, names.alias, version, "    ")}
  {name}:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: {names.alias}
      DeploymentPreference:
        Type: {config}
        Alarms:
          - !Ref {name}CanaryErrors
"""


def _serverless(alarm: AdvisedAlarm, config: str, names: Names) -> str:
    name = names.of_serverless
    return f"""\
plugins:
  - serverless-plugin-canary-deployments
functions:
  {names.key}:
    deploymentSettings:
      type: {config}
      alias: {names.alias}
      alarms:
        - {name}CanaryErrors
resources:
  Resources:
    {name}CanaryErrors:
{_resource(alarm, f"{name}LambdaFunction", names.alias, "", "      ")}
"""


def _resource(alarm: AdvisedAlarm, function: str, alias: str, version: str, indent: str) -> str:
    dimensions = [f"{{Name: FunctionName, Value: !Ref {function}}}"]
    dimensions.append(f'{{Name: Resource, Value: !Sub "${{{function}}}:{alias}"}}')
    if alarm.counts == "canary":
        dimensions.append(f"{{Name: ExecutedVersion, Value: {version}}}")
    lines = [
        "Type: AWS::CloudWatch::Alarm",
        "Properties:",
        "  Namespace: AWS/Lambda",
        "  MetricName: Errors",
        "  Dimensions:",
        *(f"    - {one}" for one in dimensions),
        *(f"  {key}: {value}" for key, value in _numbers(alarm).items()),
        f"  ComparisonOperator: {COMPARISON}",
        f"  TreatMissingData: {MISSING}",
    ]
    return "\n".join(indent + line for line in lines)


def _numbers(alarm: AdvisedAlarm) -> dict[str, str]:
    return {
        "Statistic": alarm.statistic,
        "Period": str(MINUTE_S),
        "EvaluationPeriods": str(alarm.evaluation_periods),
        "DatapointsToAlarm": str(alarm.datapoints),
        "Threshold": f"{alarm.threshold:g}",
    }


# CDK


def _cdk(alarm: AdvisedAlarm, config: str, names: Names) -> str:
    version = "\n      ExecutedVersion: fn.currentVersion.version," if alarm.counts == "canary" else ""
    return f"""\
// fn is your lambda.Function, and alias the lambda.Alias of its current version.
const canaryErrors = new cloudwatch.Alarm(this, '{names.logical}CanaryErrors', {{
  metric: new cloudwatch.Metric({{
    namespace: 'AWS/Lambda',
    metricName: 'Errors',
    statistic: '{alarm.statistic}',
    period: Duration.seconds({MINUTE_S}),
    dimensionsMap: {{
      FunctionName: fn.functionName,
      Resource: `${{fn.functionName}}:${{alias.aliasName}}`,{version}
    }},
  }}),
  evaluationPeriods: {alarm.evaluation_periods},
  datapointsToAlarm: {alarm.datapoints},
  threshold: {alarm.threshold:g},
  comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
  treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
}});
new codedeploy.LambdaDeploymentGroup(this, '{names.logical}DeploymentGroup', {{
  alias,
  deploymentConfig: codedeploy.LambdaDeploymentConfig.{cdk_name(config)},
  alarms: [canaryErrors],
  autoRollback: {{ failedDeployment: true, stoppedDeployment: true, deploymentInAlarm: true }},
}});
"""


def cdk_name(config: str) -> str:
    """AWS's name of a configuration as CDK writes it: CANARY_10PERCENT_5MINUTES."""
    parts = re.fullmatch(r"(Canary|Linear)(\d+)Percent(Every)?(\d+)(Minutes?)", config)
    if parts is None:
        return "ALL_AT_ONCE"
    kind, percent, every, minutes, unit = parts.groups()
    words = [kind, f"{percent}PERCENT", *([every] if every else []), f"{minutes}{unit}"]
    return "_".join(words).upper()


# Terraform


def _terraform(alarm: AdvisedAlarm, config: str, names: Names) -> str:
    name = names.snake
    function = f"aws_lambda_function.{name}"
    version = f"\n    ExecutedVersion = {function}.version" if alarm.counts == "canary" else ""
    events = ", ".join(f'"{event}"' for event in ALL_ROLLBACK_EVENTS)
    return f"""\
resource "aws_cloudwatch_metric_alarm" "{name}_canary_errors" {{
  alarm_name          = "{names.alarm}"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  statistic           = "{alarm.statistic}"
  period              = {MINUTE_S}
  evaluation_periods  = {alarm.evaluation_periods}
  datapoints_to_alarm = {alarm.datapoints}
  threshold           = {alarm.threshold:g}
  comparison_operator = "{COMPARISON}"
  treat_missing_data  = "{MISSING}"
  dimensions = {{
    FunctionName = {function}.function_name
    Resource     = "${{{function}.function_name}}:{names.alias}"{version}
  }}
}}

resource "aws_codedeploy_deployment_group" "{name}" {{
  app_name               = aws_codedeploy_app.{name}.name
  deployment_group_name  = "{names.group}"
  deployment_config_name = "{AWS_PREFIX}{config}"
  service_role_arn       = aws_iam_role.codedeploy.arn
  deployment_style {{
    deployment_option = "WITH_TRAFFIC_CONTROL"
    deployment_type   = "BLUE_GREEN"
  }}
  alarm_configuration {{
    enabled = true
    alarms  = [aws_cloudwatch_metric_alarm.{name}_canary_errors.alarm_name]
  }}
  auto_rollback_configuration {{
    enabled = true
    events  = [{events}]
  }}
}}
"""


# AWS CLI


def _cli(alarm: AdvisedAlarm, config: str, names: Names) -> str:
    quoted = shlex.quote
    resource = quoted(f"Name=Resource,Value={names.function}:{names.alias}")
    dimensions = f"{quoted(f'Name=FunctionName,Value={names.function}')} {resource}"
    if alarm.counts == "canary":
        dimensions += ' "Name=ExecutedVersion,Value=$VERSION"'
    each_time = (
        "# At each release, with VERSION set to the version that is deployed.\n" if alarm.counts == "canary" else ""
    )
    alarms = quoted(f"enabled=true,alarms=[{{name={names.alarm}}}]")
    events = ",".join(ALL_ROLLBACK_EVENTS)
    return f"""\
{each_time}aws cloudwatch put-metric-alarm --alarm-name {quoted(names.alarm)} \\
  --namespace AWS/Lambda --metric-name Errors --statistic {alarm.statistic} --period {MINUTE_S} \\
  --dimensions {dimensions} \\
  --evaluation-periods {alarm.evaluation_periods} --datapoints-to-alarm {alarm.datapoints} \\
  --threshold {alarm.threshold:g} --comparison-operator {COMPARISON} --treat-missing-data {MISSING}
# This replaces the group's list of alarms: name those that are to stay, too.
aws deploy update-deployment-group --application-name {quoted(names.application)} \\
  --current-deployment-group-name {quoted(names.group)} --deployment-config-name {AWS_PREFIX}{config} \\
  --alarm-configuration {alarms} \\
  --auto-rollback-configuration enabled=true,events={events}
"""


_WRITERS: Mapping[Tool, Callable[[AdvisedAlarm, str, Names], str]] = {
    "serverless": _serverless,
    "sam": _sam,
    "cdk": _cdk,
    "terraform": _terraform,
    "cli": _cli,
}
