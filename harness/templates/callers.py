"""What invokes a released function past its alias, so that its requests never reach a version on trial."""

import re
from collections.abc import Iterator, Mapping

from harness.core.arming.diagnosis import CheckSeverity
from harness.errors import TemplateError
from harness.templates.release import Problem, ReleasedFunction
from harness.templates.resolver import Resolver
from harness.templates.values import Value

_PLACES: Mapping[str, tuple[str, ...]] = {
    "AWS::ApiGateway::Authorizer": ("AuthorizerUri",),
    "AWS::ApiGateway::Method": ("Integration",),
    "AWS::ApiGateway::RestApi": ("Body",),
    "AWS::ApiGatewayV2::Api": ("Body", "Target"),
    "AWS::ApiGatewayV2::Authorizer": ("AuthorizerUri",),
    "AWS::ApiGatewayV2::Integration": ("IntegrationUri",),
    "AWS::AppSync::DataSource": ("LambdaConfig",),
    "AWS::Cognito::UserPool": ("LambdaConfig",),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ("Targets",),
    "AWS::Events::Rule": ("Targets",),
    "AWS::Lambda::EventSourceMapping": ("FunctionName",),
    "AWS::Lambda::Url": ("TargetFunctionArn",),
    "AWS::Logs::SubscriptionFilter": ("DestinationArn",),
    "AWS::Pipes::Pipe": ("Enrichment", "Target"),
    "AWS::S3::Bucket": ("NotificationConfiguration",),
    "AWS::SNS::Subscription": ("Endpoint",),
    "AWS::Scheduler::Schedule": ("Target",),
    "AWS::Serverless::Api": ("DefinitionBody",),
    "AWS::Serverless::HttpApi": ("DefinitionBody",),
    "AWS::Serverless::StateMachine": ("DefinitionSubstitutions",),
    "AWS::StepFunctions::StateMachine": ("DefinitionSubstitutions",),
}
"""Where a resource of each type says what it invokes."""
_QUALIFIED = "Qualifier"
"""The property that names the alias beside the function, where a type has one."""
_ADVICE = "Let it invoke the alias {}: give the alias where the function stands, or in a template add :{} to the ARN."


def past_the_alias(resolver: Resolver, released: tuple[ReleasedFunction, ...]) -> Iterator[Problem]:
    """One problem for each resource that invokes a function itself; an error where nothing invokes its alias."""
    invoked = {logical: (one.line, [*_invoked(resolver, one)]) for logical, one in resolver.resources.items()}
    for one in released:
        itself = re.compile(rf"(?:^|:function:){re.escape(one.function)}(?:/invocations)?$")
        alias = f"{one.function}:{one.alias.value}"
        has_alias = any(alias in text for _, texts in invoked.values() for text in texts)
        for logical, (line, texts) in invoked.items():
            if any(itself.search(text) for text in texts):
                yield _past(one, logical, line, has_alias=has_alias)


def _past(one: ReleasedFunction, logical: str, line: int, *, has_alias: bool) -> Problem:
    alias = one.alias.value
    text = f"{logical} invokes {one.logical} itself and not its alias {alias}: its requests never reach a canary."
    severity: CheckSeverity = "warning" if has_alias else "error"
    return Problem("alias-traffic", severity, text, _ADVICE.format(alias, alias), line, one.logical)


def _invoked(resolver: Resolver, resource: Value) -> Iterator[str]:
    """The texts of a resource that may name a function; none where they cannot be read."""
    kind, properties = resource.get("Type"), resource.get("Properties") or Value({}, 0)
    for key in _PLACES.get(kind.text(), ()) if kind else ():
        yield from (f"{text}{_qualifier(resolver, properties)}" for text in _texts(_read(resolver, properties, key)))


def _qualifier(resolver: Resolver, properties: Value) -> str:
    found = _read(resolver, properties, _QUALIFIED).text()
    return f":{found}" if found else ""


def _read(resolver: Resolver, properties: Value, key: str) -> Value:
    """A property; nothing where it is not there, or cannot be read."""
    try:
        return resolver.value(properties.get(key) or Value(None, 0))
    except TemplateError:
        return Value(None, 0)


def _texts(value: Value) -> Iterator[str]:
    for part in (*(part for _, part in value.items()), *value.parts()):
        yield from _texts(part)
    if isinstance(value.content, str):
        yield value.content
