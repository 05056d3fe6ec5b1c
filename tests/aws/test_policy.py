"""The IAM policy against the calls that the room really makes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.session import Session

import harness.aws
from harness.aws.clients import action
from harness.aws.policy import FINDS_AND_EXAMINES, WATCHES, actions, narrowed, needed_for_writes, policy
from harness.core.experiment.types import Alarm, Deployment, Experiment, Fault

ASKING = frozenset({"call", "ask", "pages"})
ROOM = Path(str(harness.aws.__file__)).parent
# What AWS demands of a caller of CreateDeployment beside the call itself.
IMPLIED = frozenset(
    {"codedeploy:GetApplicationRevision", "codedeploy:GetDeploymentConfig", "codedeploy:RegisterApplicationRevision"}
)


def asked_in(source: Path) -> Iterator[tuple[str, str]]:
    """Service and operation of every call of AWS in a module; a call whose words are passed on has none of its own."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or _name(node.func) not in ASKING:
            continue
        words = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if len(words) == 2:
            yield words[0], words[1]


def passed_on_in(source: Path) -> Iterator[str]:
    """Where a call of AWS does not say its service and operation as plain words."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and _name(node.func) in ASKING:
            named = [arg.id for arg in node.args if isinstance(arg, ast.Name)]
            plain = [arg for arg in node.args if isinstance(arg, ast.Constant)]
            if len(plain) != 2 and named[-2:] != ["service", "operation"]:
                yield f"{source.name}:{node.lineno}"


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


MODULES = sorted(ROOM.glob("*.py"))
CALLS = sorted({asked for module in MODULES for asked in asked_in(module)})


def test_the_calls_of_the_room_are_found() -> None:
    """Looks, discovery, doctor and writes; else the other tests would hold for nothing."""
    assert {("codedeploy", "get_deployment"), ("cloudwatch", "set_alarm_state"), ("lambda", "get_alias")} <= set(CALLS)
    assert len(CALLS) > 15


def test_every_call_says_what_it_asks_for() -> None:
    """So that none is missed here."""
    assert [place for module in MODULES for place in passed_on_in(module)] == []


@pytest.mark.parametrize(("service", "operation"), CALLS, ids="-".join)
def test_every_call_is_allowed(service: str, operation: str) -> None:
    """Its IAM action stands in one of the statements."""
    assert action(service, operation) in actions()


@pytest.mark.parametrize(("service", "operation"), CALLS, ids="-".join)
def test_every_call_is_one_that_boto_knows(service: str, operation: str) -> None:
    """And so its IAM action is spelled as AWS spells it."""
    names = Session().get_service_model(service).operation_names
    known = {action(service, operation): name for name in names if xform_name(name) == operation}
    assert {"apigateway:GET", f"{service}:{known[action(service, operation)]}"} & {action(service, operation)}


def test_reading_is_allowed_only_where_it_is_done() -> None:
    """Least privilege: no action that nobody calls."""
    called = {action(service, operation) for service, operation in CALLS}
    assert actions(WATCHES, FINDS_AND_EXAMINES) - called == set()


def test_the_readme_lists_what_a_run_reads() -> None:
    """All of it, and nothing else."""
    readme = " ".join((ROOM / "README.md").read_text(encoding="utf-8").split())
    listed, service = set(), ""
    for word in re.findall(r"`([\w:]+)`", readme.partition("It needs to read:")[2].partition("It writes")[0]):
        service = word.rpartition(":")[0] or service
        listed.add(f"{service}:{word.rpartition(':')[2]}")
    assert listed == actions(WATCHES)


def test_the_statements_that_read_change_nothing() -> None:
    """They hold reads alone."""
    verbs = {word.partition(":")[2] for word in actions(WATCHES, FINDS_AND_EXAMINES)}
    assert all(verb.startswith(("Get", "List", "Describe", "BatchGet")) for verb in verbs)


def test_each_kind_of_write_has_a_statement_of_its_own() -> None:
    """So that it can be left out."""
    statements = {statement["Sid"]: statement for statement in policy()["Statement"]}
    assert len(statements) == len(policy()["Statement"])
    for write in ("codedeploy:CreateDeployment", "cloudwatch:SetAlarmState", "lambda:PutFunctionConcurrency"):
        assert len([sid for sid in statements if write in actions(sid)]) == 1
    assert actions("CanaryHarnessDeploys") >= IMPLIED


def test_nothing_is_allowed_by_a_wildcard() -> None:
    """Every action is named, and only reading is allowed on everything."""
    assert not [word for word in actions() if "*" in word]
    assert [one["Sid"] for one in policy()["Statement"] if one["Resource"] == "*"] == [WATCHES, FINDS_AND_EXAMINES]


def test_a_policy_for_an_experiment_lets_it_write_to_its_own_things_only() -> None:
    """Application, group, function and alarm take the place of the asterisks."""
    deployment = Deployment(application="shop", group="live", function="fn")
    document = narrowed(Experiment(name="x", deployment=deployment, alarm=Alarm(name="errors")))
    resources = {one["Sid"]: one["Resource"] for one in document["Statement"]}
    assert resources["CanaryHarnessDeploys"] == [
        "arn:aws:codedeploy:*:*:application:shop",
        "arn:aws:codedeploy:*:*:deploymentconfig:*",
        "arn:aws:codedeploy:*:*:deploymentgroup:shop/live",
    ]
    assert resources["CanaryHarnessForcesAlarms"] == "arn:aws:cloudwatch:*:*:alarm:errors"
    assert resources["CanaryHarnessThrottlesFunctions"] == "arn:aws:lambda:*:*:function:fn"


def test_a_policy_for_nothing_named_is_the_whole_one() -> None:
    """What is left out stays an asterisk."""
    assert narrowed(Experiment(name="x")) == policy()


def test_an_experiment_that_only_watches_writes_nothing() -> None:
    """Error users are no write to AWS."""
    assert needed_for_writes(Experiment(name="x", faults=(Fault(at_s=1, error_share=0.5),))) == ()


def test_what_a_stop_on_evidence_needs_is_allowed() -> None:
    """By a statement of its own, so that it can be left out."""
    assert needed_for_writes(Experiment(name="x", stop_on="evidence")) == ("codedeploy:StopDeployment",)
    assert actions("CanaryHarnessStopsDeployments") == {"codedeploy:StopDeployment"}


@pytest.mark.parametrize("fault", [{"force_alarm": "ALARM"}, {"concurrency": 0}, {"fis_template": "EXT1"}], ids=str)
def test_what_a_fault_and_its_healing_need_is_allowed(fault: dict[str, Any]) -> None:
    """Nothing that a run will do is missing in the policy."""
    needed = needed_for_writes(Experiment(name="x", faults=(Fault(at_s=1, **fault),)))
    assert needed
    assert set(needed) <= actions()
