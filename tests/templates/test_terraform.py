"""What is read of Terraform: its own files, and `terraform show -json` of a plan and of a state."""

import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import hcl2
import pytest

from harness.core.arming import Check
from harness.core.arming.diagnosis import SEVERITIES
from harness.core.experiment.types import Experiment
from harness.errors import TemplateError, UsageError
from harness.templates import TemplateDiagnosis, examine_template, read_release
from tests.templates.conftest import asked, of_the_template

HCL = """\
variable "stage" {
  default = "prod"
}
locals {
  name = "shop-${var.stage}"
}
resource "aws_lambda_function" "api" {
  function_name = local.name
  handler       = "app.handler"
  runtime       = "python3.12"
  publish       = true
}
resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.api.arn
  function_version = aws_lambda_function.api.version
  lifecycle {
    ignore_changes = [function_version, routing_config]
  }
}
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${local.name}-errors"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 3
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  dimensions = {
    FunctionName    = aws_lambda_function.api.function_name
    Resource        = "${aws_lambda_function.api.function_name}:live"
    ExecutedVersion = aws_lambda_function.api.version
  }
}
resource "aws_codedeploy_app" "a" {
  name             = "shop"
  compute_platform = "Lambda"
}
resource "aws_codedeploy_deployment_config" "slow" {
  deployment_config_name = "Canary10Percent7Minutes"
  compute_platform       = "Lambda"
  traffic_routing_config {
    type = "TimeBasedCanary"
    time_based_canary {
      interval   = 7
      percentage = 10
    }
  }
}
resource "aws_codedeploy_deployment_group" "g" {
  app_name               = aws_codedeploy_app.a.name
  deployment_group_name  = "shop"
  deployment_config_name = aws_codedeploy_deployment_config.slow.id
  alarm_configuration {
    alarms  = [aws_cloudwatch_metric_alarm.errors.alarm_name]
    enabled = true
  }
  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_FAILURE"]
  }
}
"""
ALIAS = 'resource "aws_lambda_alias" "other" {\n  name = "other"\n  function_name = "other"\n}\n'

