"""What teams get wrong, or read wrong, in templates: each trap with the answer that it must get."""

import pytest

from harness.errors import TemplateError, UsageError
from tests.templates.conftest import PLAIN, SAM, Examine, asked, told

LINES = {text.strip(): number for number, text in enumerate(SAM.splitlines(), 1)}
ALARMS = "        Alarms:\n          - !Ref ApiErrors\n"


def test_what_the_serverless_framework_packages_is_read(examine: Examine) -> None:
    """The canary plugin writes CloudFormation: its configuration is an Fn::Sub, its group has a name."""
    written = '{"Fn::Sub": ["CodeDeployDefault.Lambda${ConfigName}", {"ConfigName": "Canary10Percent5Minutes"}]}'
    named = '"DeploymentGroupName": "shop-dev-FnLambdaFunctionDeploymentGroup"'
    diagnosis = examine(
        PLAIN,
        ('"CodeDeployDefault.LambdaLinear10PercentEvery1Minute"', written),
        ('    "DeploymentConfigName"', f'    {named},\n    "DeploymentConfigName"'),
    )
    (one,) = diagnosis.diagnoses
    assert one.group == "shop-dev-FnLambdaFunctionDeploymentGroup"
    assert asked(diagnosis, "gradual-shift").seen.startswith("Canary10Percent5Minutes shifts 10%")


def test_a_version_written_down_is_the_wrong_one(examine: Examine) -> None:
    """Each deployment makes a new version; only a reference follows it."""
    reference, number = '{"Fn::GetAtt": ["Version", "Version"]}}\n        ]', '"12"}\n        ]'
    assert asked(examine(PLAIN, (reference, number)), "alarm-versions").severity == "error"


def test_a_reference_to_nothing_is_refused(examine: Examine) -> None:
    """With the line that has it."""
    line = LINES["- !Ref ApiErrors"]
    with pytest.raises(TemplateError, match=rf"template\.yaml:{line}: Errors is referred to, and is neither"):
        examine(SAM, ("- !Ref ApiErrors", "- !Ref Errors"))


@pytest.mark.parametrize("value", ['!Sub "${AWS::Regin}-api"', "!Ref AWS::Regin"])
def test_a_pseudo_parameter_that_is_none_is_refused(examine: Examine, value: str) -> None:
    """As CloudFormation refuses it, and never as a name that may be the right one."""
    named = ("      CodeUri: src/", f"      FunctionName: {value}\n      CodeUri: src/")
    with pytest.raises(TemplateError, match=r":\d+: AWS::Regin is no pseudo parameter .* did you mean AWS::Region\?"):
        examine(SAM, named)
    with pytest.raises(TemplateError, match="AWS::Lambda::Function is no pseudo parameter"):
        examine(SAM, ("- !Ref ApiErrors", "- !Ref AWS::Lambda::Function"))


def test_a_preference_is_switched_by_stage(examine: Examine) -> None:
    """By a table, whose value SAM looks up."""
    table = ("Resources:", "Mappings:\n  Canary: {dev: {Enabled: false}, prod: {Enabled: true}}\nResources:")
    enabled = "Enabled: !FindInMap [Canary, !Ref Stage, Enabled]"
    change = ("Type: Canary10Percent5Minutes", f"{enabled}\n        Type: Canary10Percent5Minutes")
    assert examine(SAM, table, change).exit_code == 3
    assert asked(examine(SAM, table, change, Stage="prod"), "gradual-shift").severity == "ok"


@pytest.mark.parametrize("stage", ["dev", "prod"])
@pytest.mark.parametrize("enabled", ["!If [IsProd, true, false]", "!Equals [!Ref Stage, prod]", "{Condition: IsProd}"])
def test_a_condition_never_switches_a_preference_off(examine: Examine, enabled: str, stage: str) -> None:
    """SAM does not carry it out, and takes it for yes: told with its line, as it is not what was meant."""
    change = ("Type: Canary10Percent5Minutes", f"Type: Canary10Percent5Minutes\n        Enabled: {enabled}")
    diagnosis = examine(SAM, change, Stage=stage)
    assert asked(diagnosis, "gradual-shift").severity == "ok"
    severity, line, seen = told(diagnosis)["gradual-shift"]
    assert (severity, line) == ("warning", LINES["Type: Canary10Percent5Minutes"] + 1)
    assert "in Enabled: the DeploymentPreference of Api is on" in seen


