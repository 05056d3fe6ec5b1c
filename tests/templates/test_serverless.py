"""What is read of a serverless.yml: the framework's variables, and the plugins that make a canary of it."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from harness.core.timeline.alarm_rules import metrics_of
from harness.errors import TemplateError, UsageError
from harness.templates import TemplateRelease, read_release
from tests.templates.conftest import SERVERLESS, Read, asked, examined, told, why

CAPTURED = Path(__file__).parent / "captured" / "serverless"

ALARMS = "      alarms:\n        - ApiCanaryAlarm\n"


def test_a_sound_serverless_yml_is_armed(read: Read) -> None:
    """Group, alias, configuration and alarm are those that the plugins make."""
    release = read()
    (one,) = release.released
    (alarm,) = release.alarms
    assert (one.function, one.alias.value, one.group and one.group.value) == (
        "shop-prod-api",
        "Live",
        "shop-prod-ApiLambdaFunctionDeploymentGroup",
    )
    assert one.config.value == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    assert [fact.value for fact in one.alarms] == [alarm.defined.name]
    assert len(one.rollback_events) == 3
    assert examined(release).exit_code == 0


def test_an_alarm_that_a_stage_leaves_out_is_told_as_such(read: Read) -> None:
    """The group names it, and the plugin that would make it does nothing in this stage."""
    with pytest.raises(
        TemplateError, match=r"ApiCanaryAlarm; custom\.alerts makes none in the stage prod, which is none"
    ):
        read(("  alerts: {}", "  alerts: {stages: [live]}"))


def test_the_reader_agrees_with_what_the_framework_packages() -> None:
    """Both files say the same of functions, alarms and groups, and get the same answers."""
    ours, theirs = (read_release(CAPTURED / name, {}) for name in ("serverless.yml", "packaged.json"))
    assert [without_lines(one) for one in ours.released] == [without_lines(one) for one in theirs.released]
    assert alarms_of(ours) == alarms_of(theirs)
    answers = [
        {(check.id, check.severity, check.seen) for one in examined(release).diagnoses for check in one.checks}
        for release in (ours, theirs)
    ]
    assert answers[0] == answers[1]


def without_lines(one: object) -> object:
    """A released function as facts alone; the framework puts a hash into the name of the version."""
    parts = {name: getattr(one, name) for name in one.__struct_fields__ if "line" not in name and name != "version"}  # type: ignore[attr-defined]
    return {name: _bare(part) for name, part in parts.items()}


def _bare(part: object) -> object:
    if isinstance(part, tuple):
        return tuple(map(_bare, part))
    if isinstance(part, Mapping):
        return {key: _bare(value) for key, value in part.items()}
    return getattr(part, "value", part)


def alarms_of(release: TemplateRelease) -> Mapping[str, object]:
    """Its alarms by logical id, as facts alone."""
    return {alarm.logical: alarm.defined for alarm in release.alarms}


def test_a_hundred_functions_take_less_than_two_seconds(read: Read) -> None:
    """Each with its alarm and its settings."""
    head, body = SERVERLESS.split("functions:\n")
    many = "".join(body.replace("api:", f"api{at}:").replace("ApiCanary", f"Api{at}Canary") for at in range(100))
    began = time.process_time()
    diagnosis = examined(read(text=f"{head}functions:\n{many}"))
    assert time.process_time() - began < 2
    assert (len(diagnosis.diagnoses), diagnosis.exit_code) == (100, 0)


# Traps


def test_all_at_once_is_no_canary(read: Read) -> None:
    """As the workshop's file has it committed."""
    diagnosis = examined(read(("Canary10Percent5Minutes", "AllAtOnce")))
    assert (diagnosis.exit_code, asked(diagnosis, "gradual-shift").severity) == (3, "error")


DOES_NOTHING = {
    "the plugin is missing": (", serverless-plugin-canary-deployments", "", "plugins does not name", 22),
    "custom alone": ("    deploymentSettings:", "    other:", "stand under custom alone", 8),
    "another stage": ("stage: prod", "stage: dev", "do nothing in the stage dev", 23),
}


