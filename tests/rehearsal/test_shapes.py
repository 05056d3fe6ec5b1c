"""The checker itself: it says yes to AWS's answers and no to anything else."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

Check = Callable[[Any, str, Any], None]


@pytest.fixture(scope="module")
def client() -> Any:
    """A client that is asked for its model only."""
    return boto3.client("codedeploy", region_name="eu-north-1", aws_access_key_id="test", aws_secret_access_key="test")


def answer(**changes: Any) -> dict[str, Any]:
    """An answer of GetDeployment with these members."""
    return {"deploymentInfo": {"status": "Created", "createTime": datetime.now(UTC), **changes}}


def test_answer_of_aws_fits(client: Any, fits_model: Check) -> None:
    """Parsed by boto3 or in-process, with members left out or None."""
    fits_model(client, "GetDeployment", {**answer(), "ResponseMetadata": {}})
    fits_model(client, "GetDeployment", answer(createTime=1.5, description=None, deploymentOverview={"Pending": 1}))
    fits_model(client, "DeleteApplication", {})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"state": "Created"}, "deploymentInfo.state: unknown member"),
        ({"status": "InProgres"}, "'InProgres' is none of"),
        ({"status": 1}, "no string"),
        ({"createTime": "yesterday"}, "no instant"),
        ({"createTime": datetime(2026, 1, 1)}, "no time zone"),
        ({"deploymentOverview": {"Pending": 1.5}}, "no integer"),
        ({"deploymentOverview": []}, "no structure"),
        ({"deploymentStatusMessages": "x"}, "no list"),
        ({"deploymentStatusMessages": [1]}, r"deploymentStatusMessages\[0\]"),
        ({"ignoreApplicationStopFailures": "no"}, "no boolean"),
        ({"applicationName": "x" * 101}, "above 100"),
    ],
)
def test_answer_unlike_aws_does_not_fit(client: Any, fits_model: Check, changes: Any, problem: str) -> None:
    """The message names the member."""
    with pytest.raises(AssertionError, match=problem):
        fits_model(client, "GetDeployment", answer(**changes))


def test_operation_without_answer_has_none(client: Any, fits_model: Check) -> None:
    """Anything in it is too much."""
    with pytest.raises(AssertionError, match="answers nothing"):
        fits_model(client, "DeleteApplication", {"x": 1})
