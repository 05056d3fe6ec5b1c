"""The IAM policy with what the harness needs and nothing else: two statements to read, one for each kind of write."""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from harness.core.experiment.planned_writes import writes_of
from harness.core.experiment.types import Experiment

WATCHES = "CanaryHarnessWatches"
FINDS_AND_EXAMINES = "CanaryHarnessFindsAndExamines"

_NEEDS: Mapping[str, Sequence[str]] = {
    "codedeploy:CreateDeployment": ("codedeploy:CreateDeployment",),
    "codedeploy:StopDeployment": ("codedeploy:StopDeployment",),
    "lambda:PublishVersion": (
        "lambda:GetFunctionConfiguration",
        "lambda:UpdateFunctionConfiguration",
        "lambda:PublishVersion",
        "lambda:UpdateAlias",
    ),
    "cloudwatch:SetAlarmState": ("cloudwatch:SetAlarmState",),
    "lambda:PutFunctionConcurrency": (
        "lambda:GetFunctionConcurrency",
        "lambda:PutFunctionConcurrency",
        "lambda:DeleteFunctionConcurrency",
    ),
    "fis:StartExperiment": ("fis:StartExperiment", "fis:TagResource", "fis:StopExperiment", "fis:GetExperiment"),
}
"""The permissions that each planned write needs, its healing included."""


def policy() -> dict[str, Any]:
    """The whole policy document, for any application, function and alarm."""
    text = resources.files("harness.aws").joinpath("policy.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def narrowed(experiment: Experiment) -> dict[str, Any]:
    """The policy that allows writes only to what the experiment names; what it does not name stays `*`."""
    document = policy()
    ends = _ends(experiment)
    for statement in document["Statement"]:
        statement["Resource"] = _narrowed(statement["Resource"], ends)
    return document


def actions(*sids: str) -> frozenset[str]:
    """The IAM actions that some statements allow, or all of them."""
    chosen = (statement for statement in policy()["Statement"] if not sids or statement["Sid"] in sids)
    return frozenset(action for statement in chosen for action in _listed(statement["Action"]))


def needed_for_writes(experiment: Experiment) -> tuple[str, ...]:
    """The IAM actions that an experiment needs for its writes and for undoing them."""
    planned = {write.call for write in writes_of(experiment)}
    return tuple(needed for call, needs in _NEEDS.items() if call in planned for needed in needs)


def _ends(experiment: Experiment) -> Mapping[str, str]:
    wanted = experiment.deployment
    names = {"application:*": wanted.application, "function:*": wanted.function, "alarm:*": experiment.alarm.name}
    if wanted.application and wanted.group:
        names["deploymentgroup:*"] = f"{wanted.application}/{wanted.group}"
    return {end: end.replace("*", name) for end, name in names.items() if name}


def _narrowed(resource: str | Sequence[str], ends: Mapping[str, str]) -> str | list[str]:
    if not isinstance(resource, str):
        return [str(_narrowed(one, ends)) for one in resource]
    end = next((end for end in ends if resource.endswith(f":{end}")), None)
    return resource.removesuffix(end) + ends[end] if end else resource


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value
