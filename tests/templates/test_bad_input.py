"""Bad input, one by one and in each language where it can occur: one sentence with file and line."""

import re
from pathlib import Path

import pytest

from harness.core.experiment.types import Experiment
from harness.errors import HarnessError
from harness.templates import examine_template, read_release
from tests.templates.conftest import PLAIN, SAM
from tests.templates.test_serverless import ALARMS, SERVERLESS
from tests.templates.test_terraform import HCL

FILES = {"sam": "template.yaml", "plain": "template.json", "serverless": "serverless.yml", "terraform": "main.tf"}
TEXTS = {"sam": SAM, "plain": PLAIN, "serverless": SERVERLESS, "terraform": HCL}
_SPARE = SAM[SAM.index("  ApiErrors:") :].replace("ApiErrors:", "Spare:")
_IN_SERVERLESS = "resources:\n  Resources:\n"
_CIRCLE = "  A: {Type: 'AWS::SNS::Topic', DependsOn: B}\n  B: {Type: 'AWS::SNS::Topic', DependsOn: A}\n"
_PLAIN_NO = '"Conditions": {"No": {"Fn::Equals": ["a", "b"]}},\n "Resources"'
_SPARE_OF_TERRAFORM = HCL[
    HCL.index('resource "aws_cloudwatch_metric_alarm"') : HCL.index('resource "aws_codedeploy_app"')
]
_ALARMS_OF_TERRAFORM = HCL[HCL.index("  alarm_configuration") : HCL.index("  auto_rollback_configuration")]

BAD = {
    ("sam", "an unknown resource"): ("- !Ref ApiErrors", "- !Ref Errors", "Errors is referred to, and is neither"),
    ("plain", "an unknown resource"): (
        '{"Ref": "Errors"}',
        '{"Ref": "Nobody"}',
        "Nobody is referred to, and is neither",
    ),
    ("serverless", "an unknown resource"): ("- ApiCanaryAlarm", "- Nobody", "Nobody"),
    ("sam", "a circular reference"): ("Resources:\n", f"Resources:\n{_CIRCLE}", "Circular reference: A → B → A"),
    ("plain", "a circular reference"): (
        '"Resources": {\n',
        '"Resources": {\n"A": {"Type": "X", "DependsOn": "B"}, "B": {"Type": "X", "DependsOn": "A"},\n',
        "Circular reference: A → B → A",
    ),
    ("serverless", "a circular reference"): (
        "functions:\n",
        f"{_IN_SERVERLESS}{_CIRCLE.replace('  A', '    A').replace('  B', '    B')}functions:\n",
        "Circular reference: A → B → A",
    ),
    ("terraform", "a circular reference"): (
        'name = "shop-${var.stage}"',
        'name = "shop-${local.name}"',
        "circular reference: local.name",
    ),
    ("sam", "a missing parameter"): ("Threshold: 3", "Threshold: !Ref Owner", "--parameter Owner="),
    ("plain", "a missing parameter"): ('"Threshold": 1', '"Threshold": {"Ref": "Owner"}', "--parameter Owner="),
    ("serverless", "a missing parameter"): (
        "threshold: 3",
        "threshold: ${ssm:/shop/limit}",
        "--parameter 'ssm:/shop/limit=",
    ),
    ("terraform", "a missing parameter"): ("= 3\n", "= var.limit\n", "--parameter var.limit="),
    ("sam", "a condition that removes the function"): (
        "    Type: AWS::Serverless::Function\n",
        "    Type: AWS::Serverless::Function\n    Condition: IsProd\n",
        "Api is not deployed: its condition IsProd does not hold",
    ),
    ("plain", "a condition that removes the alias"): (
        '"Resources": {',
        _PLAIN_NO + ": {",
        "Alias is not deployed: its condition No does not hold",
    ),
    ("sam", "an alarm that no group names"): (
        "Resources:\n",
        f"Resources:\n{_SPARE}",
        "The alarm Spare watches Api, and no",
    ),
    ("terraform", "an alarm that no group names"): (
        'resource "aws_codedeploy_app"',
        _SPARE_OF_TERRAFORM.replace('"errors"', '"spare"').replace("-errors", "-spare")
        + 'resource "aws_codedeploy_app"',
        "spare watches aws_lambda_function.api, and no deployment group names it",
    ),
    ("sam", "a preference without alarms"): ("        Alarms:\n          - !Ref ApiErrors\n", "", "no alarm"),
    ("plain", "a preference without alarms"): ('{"Name": {"Ref": "Errors"}}', "", "no alarm"),
    ("serverless", "a preference without alarms"): (ALARMS, "", "no alarm"),
    ("terraform", "a preference without alarms"): (_ALARMS_OF_TERRAFORM, "", "no alarm"),
}

BESIDE = {
    ("plain", "a missing parameter"): (
        '"Resources": {',
        '"Parameters": {"Owner": {"Type": "String"}},\n"Resources": {',
    ),
    ("terraform", "a missing parameter"): ('variable "stage"', 'variable "limit" {}\nvariable "stage"'),
    ("plain", "a condition that removes the alias"): (
        '"Type": "AWS::Lambda::Alias",',
        '"Type": "AWS::Lambda::Alias", "Condition": "No",',
    ),
}
"""What else the text needs for that."""


@pytest.mark.parametrize(("shape", "what"), BAD, ids=map(" - ".join, BAD))
def test_bad_input_gets_one_sentence_with_file_and_line(tmp_path: Path, shape: str, what: str) -> None:
    """Whether the template is refused, or something of it is found."""
    *change, words = BAD[shape, what]
    text = TEXTS[shape]
    for old, new in (change, BESIDE.get((shape, what), ("", ""))):
        assert old in text, f"the template has no {old!r}"
        text = text.replace(old, new) if old else text
    path = tmp_path / FILES[shape]
    path.write_text(text)
    told = [line for line in sentences(path) if words.casefold() in line.casefold()]
    assert told, "\n".join(sentences(path))
    assert re.search(rf"{re.escape(str(path))}:[1-9]\d*: ", told[0])


def sentences(path: Path) -> list[str]:
    """All that is told of a template, each with its file and line."""
    try:
        diagnosis = examine_template(read_release(path, {}), Experiment(name="doctor"))
    except HarnessError as error:
        return [str(error)]
    checks = [*diagnosis.checks, *(check for one in diagnosis.diagnoses for check in one.checks)]
    return [f"{check.file}:{check.line}: {check.seen} {check.advice}" for check in checks]


def test_a_folder_is_told_which_template_is_meant(tmp_path: Path) -> None:
    """As what `cdk synth` writes."""
    (tmp_path / "Shop.template.json").write_text(PLAIN)
    with pytest.raises(HarnessError, match=r"is a folder: give the template itself, such as .*Shop\.template\.json"):
        read_release(tmp_path, {})


def test_a_value_that_the_template_does_not_allow_is_refused(tmp_path: Path) -> None:
    """CloudFormation refuses it, too; what doctor said of it would be about no release."""
    path = tmp_path / "template.yaml"
    stage = "  Stage: {Type: String, Default: dev, AllowedValues: [dev, prod]}\n"
    path.write_text(SAM.replace("  Stage: {Type: String, Default: dev}\n", stage))
    assert read_release(path, {"Stage": "prod"})
    with pytest.raises(HarnessError, match=r"template\.yaml:3: the parameter Stage is one of dev, prod, not qa"):
        read_release(path, {"Stage": "qa"})