@pytest.mark.parametrize(("old", "new", "words", "line"), DOES_NOTHING.values(), ids=DOES_NOTHING)
def test_settings_that_do_nothing_are_an_error(read: Read, old: str, new: str, words: str, line: int) -> None:
    """The deployment would go live at once, whatever the file says."""
    gated = ("  alerts: {}", "  deploymentSettings: {stages: [prod]}\n  alerts: {}")
    changes = [(old, new)] if "missing" in words or "plugins" in words else [gated, (old, new)]
    diagnosis = examined(read(*changes))
    check = why(diagnosis)
    assert (diagnosis.exit_code, check.severity, check.line) == (3, "error", line)
    assert words in check.seen


def test_a_stage_that_is_not_known_leaves_the_question_open(read: Read) -> None:
    """Neither armed nor unguarded, until the stage is given."""
    gated = ("  alerts: {}", "  deploymentSettings: {stages: [prod]}\n  alerts: {}")
    by_store = ("stage: prod", "stage: ${ssm:/stage}")
    diagnosis = examined(read(gated, by_store))
    assert (diagnosis.exit_code, why(diagnosis).severity) == (4, "unknown")
    assert examined(read(gated, by_store, given={"ssm:/stage": "prod"})).exit_code == 0
    assert examined(read(gated, by_store, given={"ssm:/stage": "dev"})).exit_code == 3


def test_a_text_among_the_alarms_is_a_logical_id(read: Read) -> None:
    """A name of an alarm must be written as such; CloudFormation refuses it otherwise."""
    with pytest.raises(TemplateError, match=r"serverless\.yml:26: no alarm of the stack has the logical id my-alarm"):
        read(("- ApiCanaryAlarm", "- my-alarm"))
    diagnosis = examined(read(("- ApiCanaryAlarm", "- name: my-alarm")))
    assert asked(diagnosis, "alarm-exists").severity == "unknown"


def test_alarms_without_their_plugin_are_not_made(read: Read) -> None:
    """The settings name an alarm that is not in the stack, so its deployment fails."""
    with pytest.raises(TemplateError, match="no alarm of the stack has the logical id ApiCanaryAlarm"):
        read(("serverless-plugin-aws-alerts, ", ""))
    release = read(("  alerts: {}\n", ""), (ALARMS, ""))
    assert "custom.alerts is missing" in told(examined(release))["alarm-exists"][2]


def test_settings_without_alarms_guard_nothing(read: Read) -> None:
    """A canary that nobody watches."""
    assert asked(examined(read((ALARMS, ""))), "alarm-configured").severity == "error"


@pytest.mark.parametrize("key", ["type: Canary10Percent5Minutes", "alias: Live"])
def test_settings_without_type_or_alias_are_refused(read: Read, key: str) -> None:
    """CloudFormation refuses what the plugin makes of them."""
    diagnosis = examined(read((f"      {key}\n", "")))
    assert why(diagnosis).severity == "error"


def test_a_function_without_versions_has_nothing_to_shift_to(read: Read) -> None:
    """The framework publishes none where it is told so."""
    diagnosis = examined(read(("  stage: prod", "  stage: prod\n  versionFunctions: false")))
    assert "publishes no version" in why(diagnosis).seen


def test_hooks_are_named_by_their_keys(read: Read) -> None:
    """Their names are those of the functions; another word is refused."""
    hook = ("      alias: Live", "      alias: Live\n      preTrafficHook: before")
    with pytest.raises(TemplateError, match="the hook before is no function of the file"):
        read(hook)
    (one,) = read(hook, ("functions:", "functions:\n  before: {handler: hook.handler}")).released
    assert {event: fact.value for event, fact in one.hooks.items()} == {"BeforeAllowTraffic": "shop-prod-before"}


def test_the_group_has_at_most_a_hundred_characters(read: Read) -> None:
    """The plugin cuts its name."""
    (one,) = read(("service: shop", f"service: {'s' * 90}")).released
    assert one.group is not None
    assert one.group.value == f"{'s' * 90}-prod-ApiL"


# Alarms


def test_an_alarm_that_is_switched_off_is_left_out(read: Read) -> None:
    """One of all functions, by a function of its own."""
    general = ("alerts: {}", "alerts: {alarms: [functionErrors, functionThrottles]}")
    off = (
        "    alarms:\n      - name: C",
        "    alarms:\n      - {name: functionThrottles, enabled: false}\n      - name: C",
    )
    assert {alarm.logical for alarm in read(general).alarms} == {
        "ApiCanaryAlarm",
        "ApiFunctionErrorsAlarm",
        "ApiFunctionThrottlesAlarm",
    }
    assert "ApiFunctionThrottlesAlarm" not in {alarm.logical for alarm in read(general, off).alarms}