def test_language_extensions_switch_a_preference_off(examine: Examine) -> None:
    """They carry Fn::If out before SAM reads it."""
    both = ("Transform: AWS::S", "Transform: [AWS::LanguageExtensions, AWS::S")
    ended = ("2016-10-31\n", "2016-10-31]\n")
    change = ("Type: Canary", "Enabled: !If [IsProd, true, false]\n        Type: Canary")
    assert examine(SAM, both, ended, change).diagnoses == ()
    assert asked(examine(SAM, both, ended, change, Stage="prod"), "gradual-shift").severity == "ok"


def test_a_preference_by_an_unknown_parameter_is_not_known(examine: Examine) -> None:
    """The parameter is asked for by its name, and then taken as SAM takes it: only a plain false is a no."""
    change = ("Type: Canary10Percent5Minutes", "Type: Canary10Percent5Minutes\n        Enabled: !Ref Owner")
    assert examine(SAM, change).exit_code == 4
    assert examine(SAM, change, Owner="false").diagnoses == ()
    assert asked(examine(SAM, change, Owner="FALSE"), "gradual-shift").severity == "ok"


def test_no_topic_is_notified_unless_it_is_given(examine: Examine) -> None:
    """AWS::NotificationARNs is an empty list for a stack that names none, and nothing hangs on it."""
    diagnosis = examine(SAM, ("Threshold: 3", "Threshold: 3\n      AlarmActions: !Ref AWS::NotificationARNs"))
    assert diagnosis.exit_code == examine(SAM).exit_code
    listed = ("- !Ref ApiErrors", "- !Select [1, !Ref AWS::NotificationARNs]")
    given = {"AWS::NotificationARNs": "one, elsewhere"}
    assert "elsewhere" in asked(examine(SAM, listed, **given), "alarm-exists").seen


def test_a_preference_without_alarms_guards_nothing(examine: Examine) -> None:
    """As most aliases of one public account have it; on its own line."""
    check = asked(examine(SAM, (ALARMS, "")), "alarm-configured")
    assert (check.severity, check.line) == ("error", LINES["DeploymentPreference:"])


def test_a_function_by_condition_takes_its_group_along(examine: Examine) -> None:
    """SAM hands its condition to the group where it is told to; without the function nothing is released."""
    change = ("    Properties:\n      CodeUri", "    Condition: IsProd\n    Properties:\n      CodeUri")
    passed = ("Type: Canary10Percent5Minutes", "PassthroughCondition: true\n        Type: Canary10Percent5Minutes")
    assert asked(examine(SAM, change, passed, Stage="prod"), "gradual-shift").severity == "ok"
    diagnosis = examine(SAM, change, passed, ("Value: !Ref Api}", "Value: x}"), (":live", ":live"))
    assert diagnosis.exit_code == 3
    assert diagnosis.diagnoses == ()


def test_one_of_several_types_by_stage_is_expanded(examine: Examine) -> None:
    """SAM writes CodeDeployDefault.Lambda before its nine short names within functions, too."""
    change = ("Type: Canary10Percent5Minutes", "Type: !If [IsProd, Linear10PercentEvery2Minutes, AllAtOnce]")
    assert asked(examine(SAM, change), "gradual-shift").severity == "error"
    assert "1080 s" in asked(examine(SAM, change, Stage="prod"), "gradual-shift").seen


def test_a_preset_by_a_parameter_is_asked_for(examine: Examine) -> None:
    """Given, it is judged."""
    change = ("Type: Canary10Percent5Minutes", "Type: !Ref Owner")
    assert "--parameter Owner=" in asked(examine(SAM, change), "gradual-shift").seen
    assert asked(examine(SAM, change, Owner="Canary10Percent30Minutes"), "gradual-shift").severity == "ok"


def test_a_value_in_the_parameter_store_is_not_guessed(examine: Examine) -> None:
    """The parameter's default is a path and no value; so is a dynamic reference."""
    stored = ("Owner: {Type: String}", "Owner: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /shop/threshold}")
    by_parameter = examine(SAM, stored, ("Threshold: 3", "Threshold: !Ref Owner"))
    assert "--parameter Owner=" in asked(by_parameter, "alarm-threshold").seen
    dynamic = examine(SAM, ("Threshold: 3", "Threshold: '{{resolve:ssm:/shop/threshold}}'"))
    assert "--parameter 'ssm:/shop/threshold=" in asked(dynamic, "alarm-threshold").seen


