"""AWS::Lambda::Alias: made by Lambda, and moved by CodeDeploy where its UpdatePolicy says so."""

from collections.abc import Mapping
from typing import Any

from harness.rehearsal.cloudformation.kinds import Api, ResourceKind, Say, at_once
from harness.rehearsal.cloudformation.records import MadeResource, Properties, WantedResource
from harness.rehearsal.cloudformation.refusals import Cancelled, ResourceFailed, by_handler
from harness.rehearsal.cloudformation.steps import Steps
from harness.rehearsal.codedeploy import appspec
from harness.rehearsal.codedeploy.appspec import AppSpec

POLICY = "CodeDeployLambdaAliasUpdate"
LOOK_S = 5.0
"""Seconds between two looks at a deployment. Assumption: AWS does not say how often CloudFormation looks."""
_LOOKS_FOR_ROLLBACK = 3
_HOOKS = {"BeforeAllowTrafficHook": "BeforeAllowTraffic", "AfterAllowTrafficHook": "AfterAllowTraffic"}
_RUNNING = ("Created", "Queued", "InProgress", "Baking", "Ready")


class AliasKind(ResourceKind):
    """An alias of a function."""

    replaced_by = ("FunctionName", "Name")

    def __init__(self, functions: Api, codedeploy: Api) -> None:
        self._lambda = functions
        self._codedeploy = codedeploy

    @at_once
    def create(self, wanted: WantedResource, name: str, say: Say) -> MadeResource:  # noqa: ARG002 - of the protocol
        """CreateAlias: the first deployment of an alias is no deployment of CodeDeploy."""
        answer = self._lambda.call("CreateAlias", _routed(wanted.properties))
        self._provision(wanted.properties)
        return MadeResource(answer["AliasArn"], {"AliasArn": answer["AliasArn"]})

    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> Steps[MadeResource]:  # noqa: ARG002
        """Moves the alias, by CodeDeploy where that is asked, and sets the rest of it.

        Assumption: where a stack is rolled back, an alias that was moved already goes back by CodeDeploy, too.
        """
        properties, policy = wanted.properties, wanted.update_policy.get(POLICY)
        by = {key: properties.get(key) for key in ("FunctionName", "Name")}
        current = str(self._lambda.call("GetAlias", by)["FunctionVersion"])
        target = str(properties.get("FunctionVersion"))
        if policy and target != current:
            yield from self._shift(_spec(properties, policy, current, target), policy, say)
        # The weights of an alias that CodeDeploy moves are CodeDeploy's, also where it left them behind.
        own = {**by, "Description": properties.get("Description", "")} if policy else _routed(properties)
        self._lambda.call("UpdateAlias", own)
        self._provision(properties)
        return made

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:  # noqa: ARG002
        """DeleteAlias."""
        try:
            self._lambda.call("DeleteAlias", {key: was.properties.get(key) for key in ("FunctionName", "Name")})
        except ResourceFailed as error:
            if "NotFound" not in str(error):
                raise

    def _provision(self, properties: Properties) -> None:
        asked = properties.get("ProvisionedConcurrencyConfig")
        if asked:
            by = {"FunctionName": properties.get("FunctionName"), "Qualifier": properties.get("Name")}
            self._lambda.call("PutProvisionedConcurrencyConfig", asked, **by)

    def _shift(self, spec: AppSpec, policy: Mapping[str, Any], say: Say) -> Steps[None]:
        """One deployment, from its creation to the end of its rollback; raises ResourceFailed where it failed."""
        content = {"content": appspec.render(spec)}
        by = {
            "applicationName": policy.get("ApplicationName"),
            "deploymentGroupName": policy.get("DeploymentGroupName"),
        }
        revision = {"revisionType": "AppSpecContent", "appSpecContent": content}
        deployment = str(self._codedeploy.call("CreateDeployment", {**by, "revision": revision})["deploymentId"])
        say(f"CodeDeploy deployment started: {deployment}")
        ended = yield from self._ended(deployment)
        if ended["status"] == "Succeeded":
            return
        yield from self._rolled_back(deployment, say)
        why = (ended.get("errorInformation") or {}).get("message") or "The deployment was stopped."
        raise by_handler(f"{deployment} failed. {why}", "InternalFailure")

    def _ended(self, deployment: str) -> Steps[Mapping[str, Any]]:
        while True:
            try:
                yield LOOK_S
            except Cancelled:
                # Assumption: CloudFormation stops the deployments of a stack that it rolls back.
                self._stop(deployment)
            shown = self._shown(deployment)
            if shown["status"] not in _RUNNING:
                return shown

    def _rolled_back(self, deployment: str, say: Say) -> Steps[None]:
        """Waits for the rollback of a deployment, which may show a moment after its end."""
        for _ in range(_LOOKS_FOR_ROLLBACK):
            rollback = (self._shown(deployment).get("rollbackInfo") or {}).get("rollbackDeploymentId")
            if rollback:
                say(f"CodeDeploy rollback deployment started: {rollback}")
                yield from self._ended(rollback)
                return
            yield LOOK_S

    def _shown(self, deployment: str) -> Mapping[str, Any]:
        shown: Mapping[str, Any] = self._codedeploy.call("GetDeployment", {"deploymentId": deployment})[
            "deploymentInfo"
        ]
        return shown

    def _stop(self, deployment: str) -> None:
        if self._shown(deployment)["status"] in _RUNNING:
            self._codedeploy.call("StopDeployment", {"deploymentId": deployment, "autoRollbackEnabled": True})


def _spec(properties: Properties, policy: Mapping[str, Any], current: str, target: str) -> AppSpec:
    function = str(properties.get("FunctionName"))
    return AppSpec(
        function=function.partition(":function:")[2] or function,
        alias=str(properties.get("Name")),
        current=current,
        target=target,
        hooks={event: str(policy[key]) for key, event in _HOOKS.items() if policy.get(key)},
    )


def _routed(properties: Properties) -> dict[str, Any]:
    """The properties with weights as Lambda's API has them: a map instead of a list."""
    routing = (properties.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or []
    weights = {str(one["FunctionVersion"]): one["FunctionWeight"] for one in routing}
    return {**properties, "RoutingConfig": {"AdditionalVersionWeights": weights}}
