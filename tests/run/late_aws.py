"""A scripted AWS that takes its time: writes land late, also when nobody waits for them any more, and looks are old."""

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import gevent

from harness.aws.clients import Patience
from harness.errors import AwsError, NotFound, Unreachable

PATIENCE_S = 4.0
"""How long a client waits for an answer."""
LONGEST_LOOK_S = 1.0
SHIFTS_AFTER_S, PROMOTED_AFTER_S = 5.0, 120.0
NAMES = {"application": "shop", "group": "shop-live", "function": "fn", "alias": "live"}
BEFORE: dict[str, Any] = {
    "alarm": "OK",
    "reserved": 5,
    "description": "mine",
    "alias": ("1", {}),
    "experiments": {},
    "deployments": {},
    "versions": {"1": "one"},
}
State = dict[str, Any]
Effect = Callable[[State], None]


class World:
    """All that there is on AWS, by the instant: effects land when they land."""

    def __init__(self, now: Callable[[], float], seconds: Callable[[float], float]) -> None:
        self.now = now
        self.latency_s = self.stale_s = 0.0
        self.dead = False
        self.on_write: Callable[[str], None] = lambda _: None
        self._effects: list[tuple[float, Effect]] = []
        self._seconds = seconds

    def pass_(self, for_s: float) -> None:
        """Lets simulated seconds go by; who is dead never comes back."""
        gevent.sleep(self._seconds(for_s))
        if self.dead:
            raise gevent.GreenletExit

    def at(self, at_s: float) -> State:
        """The state at an instant."""
        state = deepcopy(BEFORE)
        for _, effect in sorted((one for one in self._effects if one[0] <= at_s), key=lambda one: one[0]):
            effect(state)
        return state

    def land(self, at_s: float, effect: Effect) -> None:
        """Has something take effect."""
        self._effects.append((at_s, effect))

    @property
    def changed(self) -> set[str]:
        """What is not as it was before once everything has landed; versions and deployments stay."""
        state = self.at(float("inf"))
        kept = {"alarm", "reserved", "description", "alias"}
        running = {"experiments"} if "running" in state["experiments"].values() else set[str]()
        return {name for name in kept if state[name] != BEFORE[name]} | running


class LateAws:
    """Calls of this world, each attempted so often."""

    region = "eu-north-1"

    def __init__(self, world: World, attempts: int = 2) -> None:
        self.world = world
        self._attempts = attempts

    def with_patience(self, patience: Patience) -> "LateAws":
        """The same world; a short patience is over after one silence."""
        return LateAws(self.world, 2 if patience.total_s > 2 * PATIENCE_S - 1 and patience.attempts > 1 else 1)

    def call(self, service: str, operation: str, **asked: Any) -> Any:
        """One operation."""
        write = _WRITES.get(operation)
        if write is None:
            self.world.pass_(min(self.world.latency_s, LONGEST_LOOK_S))
            return _READS[operation](self.world.at(self.world.now() - self.world.stale_s), **asked) | self._dated()
        for attempt in range(1 if operation == "create_deployment" else self._attempts):
            try:
                return self._write(f"{service}:{operation}", write, asked)
            except Unreachable as error:
                lost = error
                lost.doubted = attempt >= 0
        raise lost

    def _write(self, call: str, write: Callable[..., tuple[Any, Effect]], asked: dict[str, Any]) -> Any:
        world, began_s = self.world, self.world.now()
        is_lost = world.latency_s >= PATIENCE_S
        lands_s = began_s + world.latency_s * (1.05 if is_lost else 0.5)
        answer, effect = write(world, lands_s, **asked)
        world.land(lands_s, effect)
        world.on_write(call.partition(":")[2])
        world.pass_(min(world.latency_s, PATIENCE_S))
        if is_lost:
            raise Unreachable(call, "read timeout")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _dated(self) -> dict[str, Any]:
        date = format_datetime(datetime.fromtimestamp(self.world.now(), UTC), usegmt=True)
        return {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}


# Writes: what AWS answers, and what becomes of it


def _sets(name: str, value: Any) -> Effect:
    return lambda state: state.update({name: value})


def _set_alarm(world: World, lands_s: float, StateValue: str, **_: Any) -> Any:  # noqa: N803
    return {}, _sets("alarm", StateValue)


def _reserve(world: World, lands_s: float, ReservedConcurrentExecutions: int, **_: Any) -> Any:  # noqa: N803
    return {}, _sets("reserved", ReservedConcurrentExecutions)


def _describe(world: World, lands_s: float, Description: str, **_: Any) -> Any:  # noqa: N803
    return {}, _sets("description", Description)


def _publish(world: World, lands_s: float, Description: str, **_: Any) -> Any:  # noqa: N803
    return {"Version": "2"}, lambda state: state["versions"].update({"2": Description})