def test_alarms_by_condition_are_those_of_the_stage(examine: Examine) -> None:
    """A list for production, none elsewhere."""
    change = (ALARMS, "        Alarms: !If [IsProd, [!Ref ApiErrors], !Ref AWS::NoValue]\n")
    assert asked(examine(SAM, change), "alarm-configured").severity == "error"
    assert asked(examine(SAM, change, Stage="prod"), "alarm-configured").severity == "ok"


def test_alarms_by_an_unknown_condition_are_asked_for(examine: Examine) -> None:
    """Neither "no alarm" nor "guarded": the parameter that decides is named."""
    change = (ALARMS, "        Alarms: !If [IsProd, [!Ref ApiErrors], []]\n")
    diagnosis = examine(SAM, change, ("IsProd: !Equals [!Ref Stage", "IsProd: !Equals [!Ref Owner"))
    assert diagnosis.exit_code == 4
    assert "--parameter Owner=" in asked(diagnosis, "alarm-configured").seen


def test_what_hangs_on_a_condition_asks_for_what_that_needs_alone(examine: Examine) -> None:
    """Whatever else of the template is not known; and no alarm is called unnamed, or missing, meanwhile."""
    change = (ALARMS, "        Alarms: !If [IsProd, [!Ref ApiErrors], []]\n")
    owned = ("IsProd: !Equals [!Ref Stage", "IsProd: !Equals [!Ref Owner")
    other = ("Threshold: 3", "Threshold: '{{resolve:ssm:/shop/threshold}}'")
    diagnosis = examine(SAM, change, owned, other)
    seen = asked(diagnosis, "alarm-configured").seen
    assert ("Owner" in seen, "ssm:" in seen) == (True, False)
    assert asked(diagnosis, "alarm-exists").seen == seen
    assert "alarm-configured" not in told(diagnosis)


def test_two_alarms_of_one_name_are_refused(examine: Examine) -> None:
    """CloudFormation makes the first and fails at the second, unless a condition decides between them."""
    two = SAM.partition("  ApiErrors:\n")
    named = two[2].replace("    Properties:\n", "    Properties:\n      AlarmName: errors\n")
    both = f"{two[0]}  ApiErrors:\n{named}  Second:\n{named}"
    diagnosis = examine(both)
    assert (told(diagnosis)["alarm-exists"][0], diagnosis.diagnoses[0].exit_code) == ("error", 3)
    first = both.replace("  ApiErrors:\n", "  ApiErrors:\n    Condition: IsProd\n")
    assert "alarm-exists" not in told(
        examine(first.replace("IsProd: !Equals [!Ref Stage", "IsProd: !Equals [!Ref Owner"))
    )


