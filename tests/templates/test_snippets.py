"""Snippets of advice: each parses by its tool's own words, and says what was advised."""

import json
import re
import shlex
import textwrap
from pathlib import Path

import hcl2
import pytest
from cfnlint import lint
from cfnlint.config import ManualArgs

from harness.core.experiment.types import Deployment
from harness.core.odds.advise import with_alarm
from harness.core.odds.advised import AdvisedAlarm
from harness.core.timeline.alarm_rules import read_rule
from harness.core.timeline.events import AlarmDefined
from harness.core.timeline.presets import AWS_CONFIGS, AWS_PREFIX
from harness.rehearsal.cloudformation.template import as_sent
from harness.rehearsal.cloudformation.transforms import transformed
from harness.templates import TemplateRelease, read_release
from harness.templates.snippets import Names, Tool, cdk_name, names_of, snippet
from tests.core.odds.releases import setting

NAMES = Names(logical="Api", function="shop-prod-api", alias="live", application="shop", group="shop-group")
ALARMS = [
    AdvisedAlarm(statistic="Sum", threshold=3.0),
    AdvisedAlarm(statistic="Sum", threshold=1.0, counts="canary", datapoints=2, evaluation_periods=3),
    AdvisedAlarm(statistic="Average", threshold=0.05, counts="canary", datapoints=2, evaluation_periods=2),
]
CONFIG = "Canary10Percent10Minutes"
AROUND_SAM = """\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {CodeUri: src/, Handler: app.handler, Runtime: python3.12}
"""
AROUND_SERVERLESS = """\
service: shop
provider: {name: aws, runtime: python3.12, stage: prod}
"""
FUNCTION_OF_SERVERLESS = """\
    ApiLambdaFunction:
      Type: AWS::Lambda::Function
      Properties:
        Handler: app.handler
        Runtime: python3.12
        Role: arn:aws:iam::123456789012:role/api
        Code: {S3Bucket: bucket, S3Key: key}
"""
AROUND_TERRAFORM = """\
resource "aws_lambda_function" "api" {
  function_name = "shop-prod-api"
  handler       = "app.handler"
  runtime       = "python3.12"
  publish       = true
}
resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.api.arn
  function_version = aws_lambda_function.api.version
}
resource "aws_codedeploy_app" "api" {
  name             = "shop"
  compute_platform = "Lambda"
}
"""


def pasted(tool: Tool, alarm: AdvisedAlarm, config: str = CONFIG) -> str:
    """The snippet in the least template that it can be pasted into."""
    text = snippet(tool, alarm, config, NAMES)
    assert text is not None
    if tool == "sam":
        return AROUND_SAM + text
    if tool == "terraform":
        return AROUND_TERRAFORM + text
    return AROUND_SERVERLESS + text.replace("  api:\n", "  api:\n    handler: app.handler\n")


def read(folder: Path, tool: Tool, text: str) -> TemplateRelease:
    """What our own reader makes of it."""
    name = {"sam": "template.yaml", "serverless": "serverless.yml", "terraform": "main.tf"}[tool]
    (folder / name).write_text(text)
    return read_release(folder / name, {}, {})


@pytest.mark.parametrize("alarm", ALARMS, ids=str)
@pytest.mark.parametrize("tool", ["sam", "serverless", "terraform"])
def test_our_reader_reads_back_what_was_advised(tool: Tool, alarm: AdvisedAlarm, tmp_path: Path) -> None:
    """The same rule, whose requests it counts, the preference, and the alarm as its guard."""
    if snippet(tool, alarm, CONFIG, NAMES) is None:
        assert (tool, alarm.counts) == ("serverless", "canary")
        return
    release = read(tmp_path, tool, pasted(tool, alarm))
    (function,), (defined,) = release.released, release.alarms
    wanted = with_alarm(setting(), alarm).watches[0].rule
    assert rule_of(defined.defined) == (wanted.condition, wanted.metrics[0].metric, wanted.metrics[0].statistic)
    assert ("ExecutedVersion" in defined.defined.dimensions) == (alarm.counts == "canary")
    assert defined.defined.dimensions["Resource"].endswith(":live")
    assert function.config.value == AWS_PREFIX + CONFIG
    assert [fact.value for fact in function.alarms] == [defined.defined.name]
    assert (function.alias.value, len(function.rollback_events)) == ("live", 3)


def rule_of(defined: AlarmDefined) -> tuple[object, ...]:
    """An alarm's condition, metric and statistic."""
    rule = read_rule(defined)
    return rule.condition, rule.metrics[0].metric, rule.metrics[0].statistic


