"""A start that deploys is refused while an alarm would stop it at once; what is offered is what can be."""

from typing import Any

import boto3
import pytest

from harness.aws.clients import Aws
from harness.aws.offers import offers
from harness.aws.ringing import check_no_alarm_rings
from harness.core.experiment.types import Deployment
from harness.errors import NotAllowed
from tests.aws.scripted_aws import FakeAws

WANTED = Deployment(redeploy=True)


def test_an_alarm_in_alarm_is_named_until_it_is_ok(canary_cloud: Any, canary_aws: Any) -> None:
    """The reason names the alarm; once it is OK nothing is in the way."""
    cloudwatch, alarm = boto3.client("cloudwatch"), canary_cloud.ready["alarm"]
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a former round")
    with pytest.raises(NotAllowed, match=f"the alarm {alarm} is in ALARM"):
        check_no_alarm_rings(Aws(), WANTED)
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="it is over")
    check_no_alarm_rings(Aws(), WANTED)


def test_what_aws_does_not_tell_is_in_nobodys_way() -> None:
    """The run asks again, and says what is wrong."""
    check_no_alarm_rings(FakeAws(), WANTED)  # type: ignore[arg-type]


def test_a_version_that_cannot_be_redeployed_is_not_offered(canary_cloud: Any, canary_aws: Any) -> None:
    """The code in service can be, until another one than $LATEST is in service; then it is said why not."""
    assert offers(Aws(), Deployment()).no_redeploy is None
    named = {"FunctionName": canary_cloud.ready["function"], "Name": canary_cloud.ready["alias"]}
    boto3.client("lambda").update_alias(**named, FunctionVersion=canary_cloud.ready["canary"])
    told = offers(Aws(), Deployment())
    assert told.in_service == canary_cloud.ready["canary"]
    assert "$LATEST" in str(told.no_redeploy)
