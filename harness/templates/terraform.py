"""Resources of Terraform's AWS provider as resources of CloudFormation, whose logical ids are Terraform's addresses.

Terraform starts no deployment and does not say which alias a group shifts. The only alias is taken for the only group,
and that is told; where there are more, it is asked for. Source: the provider's schemas.
"""

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from harness.templates.release import Fact, Problem
from harness.templates.terraform_callers import CALLERS
from harness.templates.translated import Translated
from harness.templates.values import Value, made

FUNCTION, ALIAS, GROUP = "aws_lambda_function", "aws_lambda_alias", "aws_codedeploy_deployment_group"
ALARM, COMPOSITE = "aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm"
APP, CONFIG = "aws_codedeploy_app", "aws_codedeploy_deployment_config"
API, ROUTE, INTEGRATION = (f"aws_apigatewayv2_{kind}" for kind in ("api", "route", "integration"))
REST_API, FOLDER, METHOD, INVOCATION = (
    f"aws_api_gateway_{kind}" for kind in ("rest_api", "resource", "method", "integration")
)
LAYER = "aws_lambda_layer_version"
_OF_ROUTES = (API, ROUTE, INTEGRATION, REST_API, FOLDER, METHOD, INVOCATION)
OF_REHEARSALS = (*_OF_ROUTES, LAYER)
"""What only a rehearsal needs: no question of doctor hangs on it."""
KINDS = (FUNCTION, ALIAS, GROUP, ALARM, COMPOSITE, APP, CONFIG, *OF_REHEARSALS, *CALLERS)
_NAME_OF = {
    FUNCTION: "function_name",
    ALARM: "alarm_name",
    COMPOSITE: "alarm_name",
    APP: "name",
    CONFIG: "deployment_config_name",
    GROUP: "deployment_group_name",
}
_OF_SERVERS = ("ec2_tag_set", "ec2_tag_filter", "ecs_service", "autoscaling_groups", "on_premises_instance_tag_filter")
_TIMEOUT_S, _MEMORY_MB = 3, 128
_DEFAULT_CONFIG = "CodeDeployDefault.OneAtATime"
_NOTHING = Value({}, 0)


class TerraformResource(Struct, frozen=True):
    """One resource: its address and type, and its arguments with functions of CloudFormation in place of references."""

    address: str
    kind: str
    says: Value
    line: int


def reference(address: str, kind: str, attribute: str, line: int) -> Value | None:
    """What an attribute of a resource is in CloudFormation's words; None for any but its name, ARN or version."""
    if attribute in (_NAME_OF.get(kind), "id") and kind in _NAME_OF:
        return made({"Ref": address}, line)
    if kind == FUNCTION and attribute in ("arn", "version"):
        return made({"Fn::GetAtt": [address, attribute.capitalize()]}, line)
    if kind in (ALARM, COMPOSITE) and attribute == "arn":
        return made({"Fn::GetAtt": [address, "Arn"]}, line)
    if kind == FUNCTION and attribute == "invoke_arn":
        return made({"Fn::GetAtt": [address, "Arn"]}, line)
    if kind in _OF_ROUTES and attribute in ("id", "root_resource_id"):
        return made({"Ref": address}, line)
    if (kind == ALIAS and attribute in ("arn", "invoke_arn")) or (kind == LAYER and attribute in ("arn", "id")):
        return made({"Ref": address}, line)
    return None


def translate(
    resources: list[TerraformResource],
    given: Mapping[str, str],
    problems: list[Problem],
    defaults: Mapping[str, Fact[str]],
    used: frozenset[str],
) -> Translated:
    """The template of all resources that a release is made of."""
    matter = [one for one in resources if one.kind in KINDS and not _is_for_servers(one, resources)]
    pairs, told = _pairs(matter, given)
    written = {one.address: _RESOURCES[one.kind](one) for one in matter}
    for group, alias in pairs.items():
        update = {"DeploymentGroupName": {"Ref": group}, "ApplicationName": _app_of(group, matter)}
        policy = {"UpdatePolicy": {"CodeDeployLambdaAliasUpdate": update}}
        written[alias] = made({**dict(written[alias].items()), **policy}, written[alias].line)
    asked = {name: made({"Type": "String"}, line) for name, line in _asked([*written.values()], {*written})}
    template = made({"Parameters": asked, "Resources": Value({**written}, 1)}, 1)
    return Translated(
        template=template,
        problems=(*problems, *told, *_doubts(matter)),
        defaults=defaults,
        used=used | {*pairs},
    )


