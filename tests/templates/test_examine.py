"""What doctor says of a template: each shape, each trap, and each mistake, with file and line."""

import time
from pathlib import Path

import pytest

from harness.errors import TemplateError, UsageError
from tests.templates.conftest import PLAIN, SAM, Examine, asked, told

LINE_OF = {text.strip(): number for number, text in enumerate(SAM.splitlines(), 1)}
DIMENSION = "- {Name: FunctionName, Value: !Ref Api}"


def test_a_sound_template_of_sam_is_armed(examine: Examine) -> None:
    """Nothing is worse than a note, and what only AWS knows is counted."""
    diagnosis = examine(SAM)
    (one,) = diagnosis.diagnoses
    assert (diagnosis.exit_code, one.function, one.alias) == (0, "${Api}", "live")
    assert "alarm-state" in one.left_out
    assert not {check.id for check in one.checks} & {*one.left_out}
    assert {check.severity for check in one.checks} <= {"ok", "note"}


def test_every_check_has_file_and_line(examine: Examine) -> None:
    """So that it can be shown beside the line in a pull request."""
    diagnosis = examine(SAM)
    places = [(check.file, check.line) for one in diagnosis.diagnoses for check in one.checks]
    assert all(file and file.endswith("template.yaml") and line for file, line in places)


def test_output_of_cdk_synth_is_read(examine: Examine) -> None:
    """CDK leaves out the rollback on a stop by a person."""
    diagnosis = examine(PLAIN)
    assert diagnosis.exit_code == 0
    assert asked(diagnosis, "rollback-on-request").severity == "warning"
    assert asked(diagnosis, "alarm-versions").severity == "ok"
    assert "540 s" in asked(diagnosis, "gradual-shift").seen


WRONG = {
    "all at once": ("gradual-shift", "error", ("Canary10Percent5Minutes", "AllAtOnce")),
    "unknown preset": (
        "config-exists",
        "error",
        ("Canary10Percent5Minutes", "CodeDeployDefault.LambdaCanary10Percent7Minutes"),
    ),
    "configuration of another stack": (
        "config-exists",
        "unknown",
        ("Canary10Percent5Minutes", "Canary10Percent1Minute"),
    ),
    "no alarms": ("alarm-configured", "error", ("        Alarms:\n          - !Ref ApiErrors\n", "")),
    "empty alarms": ("alarm-configured", "error", ("Alarms:\n          - !Ref ApiErrors", "Alarms: []")),
    "alarm of another stack": ("alarm-exists", "unknown", ("!Ref ApiErrors", "!ImportValue shared-errors")),
    "literal alarm": ("alarm-exists", "unknown", ("!Ref ApiErrors", "shop-errors")),
    "logical id without Ref": ("alarm-exists", "error", ("!Ref ApiErrors", "ApiErrors")),
    "logical id as dimension": ("alarm-function", "error", ("Value: !Ref Api}", "Value: Api}")),
    "Sub forgotten": ("alarm-resource", "error", ('!Sub "${Api}:live"', '"${Api}:live"')),
    "ARN as Resource": ("alarm-resource", "error", ('!Sub "${Api}:live"', "!Ref Api.Alias")),
    "another alias": ("alarm-resource", "error", ('!Sub "${Api}:live"', '!Sub "${Api}:prod"')),
    "Resource alone": ("alarm-resource", "error", (f"        {DIMENSION}\n", "")),
    "misspelled metric": ("alarm-metric", "error", ("MetricName: Errors", "MetricName: Error")),
    "average": ("alarm-threshold", "error", ("Statistic: Sum", "Statistic: Average")),
    "too late": ("alarm-in-time", "error", ("EvaluationPeriods: 1", "EvaluationPeriods: 5")),
    "wrong unit": ("alarm-unit", "error", ("Statistic: Sum", "Statistic: Sum\n      Unit: Seconds")),
    "missing data keeps": ("alarm-missing-data", "warning", ("notBreaching", "ignore")),
    "open threshold": ("alarm-threshold", "unknown", ("Threshold: 3", "Threshold: !Ref Owner")),
    "no number": ("alarm-threshold", "unknown", ("Threshold: 3", "Threshold: three")),
    "hook that may not be invoked": (
        "hooks",
        "error",
        ("        Alarms:", "        Hooks: {PreTraffic: !Ref Api}\n        Alarms:"),
    ),
}


