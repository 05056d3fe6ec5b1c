"""The plan names every change of AWS."""

from typing import Any

import pytest

from harness.core.experiment.planned_writes import writes_of
from harness.core.experiment.types import Alarm, Deployment, Experiment, Fault

DEPLOYMENT = Deployment(application="shop", group="live", function="fn", target_version="7")


@pytest.mark.parametrize(
    ("fault", "call", "subject"),
    [
        ({"force_alarm": "ALARM"}, "cloudwatch:SetAlarmState", "errors"),
        ({"concurrency": 0}, "lambda:PutFunctionConcurrency", "fn"),
        ({"fis_template": "EXT1"}, "fis:StartExperiment", "EXT1"),
    ],
)
def test_each_fault_on_aws_is_named_with_what_undoes_it(fault: dict[str, Any], call: str, subject: str) -> None:
    """By its IAM action and what it is done to."""
    faults = (Fault(at_s=60, for_s=30, **fault),)
    experiment = Experiment(name="x", deployment=DEPLOYMENT, alarm=Alarm(name="errors"), faults=faults)
    deploys, write = writes_of(experiment)
    assert (deploys.call, deploys.subject, deploys.undone_by) == ("codedeploy:CreateDeployment", "shop/live", None)
    assert (write.call, write.subject) == (call, subject)
    assert "60 s after" in write.what
    assert "for 30 s" in write.what
    assert write.undone_by


def test_a_stop_on_evidence_is_named() -> None:
    """It needs permission as every write does, and nothing undoes it."""
    (write,) = writes_of(Experiment(name="x", deployment=Deployment(group="live"), stop_on="evidence"))
    assert (write.call, write.subject, write.undone_by) == ("codedeploy:StopDeployment", "the group live", None)


def test_shares_of_fault_requests_change_nothing_on_aws() -> None:
    """They are traffic."""
    faults = (Fault(at_s=0, error_share=0.1), Fault(at_s=9, error_share=0.2))
    assert writes_of(Experiment(name="x", faults=faults)) == ()
