"""Operations on deployment configurations."""

from collections.abc import Mapping
from typing import Any

from harness.rehearsal.codedeploy import inputs
from harness.rehearsal.codedeploy.account import Account
from harness.rehearsal.codedeploy.paging import page
from harness.rehearsal.codedeploy.records import Config
from harness.rehearsal.codedeploy.routing import ALL_AT_ONCE, PREFIX, Canary, Linear, Routing
from harness.rehearsal.codedeploy.views import config_view
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

MAX_CONFIGS = 50
"""Assumption: custom configurations per account."""

MAX_PERCENT = 99
"""Of the first shift, and of each increment."""

MAX_MINUTES = 2880
"""Between the first and the last shift."""

_TYPES = ("AllAtOnce", "TimeBasedCanary", "TimeBasedLinear")


class ConfigOperations(Account):
    """Deployment configurations: Lambda's nine presets, and custom canary and linear ones."""

    @operation
    def create_deployment_config(self, params: Params) -> Answer:
        """CreateDeploymentConfig, for the platform Lambda."""
        name = self._new_name(params)
        _refuse_other_platforms(params)
        routing = _routing(params.get("trafficRoutingConfig"))
        if sum(not config.preset for config in self._store.configs.values()) >= MAX_CONFIGS:
            message = f"There are {MAX_CONFIGS} custom deployment configurations already."
            raise Refusal("DeploymentConfigLimitExceededException", message)
        config = Config(id=self._new_id(), name=name, routing=routing, created_s=self._now())
        self._store.configs[name] = config
        return {"deploymentConfigId": config.id}

    @operation
    def get_deployment_config(self, params: Params) -> Answer:
        """GetDeploymentConfig."""
        return {"deploymentConfigInfo": config_view(self._store.config(inputs.config_name(params)))}

    @operation
    def list_deployment_configs(self, params: Params) -> Answer:
        """ListDeploymentConfigs: the presets first."""
        return page("deploymentConfigsList", list(self._store.configs), params.get("nextToken"))

    @operation
    def delete_deployment_config(self, params: Params) -> Answer:
        """DeleteDeploymentConfig; presets and those in use stay, one that is not there is no error."""
        name = inputs.config_name(params)
        if name.startswith(PREFIX):
            raise Refusal("InvalidOperationException", f"Cannot delete the default deployment configuration: {name}")
        if any(group.config == name for group in self._store.groups.values()):
            raise Refusal("DeploymentConfigInUseException", f"The deployment configuration is still in use: {name}")
        self._store.configs.pop(name, None)
        return {}

    def _new_name(self, params: Params) -> str:
        name = inputs.config_name(params)
        if name.startswith(PREFIX):
            message = f"The name of a deployment configuration cannot start with {PREFIX}: {name}"
            raise Refusal("InvalidDeploymentConfigNameException", message)
        if name in self._store.configs:
            message = f"Deployment configuration already exists with name: {name}"
            raise Refusal("DeploymentConfigAlreadyExistsException", message)
        return name


def _refuse_other_platforms(params: Params) -> None:
    platform = inputs.compute_platform(params)
    if platform != "Lambda":
        message = f"This local cloud deploys Lambda only; computePlatform must be Lambda, got {platform}."
        raise Refusal("InvalidComputePlatformException", message)
    if params.get("minimumHealthyHosts"):
        message = "minimumHealthyHosts cannot be specified for the Lambda compute platform"
        raise Refusal("InvalidMinimumHealthyHostValueException", message)
    if params.get("zonalConfig"):
        message = "zonalConfig cannot be specified for the Lambda compute platform"
        raise Refusal("InvalidZonalDeploymentConfigurationException", message)


def _routing(given: Mapping[str, Any] | None) -> Routing:
    if not given:
        raise _invalid("trafficRoutingConfig must be specified for the Lambda compute platform")
    kind = inputs.word(given.get("type"), _TYPES, "InvalidTrafficRoutingConfigurationException", "type")
    canary, linear = given.get("timeBasedCanary"), given.get("timeBasedLinear")
    if (canary is not None) != (kind == "TimeBasedCanary") or (linear is not None) != (kind == "TimeBasedLinear"):
        raise _invalid(f"the members of trafficRoutingConfig do not fit its type {kind}")
    if canary is not None:
        return Canary(_percent(canary, "canaryPercentage"), _minutes(canary, "canaryInterval"))
    if linear is not None:
        return _linear(linear)
    return ALL_AT_ONCE


def _linear(given: Mapping[str, Any]) -> Linear:
    linear = Linear(_percent(given, "linearPercentage"), _minutes(given, "linearInterval"))
    minutes = linear.intervals * linear.interval_min
    if minutes > MAX_MINUTES:
        raise _invalid(f"the last shift comes {minutes} minutes after the first, at most {MAX_MINUTES} are allowed")
    return linear


def _percent(given: Mapping[str, Any], member: str) -> int:
    return _between(given, member, MAX_PERCENT)


def _minutes(given: Mapping[str, Any], member: str) -> int:
    return _between(given, member, MAX_MINUTES)


def _between(given: Mapping[str, Any], member: str, highest: int) -> int:
    value = given.get(member)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= highest:
        raise _invalid(f"{member} must be a whole number from 1 to {highest}, got {value}")
    return value


def _invalid(problem: str) -> Refusal:
    return Refusal("InvalidTrafficRoutingConfigurationException", f"Invalid traffic routing configuration: {problem}.")