def _place(world: World, lands_s: float, FunctionVersion: str, **_: Any) -> Any:  # noqa: N803
    return {}, _sets("alias", (FunctionVersion, {}))


def _start(world: World, lands_s: float, clientToken: str, **_: Any) -> Any:  # noqa: N803
    return {"experiment": {"id": f"EXP-{clientToken}"}}, lambda state: state["experiments"].setdefault(
        clientToken, "running"
    )


def _stop(world: World, lands_s: float, id: str) -> Any:  # noqa: A002
    token = id.removeprefix("EXP-")
    known = world.at(lands_s)["experiments"].get(token)
    if known is None:
        return NotFound("fis:StopExperiment", "ResourceNotFoundException", "no such experiment"), lambda _: None
    return {}, lambda state: state["experiments"].update({token: "stopped"})


def _deploy(world: World, lands_s: float, description: str, revision: Any, **_: Any) -> Any:
    active = [id_ for id_, one in world.at(lands_s)["deployments"].items() if one["status"] == "InProgress"]
    if active:
        said = f"The Deployment Group 'shop-live' already has an active Deployment '{active[0]}'."
        return AwsError("codedeploy:CreateDeployment", "DeploymentLimitExceededException", said), lambda _: None
    id_ = f"d-{len(world.at(lands_s)['deployments']) + 1}"
    (resource,) = json.loads(revision["appSpecContent"]["content"])["Resources"]
    versions = resource["fn"]["Properties"]
    one = {"deploymentId": id_, "status": "InProgress", "description": description}
    ended = {**one, "status": "Succeeded", "completeTime": datetime.fromtimestamp(lands_s + PROMOTED_AFTER_S, UTC)}
    world.land(lands_s + SHIFTS_AFTER_S, _sets("alias", (versions["CurrentVersion"], {versions["TargetVersion"]: 0.1})))
    world.land(lands_s + PROMOTED_AFTER_S, _sets("alias", (versions["TargetVersion"], {})))
    world.land(lands_s + PROMOTED_AFTER_S, lambda state: state["deployments"].update({id_: ended}))
    return {"deploymentId": id_}, lambda state: state["deployments"].update({id_: one})


_WRITES: dict[str, Callable[..., tuple[Any, Effect]]] = {
    "set_alarm_state": _set_alarm,
    "put_function_concurrency": _reserve,
    "update_function_configuration": _describe,
    "publish_version": _publish,
    "update_alias": _place,
    "start_experiment": _start,
    "stop_experiment": _stop,
    "create_deployment": _deploy,
}

# Reads: what AWS answers of a state


def _deployment(state: State, deploymentId: str) -> Any:  # noqa: N803
    if deploymentId not in state["deployments"]:
        raise NotFound("codedeploy:GetDeployment", "DeploymentDoesNotExistException", "no such deployment")
    return {"deploymentInfo": state["deployments"][deploymentId]}


def _alias(state: State, **_: Any) -> Any:
    version, weights = state["alias"]
    return {"FunctionVersion": version, "RevisionId": "r", "RoutingConfig": {"AdditionalVersionWeights": weights}}


def _configuration(state: State, Qualifier: str | None = None, **_: Any) -> Any:  # noqa: N803
    if Qualifier is None:
        return {"Description": state["description"], "CodeSha256": "c0de"}
    if Qualifier not in state["versions"]:
        raise NotFound("lambda:GetFunctionConfiguration", "ResourceNotFoundException", "no such version")
    return {"Description": state["versions"][Qualifier], "CodeSha256": "c0de"}


def _experiments(state: State, **_: Any) -> Any:
    return {
        "experiments": [{"id": f"EXP-{token}", "tags": {"canary-harness": token}} for token in state["experiments"]]
    }


def _listed(state: State, includeOnlyStatuses: Any = None, **_: Any) -> Any:  # noqa: N803
    known = state["deployments"].values()
    return {
        "deployments": [
            one["deploymentId"] for one in known if includeOnlyStatuses is None or one["status"] in includeOnlyStatuses
        ]
    }


_READS: dict[str, Callable[..., Any]] = {
    "describe_alarms": lambda state, **_: {"MetricAlarms": [{"AlarmName": "errors", "StateValue": state["alarm"]}]},
    "get_function_concurrency": lambda state, **_: {"ReservedConcurrentExecutions": state["reserved"]},
    "get_function_configuration": _configuration,
    "get_alias": _alias,
    "get_experiment_template": lambda state, id: {},  # noqa: A006
    "get_experiment": lambda state, id: {  # noqa: A006
        "experiment": {"state": {"status": state["experiments"].get(id.removeprefix("EXP-"), "unknown")}}
    },
    "list_experiments": _experiments,
    "list_deployments": _listed,
    "get_deployment": _deployment,
    "batch_get_deployments": lambda state, deploymentIds: {  # noqa: N803
        "deploymentsInfo": [state["deployments"][one] for one in deploymentIds if one in state["deployments"]]
    },
}