@pytest.mark.parametrize("name", ["!GetAtt ApiErrors.Arn", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:errors"])
def test_an_alarm_by_its_arn_is_none(examine: Examine, name: str) -> None:
    """CodeDeploy takes names, and looks for them in its own region."""
    check = asked(examine(SAM, ("- !Ref ApiErrors", f"- {name}")), "alarm-exists")
    assert check.severity == "error"
    assert "name" in check.seen


def test_a_metric_of_the_stacks_own_account_is_no_other_ones(examine: Examine) -> None:
    """CDK writes the account into each metric of Metrics."""
    one = '{"Id": "m1", "AccountId": {"Ref": "AWS::AccountId"}, "MetricStat": {"Period": 60, "Stat": "Sum", "Metric": '
    metric = '{"Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": [{"Name": "FunctionName", "Value": '
    owned = f'{one}{metric}{{"Ref": "Fn"}}}}]}}}}}}'
    alarm = '"Type": "AWS::CloudWatch::Alarm", "Properties": {"Threshold": 1, "EvaluationPeriods": 1, '
    last = f'"ComparisonOperator": "GreaterThanThreshold", "Metrics": [{owned}]}}'
    changes = (
        ('"App":', f'"Own": {{{alarm}{last}}},\n  "App":'),
        ('[{"Name": {"Ref": "Errors"}}]', '[{"Name": {"Ref": "Own"}}]'),
    )
    assert asked(examine(PLAIN, *changes), "alarm-threshold").severity == "ok"


@pytest.mark.parametrize(
    "child",
    ["${ApiErrors.Arn}", "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:${ApiErrors}"],
)
def test_a_composite_may_name_its_children_by_arn(examine: Examine, child: str) -> None:
    """As CloudWatch's own examples do."""
    composite = (
        f"  Sick: {{Type: 'AWS::CloudWatch::CompositeAlarm', Properties: {{AlarmRule: !Sub 'ALARM(\"{child}\")'}}}}\n"
    )
    diagnosis = examine(SAM + composite, ("- !Ref ApiErrors", "- !Ref Sick"))
    assert asked(diagnosis, "alarm-threshold").severity == "ok"


def test_tables_are_read_by_stage(examine: Examine) -> None:
    """As a threshold for each stage."""
    table = ("Resources:", "Mappings:\n  Limits:\n    dev: {Errors: 3}\n    prod: {Errors: 0}\nResources:")
    change = ("Threshold: 3", "Threshold: !FindInMap [Limits, !Ref Stage, Errors]")
    assert asked(examine(SAM, table, change), "alarm-threshold").severity == "ok"
    assert asked(examine(SAM, table, change, Stage="prod"), "alarm-threshold").severity == "error"
    with pytest.raises(TemplateError, match=r"Fn::FindInMap finds no Limits\.test\.Errors"):
        examine(SAM, table, change, Stage="test")


def test_a_name_cut_out_of_an_arn_is_the_function(examine: Examine) -> None:
    """CDK does that for functions that it imports; the whole ARN is no name."""
    cut = ("Value: !Ref Api}", "Value: !Select [6, !Split [':', !GetAtt Api.Arn]]}")
    assert asked(examine(SAM, cut), "alarm-function").severity == "ok"
    assert asked(examine(SAM, ("Value: !Ref Api}", "Value: !GetAtt Api.Arn}")), "alarm-function").severity == "error"


def test_an_alarm_on_the_version_of_sam_counts_only_the_canary(examine: Examine) -> None:
    """As SAM's guide writes it."""
    resource = '- {Name: Resource, Value: !Sub "${Api}:live"}'
    version = f"{resource}\n        - {{Name: ExecutedVersion, Value: !GetAtt Api.Version.Version}}"
    assert asked(examine(SAM, (resource, version)), "alarm-versions").severity == "ok"


def test_sam_publishes_no_version_for_a_change_of_the_environment(examine: Examine) -> None:
    """So such a change is no canary, unless the template asks for it."""
    assert "only when its CodeUri changes" in told(examine(SAM))["target-version"][2]
    every = ("AutoPublishAlias: live", "AutoPublishAlias: live\n    AutoPublishAliasAllProperties: true")
    assert "target-version" not in told(examine(SAM, every))


def test_sam_publishes_no_version_for_another_value_of_a_parameter(examine: Examine) -> None:
    """It compares what is written, unless the language extensions have filled it in before."""
    every = ("AutoPublishAlias: live", "AutoPublishAlias: live\n    AutoPublishAliasAllProperties: true")
    variable = (
        "CodeUri: src/",
        "CodeUri: src/\n      Environment: {Variables: {STAGE: !Ref Stage, API: !Ref ApiErrors}}",
    )
    assert (
        "the value of a parameter (Stage) publishes no version"
        in told(examine(SAM, every, variable))["target-version"][2]
    )
    both = ("Transform: AWS::Serverless-2016-10-31", "Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]")
    assert "target-version" not in told(examine(SAM, every, variable, both))


@pytest.mark.parametrize("count", [14, 15])
def test_many_releases_at_once_are_named(examine: Examine, count: int) -> None:
    """They have met limits of AWS that a few never meet."""
    head, _, body = SAM.partition("  Api:\n")
    more = "".join(f"  Api:\n{body}".replace("Api", f"Api{number}") for number in range(count))
    assert ("many-releases" in told(examine(head + more))) is (count == 15)


def test_a_group_without_words_about_rollback_does_not_roll_back(examine: Examine) -> None:
    """CloudFormation sets none by itself, and the configuration without a name shifts all at once."""
    bare = (
        '"AutoRollbackConfiguration": {"Enabled": true, "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]}'
    )
    diagnosis = examine(PLAIN, (bare, '"ServiceRoleArn": "x"'))
    assert asked(diagnosis, "rollback-on-alarm").severity == "error"
    config = '    "DeploymentConfigName": "CodeDeployDefault.LambdaLinear10PercentEvery1Minute",\n'
    assert asked(examine(PLAIN, (config, "")), "gradual-shift").severity == "error"


def test_a_misspelled_parameter_is_refused(examine: Examine) -> None:
    """Left aside in silence, it would leave the default in its place."""
    with pytest.raises(UsageError, match=r"--parameter Stag: .* has no such parameter"):
        examine(SAM, Stag="prod")
    assert examine(SAM, **{"AWS::Region": "eu-north-1"}).exit_code == 0
    imported = ("- !Ref ApiErrors", '- !ImportValue {"Fn::Sub": "${Stage}-errors"}')
    assert asked(examine(SAM, imported, **{"dev-errors": "shared"}), "alarm-configured").severity == "ok"


def test_a_group_for_containers_is_none_of_ours(examine: Examine) -> None:
    """No alias belongs to it."""
    group = "  Web: {Type: 'AWS::CodeDeploy::DeploymentGroup', Properties: {ECSServices: [{ServiceName: web}]}}\n"
    assert "gradual-shift" not in told(examine(SAM + group))


ITSELF = '"IntegrationUri": {"Fn::GetAtt": ["Fn", "Arn"]}'
ALIASED = '"IntegrationUri": {"Ref": "Alias"}'
METHOD = (
    '"Integration": {"Uri": {"Fn::Join": ["", ["arn:aws:apigateway:x:lambda:path/2015-03-31/functions/", '
    '{"Fn::GetAtt": ["Fn", "Arn"]}, "/invocations"]]}}'
)
BUCKET = '"NotificationConfiguration": {"LambdaConfigurations": [{"Function": {"Fn::GetAtt": ["Fn", "Arn"]}}]}'
STAGED = METHOD.replace('"/invocations"', '":${stageVariables.alias}/invocations"')


@pytest.mark.parametrize(
    ("kind", "says", "severity"),
    [
        ("ApiGatewayV2::Integration", ITSELF, "error"),
        ("ApiGatewayV2::Integration", ALIASED, None),
        ("ApiGateway::Method", METHOD, "error"),
        ("ApiGateway::Method", STAGED, None),
        ("Events::Rule", '"Targets": [{"Id": "a", "Arn": {"Fn::GetAtt": ["Fn", "Arn"]}}]', "error"),
        ("Lambda::EventSourceMapping", '"FunctionName": {"Ref": "Fn"}', "error"),
        ("Lambda::EventSourceMapping", '"FunctionName": {"Fn::GetAtt": ["Other", "Name"]}', None),
        ("Lambda::Url", '"TargetFunctionArn": {"Ref": "Fn"}', "error"),
        ("Lambda::Url", '"TargetFunctionArn": {"Ref": "Fn"}, "Qualifier": "live"', None),
        ("Scheduler::Schedule", '"Target": {"Arn": {"Fn::GetAtt": ["Fn", "Arn"]}}', "error"),
        ("S3::Bucket", BUCKET, "error"),
    ],
)
def test_what_invokes_the_function_itself_never_reaches_a_canary(
    examine: Examine, kind: str, says: str, severity: str | None
) -> None:
    """The alias shifts, and nobody is on it: in CDK one word too few."""
    caller = f'"Caller": {{"Type": "AWS::{kind}", "Properties": {{{says}}}}},\n  "App":'
    diagnosis = examine(PLAIN, ('"App":', caller))
    assert told(diagnosis).get("alias-traffic", (None,))[0] == severity
    assert diagnosis.exit_code == diagnosis.diagnoses[0].exit_code == (3 if severity else 0)


def test_one_caller_past_the_alias_beside_others_is_a_warning(examine: Examine) -> None:
    """The canary gets the traffic of the others."""
    callers = "".join(
        f'"{name}": {{"Type": "AWS::ApiGatewayV2::Integration", "Properties": {{{says}}}}},\n  '
        for name, says in (("One", ITSELF), ("Two", ALIASED))
    )
    severity, _, seen = told(examine(PLAIN, ('"App":', f'{callers}"App":')))["alias-traffic"]
    assert (severity, seen.partition(":")[0]) == ("warning", "One invokes Fn itself and not its alias live")


WEIGHTS = (
    '"Name": "live", "RoutingConfig": {"AdditionalVersionWeights": [{"FunctionVersion": "7", "FunctionWeight": 0.05}]}'
)
POLICY = """\
   "UpdatePolicy": {
    "CodeDeployLambdaAliasUpdate": {
     "ApplicationName": {"Ref": "App"},
     "DeploymentGroupName": {"Ref": "Group"}
    }
   }
"""


@pytest.mark.parametrize(
    ("changes", "severity"), [((), "error"), (((POLICY, '   "DependsOn": "Version"\n'),), "warning")]
)
def test_an_alias_that_the_template_splits_is_named(
    examine: Examine, changes: tuple[tuple[str, str], ...], severity: str
) -> None:
    """CodeDeploy fails a deployment of it; without a group nobody watches that canary."""
    told_, _, seen = told(examine(PLAIN, ('"Name": "live"', WEIGHTS), *changes))["alias-weights"]
    assert (told_, "5% to version 7" in seen) == (severity, True)