@pytest.mark.parametrize(("question", "severity", "change"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_found(examine: Examine, question: str, severity: str, change: tuple[str, str]) -> None:
    """Each mistake by its question; the exit code is 3 for an error, 4 for what is not known."""
    diagnosis = examine(SAM, change)
    assert asked(diagnosis, question).severity == severity, asked(diagnosis, question)
    assert diagnosis.exit_code == {"error": 3, "unknown": 4, "warning": 0}[severity]


def test_a_hook_with_the_right_name_may_be_invoked(examine: Examine) -> None:
    """The role that SAM makes allows the prefix; a role of one's own may allow any."""
    hooks = "        Hooks: {PreTraffic: !Ref Hook}\n        Alarms:"
    hook = "Resources:\n  Hook: {Type: 'AWS::Serverless::Function', Properties: {FunctionName: CodeDeployHook_pre}}"
    diagnosis = examine(SAM, ("        Alarms:", hooks), ("Resources:", hook))
    assert asked(diagnosis, "hooks").severity == "ok"
    own_role = hooks.replace("Hooks:", "Role: !GetAtt R.Arn\n        Hooks:").replace("!Ref Hook", "any")
    diagnosis = examine(SAM, ("        Alarms:", own_role), ("Resources:", "Resources:\n  R: {Type: 'AWS::IAM::Role'}"))
    assert asked(diagnosis, "hooks").severity == "note"


# What cannot be resolved


def test_what_is_missing_is_asked_for_by_name(examine: Examine) -> None:
    """With the option that gives it; given, it is judged."""
    change = ("Threshold: 3", "Threshold: !Ref Owner")
    assert "--parameter Owner=" in asked(examine(SAM, change), "alarm-threshold").seen
    assert asked(examine(SAM, change, Owner="3"), "alarm-threshold").severity == "ok"


def test_an_import_is_given_by_its_name(examine: Examine) -> None:
    """And so is an alarm of another stack."""
    change = ("Value: !Ref Api}", "Value: !ImportValue shared-fn}")
    assert "--parameter shared-fn=" in asked(examine(SAM, change), "alarm-function").seen
    given = {"shared-fn": "other"}
    assert asked(examine(SAM, change, **given), "alarm-function").severity == "error"


def test_a_name_that_may_be_the_right_one_is_not_called_wrong(examine: Examine) -> None:
    """The stack's name is not known, so `${AWS::StackName}-api` may be the function's name."""
    named = ("      CodeUri: src/", "      FunctionName: shop-api\n      CodeUri: src/")
    literal = ("Value: !Ref Api}", 'Value: !Sub "${AWS::StackName}-api"}')
    diagnosis = examine(SAM, named, literal)
    assert asked(diagnosis, "alarm-function").severity == "unknown"
    assert "'AWS::StackName=" in asked(diagnosis, "alarm-function").seen
    given = {"AWS::StackName": "shop"}
    assert asked(examine(SAM, named, literal, **given), "alarm-function").severity == "ok"


def test_names_that_hang_on_the_same_are_the_same(examine: Examine) -> None:
    """No parameter is asked for where both sides have it."""
    named = ("      CodeUri: src/", '      FunctionName: !Sub "${AWS::StackName}-${Owner}"\n      CodeUri: src/')
    literal = ("Value: !Ref Api}", 'Value: !Sub "${AWS::StackName}-${Owner}"}')
    assert asked(examine(SAM, named, literal), "alarm-function").severity == "ok"


def test_a_default_is_used_and_told(examine: Examine) -> None:
    """With its line; what is given on the command line goes first."""
    change = ("Threshold: 3", "Threshold: !If [IsProd, 3, 0]")
    diagnosis = examine(SAM, change)
    assert told(diagnosis)["parameters"] == ("note", 3, "Stage is dev here, by its default.")
    assert asked(diagnosis, "alarm-threshold").severity == "error"
    assert asked(examine(SAM, change, Stage="prod"), "alarm-threshold").severity == "ok"


# The template itself


def test_a_condition_that_removes_the_alarm_is_told(examine: Examine) -> None:
    """The group names an alarm that is not deployed."""
    change = ("  ApiErrors:\n", "  ApiErrors:\n    Condition: IsProd\n")
    diagnosis = examine(SAM, change)
    assert diagnosis.exit_code == 4
    assert told(diagnosis)["condition"][:2] == ("note", LINE_OF["ApiErrors:"] + 1)
    assert examine(SAM, change, Stage="prod").exit_code == 0


def test_a_condition_that_removes_the_alias_is_told(examine: Examine) -> None:
    """Then nothing is released gradually."""
    change = ("  Api:\n", "  Api:\n    Condition: IsProd\n")
    assert examine(SAM, change).exit_code == 3


def test_a_preference_that_is_off_is_no_canary(examine: Examine) -> None:
    """One function, or all of them."""
    diagnosis = examine(SAM, ("DeploymentPreference:", "DeploymentPreference:\n        Enabled: 'false'"))
    assert (diagnosis.exit_code, diagnosis.diagnoses) == (3, ())


def test_a_preference_without_alias_or_type_is_refused_by_sam(examine: Examine) -> None:
    """So it is an error on its line."""
    without_alias = examine(SAM, ("    AutoPublishAlias: live", "    Timeout: 3"))
    assert told(without_alias)["alias-exists"][:2] == ("error", LINE_OF["DeploymentPreference:"])
    without_type = examine(SAM, ("        Type: Canary10Percent5Minutes\n", ""))
    assert any(check.id == "gradual-shift" and check.severity == "error" for check in without_type.checks)


def test_globals_are_merged_as_sam_merges_them(examine: Examine) -> None:
    """Lists are joined; a function's own words go first."""
    globals_ = "    AutoPublishAlias: live\n    DeploymentPreference: {Type: AllAtOnce, Alarms: [!Ref ApiErrors]}"
    own = "        Alarms:\n          - !Ref ApiErrors\n"
    diagnosis = examine(SAM, ("    AutoPublishAlias: live", globals_), (own, ""))
    assert asked(diagnosis, "alarm-configured").severity == "ok"
    assert asked(diagnosis, "gradual-shift").severity == "ok"


def test_an_alarm_that_no_group_names_is_told(examine: Examine) -> None:
    """If it watches a function that is released."""
    other = SAM[SAM.index("  ApiErrors:") :].replace("ApiErrors", "Spare")
    assert told(examine(SAM + other))["alarm-configured"] == (
        "warning",
        len(SAM.splitlines()) + 1,
        "The alarm Spare watches Api, and no deployment group names it.",
    )


def test_a_circular_reference_is_told(examine: Examine) -> None:
    """CloudFormation refuses such a template."""
    circle = "  A: {Type: X, Properties: {B: !Ref B}}\n  B: {Type: X, DependsOn: A}\n"
    assert told(examine(SAM + circle))["circular-reference"] == (
        "error",
        len(SAM.splitlines()) + 1,
        "Circular reference: A → B → A. CloudFormation refuses the template.",
    )


def test_a_name_that_needs_itself_is_told(examine: Examine) -> None:
    """In one sentence, with its line."""
    with pytest.raises(TemplateError, match=r"template\.yaml:\d+: circular reference: Api → Api"):
        examine(SAM, ("      CodeUri: src/", '      FunctionName: !Sub "${Api}-x"\n      CodeUri: src/'))


def test_a_function_is_chosen_by_name(examine: Examine) -> None:
    """One that is not there is named beside those that are; one without a canary is an error."""
    plain = "Resources:\n  Plain: {Type: 'AWS::Serverless::Function', Properties: {FunctionName: shop-plain}}"
    assert [one.function for one in examine(SAM, ("Resources:", plain), function="Api").diagnoses] == ["${Api}"]
    for name in ("Plain", "shop-plain"):
        assert examine(SAM, ("Resources:", plain), function=name).exit_code == 3
    with pytest.raises(UsageError, match="has no function Nobody; it has Api, Plain"):
        examine(SAM, ("Resources:", plain), function="Nobody")


def test_a_group_that_no_alias_names_is_told(examine: Examine) -> None:
    """Then CloudFormation shifts the alias at once."""
    text = PLAIN.replace('"UpdatePolicy"', '"Metadata"')
    diagnosis = examine(text)
    assert diagnosis.exit_code == 3
    assert any("No alias names the group Group" in check.seen for check in diagnosis.checks)


def test_a_group_of_another_stack_is_not_known(examine: Examine) -> None:
    """Neither armed nor not."""
    diagnosis = examine(PLAIN, ('"DeploymentGroupName": {"Ref": "Group"}', '"DeploymentGroupName": "elsewhere"'))
    assert diagnosis.exit_code == 4
    assert asked(diagnosis, "rollback-on-alarm").seen == "Not known: the group elsewhere is not in the template."


def test_alarms_that_are_switched_off_are_found(examine: Examine) -> None:
    """And a group that rolls back on nothing."""
    diagnosis = examine(PLAIN, ('}], "Enabled": true', '}], "Enabled": false'))
    assert asked(diagnosis, "alarm-enabled").severity == "error"
    diagnosis = examine(
        PLAIN, ('"AutoRollbackConfiguration": {"Enabled": true', '"AutoRollbackConfiguration": {"Enabled": false')
    )
    assert asked(diagnosis, "rollback-on-alarm").severity == "error"


def test_an_unknown_alarm_configuration_is_no_missing_one(examine: Examine) -> None:
    """What hangs on a parameter without a value is not known, and never "no alarm"."""
    text = PLAIN.replace('{\n "Resources"', '{"Parameters": {"Alarms": {"Type": "CommaDelimitedList"}},\n "Resources"')
    diagnosis = examine(text, ('"Alarms": [{"Name": {"Ref": "Errors"}}]', '"Alarms": {"Ref": "Alarms"}'))
    assert asked(diagnosis, "alarm-configured").severity == "unknown"
    assert "--parameter Alarms=" in asked(diagnosis, "alarm-configured").seen


def test_a_configuration_of_the_team_is_read(examine: Examine) -> None:
    """Percent and minutes, as CloudFormation writes them."""
    own = (
        "Resources:\n  Slow:\n    Type: AWS::CodeDeploy::DeploymentConfig\n    Properties:\n"
        "      TrafficRoutingConfig:\n        Type: TimeBasedCanary\n"
        "        TimeBasedCanary: {CanaryPercentage: 5, CanaryInterval: 45}"
    )
    diagnosis = examine(SAM, ("Resources:", own), ("Type: Canary10Percent5Minutes", "Type: !Ref Slow"))
    assert "5% at first; the bake time is 2700 s" in asked(diagnosis, "gradual-shift").seen


def test_composites_are_followed_to_their_children(examine: Examine) -> None:
    """The group names the composite, and its child is judged."""
    composite = (
        "  Any:\n    Type: AWS::CloudWatch::CompositeAlarm\n    Properties:\n"
        "      AlarmRule: !Sub ALARM(${ApiErrors})\n"
    )
    diagnosis = examine(SAM + composite, ("- !Ref ApiErrors", "- !Ref Any"))
    assert diagnosis.exit_code == 0
    assert asked(diagnosis, "alarm-composite").severity == "ok"
    assert asked(diagnosis, "alarm-function").severity == "ok"


# Files


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("just words", "is no template of CloudFormation or SAM"),
        ("name: erroruser\n", "is no template of CloudFormation or SAM"),
        ("Resources: {}\n", "is no template of CloudFormation or SAM"),
        ("Resources:\n  A: {Type: X}\n  A: {Type: X}\n", ":3: the key A is given twice"),
        ("Resources: [\n", ":2: "),
        ("Resources: &a\n  b: *a\n", "aliases stand for more than"),
        ("? [a]\n: b\n", ":1: a key must be plain text"),
        ("Resources:\n  A: {Type: 'AWS::Lambda::Function', Condition: No}\n", ":2: there is no condition"),
    ],
)
def test_a_file_that_is_no_template_is_refused(tmp_path: Path, examine: Examine, text: str, problem: str) -> None:
    """In one sentence that names the file, and the line where there is one."""
    with pytest.raises(TemplateError, match=r"template\.yaml") as refused:
        examine(text)
    assert problem in str(refused.value)


def test_aliases_stand_for_a_bounded_size(examine: Examine) -> None:
    """A short text could stand for billions of values, or for a long text many times."""
    values = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    texts = f"a: &a {'x' * 10_000}\nb: [{', '.join(['*a'] * 10_000)}]\n"
    for bomb in (values, texts):
        with pytest.raises(TemplateError, match="aliases stand for more than"):
            examine(bomb)


def test_a_hundred_functions_take_less_than_two_seconds(examine: Examine) -> None:
    """Each with its alarm."""
    head, _, rest = SAM.partition("  Api:\n")
    body = "  Api:\n" + rest
    text = head + "".join(body.replace("Api", f"Api{number}") for number in range(100))
    began = time.process_time()
    diagnosis = examine(text)
    assert time.process_time() - began < 2
    assert (len(diagnosis.diagnoses), diagnosis.exit_code) == (100, 0)