def _asked(values: list[Value], known: set[str]) -> Iterator[tuple[str, int]]:
    """The names that are referred to and are none of the resources, with their lines."""
    for value in values:
        name = value.get("Ref")
        if name and name.text() not in known:
            yield name.text(), value.line
        yield from _asked([part for _, part in value.items()] + [*value.parts()], known)


# Groups and aliases


def _pairs(resources: list[TerraformResource], given: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    """The alias that each group shifts, and what is to be told of that."""
    groups, aliases = ([one for one in resources if one.kind == kind] for kind in (GROUP, ALIAS))
    pairs = {
        one.address: given[one.address] for one in groups if given.get(one.address) in {a.address for a in aliases}
    }
    told: list[Problem] = []
    left = [one for one in groups if one.address not in pairs]
    if len(groups) == len(aliases) == 1 and left:
        pairs[groups[0].address] = aliases[0].address
        text = f"Terraform does not say which alias {groups[0].address} shifts; {aliases[0].address} is the only one."
        told.append(Problem("alias-exists", "note", text, "", groups[0].line))
    elif left:
        told += [_which_alias(one, aliases) for one in left]
    return pairs, told


def _which_alias(group: TerraformResource, aliases: list[TerraformResource]) -> Problem:
    names = ", ".join(one.address for one in aliases) or "none of this file"
    text = f"Terraform does not say which alias {group.address} shifts: {names}."
    alike = [one.address for one in aliases if one.address.partition(".")[2] == group.address.partition(".")[2]]
    advice = f"Give --parameter '{group.address}={alike[0] if alike else '…'}', or another alias."
    return Problem("alias-exists", "unknown", text, advice, group.line)


def _app_of(group: str, resources: list[TerraformResource]) -> Value:
    says = next(one.says for one in resources if one.address == group)
    return says.get("app_name") or _NOTHING


def _is_for_servers(one: TerraformResource, resources: list[TerraformResource]) -> bool:
    """Whether a group or an application deploys servers or containers."""
    if one.kind == APP:
        return _word(one.says, "compute_platform") != "Lambda"
    if one.kind != GROUP:
        return False
    name = one.says.get("app_name")
    servers = [app for app in resources if app.kind == APP and _is_for_servers(app, resources)]
    return any(_is_set(one.says.get(key)) for key in _OF_SERVERS) or any(
        name is not None and (_word(app.says, "name") == name.text() or _refers(name, app.address)) for app in servers
    )


def _refers(value: Value, address: str) -> bool:
    target = value.get("Ref")
    return target is not None and target.text() == address


def _doubts(resources: list[TerraformResource]) -> Iterator[Problem]:
    """Functions that publish no version, though an alias of them is to be shifted."""
    for one in resources:
        published = one.says.get("publish") or Value(False, one.line)
        is_shifted = any(two.kind == ALIAS and _is_of(two, one) for two in resources)
        if one.kind == FUNCTION and is_shifted and published.content in (False, None):
            text = f"{one.address} publishes no version (publish is off): there is nothing to shift to."
            yield Problem("target-version", "error", text, "Set publish = true.", one.line, one.address)


def _is_of(alias: TerraformResource, function: TerraformResource) -> bool:
    version = alias.says.get("function_version")
    target = version.get("Fn::GetAtt") if version else None
    return target is not None and target.parts()[0].text() == function.address


# Resources


def _function(one: TerraformResource) -> Value:
    says = one.says
    environment = _block(says, "environment")
    properties = {
        "FunctionName": says.get("function_name"),
        "Handler": says.get("handler"),
        "Runtime": says.get("runtime"),
        "PackageType": says.get("package_type"),
        "Code": says.get("filename"),
        "Layers": says.get("layers"),
        "Timeout": says.get("timeout") or _TIMEOUT_S,
        "MemorySize": says.get("memory_size") or _MEMORY_MB,
        "Environment": {"Variables": environment.get("variables")} if environment.get("variables") else None,
    }
    return _resource(one, "AWS::Lambda::Function", properties)


def _alias(one: TerraformResource) -> Value:
    says = one.says
    properties = {
        "FunctionName": says.get("function_name"),
        "FunctionVersion": says.get("function_version"),
        "Name": says.get("name"),
        "RoutingConfig": _routing_config(_block(says, "routing_config")),
    }
    return _resource(one, "AWS::Lambda::Alias", properties)


def _routing_config(block: Value) -> object:
    weights = (block.get("additional_version_weights") or _NOTHING).items()
    listed = [{"FunctionVersion": version, "FunctionWeight": share} for version, share in weights]
    return {"AdditionalVersionWeights": listed} if listed else None


def _group(one: TerraformResource) -> Value:
    says = one.says
    properties: dict[str, object] = {
        "DeploymentGroupName": says.get("deployment_group_name"),
        "DeploymentConfigName": says.get("deployment_config_name") or _DEFAULT_CONFIG,
    }
    for key, name in (
        ("alarm_configuration", "AlarmConfiguration"),
        ("auto_rollback_configuration", "AutoRollbackConfiguration"),
    ):
        found = _block(says, key)
        properties[name] = None if found is _NOTHING else found if found.get("Ref") else _PARTS[key](found)
    return _resource(one, "AWS::CodeDeploy::DeploymentGroup", properties)


def _alarm_configuration(block: Value) -> Value:
    alarms = block.get("alarms") or _NOTHING
    listed: object = alarms if alarms.get("Ref") else [made({"Name": part}, part.line) for part in alarms.parts()]
    both = {"Enabled": block.get("enabled") or False, "IgnorePollAlarmFailure": block.get("ignore_poll_alarm_failure")}
    return made({"Alarms": listed, **both}, block.line)


def _rollback_configuration(block: Value) -> Value:
    return made({"Enabled": block.get("enabled") or False, "Events": block.get("events") or []}, block.line)


_PARTS: Mapping[str, Callable[[Value], Value]] = {
    "alarm_configuration": _alarm_configuration,
    "auto_rollback_configuration": _rollback_configuration,
}


def _config(one: TerraformResource) -> Value:
    routing = _block(one.says, "traffic_routing_config")
    routed: dict[str, object] = {"Type": routing.get("type")}
    for key, name, percentage, interval in (
        ("time_based_canary", "TimeBasedCanary", "CanaryPercentage", "CanaryInterval"),
        ("time_based_linear", "TimeBasedLinear", "LinearPercentage", "LinearInterval"),
    ):
        shift = _block(routing, key)
        if shift is not _NOTHING:
            routed[name] = {percentage: shift.get("percentage"), interval: shift.get("interval")}
    properties = {"DeploymentConfigName": one.says.get("deployment_config_name"), "TrafficRoutingConfig": routed}
    return _resource(one, "AWS::CodeDeploy::DeploymentConfig", properties)


def _app(one: TerraformResource) -> Value:
    return _resource(one, "AWS::CodeDeploy::Application", {"ApplicationName": one.says.get("name")})


_ALARM = {
    "AlarmName": "alarm_name",
    "ComparisonOperator": "comparison_operator",
    "DatapointsToAlarm": "datapoints_to_alarm",
    "EvaluationPeriods": "evaluation_periods",
    "ExtendedStatistic": "extended_statistic",
    "MetricName": "metric_name",
    "Namespace": "namespace",
    "Period": "period",
    "Statistic": "statistic",
    "Threshold": "threshold",
    "ThresholdMetricId": "threshold_metric_id",
    "TreatMissingData": "treat_missing_data",
    "Unit": "unit",
}
_MAY_BE_ZERO = ("Threshold",)


def _alarm(one: TerraformResource) -> Value:
    properties: dict[str, object] = {
        name: value
        for name, key in _ALARM.items()
        if _is_set(value := one.says.get(key)) and (name in _MAY_BE_ZERO or not _is_zero(value))
    }
    properties["Dimensions"] = _dimensions(one.says.get("dimensions"))
    queries = one.says.get("metric_query")
    if _is_set(queries) and queries is not None:
        listed = [_query(part) for part in queries.parts()]
        properties["Metrics"] = queries if queries.get("Ref") else made(listed, queries.line)
    return _resource(one, "AWS::CloudWatch::Alarm", properties)


def _query(query: Value) -> object:
    metric = _block(query, "metric")
    plain = {"Id": "id", "Expression": "expression", "AccountId": "account_id", "Period": "period"}
    read: dict[str, object] = {name: query.get(key) for name, key in plain.items() if _is_set(query.get(key))}
    read["ReturnData"] = query.get("return_data") or False
    if metric is not _NOTHING:
        inner = {"Namespace": metric.get("namespace"), "MetricName": metric.get("metric_name")}
        read["MetricStat"] = {
            "Metric": {**inner, "Dimensions": _dimensions(metric.get("dimensions"))},
            "Period": metric.get("period"),
            "Stat": metric.get("stat"),
            "Unit": metric.get("unit") if _is_set(metric.get("unit")) else None,
        }
    return read


def _dimensions(value: Value | None) -> object:
    if value is None or not _is_set(value):
        return None
    if value.get("Ref"):
        return value
    return made([{"Name": name, "Value": part} for name, part in value.items()], value.line)


def _composite(one: TerraformResource) -> Value:
    properties = {"AlarmName": one.says.get("alarm_name"), "AlarmRule": one.says.get("alarm_rule")}
    return _resource(one, "AWS::CloudWatch::CompositeAlarm", properties)


_ROUTING: Mapping[str, tuple[str, Mapping[str, str]]] = {
    API: (
        "AWS::ApiGatewayV2::Api",
        {"Name": "name", "ProtocolType": "protocol_type", "RouteKey": "route_key", "Target": "target", "Body": "body"},
    ),
    ROUTE: (
        "AWS::ApiGatewayV2::Route",
        {"ApiId": "api_id", "RouteKey": "route_key", "Target": "target", "AuthorizationType": "authorization_type"},
    ),
    INTEGRATION: (
        "AWS::ApiGatewayV2::Integration",
        {"ApiId": "api_id", "IntegrationUri": "integration_uri", "PayloadFormatVersion": "payload_format_version"},
    ),
    REST_API: ("AWS::ApiGateway::RestApi", {"Name": "name", "Body": "body"}),
    FOLDER: ("AWS::ApiGateway::Resource", {"ParentId": "parent_id", "PathPart": "path_part"}),
    METHOD: (
        "AWS::ApiGateway::Method",
        {"ResourceId": "resource_id", "HttpMethod": "http_method", "AuthorizationType": "authorization"},
    ),
    INVOCATION: ("AWS::ApiGateway::Method", {"ResourceId": "resource_id", "HttpMethod": "http_method"}),
}
"""The type of CloudFormation, and its properties. Terraform says the integration of a method beside it, not in it."""


def _routing(one: TerraformResource) -> Value:
    kind, named = _ROUTING[one.kind]
    said = {name: one.says.get(key) for name, key in named.items()}
    properties: dict[str, object] = {name: value for name, value in said.items() if _is_set(value)}
    if one.kind == INVOCATION:
        properties["Integration"] = {"Uri": one.says.get("uri")}
    return _resource(one, kind, properties)


def _caller(one: TerraformResource) -> Value:
    kind, named = CALLERS[one.kind]
    said = {name: one.says.get(key) for name, key in named.items()}
    return _resource(one, kind, {name: value for name, value in said.items() if _is_set(value)})


def _layer(one: TerraformResource) -> Value:
    properties = {"LayerName": one.says.get("layer_name"), "Content": one.says.get("filename")}
    return _resource(one, "AWS::Lambda::LayerVersion", properties)


_RESOURCES: Mapping[str, Callable[[TerraformResource], Value]] = {
    **dict.fromkeys(_OF_ROUTES, _routing),
    **dict.fromkeys(CALLERS, _caller),
    ALARM: _alarm,
    ALIAS: _alias,
    APP: _app,
    COMPOSITE: _composite,
    CONFIG: _config,
    FUNCTION: _function,
    GROUP: _group,
    LAYER: _layer,
}


def _resource(one: TerraformResource, kind: str, properties: Mapping[str, object]) -> Value:
    return made({"Type": kind, "Properties": made(dict(properties), one.line)}, one.line)


def _block(says: Value, key: str) -> Value:
    """The first block of a name; nothing where there is none."""
    found = says.get(key)
    if found is None:
        return _NOTHING
    return next(iter(found.parts()), _NOTHING) if isinstance(found.content, tuple) else found


def _is_set(value: Value | None) -> bool:
    return value is not None and value.content not in (None, "", (), {})


def _is_zero(value: Value | None) -> bool:
    """Whether this is how a plan writes a number that is not set."""
    return value is not None and value.content == 0


def _word(says: Value, key: str) -> str:
    found = says.get(key)
    return found.text() if found else ""
