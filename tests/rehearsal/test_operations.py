"""Operations: declared once, listed in the README, known to AWS, and called under the lock of the schedule."""

import re
import threading
from pathlib import Path

import pytest
from moto.core.utils import get_service_model

from harness.rehearsal.apis.http_apis import HttpApis
from harness.rehearsal.apis.rest_apis import RestApis
from harness.rehearsal.clock import CloudClock, Schedule
from harness.rehearsal.cloudformation import CloudFormation
from harness.rehearsal.cloudwatch.service import CloudWatch
from harness.rehearsal.codedeploy import CodeDeploy
from harness.rehearsal.fis import Fis
from harness.rehearsal.functions.functions import Functions
from harness.rehearsal.operations import Answer, AwsService, Params, operation, operations, unlocked_operation
from harness.rehearsal.refusal import Refusal
from harness.rehearsal.service_models import service_model

README = Path(__file__).parents[2] / "harness" / "rehearsal" / "README.md"

SERVICES: dict[str, type[AwsService]] = {
    "codedeploy": CodeDeploy,
    "cloudwatch": CloudWatch,
    "lambda": Functions,
    "fis": Fis,
    "cloudformation": CloudFormation,
    "apigateway": RestApis,
    "apigatewayv2": HttpApis,
}


class Locks(AwsService):
    """Operations that tell whether another thread could take the lock meanwhile; one request is refused."""

    @operation
    def get_lock(self, params: Params) -> Answer:
        """GetLock."""
        return {"free": self._is_free(), **params}

    @unlocked_operation
    def wait_for_lock(self, params: Params) -> Answer:
        """WaitForLock."""
        return {"free": self._is_free(), **params}

    def _check(self, operation: str, params: Params) -> None:
        if "wrong" in params:
            raise Refusal("ValidationError", operation)

    def _is_free(self) -> bool:
        took: list[bool] = []
        other = threading.Thread(target=lambda: took.append(self._schedule.lock.acquire(blocking=False)))
        other.start()
        other.join()
        return took == [True]


def listed() -> dict[str, list[str]]:
    """The operations in the README's table, by service."""
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    return {service: sorted(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)*\b", cells)) for service, cells in rows}


def test_the_readme_lists_every_operation_and_no_other() -> None:
    """An operation that is added or removed has to be in the table, or out of it."""
    assert listed() == {name: list(operations(service)) for name, service in SERVICES.items()}


def test_the_cloud_serves_these_services(canary_cloud: object) -> None:
    """The table leaves out no service of the cloud."""
    assert {name: type(service) for name, service in canary_cloud._services().items()} == SERVICES  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", SERVICES)
def test_a_services_model_is_botocores_own(name: str) -> None:
    """It is found in another way, and is the same."""
    ours, theirs = service_model(name), get_service_model(name)
    assert (ours.metadata, ours.operation_names) == (theirs.metadata, theirs.operation_names)


@pytest.mark.parametrize("name", SERVICES)
def test_every_operation_is_one_of_aws(name: str) -> None:
    """A method with a misspelt name would never be called."""
    assert set(operations(SERVICES[name])) <= set(get_service_model(name).operation_names)


def test_an_operation_runs_what_is_due_first_and_holds_the_lock() -> None:
    """It sees a cloud that is up to date and stands still."""
    schedule, ran = Schedule(CloudClock(0)), []
    schedule.at(schedule.clock.now(), ran.append)
    assert Locks(schedule).get_lock({"a": 1}) == {"free": False, "a": 1}
    assert len(ran) == 1


def test_an_unlocked_operation_runs_what_is_due_first_and_holds_no_lock() -> None:
    """The cloud goes on while user code runs."""
    schedule, ran = Schedule(CloudClock(0)), []
    schedule.at(schedule.clock.now(), ran.append)
    assert Locks(schedule).wait_for_lock({}) == {"free": True}
    assert len(ran) == 1


def test_a_request_is_checked_under_the_name_of_its_operation() -> None:
    """The check comes before the method."""
    with pytest.raises(Refusal, match="GetLock"):
        Locks(Schedule(CloudClock(0))).get_lock({"wrong": 1})
