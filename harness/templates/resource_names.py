"""What Ref and Fn::GetAtt give for a resource: its name or ARN, as far as the template says it."""

from typing import TYPE_CHECKING

from harness.templates.intrinsics import is_left_out, text_of
from harness.templates.names import placeholder
from harness.templates.values import Value

if TYPE_CHECKING:
    from harness.templates.resolver import Resolver

_NAMED_BY = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::CompositeAlarm": "AlarmName",
    "AWS::CodeDeploy::Application": "ApplicationName",
    "AWS::CodeDeploy::DeploymentConfig": "DeploymentConfigName",
    "AWS::CodeDeploy::DeploymentGroup": "DeploymentGroupName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Serverless::Function": "FunctionName",
}
"""The property that is a resource's name; what Ref gives for one of these types."""
_FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")
_ALARMS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
_ALARM_ARN = "arn:aws:cloudwatch:region:account:alarm:"
"""What an alarm's ARN begins with; only its name matters here, which is what a composite's rule is read by."""


def ref_of(resolver: "Resolver", logical: str) -> str:
    """What Ref gives for a resource: its name, or the ARN of an alias or version."""
    resource = resolver.resources[logical]
    kind, properties = text_of(resource.get("Type")), resource.get("Properties")
    if kind == "AWS::Lambda::Alias" and properties:
        return f"{_function_arn(resolver, properties)}:{_own(resolver, properties, 'Name', logical)}"
    if kind == "AWS::Lambda::Version" and properties:
        return f"{_function_arn(resolver, properties)}:{placeholder(f'{logical}.Version')}"
    named = properties.get(_NAMED_BY[kind]) if properties and kind in _NAMED_BY else None
    if named is None:
        return placeholder(logical)
    with_name = resolver.within(logical, named)
    return placeholder(logical) if is_left_out(with_name) else with_name.text()


def arn_of_sam(resolver: "Resolver", resource: str, attribute: str) -> str:
    """What Ref gives for the Alias or Version that SAM makes of a function."""
    properties = resolver.resources[resource].get("Properties")
    alias = properties.get("AutoPublishAlias") if properties else None
    last = resolver.value(alias).text() if alias and attribute == "Alias" else placeholder(f"{resource}.{attribute}")
    return f"{_arn_prefix(resolver)}{ref_of(resolver, resource)}:{last}"


def attribute_of(resolver: "Resolver", logical: str, attribute: str, line: int) -> Value:
    """What Fn::GetAtt gives."""
    if logical not in resolver.resources:
        return Value(placeholder(f"{resolver.reference(logical, line).text()[2:-1]}.{attribute}"), line)
    kind = text_of(resolver.resources[logical].get("Type"))
    if attribute == "Arn" and kind in _FUNCTIONS:
        return Value(f"{_arn_prefix(resolver)}{ref_of(resolver, logical)}", line)
    if attribute == "Arn" and kind in _ALARMS:
        return Value(f"{_ALARM_ARN}{ref_of(resolver, logical)}", line)
    if attribute == "AliasArn" and kind == "AWS::Lambda::Alias":
        return Value(ref_of(resolver, logical), line)
    return Value(placeholder(f"{logical}.{attribute}"), line)


def is_made_by_sam(resolver: "Resolver", name: str) -> bool:
    """Whether a resource that the template does not name is one that SAM makes."""
    functions = (key for key, one in resolver.resources.items() if text_of(one.get("Type")).startswith("AWS::Serv"))
    return name.startswith("Serverless") or any(name.startswith(key) for key in functions)


def _own(resolver: "Resolver", properties: Value, key: str, logical: str) -> str:
    found = properties.get(key)
    return resolver.within(logical, found).text() if found else placeholder(logical)


def _function_arn(resolver: "Resolver", properties: Value) -> str:
    function = _own(resolver, properties, "FunctionName", "function")
    return function if function.startswith("arn:") else f"{_arn_prefix(resolver)}{function}"


def _arn_prefix(resolver: "Resolver") -> str:
    partition, region, account = (resolver.pseudo(f"AWS::{name}", 0) for name in ("Partition", "Region", "AccountId"))
    return f"arn:{partition}:lambda:{region}:{account}:function:"
