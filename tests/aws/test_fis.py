"""An experiment of Fault Injection Service is stopped, whatever happens."""

from typing import Any

import pytest
from botocore.config import Config
from botocore.session import Session
from botocore.stub import ANY, Stubber

from harness.aws.fis import TAG, FisExperiment
from harness.aws.healing import heal
from harness.aws.journal import SETTLED_S, Journal
from harness.core.timeline.events import Write
from harness.core.timeline.left import unhealed
from harness.errors import AwsError, Unreachable
from tests.aws.scripted_aws import Stage

LOST = Unreachable("fis:StartExperiment", "read timeout")
REFUSED = AwsError("fis:StopExperiment", "ValidationException", "the experiment has ended")


class Service:
    """FIS of the scripted AWS: experiments by id, each with its token, tags and state."""

    def __init__(self, stage: Stage) -> None:
        self.experiments: dict[str, dict[str, Any]] = {}
        stage.aws.script = {
            "start_experiment": self.start,
            "stop_experiment": self.stop,
            "get_experiment": lambda id: {"experiment": self.experiments[id]},  # noqa: A006
            "list_experiments": lambda **_: {"experiments": [*self.experiments.values()]},
        }

    @property
    def states(self) -> list[str]:
        """The states of all experiments."""
        return [experiment["state"]["status"] for experiment in self.experiments.values()]

    def start(self, clientToken: str, experimentTemplateId: str, tags: dict[str, str]) -> dict[str, Any]:  # noqa: N803
        """StartExperiment: one token starts one."""
        for experiment in self.experiments.values():
            if experiment["token"] == clientToken:
                return {"experiment": experiment}
        started = {"id": f"EXP{len(self.experiments)}", "tags": tags, "token": clientToken}
        self.experiments[started["id"]] = {**started, "state": {"status": "running"}}
        return {"experiment": self.experiments[started["id"]]}

    def stop(self, id: str) -> dict[str, Any]:  # noqa: A002
        """StopExperiment."""
        if self.experiments[id]["state"]["status"] != "running":
            raise REFUSED
        self.experiments[id]["state"]["status"] = "stopping"
        return {"experiment": self.experiments[id]}


def fault_of(stage: Stage, mark: str | None = None) -> FisExperiment:
    """The fault that all tests inject."""
    journal = stage.journal()
    return FisExperiment(stage.aws, template="EXT1", journal=journal, mark=mark)  # type: ignore[arg-type]


def test_an_experiment_is_started_once_and_stopped(stage: Stage) -> None:
    """With its token in the journal before the call, and its id after it."""
    service = Service(stage)
    fault = fault_of(stage)
    fault.inject()
    fault.inject()
    assert service.states == ["running"]
    assert fault.heal()
    assert fault.heal()
    assert service.states == ["stopping"]
    intended, done, undone = stage.seen(Write)
    assert (intended.step, done.step, undone.step) == ("intended", "done", "undone")
    assert intended.after == service.experiments["EXP0"]["tags"][TAG]
    assert done.detail == "EXP0"


def test_an_experiment_that_ended_by_itself_needs_no_stop(stage: Stage) -> None:
    """AWS refuses to stop it, and that is no failure."""
    service = Service(stage)
    fault = fault_of(stage)
    fault.inject()
    service.experiments["EXP0"]["state"]["status"] = "completed"
    assert fault.heal()
    assert "completed" in stage.seen(Write)[-1].detail


def test_an_experiment_whose_answer_was_lost_is_found_and_stopped(stage: Stage) -> None:
    """By the tag that it was started with, also after a crash."""
    service = Service(stage)

    def lost(**asked: Any) -> Any:
        service.start(**asked)
        return LOST

    stage.aws.script["start_experiment"] = lost
    with pytest.raises(Unreachable):
        fault_of(stage).inject()
    assert [write.step for write in stage.seen(Write)] == ["intended", "unanswered"]
    (left,) = unhealed(stage.events)
    stage.aws.script["get_experiment_template"] = {}
    (healed,) = heal(stage.aws, [left], stage.events.append, stage.clock, rest=stage.rest)  # type: ignore[arg-type]
    assert healed.healed
    assert service.states == ["stopping"]


def test_an_experiment_that_never_started_is_healed_once_it_cannot_start(stage: Stage) -> None:
    """Until then it is looked for, and left. Those of others are left alone."""
    service = Service(stage)
    service.start("other", "EXT1", {TAG: "other"})
    stage.aws.script["start_experiment"] = LOST
    fault = fault_of(stage, "mine")
    with pytest.raises(Unreachable):
        fault.inject()
    assert not fault.heal()
    stage.clock.at_s += SETTLED_S
    assert fault.heal()
    assert stage.seen(Write)[-1].detail == "it never started"
    assert service.states == ["running"]


def test_a_failed_stop_is_journaled_and_may_be_repeated(stage: Stage) -> None:
    """It never raises, and says that something is left."""
    service = Service(stage)
    fault = fault_of(stage)
    fault.inject()
    stage.aws.script["stop_experiment"] = LOST
    assert not fault.heal()
    assert stage.seen(Write)[-1].step == "failed"
    stage.aws.script["stop_experiment"] = service.stop
    assert fault.heal()


def test_the_calls_are_what_boto_takes() -> None:
    """Names and types of every parameter, by boto's own model."""
    client = Session().create_client(
        "fis",
        "eu-north-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=Config(retries={"total_max_attempts": 1}),
    )
    token = {"clientToken": ANY, "experimentTemplateId": "EXT1", "tags": ANY}
    with Stubber(client) as stub:
        stub.add_response("start_experiment", {"experiment": {"id": "EXP1"}}, token)
        stub.add_response(
            "stop_experiment", {"experiment": {"id": "EXP1", "state": {"status": "stopping"}}}, {"id": "EXP1"}
        )
        fault = FisExperiment(_Direct(client), template="EXT1", journal=Journal(lambda _: None, lambda: 0.0))  # type: ignore[arg-type]
        fault.inject()
        assert fault.heal()
        stub.assert_no_pending_responses()


class _Direct:
    """Calls a client as `Aws` does."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def with_patience(self, _: object) -> "_Direct":
        """The same."""
        return self

    def call(self, _: str, operation: str, **params: Any) -> Any:
        """One call."""
        return getattr(self._client, operation)(**params)
