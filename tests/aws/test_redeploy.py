"""The code in service is published once more, and nothing else of the function stays changed."""

import re
from typing import Any

import boto3
import pytest
from msgspec.structs import replace

from harness.aws import redeploy
from harness.aws.clients import Aws
from harness.aws.healing import heal
from harness.aws.journal import Journal
from harness.aws.redeploy import RETURNING, PlacedAlias, check_redeploy, publish_again
from harness.core.experiment.types import Deployment
from harness.core.timeline.events import Event, Write
from harness.core.timeline.left import unhealed
from harness.errors import UsageError


class Function:
    """The function of a local cloud, and the journal of what is done to it."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.aws = Aws()
        self.events: list[Event] = []
        self.named = {"FunctionName": ready["function"]}
        self.alias = {**self.named, "Name": ready["alias"]}
        self._client = boto3.client("lambda")
        # Not the first version, so that one is there that somebody may move the alias back to.
        self._client.update_alias(**self.alias, FunctionVersion=ready["canary"])
        released = self.configuration(ready["canary"])
        self.change(Environment=released["Environment"], Description=released["Description"])

    def journal(self) -> Journal:
        """Writes to `events`."""
        return Journal(self.events.append, lambda: 0.0)

    def publish(self) -> tuple[str, str]:
        """Version in service and new version."""
        return publish_again(
            self.aws,
            function=self.named["FunctionName"],
            alias=self.alias["Name"],
            run="reports/net/1",
            journal=self.journal(),
        )

    def configuration(self, version: str = "$LATEST") -> Any:
        """As Lambda describes it."""
        return self._client.get_function_configuration(**self.named, Qualifier=version)

    def change(self, **changes: Any) -> None:
        """Somebody changes $LATEST."""
        self._client.update_function_configuration(**self.named, **changes)

    def place(self, version: str, **weights: float) -> None:
        """Somebody moves the alias."""
        routing = {"AdditionalVersionWeights": {name.removeprefix("v"): share for name, share in weights.items()}}
        self._client.update_alias(**self.alias, FunctionVersion=version, RoutingConfig=routing)

    @property
    def placed(self) -> str:
        """The version that the alias is on."""
        version: str = self._client.get_alias(**self.alias)["FunctionVersion"]
        return version

    def steps(self) -> list[tuple[str, str]]:
        """The journal."""
        return [(event.call.removeprefix("lambda:"), event.step) for event in self.events if isinstance(event, Write)]


@pytest.fixture
def function(canary_cloud: Any, canary_aws: Any) -> Function:
    """A function whose code in service is $LATEST."""
    return Function(canary_cloud.ready)


def test_the_code_in_service_is_published_under_another_number(function: Function) -> None:
    """Same code, same configuration; the description is as before, and every write was journaled before it was made."""
    before = function.configuration()
    in_service, version = function.publish()
    assert (in_service, version) == ("2", "3")
    assert function.configuration(version)["CodeSha256"] == function.configuration(in_service)["CodeSha256"]
    assert not redeploy.differences(function.configuration(), function.configuration(in_service))
    assert function.configuration()["Description"] == before["Description"]
    assert function.steps() == [
        ("UpdateFunctionConfiguration", "intended"),
        ("UpdateFunctionConfiguration", "done"),
        ("PublishVersion", "intended"),
        ("PublishVersion", "done"),
        ("UpdateFunctionConfiguration", "undone"),
    ]
    assert not unhealed(function.events)


def test_what_is_not_in_service_is_not_shipped(function: Function) -> None:
    """Somebody changed $LATEST and published nothing: the refusal names what differs and not its value."""
    function.change(Environment={"Variables": {"SECRET": "hunter2"}}, Timeout=7)
    with pytest.raises(UsageError, match=r"\(Environment, Timeout differ\)") as refused:
        function.publish()
    assert "hunter2" not in str(refused.value)
    assert not function.events


def test_a_split_alias_is_refused(function: Function) -> None:
    """There is no one version in service."""
    function.place("2", v1=0.1)
    with pytest.raises(UsageError, match="is split"):
        function.publish()


@pytest.mark.parametrize(
    ("placed", "weights", "left"),
    [
        ("3", {}, "the alias Live was not given back, it is on version 3"),
        ("2", {"v3": 0.1}, "the alias Live still shifts to version 3"),
    ],
    ids=["promoted", "being shifted"],
)
def test_a_redeployment_that_was_not_healed_is_not_redeployed(
    function: Function, placed: str, weights: dict[str, float], left: str
) -> None:
    """Healed in the wrong order, the two would leave the alias on a version of ours: the first one is to be healed."""
    function.publish()
    function.place(placed, **weights)
    with pytest.raises(UsageError) as refused:
        function.publish()
    assert str(refused.value) == (
        f"deployment.redeploy: an earlier one of version 2 is not healed: {left}; "
        "heal it first by `canary-harness alarm reset --run reports/net/1`, once its deployment is over"
    )
    function.place("2")
    function.publish()


def test_a_description_that_was_not_put_back_is_not_taken_for_the_functions_own(function: Function) -> None:
    """The run that set it knows what was there before."""
    function.change(Description="canary-harness redeploy 1a2b of version 2 by reports/net/1")
    with pytest.raises(UsageError, match=r"the description of .* is still changed; heal it first by .* reports/net/1"):
        function.publish()


def test_what_cannot_be_redeployed_is_known_before_any_traffic(function: Function) -> None:
    """A split alias is configuration; an outage is not, and is no reason to refuse."""
    wanted = Deployment(redeploy=True, function=function.named["FunctionName"], alias=function.alias["Name"])
    check_redeploy(function.aws, wanted)
    check_redeploy(function.aws, replace(wanted, alias="nobody"))
    function.place("2", v1=0.1)
    with pytest.raises(UsageError, match="is split"):
        check_redeploy(function.aws, wanted)


def test_a_description_left_by_a_crash_is_put_back(function: Function) -> None:
    """From the journal alone."""
    function.change(Description="mine")
    description = redeploy.Description(
        function.aws,
        function=function.named["FunctionName"],
        mark="canary-harness redeploy 1",
        journal=function.journal(),
        before="mine",
    )
    description.inject()
    (left,) = unhealed(function.events)
    (healed,) = heal(Aws(), [left], function.events.append, lambda: 0.0)
    assert healed.healed
    assert function.configuration()["Description"] == "mine"
    assert not unhealed(function.events)


@pytest.mark.parametrize(
    ("now", "weights", "then", "done"),
    [
        ("3", {}, "2", True),
        ("2", {}, "2", True),
        ("1", {}, "1", True),
        ("2", {"v3": 0.1}, "2", False),
    ],
    ids=["promoted", "rolled back", "moved by somebody else", "being shifted"],
)
def test_a_promoted_alias_goes_back_and_any_other_is_left_alone(
    function: Function, now: str, weights: dict[str, float], then: str, done: bool
) -> None:
    """By the run itself, or after a crash by its journal."""
    in_service, version = function.publish()
    named = {"function": function.named["FunctionName"], "alias": function.alias["Name"]}
    PlacedAlias(function.aws, **named, before=in_service, after=version, journal=function.journal()).announce()
    function.place(now, **weights)
    (left,) = unhealed(function.events)
    (healed,) = heal(Aws(), [left], function.events.append, lambda: 0.0)
    assert (healed.healed, function.placed) == (done, then)
    assert bool(unhealed(function.events)) is not done


def test_a_deployment_that_still_shifts_the_alias_is_named(canary_cloud: Any, canary_aws: Any) -> None:
    """With when it will be over: whoever heals has to come back then, and then nothing is left."""
    ready = canary_cloud.ready
    deployment_id = canary_cloud.deploy()
    canary_cloud.advance(30)
    events: list[Event] = []
    subject = f"{ready['function']}:{ready['alias']}"
    write = Write(at_s=0.0, call=RETURNING, subject=subject, step="intended", before="1", after="2")
    wanted = Deployment(application=ready["application"], group=ready["group"])
    (left,) = heal(Aws(), unhealed([write]), events.append, lambda: 0.0, wanted)
    assert not left.healed
    named = rf"{deployment_id} of .*/{ready['group']} is InProgress and shifts all traffic at about [\d:]{{8}} UTC"
    assert re.search(named, left.told)
    canary_cloud.advance(600)
    (healed,) = heal(Aws(), unhealed([write]), events.append, lambda: 0.0, wanted)
    assert (healed.healed, healed.told) == (True, "back on version 1")