@pytest.mark.parametrize(
    ("alerts", "name"),
    [
        ("{}", "${ApiCanaryAlarm}"),
        ("{nameTemplate: '$[functionName]-$[metricName]'}", "shop-prod-api-Errors"),
        ("{nameTemplate: '$[functionId]-x', prefixTemplate: 'p-$[stackName]'}", "p-shop-prod-ApiLambdaFunction-x"),
        ("{nameTemplate: '$[metricId]', prefixTemplate: ''}", "Errors"),
        ("{prefixTemplate: '$[stackName]'}", "shop-prod-api-Canary"),
    ],
)
def test_alarms_are_named_by_their_templates(read: Read, alerts: str, name: str) -> None:
    """Without one, CloudFormation makes a name up."""
    (alarm,) = read(("alerts: {}", f"alerts: {alerts}")).alarms
    assert alarm.defined.name == name


def test_a_definition_that_is_not_there_is_refused(read: Read) -> None:
    """As the plugin does, with the line."""
    with pytest.raises(TemplateError, match=r":12: there is no alarm definition slow"):
        read(("    alarms:\n      - name", "    alarms: [slow]\n    others:\n      - name"))


def test_an_alarm_on_a_pattern_reads_a_metric_of_the_stack(read: Read) -> None:
    """Without dimensions, so it cannot tell the canary from the rest."""
    (alarm,) = read(("        threshold: 3", "        threshold: 3\n        pattern: ERROR")).alarms
    (metric,) = metrics_of(alarm.defined)
    assert (metric.namespace, metric.metric, metric.dimensions) == ("shop-prod", "ErrorsApiLambdaFunction", {})


def test_an_alarm_on_an_anomaly_has_a_band(read: Read) -> None:
    """Two metrics, one of them the band."""
    (alarm,) = read(("        threshold: 3", "        threshold: 3\n        type: anomalyDetection")).alarms
    assert [query.expression for query in alarm.defined.queries if query.expression] == [
        "ANOMALY_DETECTION_BAND(m1, 3)"
    ]


def test_alarms_of_the_fork_watch_the_new_version(read: Read) -> None:
    """A composite of them guards the group."""
    fork = ("serverless-plugin-canary-deployments]", "'@flagsmith/serverless-plugin-canary-deployments']")
    own = (ALARMS, "      canaryAlarms: [{preset: errors, threshold: 2}]\n")
    release = read(fork, own)
    (one,) = release.released
    assert [fact.value for fact in one.alarms] == ["shop-prod-canary-composite"]
    diagnosis = examined(release)
    assert asked(diagnosis, "alarm-composite").severity == "ok"
    assert asked(diagnosis, "alarm-versions").severity == "ok"
    assert "Errors Sum > 2" in asked(diagnosis, "alarm-threshold").seen
    assert "only @flagsmith" in told(examined(read(own)))["alarm-exists"][2]


# Variables


VALUES = {
    "of the file": ("${self:custom.alias}", {}, {}),
    "by default": ("${opt:alias, 'Live'}", {}, {}),
    "given": ("${opt:alias, 'other'}", {"opt:alias": "Live"}, {}),
    "of the environment": ("${env:ALIAS}", {}, {"ALIAS": "Live"}),
    "of another file": ("${file(stages.yml):${sls:stage}.alias}", {}, {}),
    "of a text": ("${file(alias.txt)}", {}, {}),
    "of the parameters": ("${param:alias}", {}, {}),
    "from the Parameter Store": ("${ssm:/alias}", {"ssm:/alias": "Live"}, {}),
    "nested": ("${opt:alias, ${self:custom.none, self:custom.alias}}", {}, {}),
    "in a list": ("${self:custom.list.1}", {}, {}),
    "joined": ("L${self:custom.i}v${self:custom.e}", {}, {}),
}


