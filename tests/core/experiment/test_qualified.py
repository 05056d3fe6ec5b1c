"""A function as people copy it."""

import pytest

from harness.core.experiment.parse import parse
from harness.core.experiment.qualified import with_a_bare_function
from harness.errors import ExperimentError

ARN = "arn:aws:lambda:eu-north-1:123456789012:function:shop-api"


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("shop-api", {"function": "shop-api"}),
        ("shop-api:Live", {"function": "shop-api", "alias": "Live"}),
        ("function:shop-api:Live", {"function": "shop-api", "alias": "Live"}),
        ("123456789012:function:shop-api", {"function": "shop-api"}),
        (ARN, {"function": "shop-api"}),
        (f"{ARN}:Live", {"function": "shop-api", "alias": "Live"}),
        (f"{ARN.replace(':aws:', ':aws-us-gov:')}:Live", {"function": "shop-api", "alias": "Live"}),
    ],
)
def test_a_function_is_taken_as_the_lambda_api_takes_it(word: str, named: dict[str, str]) -> None:
    """By name, by ARN or a part of one, and the alias apart."""
    assert with_a_bare_function({"function": word}) == named


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"function": "shop-api:Live", "alias": "Beta"}, "deployment.function: names the alias Live, .* is Beta"),
        ({"function": f"{ARN}:42"}, "the version 42"),
        ({"function": "shop-api:$LATEST"}, "the version .LATEST"),
        ({"function": "arn:aws:s3:::bucket"}, "must be a function's name, name:alias or ARN"),
        ({"function": "shop api"}, "must be a function's name, name:alias or ARN"),
    ],
)
def test_what_names_no_function_and_alias_is_refused(given: dict[str, str], told: str) -> None:
    """With the field and the fix."""
    with pytest.raises(ExperimentError, match=told):
        with_a_bare_function(given)


def test_the_alias_may_be_said_twice() -> None:
    """It is the same one."""
    assert with_a_bare_function({"function": "f:Live", "alias": "Live"}) == {"function": "f", "alias": "Live"}


def test_a_file_may_name_functions_by_arn_in_all_of_its_groups() -> None:
    """And one that contradicts itself is refused with its path."""
    named = f"name: x\ndeployment: {{function: '{ARN}:Prod'}}\nalso: [{{group: g, function: 'other:Beta'}}]"
    experiment = parse(named, source="f.yaml")
    groups = (experiment.deployment, *experiment.also)
    assert [(one.function, one.alias) for one in groups] == [("shop-api", "Prod"), ("other", "Beta")]
    with pytest.raises(ExperimentError, match=r"also\[0\].function: names the alias Beta"):
        parse(named.replace("'other:Beta'", "'other:Beta', alias: Live"), source="f.yaml")
