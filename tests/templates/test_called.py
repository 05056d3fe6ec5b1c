"""A function is chosen by what its tool calls it, too: a person knows it by that name."""

from pathlib import Path

import pytest

from harness.core.experiment.types import Experiment
from harness.errors import UsageError
from harness.templates import examine_template, read_release, routes_of
from tests.templates.conftest import PLAIN, SERVERLESS
from tests.templates.test_terraform import HCL

CDK = PLAIN.replace(
    '"Properties": {"Runtime"', '"Metadata": {"aws:cdk:path": "Prod/Shop/Basket/Resource"}, "Properties": {"Runtime"'
)
CALLED = {
    "key of serverless": ("serverless.yml", SERVERLESS, "api", "ApiLambdaFunction"),
    "path of a construct": ("template.json", CDK, "Prod/Shop/Basket", "Fn"),
    "end of such a path": ("template.json", CDK, "Shop/Basket", "Fn"),
    "id of a construct": ("template.json", CDK, "Basket", "Fn"),
    "address of Terraform": ("main.tf", HCL, "aws_lambda_function.api", "aws_lambda_function.api"),
}


@pytest.mark.parametrize(("file", "text", "word", "logical"), CALLED.values(), ids=CALLED)
def test_a_function_is_chosen_by_what_its_tool_calls_it(
    tmp_path: Path, file: str, text: str, word: str, logical: str
) -> None:
    """By doctor, and by what plays or writes an experiment for it."""
    (tmp_path / file).write_text(text)
    release = read_release(tmp_path / file, {}, with_code=True)
    named, other = (examine_template(release, Experiment(name="doctor"), one) for one in (word, logical))
    assert named.diagnoses
    assert named == other
    assert routes_of(release, word) == routes_of(release, logical)
    with pytest.raises(UsageError, match="has no function Bask"):
        routes_of(release, "Bask")


def test_an_id_that_two_constructs_share_chooses_neither(tmp_path: Path) -> None:
    """Their paths do."""
    second = CDK.replace(
        '"Fn": {', '"Other": {"Type": "AWS::Lambda::Function", "Metadata": {"aws:cdk:path": "A/Basket"}},"Fn": {'
    )
    (tmp_path / "template.json").write_text(second)
    release = read_release(tmp_path / "template.json", {})
    with pytest.raises(UsageError, match="has no function Basket; it has Fn, Other"):
        examine_template(release, Experiment(name="doctor"), "Basket")
    assert examine_template(release, Experiment(name="doctor"), "Shop/Basket").diagnoses