@pytest.mark.parametrize(("variable", "given", "environment"), VALUES.values(), ids=VALUES)
def test_variables_are_filled_in(
    read: Read, variable: str, given: Mapping[str, str], environment: Mapping[str, str]
) -> None:
    """From each source that can be read offline, or by the option."""
    files = {"stages.yml": "prod: {alias: Live}", "alias.txt": "Live"}
    own = "custom:\n  alias: Live\n  list: [a, Live]\n  i: i\n  e: e\n"
    params = ("service: shop\n", "service: shop\nparams: {default: {alias: x}, prod: {alias: Live}}\n")
    alias = ("alias: Live", f'alias: "{variable}"')
    release = read(alias, params, ("custom:\n", own), files=files, given=given, environment=environment)
    assert [one.alias.value for one in release.released] == ["Live"]


def test_what_is_not_known_is_asked_for(read: Read) -> None:
    """By its name, and never by a default that AWS may overrule."""
    for variable in ("ssm:/threshold", "cf:other.Threshold", "file(x.js):threshold", "opt:threshold"):
        open_here = ("threshold: 3", f'threshold: "${{{variable}}}"')
        diagnosis = examined(read(open_here, files={"x.js": ""}))
        assert asked(diagnosis, "alarm-threshold").severity == "unknown"
        assert variable in asked(diagnosis, "alarm-threshold").seen
        given = examined(read(open_here, files={"x.js": ""}, given={variable: "3"}))
        assert asked(given, "alarm-threshold").severity == "ok"
    by_default = ("threshold: 3", "threshold: ${ssm:/threshold, 3}")
    assert asked(examined(read(by_default)), "alarm-threshold").severity == "unknown"


def test_a_default_of_the_command_line_is_told(read: Read) -> None:
    """With its line; a value of the file is none."""
    diagnosis = examined(
        read(("stage: prod", "stage: ${opt:stage, self:custom.stage}"), ("custom:", "custom:\n  stage: x"))
    )
    assert told(diagnosis)["parameters"][2] == "opt:stage is x here, by its default."


def test_a_place_in_another_file_is_told(read: Read) -> None:
    """A function of its own file has its findings there."""
    head, body = SERVERLESS.split("functions:\n")
    files = {"functions.yml": "\n".join(line[2:] for line in body.splitlines())}
    diagnosis = examined(read(text=f"{head}functions: ${{file(functions.yml)}}\n", files=files))
    check = asked(diagnosis, "gradual-shift")
    assert check.severity == "ok"
    assert (Path(check.file or "").name, check.line) == ("functions.yml", 14)


def test_variables_in_a_circle_are_refused(read: Read) -> None:
    """In one sentence with the line."""
    with pytest.raises(
        TemplateError, match=r"serverless\.yml:\d+: circular reference: custom\.b → custom\.a → custom\.b"
    ):
        read(
            ("custom:", "custom:\n  a: ${self:custom.b}\n  b: ${self:custom.a}"),
            ("alias: Live", "alias: ${self:custom.a}"),
        )


def test_names_of_cloudformation_are_no_variables(read: Read) -> None:
    """They are left for Fn::Sub, also beside a variable that is not known."""
    own = (
        "\nresources:\n  Resources:\n    Own:\n      Type: AWS::CloudWatch::Alarm\n      Properties:\n"
        '        AlarmName: !Sub "${AWS::StackName}-${self:service}-${ssm:/x}"\n'
    )
    alarms = {alarm.logical: alarm.defined.name for alarm in read(text=SERVERLESS + own).alarms}
    assert alarms["Own"] == "${AWS::StackName}-shop-${ssm:/x}"


def test_a_parameter_of_no_variable_is_refused(read: Read) -> None:
    """Left aside in silence, it would leave a default in its place."""
    with pytest.raises(UsageError, match="--parameter opt:stag"):
        read(given={"opt:stag": "prod"})


def test_variables_stand_for_a_bounded_size(read: Read) -> None:
    """A short file could stand for billions of values."""
    bomb = "".join(f"  a{n}: ['${{self:custom.a{n - 1}}}', '${{self:custom.a{n - 1}}}']\n" for n in range(1, 40))
    with pytest.raises(TemplateError, match="variables stand for more than"):
        read(("custom:\n", f"custom:\n  a0: x\n{bomb}"))


def test_functions_may_be_in_lists(read: Read) -> None:
    """As files of them are."""
    release = read(("functions:\n  api:", "functions:\n - other: {handler: x.y}\n - api:"))
    assert {*release.unguarded} == {"OtherLambdaFunction"}
    assert replace(release.released[0]).logical == "ApiLambdaFunction"
