"""A loop of a template is read as its copies written out, by the reader and by the local cloud."""

import json
from pathlib import Path

import pytest

from harness.errors import TemplateError
from harness.rehearsal.cloudformation.template import as_sent
from harness.rehearsal.cloudformation.transforms import TransformFailed, transformed
from harness.templates import TemplateRelease, read_release
from tests.templates.conftest import answers, facts

HEAD = """\
Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]
Parameters: {Services: {Type: CommaDelimitedList, Default: "orders,user-data"}}
Mappings: {Limits: {orders: {Errors: 3}, user-data: {Errors: 5}}}
Resources:
"""
LOOP = """\
  Fn::ForEach::Functions:
    - Name
    - !Ref Services
    - Function&{Name}:
        Type: AWS::Serverless::Function
        Properties:
          FunctionName: !Sub "shop-${Name}"
          Runtime: python3.12
          Handler: app.handler
          InlineCode: "def handler(event, context): ..."
          AutoPublishAlias: live
          DeploymentPreference: {Type: Canary10Percent5Minutes, Alarms: [!Ref "Errors&{Name}"]}
      Errors&{Name}:
        Type: AWS::CloudWatch::Alarm
        Properties:
          Namespace: AWS/Lambda
          MetricName: Errors
          Dimensions:
            - {Name: FunctionName, Value: !Ref "Function&{Name}"}
            - {Name: Resource, Value: !Sub "${Function&{Name}}:live"}
          Statistic: Sum
          Period: 60
          EvaluationPeriods: 1
          Threshold: !FindInMap [Limits, !Ref Name, Errors]
          ComparisonOperator: GreaterThanOrEqualToThreshold
"""


def copy(name: str, plain: str) -> str:
    """One copy of what the loop makes, as a person would write it."""
    body = LOOP.split("- !Ref Services\n    - ")[1].replace("&{Name}", plain).replace("${Name}", name)
    body = body.replace("!Ref Name", name)
    first, *rest = body.splitlines()
    return "\n".join([f"  {first}", *(line.removeprefix("    ") for line in rest)]) + "\n"


def read(path: Path, text: str, **parameters: str) -> TemplateRelease:
    """A template that was written to a file."""
    path.write_text(text)
    return read_release(path, parameters)


def test_a_loop_is_read_as_its_copies(tmp_path: Path) -> None:
    """Functions, alarms and thresholds; the list comes from a parameter, and that its default was taken is told."""
    path = tmp_path / "template.yaml"
    looped = read(path, HEAD + LOOP)
    written = read(path, HEAD + copy("orders", "orders") + copy("user-data", "userdata"))
    assert [one[0] for one in facts(looped)] == ["shop-orders", "shop-user-data"]  # type: ignore[index]
    assert facts(looped) == facts(written)
    assert answers(looped) == answers(written)
    assert sorted(alarm.defined.threshold or 0 for alarm in looped.alarms) == [3, 5]
    assert looped.defaults["Services"].value == "orders,user-data"
    assert facts(read(path, HEAD + LOOP, Services="orders")) == facts(looped)[:1]


def test_the_local_cloud_makes_the_same_of_a_loop(tmp_path: Path) -> None:
    """What its transforms leave is read as the template that was sent."""
    sent, made = tmp_path / "template.yaml", tmp_path / "made.json"
    looped = read(sent, HEAD + LOOP)
    processed = transformed(HEAD + LOOP, {"Services": "orders,user-data"}, "eu-north-1").values
    assert facts(read(made, json.dumps(as_sent(processed)))) == facts(looped)


def test_a_loop_within_a_loop_goes_over_what_the_outer_one_names(tmp_path: Path) -> None:
    """In names of resources and in their properties."""
    nested = """\
  Fn::ForEach::Stages:
    - Stage
    - [Dev, Prod]
    - Fn::ForEach::Functions:
        - Name
        - !FindInMap [Of, !Ref Stage, Names]
        - ${Stage}${Name}:
            Type: AWS::Serverless::Function
            Properties:
              Environment: {Variables: {"Fn::ForEach::Own": [V, [A, B], {"OF_${V}": !Ref Stage}]}}
"""
    mappings = "Mappings: {Of: {Dev: {Names: [One]}, Prod: {Names: [One, Two]}}}\nResources:\n"
    path = tmp_path / "template.yaml"
    path.write_text(HEAD.splitlines()[0] + "\n" + mappings + nested)
    found = read_release(path, {}, with_code=True)
    assert {*found.functions} == {"${DevOne}", "${ProdOne}", "${ProdTwo}"}
    environment = found.runs["${ProdTwo}"].environment
    assert {name: fact.value for name, fact in environment.items()} == {"OF_A": "Prod", "OF_B": "Prod"}


def test_a_loop_over_what_is_not_known_is_named_with_what_gives_it(tmp_path: Path) -> None:
    """Nothing is said of what it makes."""
    path = tmp_path / "template.yaml"
    found = read(path, HEAD.replace(', Default: "orders,user-data"', "") + LOOP)
    (problem,) = found.problems
    assert (problem.severity, problem.line) == ("unknown", 5)
    assert problem.advice == "Give --parameter Services=…."
    assert found.released == ()


@pytest.mark.parametrize("transform", ["", "Transform: [AWS::Serverless-2016-10-31, AWS::LanguageExtensions]\n"])
def test_a_loop_that_nothing_carries_out_is_an_error(transform: str, tmp_path: Path) -> None:
    """CloudFormation takes it for a resource without a type, and SAM fails."""
    (problem,) = read(tmp_path / "t.yaml", transform + HEAD.split("\n", 1)[1] + LOOP).problems
    assert problem.severity == "error"
    assert problem.advice == "Let AWS::LanguageExtensions stand first in Transform."


SMALL = "{Type: AWS::Lambda::Function}"


@pytest.mark.parametrize(
    ("loop", "problem"),
    [
        ("[Name, [A]]", "takes an identifier, a list to go over, and what it makes"),
        ("[Name, A, {'Fn&{Name}': " + SMALL + "}]", "goes over a list, not over A"),
        ("[Name, [A, B], {Fn: " + SMALL + "}]", "Fn is made twice by a loop"),
        ("7", "takes an identifier, a list to go over, and what it makes"),
    ],
)
def test_a_loop_that_is_none_is_refused(loop: str, problem: str, tmp_path: Path) -> None:
    """With its line, by the reader; by the local cloud as a transform that failed."""
    text = f"Transform: AWS::LanguageExtensions\nResources:\n  Fn::ForEach::Functions: {loop}\n"
    with pytest.raises(TemplateError, match=problem) as refused:
        read(tmp_path / "t.yaml", text)
    assert refused.value.line == 3
    with pytest.raises(TransformFailed, match=problem):
        transformed(text, {}, "eu-north-1")


def test_loops_make_a_bounded_size(tmp_path: Path) -> None:
    """Loops within loops are cheap to write."""
    many = "[" + ", ".join(f"x{at}" for at in range(40)) + "]"
    inner = '{"R${A}${B}${C}${D}": ' + SMALL + "}"
    for name in "DCBA":
        inner = f'{{"Fn::ForEach::{name}": [{name}, {many}, {inner}]}}'
    with pytest.raises(TemplateError, match="loops make more than"):
        read(tmp_path / "t.yaml", f"Transform: AWS::LanguageExtensions\nResources: {inner}\n")