ALARM = {
    "alarm_name": "shop-prod-errors",
    "namespace": "AWS/Lambda",
    "metric_name": "Errors",
    "statistic": "Sum",
    "extended_statistic": None,
    "period": 60,
    "evaluation_periods": 1,
    "datapoints_to_alarm": None,
    "threshold": 3,
    "threshold_metric_id": None,
    "comparison_operator": "GreaterThanOrEqualToThreshold",
    "treat_missing_data": "notBreaching",
    "unit": None,
    "metric_query": [],
    "dimensions": {"FunctionName": "shop-prod", "Resource": "shop-prod:live"},
}
VALUES: Mapping[str, Mapping[str, Any]] = {
    "aws_lambda_function.api": {
        "function_name": "shop-prod",
        "handler": "app.handler",
        "runtime": "python3.12",
        "publish": True,
        "timeout": 3,
    },
    "aws_lambda_alias.live": {"name": "live", "routing_config": []},
    "aws_cloudwatch_metric_alarm.errors": ALARM,
    "aws_codedeploy_app.a": {"name": "shop", "compute_platform": "Lambda"},
    "aws_codedeploy_deployment_config.slow": {
        "deployment_config_name": "Canary10Percent7Minutes",
        "compute_platform": "Lambda",
        "traffic_routing_config": [
            {
                "type": "TimeBasedCanary",
                "time_based_canary": [{"interval": 7, "percentage": 10}],
                "time_based_linear": [],
            }
        ],
    },
    "aws_codedeploy_deployment_group.g": {
        "app_name": "shop",
        "deployment_group_name": "shop",
        "alarm_configuration": [{"alarms": ["shop-prod-errors"], "enabled": True, "ignore_poll_alarm_failure": False}],
        "auto_rollback_configuration": [
            {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_FAILURE"]}
        ],
        "ecs_service": [],
        "ec2_tag_set": [],
    },
}
UNKNOWN: Mapping[str, Mapping[str, Any]] = {
    "aws_lambda_function.api": {"arn": True, "version": True},
    "aws_lambda_alias.live": {"arn": True, "function_name": True, "function_version": True},
    "aws_cloudwatch_metric_alarm.errors": {"dimensions": {"ExecutedVersion": True}},
    "aws_codedeploy_deployment_group.g": {"deployment_config_name": True, "alarm_configuration": [{"alarms": [False]}]},
}
REFERENCES: Mapping[str, Mapping[str, Any]] = {
    "aws_lambda_alias.live": {
        "function_name": {"references": ["aws_lambda_function.api.arn", "aws_lambda_function.api"]},
        "function_version": {"references": ["aws_lambda_function.api.version", "aws_lambda_function.api"]},
    },
    "aws_cloudwatch_metric_alarm.errors": {
        "dimensions": {
            "references": [
                "aws_lambda_function.api.function_name",
                "aws_lambda_function.api.version",
                "aws_lambda_function.api",
            ]
        }
    },
    "aws_codedeploy_deployment_group.g": {
        "deployment_config_name": {
            "references": ["aws_codedeploy_deployment_config.slow.id", "aws_codedeploy_deployment_config.slow"]
        }
    },
}

Examined = Callable[..., TemplateDiagnosis]


def plan(prefix: str = "", changed: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """A plan, as Terraform writes it; in a module where there is a prefix."""
    values = {**VALUES, **(changed or {})}
    resources = [
        {"address": prefix + address, "mode": "managed", "type": address.split(".")[0], "values": said}
        for address, said in values.items()
    ]
    changes = [
        {"address": prefix + address, "change": {"actions": ["create"], "after_unknown": UNKNOWN.get(address, {})}}
        for address in values
    ]
    configured = [
        {"address": address, "mode": "managed", "expressions": REFERENCES.get(address, {})} for address in values
    ]
    planned: dict[str, Any] = {"resources": resources}
    configuration: dict[str, Any] = {"resources": configured}
    if prefix:
        planned = {"child_modules": [planned]}
        configuration = {"module_calls": {"shop": {"module": configuration}}}
    return {
        "format_version": "1.2",
        "planned_values": {"root_module": planned},
        "resource_changes": changes,
        "configuration": {"root_module": configuration},
    }


@pytest.fixture
def examined(tmp_path: Path) -> Examined:
    """Doctor's answers to a folder of Terraform, after some replacements."""

    def examined_(
        *changes: tuple[str, str], more: str = "", environment: Mapping[str, str] | None = None, **given: str
    ) -> TemplateDiagnosis:
        text = HCL
        for old, new in changes:
            assert old in text, f"the file has no {old!r}"
            text = text.replace(old, new)
        (tmp_path / "main.tf").write_text(text + more)
        names = {name.replace("__", "."): value for name, value in given.items()}
        return examine_template(read_release(tmp_path, names, environment or {}), Experiment(name="doctor"))

    return examined_


def of_plan(tmp_path: Path, document: object, **given: str) -> TemplateDiagnosis:
    """Doctor's answers to a document in JSON."""
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(document))
    return examine_template(read_release(path, given), Experiment(name="doctor"))


def why(diagnosis: TemplateDiagnosis, question: str) -> Check:
    """The worst that is told of the whole on a question."""
    found = [check for check in of_the_template(diagnosis) if check.id == question]
    return max(found, key=lambda check: SEVERITIES.index(check.severity))


def test_a_sound_module_is_armed(examined: Examined) -> None:
    """Names through locals and variables, the team's own configuration, and an alarm on the new version."""
    diagnosis = examined()
    (one,) = diagnosis.diagnoses
    assert (diagnosis.exit_code, one.application, one.group, one.function, one.alias) == (
        0,
        "shop",
        "shop",
        "shop-prod",
        "live",
    )
    assert one.alarms == ("shop-prod-errors",)
    assert "10% at first; the bake time is 420 s" in asked(diagnosis, "gradual-shift").seen
    assert asked(diagnosis, "alarm-versions").severity == "ok"
    assert asked(diagnosis, "rollback-on-request").severity == "warning"


def test_plan_and_module_get_the_same_answers(tmp_path: Path, examined: Examined) -> None:
    """Also where the plan has the resources in a module of its own."""
    answers = [
        {(check.id, check.severity, check.seen.replace("module.shop.", "")) for check in one.checks}
        for diagnosis in (examined(), of_plan(tmp_path, plan()), of_plan(tmp_path, plan("module.shop.")))
        for one in diagnosis.diagnoses
    ]
    assert len(answers) == 3
    assert answers[0] == answers[1] == answers[2]


def test_a_state_does_not_say_what_the_next_version_is(tmp_path: Path) -> None:
    """The number that it has is that of the last one."""
    alarm = {**ALARM, "dimensions": {"FunctionName": "shop-prod", "Resource": "shop-prod:live", "ExecutedVersion": "7"}}
    alias = {"name": "live", "function_name": "shop-prod", "function_version": "7"}
    group = {**VALUES["aws_codedeploy_deployment_group.g"], "deployment_config_name": "Canary10Percent7Minutes"}
    changed = {
        "aws_cloudwatch_metric_alarm.errors": alarm,
        "aws_lambda_alias.live": alias,
        "aws_codedeploy_deployment_group.g": group,
    }
    document = {"format_version": "1.0", "values": plan(changed=changed)["planned_values"]}
    diagnosis = of_plan(tmp_path, document)
    assert diagnosis.exit_code == 4
    assert asked(diagnosis, "alarm-versions").severity == "unknown"
    assert asked(diagnosis, "gradual-shift").severity == "ok"


def test_each_finding_has_its_line(examined: Examined) -> None:
    """As an editor counts it."""
    diagnosis = examined(("threshold           = 3", "threshold           = 0"))
    check = asked(diagnosis, "alarm-threshold")
    assert (check.severity, Path(check.file or "").name) == ("error", "main.tf")
    assert check.line == HCL.splitlines().index("  threshold           = 3") + 1
    events = next(at for at, line in enumerate(HCL.splitlines(), 1) if "auto_rollback_configuration" in line)
    assert asked(diagnosis, "rollback-on-request").line == events


def test_the_alias_of_a_group_is_not_guessed(examined: Examined) -> None:
    """The only one is told; of two, the right one is asked for."""
    assert "aws_lambda_alias.live is the only one" in why(examined(), "alias-exists").seen
    diagnosis = examined(more=ALIAS)
    assert (diagnosis.exit_code, why(diagnosis, "alias-exists").severity) == (4, "unknown")
    given = examined(more=ALIAS, aws_codedeploy_deployment_group__g="aws_lambda_alias.live")
    assert [one.alias for one in given.diagnoses] == ["live"]


WRONG = {
    "no rollback": ("rollback-on-alarm", ("    enabled = true\n    events", "    enabled = false\n    events")),
    "rollback not enabled": ("rollback-on-alarm", ("    enabled = true\n    events", "    events")),
    "alarms off": ("alarm-enabled", ("errors.alarm_name]\n    enabled = true", "errors.alarm_name]")),
    "a configuration for servers": (
        "config-exists",
        ("  deployment_config_name = aws_codedeploy_deployment_config.slow.id\n", ""),
    ),
    "another function": (
        "alarm-function",
        ("FunctionName    = aws_lambda_function.api.function_name", 'FunctionName = "x"'),
    ),
}


@pytest.mark.parametrize(("question", "change"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_found(examined: Examined, question: str, change: tuple[str, str]) -> None:
    """What Terraform leaves out is off, or a default for servers."""
    diagnosis = examined(change)
    assert (diagnosis.exit_code, asked(diagnosis, question).severity) == (3, "error")


def test_a_function_that_publishes_nothing_has_nothing_to_shift_to(examined: Examined) -> None:
    """Its version stays $LATEST."""
    diagnosis = examined(("  publish       = true\n", ""))
    assert (diagnosis.exit_code, why(diagnosis, "target-version").severity) == (3, "error")


def test_an_alias_that_terraform_moves_is_told(examined: Examined) -> None:
    """The next apply would undo what CodeDeploy did."""
    diagnosis = examined(
        ("    ignore_changes = [function_version, routing_config]", "    create_before_destroy = true")
    )
    assert why(diagnosis, "alias-exists").seen.startswith("Terraform itself moves aws_lambda_alias.live")


OPEN = {
    "a call": (
        "threshold           = 3",
        "threshold           = max(1, 3)",
        "aws_cloudwatch_metric_alarm.errors.threshold",
    ),
    "a condition": (
        "threshold           = 3",
        "threshold = var.stage == 1 ? 3 : 4",
        "aws_cloudwatch_metric_alarm.errors.threshold",
    ),
    "a variable without a value": ("threshold           = 3", "threshold = var.limit", "var.limit"),
    "a data source": (
        "threshold           = 3",
        "threshold = data.aws_ssm_parameter.x.value",
        "data.aws_ssm_parameter.x.value",
    ),
    "an output of a module": ("threshold           = 3", "threshold = module.m.limit", "module.m.limit"),
}


@pytest.mark.parametrize(("old", "new", "name"), OPEN.values(), ids=OPEN)
def test_what_is_not_read_is_asked_for(examined: Examined, old: str, new: str, name: str) -> None:
    """By its name or place; given, it is judged."""
    diagnosis = examined((old, new))
    assert asked(diagnosis, "alarm-threshold").severity == "unknown"
    assert f"--parameter {name}=" in asked(diagnosis, "alarm-threshold").seen
    assert asked(examined((old, new), **{name: "3"}), "alarm-threshold").severity == "ok"


def test_variables_have_the_values_that_terraform_takes(tmp_path: Path, examined: Examined) -> None:
    """The command line goes first, then its files, the environment and the default, which is told."""
    assert "var.stage is prod here, by its default." in [check.seen for check in examined().checks]
    by_environment = examined(environment={"TF_VAR_stage": "dev"})
    assert [one.function for one in by_environment.diagnoses] == ["shop-dev"]
    (tmp_path / "terraform.tfvars").write_text('stage = "test"\n')
    assert [one.function for one in examined(environment={"TF_VAR_stage": "dev"}).diagnoses] == ["shop-test"]
    assert [one.function for one in examined(var__stage="own").diagnoses] == ["shop-own"]


def test_copies_and_modules_are_not_guessed(examined: Examined) -> None:
    """Neither armed nor not: a plan has them."""
    group = 'resource "aws_codedeploy_deployment_group" "g" {\n'
    for line in ("  for_each = toset([1])\n", "  count = var.some\n"):
        diagnosis = examined((group, group + line))
        assert (diagnosis.exit_code, why(diagnosis, "template").severity) == (4, "unknown")
    assert examined((group, f"{group}  count = 1\n")).exit_code == 0
    assert examined((group, f"{group}  count = 0\n")).exit_code == 3
    dynamic = ("  alarm_configuration {\n", '  dynamic "alarm_configuration" {\n    for_each = []\n')
    assert asked(examined(dynamic), "alarm-configured").severity == "unknown"
    module = 'module "m" {\n  source = "./m"\n}\n'
    assert why(examined(more=module), "template").severity == "note"


def test_what_is_no_hcl_is_refused(examined: Examined) -> None:
    """In one sentence with its line, as are names in a circle."""
    with pytest.raises(TemplateError, match=r"main\.tf:\d+: is no HCL that can be read"):
        examined(more="resource {{\n")
    with pytest.raises(TemplateError, match=r"main\.tf:\d+: circular reference: local\.name"):
        examined(('"shop-${var.stage}"', '"${local.name}-x"'))


def test_groups_for_containers_are_none_of_ours(examined: Examined) -> None:
    """Nor are their applications."""
    server = (
        'resource "aws_codedeploy_app" "web" {\n  name = "web"\n}\n'
        'resource "aws_codedeploy_deployment_group" "web" {\n  app_name = aws_codedeploy_app.web.name\n'
        '  deployment_group_name = "web"\n}\n'
    )
    diagnosis = examined(more=server)
    assert (diagnosis.exit_code, len(diagnosis.diagnoses)) == (0, 1)


def test_a_hundred_functions_take_less_than_two_seconds(tmp_path: Path) -> None:
    """As a pull request has no time to wait: each with its alias, alarm, group and configuration, in one file.

    Most of it is the library's own reading, which takes a second; a busy machine may take longer for both.
    """
    at = HCL.index('resource "aws_lambda_function"')
    copies = (numbered(HCL[at:], number) for number in range(100))
    path = tmp_path / "main.tf"
    path.write_text(HCL[:at] + "".join(copies))
    groups = {f"aws_codedeploy_deployment_group.g{n}": f"aws_lambda_alias.live{n}" for n in range(100)}
    began_s = time.process_time()
    hcl2.loads(path.read_text())
    parsed_s = time.process_time()
    diagnosis = examine_template(read_release(path, groups), Experiment(name="doctor"))
    assert time.process_time() - parsed_s < 2 * max(parsed_s - began_s, 1.0)
    assert len(diagnosis.diagnoses) == 100


def numbered(text: str, number: int) -> str:
    """Resources whose names, and references to them, have a number."""
    declared = re.sub(r'(resource "\w+" "\w+)"', rf'\g<1>{number}"', text)
    referred = re.sub(r"\.(api|live|errors|a|slow|g)\b", rf".\g<1>{number}", declared)
    return referred.replace("${local.name}", f"shop{number}").replace("local.name", f'"shop{number}"')


ITSELF, ALIASED = "aws_lambda_function.api.invoke_arn", "aws_lambda_alias.live.invoke_arn"
INTEGRATION = 'resource "aws_apigatewayv2_integration" "i" {\n  integration_uri = WHAT\n}\n'


@pytest.mark.parametrize(
    ("more", "severity"),
    [
        (INTEGRATION.replace("WHAT", ITSELF), "error"),
        (INTEGRATION.replace("WHAT", f"{ITSELF}\n  for_each = toset(local.routes)"), "error"),
        (INTEGRATION.replace("WHAT", ALIASED), None),
        (
            'resource "aws_lambda_function_url" "u" {\n  function_name = aws_lambda_function.api.function_name\n}\n',
            "error",
        ),
        (
            'resource "aws_lambda_function_url" "u" {\n  function_name = aws_lambda_function.api.function_name\n'
            '  qualifier = "live"\n}\n',
            None,
        ),
        (
            'resource "aws_scheduler_schedule" "s" {\n  target {\n    arn = aws_lambda_function.api.arn\n  }\n}\n',
            "error",
        ),
    ],
)
def test_what_invokes_the_function_past_its_alias_is_named(examined: Examined, more: str, severity: str | None) -> None:
    """As in a template of CloudFormation: the alias shifts, and nobody is on it."""
    diagnosis = examined(more=more)
    found = [check.severity for one in diagnosis.diagnoses for check in one.checks if check.id == "alias-traffic"]
    assert found == ([severity] if severity else [])
    assert diagnosis.exit_code == (3 if severity else 0)


def test_a_plan_tells_what_invokes_the_function_past_its_alias(tmp_path: Path) -> None:
    """Its address is open until the plan is applied; the configuration says which one it is."""
    document = plan(changed={"aws_apigatewayv2_integration.i": {"integration_type": "AWS_PROXY"}})
    document["resource_changes"][-1]["change"]["after_unknown"] = {"integration_uri": True}
    expressions = {"integration_uri": {"references": [ITSELF, "aws_lambda_function.api"]}}
    document["configuration"]["root_module"]["resources"][-1]["expressions"] = expressions
    (one,) = of_plan(tmp_path, document).diagnoses
    assert [check.severity for check in one.checks if check.id == "alias-traffic"] == ["error"]


def test_a_name_without_its_kind_is_corrected(examined: Examined) -> None:
    """Terraform's own options say `stage`, and a template's say which kind of name it is."""
    with pytest.raises(UsageError, match=r"did you mean var\.stage"):
        examined(stage="prod")


def test_what_hangs_on_the_alias_is_not_said_before_it_is_known(examined: Examined) -> None:
    """Neither that all is released at once, nor that nothing shifts: the alias of the group's name is proposed."""
    diagnosis = examined(('"aws_lambda_alias" "live"', '"aws_lambda_alias" "g"'), more=ALIAS)
    ids = {check.id for check in diagnosis.checks}
    assert "gradual-shift" not in ids
    assert "'aws_codedeploy_deployment_group.g=aws_lambda_alias.g'" in why(diagnosis, "alias-exists").advice


def test_an_alias_that_terraform_splits_is_named(examined: Examined) -> None:
    """By a routing_config of its own."""
    split = '  name             = "live"\n  routing_config {\n    additional_version_weights = { "4" = 0.1 }\n  }\n'
    diagnosis = examined(('  name             = "live"\n', split))
    assert "10% to version 4" in why(diagnosis, "alias-weights").seen
