"""Which type of resource is played by what."""

import re
from collections.abc import Mapping

from harness.rehearsal.cloudformation.account_kinds import kept_kinds
from harness.rehearsal.cloudformation.alias_kind import AliasKind
from harness.rehearsal.cloudformation.api_kinds import api_kinds
from harness.rehearsal.cloudformation.function_kinds import (
    EventInvokeKind,
    FunctionKind,
    LayerKind,
    PermissionKind,
    UrlKind,
    VersionKind,
)
from harness.rehearsal.cloudformation.kinds import Api, Named, ResourceKind
from harness.rehearsal.cloudformation.placeholders import PlaceholderKind
from harness.rehearsal.functions.functions import Functions
from harness.rehearsal.kept import Kept
from harness.rehearsal.operations import AwsService

_TYPE = re.compile(
    r"(AWS|Alexa)::[A-Za-z0-9]+::[A-Za-z0-9]+(::[A-Za-z0-9]+)?|Custom::[\w@-]{1,60}|[A-Za-z0-9]+(::[A-Za-z0-9]+){2,3}"
)


class Types:
    """The kinds of all types of resources."""

    def __init__(self, services: Mapping[str, AwsService], kept: Kept) -> None:
        functions = services["lambda"]
        assert isinstance(functions, Functions)
        aws_lambda, deploy = Api(services["lambda"], "Lambda"), Api(services["codedeploy"], "CodeDeploy")
        rest, http = Api(services["apigateway"], "ApiGateway"), Api(services["apigatewayv2"], "ApiGatewayV2")
        self._kinds: dict[str, ResourceKind] = {
            "AWS::Lambda::Function": FunctionKind(aws_lambda),
            "AWS::Lambda::Version": VersionKind(aws_lambda, functions),
            "AWS::Lambda::Alias": AliasKind(aws_lambda, deploy),
            "AWS::Lambda::LayerVersion": LayerKind(aws_lambda),
            "AWS::Lambda::Permission": PermissionKind(aws_lambda),
            "AWS::Lambda::Url": UrlKind(aws_lambda),
            "AWS::Lambda::EventInvokeConfig": EventInvokeKind(aws_lambda),
            **_alarms(Api(services["cloudwatch"], "CloudWatch"), kept),
            **_deployments(deploy),
            **api_kinds(rest, http, kept.content),
            **kept_kinds(kept),
        }
        self._other = PlaceholderKind(kept.account, kept.region)

    def of(self, kind: str) -> ResourceKind:
        """What plays a type."""
        return self._kinds.get(kind, self._other)

    @staticmethod
    def is_known(kind: str) -> bool:
        """Whether a text can be the name of a type."""
        return _TYPE.fullmatch(kind) is not None


def _alarms(api: Api, kept: Kept) -> dict[str, ResourceKind]:
    def arn(name: str) -> str:
        return f"arn:aws:cloudwatch:{kept.region}:{kept.account}:alarm:{name}"

    return {
        f"AWS::CloudWatch::{kind}": Named(
            api, name="AlarmName", create=put, update=put, delete="DeleteAlarms", delete_by="AlarmNames", arn=arn
        )
        for kind, put in {"Alarm": "PutMetricAlarm", "CompositeAlarm": "PutCompositeAlarm"}.items()
    }


def _deployments(api: Api) -> Mapping[str, ResourceKind]:
    return {
        "AWS::CodeDeploy::Application": Named(
            api,
            name="ApplicationName",
            create="CreateApplication",
            update=None,
            delete="DeleteApplication",
            longest=100,
            replaced_by=("ComputePlatform",),
        ),
        "AWS::CodeDeploy::DeploymentGroup": Named(
            api,
            name="DeploymentGroupName",
            create="CreateDeploymentGroup",
            update="UpdateDeploymentGroup",
            renamed="CurrentDeploymentGroupName",
            delete="DeleteDeploymentGroup",
            longest=100,
            replaced_by=("ApplicationName",),
        ),
        "AWS::CodeDeploy::DeploymentConfig": Named(
            api,
            name="DeploymentConfigName",
            create="CreateDeploymentConfig",
            update=None,
            delete="DeleteDeploymentConfig",
            longest=100,
            replaced_by=("ComputePlatform", "TrafficRoutingConfig", "MinimumHealthyHosts", "ZonalConfig"),
        ),
    }