@pytest.mark.parametrize("alarm", ALARMS, ids=str)
@pytest.mark.parametrize("config", sorted(AWS_CONFIGS))
def test_sams_own_translator_takes_what_is_advised(alarm: AdvisedAlarm, config: str) -> None:
    """The alarm guards the deployment group that it makes, with the configuration that was advised."""
    stored = pasted("sam", alarm, config).replace("CodeUri: src/", "CodeUri: s3://bucket/key")
    made = json.loads(json.dumps(as_sent(transformed(stored, {}, "eu-north-1").values)))["Resources"]
    (group,) = (one for one in made.values() if one["Type"] == "AWS::CodeDeploy::DeploymentGroup")
    (name,) = (name for name, one in made.items() if one["Type"] == "AWS::CloudWatch::Alarm")
    assert group["Properties"]["AlarmConfiguration"]["Alarms"] == [{"Name": {"Ref": name}}]
    assert config in json.dumps(group["Properties"]["DeploymentConfigName"])


@pytest.mark.parametrize("alarm", ALARMS, ids=str)
@pytest.mark.parametrize("tool", ["sam", "serverless"])
def test_cfn_lint_finds_nothing_in_what_is_advised(tool: Tool, alarm: AdvisedAlarm) -> None:
    """In the SAM template as it is; of serverless.yml, in the resources beside the function that it makes."""
    if snippet(tool, alarm, CONFIG, NAMES) is None:
        return
    text = pasted(tool, alarm)
    if tool == "serverless":
        text = text[text.index("  Resources:\n") :] + FUNCTION_OF_SERVERLESS
        text = textwrap.dedent(text)
    found = lint(text, config=ManualArgs(regions=["eu-north-1", "us-east-1"]))
    assert [str(match) for match in found] == []


@pytest.mark.parametrize("alarm", ALARMS, ids=str)
def test_python_hcl2_reads_what_is_advised(alarm: AdvisedAlarm) -> None:
    """As the blocks that Terraform's provider has for an alarm and a deployment group."""
    blocks = hcl2.loads(snippet("terraform", alarm, CONFIG, NAMES) or "")["resource"]
    kinds = {kind.strip('"') for block in blocks for kind in block}
    assert {"aws_cloudwatch_metric_alarm", "aws_codedeploy_deployment_group"} <= kinds


def test_serverless_has_no_word_for_the_version_on_trial() -> None:
    """Its logical id has a hash in it, so that no alarm can refer to it."""
    assert snippet("serverless", ALARMS[1], CONFIG, NAMES) is None


@pytest.mark.parametrize("alarm", ALARMS, ids=str)
def test_the_aws_cli_takes_its_commands(alarm: AdvisedAlarm, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own parser reads and validates both of them; nothing is sent."""
    from awscli.clidriver import create_clidriver

    text = snippet("cli", alarm, CONFIG, NAMES)
    assert text is not None
    for command in commands_of(text):
        words = [*shlex.split(command.replace("$VERSION", "7"))[1:], "--generate-cli-skeleton", "output"]
        assert create_clidriver().main([*words, "--region", "eu-north-1"]) == 0, capsys.readouterr().err


def commands_of(text: str) -> list[str]:
    """The commands without comments, each on one line."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


def test_cdk_has_a_name_for_each_of_aws_configurations() -> None:
    """As LambdaDeploymentConfig of aws-cdk-lib 2 has them."""
    assert {cdk_name(name) for name in AWS_CONFIGS} == {
        "ALL_AT_ONCE",
        *(f"CANARY_10PERCENT_{minutes}MINUTES" for minutes in (5, 10, 15, 30)),
        *(f"LINEAR_10PERCENT_EVERY_{minutes}MINUTES" for minutes in (2, 3, 10)),
        "LINEAR_10PERCENT_EVERY_1MINUTE",
    }


@pytest.mark.parametrize(
    ("logical", "key", "own", "label"),
    [
        ("aws_lambda_function.encode", "encode", "Encode", "encode"),
        ('module.video.aws_lambda_function.my-fn["eu"]', "myFn", "MyFn", "my-fn"),
        ("PlanUnderscorerouteLambdaFunction", "plan_route", "PlanUnderscoreroute", ""),
        ("ApiFunction", "apiFunction", "ApiFunction", ""),
    ],
)
def test_a_snippet_names_what_the_template_names(logical: str, key: str, own: str, label: str) -> None:
    """A resource of Terraform by its label, a function of serverless by its key: an address is no name in either."""
    names = names_of(Deployment(), logical)
    assert (names.key, names.of_serverless, names.label) == (key, own, label)
    assert names.snake == (label or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", logical).lower())
