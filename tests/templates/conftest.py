"""Templates, written as a person would and spoiled by a test."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from harness.core.arming import Check
from harness.core.arming.diagnosis import SEVERITIES
from harness.core.experiment.types import Experiment
from harness.templates import TemplateDiagnosis, TemplateRelease, examine_template, read_release

SAM = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
  Owner: {Type: String}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Globals:
  Function:
    AutoPublishAlias: live
Resources:
  Api:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      DeploymentPreference:
        Type: Canary10Percent5Minutes
        Alarms:
          - !Ref ApiErrors
  ApiErrors:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/Lambda
      MetricName: Errors
      Dimensions:
        - {Name: FunctionName, Value: !Ref Api}
        - {Name: Resource, Value: !Sub "${Api}:live"}
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 3
      ComparisonOperator: GreaterThanOrEqualToThreshold
      TreatMissingData: notBreaching
"""

PLAIN = """\
{
 "Resources": {
  "Fn": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "python3.12"}},
  "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Fn"}}},
  "Alias": {
   "Type": "AWS::Lambda::Alias",
   "Properties": {
    "FunctionName": {"Ref": "Fn"},
    "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
    "Name": "live"
   },
   "UpdatePolicy": {
    "CodeDeployLambdaAliasUpdate": {
     "ApplicationName": {"Ref": "App"},
     "DeploymentGroupName": {"Ref": "Group"}
    }
   }
  },
  "App": {"Type": "AWS::CodeDeploy::Application", "Properties": {"ComputePlatform": "Lambda"}},
  "Group": {
   "Type": "AWS::CodeDeploy::DeploymentGroup",
   "Properties": {
    "ApplicationName": {"Ref": "App"},
    "DeploymentConfigName": "CodeDeployDefault.LambdaLinear10PercentEvery1Minute",
    "AlarmConfiguration": {"Alarms": [{"Name": {"Ref": "Errors"}}], "Enabled": true},
    "AutoRollbackConfiguration": {"Enabled": true, "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]}
   }
  },
  "Errors": {
   "Type": "AWS::CloudWatch::Alarm",
   "Properties": {
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "Metrics": [
     {
      "Id": "m1",
      "MetricStat": {
       "Metric": {
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [
         {"Name": "FunctionName", "Value": {"Ref": "Fn"}},
         {"Name": "Resource", "Value": {"Fn::Join": ["", [{"Ref": "Fn"}, ":live"]]}},
         {"Name": "ExecutedVersion", "Value": {"Fn::GetAtt": ["Version", "Version"]}}
        ]
       },
       "Period": 60,
       "Stat": "Sum"
      },
      "ReturnData": true
     }
    ]
   }
  }
 }
}
"""

SERVERLESS = """\
service: shop
plugins: [serverless-plugin-aws-alerts, serverless-plugin-canary-deployments]
provider:
  name: aws
  runtime: nodejs20.x
  stage: prod
custom:
  alerts: {}
functions:
  api:
    handler: src/index.handler
    alarms:
      - name: Canary
        metric: Errors
        namespace: AWS/Lambda
        threshold: 3
        statistic: Sum
        period: 60
        evaluationPeriods: 1
        comparisonOperator: GreaterThanOrEqualToThreshold
        treatMissingData: notBreaching
    deploymentSettings:
      type: Canary10Percent5Minutes
      alias: Live
      alarms:
        - ApiCanaryAlarm
"""

Examine = Callable[..., TemplateDiagnosis]


@pytest.fixture
def examine(tmp_path: Path) -> Examine:
    """Examines a text, after some replacements, with parameters."""

    def examined(text: str, *changes: tuple[str, str], function: str | None = None, **given: str) -> TemplateDiagnosis:
        for old, new in changes:
            assert old in text, f"the template has no {old!r}"
            text = text.replace(old, new)
        path = tmp_path / "template.yaml"
        path.write_text(text)
        return examine_template(read_release(path, given), Experiment(name="doctor"), function)

    return examined


def asked(diagnosis: TemplateDiagnosis, question: str) -> Check:
    """The answer to one question about the only function."""
    (one,) = diagnosis.diagnoses
    return next(check for check in one.checks if check.id == question)


def told(diagnosis: TemplateDiagnosis) -> Mapping[str, tuple[str, int | None, str]]:
    """What the template itself gives to be told: severity, line and sentence, by id."""
    return {check.id: (check.severity, check.line, check.seen) for check in of_the_template(diagnosis)}


def of_the_template(diagnosis: TemplateDiagnosis) -> Sequence[Check]:
    """What the template itself gives to be told of the whole, and of one function; questions say what they matter."""
    of_one = (check for one in diagnosis.diagnoses for check in one.checks if not check.matters)
    return *of_one, *diagnosis.checks


# serverless.yml

Read = Callable[..., TemplateRelease]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads SERVERLESS after some replacements, beside other files, with parameters and an environment."""

    def read_(
        *changes: tuple[str, str],
        files: Mapping[str, str] | None = None,
        given: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        text: str = SERVERLESS,
    ) -> TemplateRelease:
        for old, new in changes:
            assert old in text, f"the file has no {old!r}"
            text = text.replace(old, new)
        path = tmp_path / "serverless.yml"
        path.write_text(text)
        for name, content in (files or {}).items():
            (tmp_path / name).write_text(content)
        return read_release(path, given or {}, environment or {})

    return read_


def examined(release: TemplateRelease) -> TemplateDiagnosis:
    """Doctor's answers to it."""
    return examine_template(release, Experiment(name="doctor"))


def why(diagnosis: TemplateDiagnosis, question: str = "gradual-shift") -> Check:
    """The worst that is told on a question."""
    return max(
        (check for check in of_the_template(diagnosis) if check.id == question),
        key=lambda check: SEVERITIES.index(check.severity),
    )


def facts(release: TemplateRelease) -> list[object]:
    """What is said of each released function, without the lines."""
    return [
        (
            one.function,
            one.alias.value,
            one.group and one.group.value,
            one.application,
            one.config.value,
            [fact.value for fact in one.alarms],
            {*one.rollback_events},
            {event: fact.value for event, fact in one.hooks.items()},
        )
        for one in sorted(release.released, key=lambda one: one.function)
    ]


def answers(release: TemplateRelease) -> list[Mapping[str, str]]:
    """How severe each answer of doctor is, by function; the role of a hook is told in SAM's own template alone."""
    diagnoses = examine_template(release, Experiment(name="doctor")).diagnoses
    ordered = sorted(diagnoses, key=lambda one: str(one.function))
    return [{check.id: check.severity for check in one.checks if check.id != "hooks"} for one in ordered]
