"""What of a template a rehearsal plays, and what it refuses to play as something else."""

from pathlib import Path

import pytest

from harness.core.experiment.contradictions import contradictions
from harness.core.experiment.parse import rehearsable
from harness.core.experiment.types import Arm, Deployment, Experiment, FunctionCode
from harness.errors import UsageError
from harness.templates import as_released, read_release
from tests.templates.conftest import PLAIN, SAM
from tests.templates.test_serverless import SERVERLESS
from tests.templates.test_terraform import HCL

OWN = Experiment(name="own")


RUN = ("      CodeUri: src/", "      CodeUri: src/\n      Handler: app.handler\n      Runtime: python3.13")
PRE = """\
  Pre:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: src/, Handler: pre.handler, Runtime: nodejs22.x, FunctionName: CodeDeployHook_pre}
"""


def released(
    tmp_path: Path, text: str, *changes: tuple[str, str], function: str | None = None, stand_in: bool = True
) -> Experiment:
    """An experiment with the release of a text, after some replacements."""
    for old, new in changes:
        assert old in text, f"the template has no {old!r}"
        text = text.replace(old, new)
    path = tmp_path / ("main.tf" if text.startswith("variable") else "template.yaml")
    path.write_text(text)
    return as_released(read_release(path, {}, with_code=True), function, OWN, stand_in=stand_in)


@pytest.mark.parametrize(
    ("text", "config", "threshold", "dimensions"),
    [
        (SAM, "Canary10Percent5Minutes", 3, "alias"),
        (SERVERLESS, "Canary10Percent5Minutes", 3, "function"),
        (HCL, "Canary10Percent7Minutes", 3, "version"),
    ],
    ids=["sam", "serverless", "terraform"],
)
def test_the_release_of_a_template_is_played(
    tmp_path: Path, text: str, config: str, threshold: float, dimensions: str
) -> None:
    """With its preference, alarm and rollback events, and nothing that an experiment would refuse."""
    experiment = released(tmp_path, text)
    assert (experiment.deployment.config, experiment.alarm.threshold, experiment.alarm.dimensions) == (
        config,
        threshold,
        dimensions,
    )
    assert experiment.alarm.missing == "notBreaching"
    assert ("DEPLOYMENT_STOP_ON_REQUEST" in experiment.rollback) == (text is not HCL)
    assert not [*contradictions(experiment)]
    rehearsable(experiment)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The folder of the template's code, with a handler and a hook."""
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "app.py").write_text("def handler(event, context): return {'statusCode': 200}\n")
    (folder / "pre.js").write_text("exports.handler = async () => {}\n")
    return folder


def test_the_function_runs_its_own_code_with_its_settings(tmp_path: Path, source: Path) -> None:
    """Both versions, from the template's folder on; the variables of the experiment go before those of the template."""
    more = "\n      Timeout: 7\n      Environment: {Variables: {A: !Ref Stage, ME: !Ref Api, B: '1'}}"
    played = released(tmp_path, SAM, (RUN[0], RUN[1] + more), stand_in=False)
    code = FunctionCode(handler="app.handler", runtime="python3.13", path=str(source))
    assert played.baseline == Arm(code=code, env={"A": "dev", "ME": "Api", "B": "1"}, timeout_s=7, memory_mb=128)
    assert played.canary == played.baseline
    wanted = Experiment(name="own", canary=Arm(env={"B": "2"}), baseline=Arm(handler="mine:answer"))
    release = read_release(tmp_path / "template.yaml", {}, with_code=True)
    again = as_released(release, None, wanted)
    assert (again.canary.env["B"], again.canary.code, again.baseline.code) == ("2", code, None)
    assert (again.baseline.handler, again.baseline.timeout_s) == ("mine:answer", 7)


def test_code_of_a_serverless_service_and_of_terraform_is_found(tmp_path: Path) -> None:
    """Beside the file, or in the zip that the plan names."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "index.mjs").write_text("")
    (tmp_path / "api.zip").write_bytes(b"PK")
    of_serverless = released(tmp_path, SERVERLESS, stand_in=False).canary
    code = FunctionCode(handler="src/index.handler", runtime="nodejs20.x", path=str(tmp_path))
    assert of_serverless == Arm(code=code, timeout_s=6, memory_mb=1024)
    handler = '  handler       = "app.handler"'
    of_terraform = released(tmp_path, HCL, (handler, f'{handler}\n  filename = "api.zip"'), stand_in=False).baseline
    assert of_terraform.code
    assert of_terraform.code.path == str(tmp_path / "api.zip")


CANNOT_RUN = {
    "another runtime": ("python3.13", "java21", "its runtime is java21"),
    "code that is not built": ("src/", "dist/", r"there is no .*dist; build it first"),
    "code in S3": ("src/", "s3://bucket/key", "its code is not on this machine"),
    "no such file": ("app.handler", "main.handler", "has no file for the handler main.handler"),
    "a variable that is not known": (
        "python3.13",
        "python3.13\n      Environment: {Variables: {A: !Ref Owner}}",
        "Owner=",
    ),
}


@pytest.mark.parametrize(("old", "new", "words"), CANNOT_RUN.values(), ids=CANNOT_RUN)
def test_code_that_cannot_run_is_never_replaced_in_silence(
    tmp_path: Path, source: Path, old: str, new: str, words: str
) -> None:
    """The verdict would be about another service: it is named, with file and line and what can be done."""
    assert source.is_dir()
    with pytest.raises(UsageError, match=rf"template\.yaml:\d+: .*{words}"):
        released(tmp_path, SAM, RUN, (old, new), stand_in=False)
    assert released(tmp_path, SAM, RUN, (old, new)).baseline.is_bundled


def test_hooks_of_the_template_run(tmp_path: Path, source: Path) -> None:
    """What the experiment says of them goes before; one from elsewhere needs its word."""
    hooks = ("        Alarms:", "        Hooks: {PreTraffic: CodeDeployHook_pre}\n        Alarms:")
    played = released(tmp_path, SAM + PRE, RUN, hooks, stand_in=False)
    code = FunctionCode(handler="pre.handler", runtime="nodejs22.x", path=str(source))
    assert played.deployment.hooks == {"BeforeAllowTraffic": Arm(code=code, timeout_s=3, memory_mb=128)}
    assert released(tmp_path, SAM + PRE, RUN, hooks).deployment.hooks == {"BeforeAllowTraffic": "Succeeded"}
    wanted = Experiment(name="own", deployment=Deployment(hooks={"BeforeAllowTraffic": "Failed"}))
    again = as_released(read_release(tmp_path / "template.yaml", {}, with_code=True), "Api", wanted)
    assert again.deployment.hooks == {"BeforeAllowTraffic": "Failed"}
    with pytest.raises(UsageError, match=r"the template does not define it; .*hooks: {BeforeAllowTraffic: Succeeded}"):
        released(tmp_path, SAM, RUN, hooks, stand_in=False)


def test_every_plain_alarm_of_the_group_is_played(tmp_path: Path) -> None:
    """Each by its name."""
    second = SAM[SAM.index("  ApiErrors:") :].replace("ApiErrors:", "Throttles:").replace("Errors\n", "Throttles\n")
    played = released(tmp_path, SAM + second, ("- !Ref ApiErrors", "- !Ref ApiErrors\n          - !Ref Throttles"))
    assert [(one.name, one.metric) for one in (played.alarm, *played.further_alarms)] == [
        ("ApiErrors", "Errors"),
        ("Throttles", "Throttles"),
    ]
    assert not [*contradictions(played)]


def composite_of(tmp_path: Path, rule: str) -> Experiment:
    """What is played where the group names a composite of this rule."""
    composite = f"  Sick:\n    Type: AWS::CloudWatch::CompositeAlarm\n    Properties: {{AlarmRule: !Sub '{rule}'}}\n"
    second = SAM[SAM.index("  ApiErrors:") :].replace("ApiErrors:", "Throttles:").replace("Errors\n", "Throttles\n")
    return released(tmp_path, SAM + second + composite, ("- !Ref ApiErrors", "- !Ref Sick"))


def test_a_composite_of_any_is_played_as_its_children(tmp_path: Path) -> None:
    """Each of them takes it to ALARM; one that needs two at once is refused, with its rule."""
    played = composite_of(tmp_path, 'ALARM("${ApiErrors}") OR ALARM("${Throttles}")')
    assert [one.name for one in (played.alarm, *played.further_alarms)] == ["ApiErrors", "Throttles"]
    with pytest.raises(UsageError, match="it is a composite alarm of the rule"):
        composite_of(tmp_path, 'ALARM("${ApiErrors}") AND ALARM("${Throttles}")')


REFUSED = {
    "no alarm": (SAM, ("        Alarms:\n          - !Ref ApiErrors\n", ""), "no alarm guards Api"),
    "an open threshold": (SAM, ("Threshold: 3", "Threshold: !Ref Owner"), "--parameter Owner="),
    "an open preference": (SAM, ("Type: Canary10Percent5Minutes", "Type: !Ref Owner"), "--parameter Owner="),
    "an alarm elsewhere": (SAM, ("- !Ref ApiErrors", "- shop-errors"), "the template does not define"),
    "an alarm on another function": (SAM, ("Value: !Ref Api}", "Value: other}"), "and [$]{ApiErrors} is none"),
    "metric math": (
        PLAIN,
        (
            '"ReturnData": true\n     }',
            '"ReturnData": false}, {"Id": "e", "Expression": "m1 * 2", "ReturnData": true}',
        ),
        "is none",
    ),
    "a unit": (SAM, ("Statistic: Sum", "Statistic: Sum\n      Unit: Count"), "is none"),
    "no release": (SAM, ("Canary10Percent5Minutes", "X\n        Enabled: false"), "no function that is released"),
}


@pytest.mark.parametrize(("text", "change", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_played_as_written_is_refused(
    tmp_path: Path, text: str, change: tuple[str, str], words: str
) -> None:
    """It would prove another release than the team's."""
    with pytest.raises(UsageError, match=words):
        released(tmp_path, text, change)


def test_one_of_several_functions_is_chosen(tmp_path: Path) -> None:
    """By its name; none is taken by chance."""
    head, _, rest = SAM.partition("  Api:\n")
    body = "  Api:\n" + rest
    both = head + body + body.replace("Api", "Other")
    with pytest.raises(UsageError, match="releases Api, Other: choose one by --function"):
        released(tmp_path, both)
    assert released(tmp_path, both, function="Other").alarm.dimensions == "alias"
    with pytest.raises(UsageError, match="has no function Nobody that is released by CodeDeploy; it has Api, Other"):
        released(tmp_path, both, function="Nobody")


LIBS = {
    "SAM": (
        SAM + "  Libs: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: libs/}}\n",
        [RUN, ("CodeUri: src/\n", "CodeUri: src/\n      Layers: [!Ref Libs]\n")],
    ),
    "a layer for all functions of SAM": (
        SAM + "  Libs: {Type: AWS::Lambda::LayerVersion, Properties: {Content: libs}}\n",
        [RUN, ("    AutoPublishAlias: live\n", "    AutoPublishAlias: live\n    Layers: [!Ref Libs]\n")],
    ),
    "an asset of CDK": (
        SAM
        + "  Libs:\n    Type: AWS::Lambda::LayerVersion\n    Properties: {Content: {S3Bucket: b, S3Key: k}}\n"
        + "    Metadata: {'aws:asset:path': libs}\n",
        [RUN, ("CodeUri: src/\n", "CodeUri: src/\n      Layers: [!Ref Libs]\n")],
    ),
    "serverless": (
        SERVERLESS.replace("    handler: src/index.handler\n", "    handler: src/pre.handler\n"),
        [
            ("functions:\n", "layers: {li-bs: {path: libs}}\nfunctions:\n"),
            ("src/pre.handler\n", "src/pre.handler\n    layers: [{Ref: LiDashbsLambdaLayer}]\n"),
        ],
    ),
    "Terraform": (
        HCL + 'resource "aws_lambda_layer_version" "libs" {\n  layer_name = "libs"\n  filename = "libs"\n}\n',
        [
            (
                '  handler       = "app.handler"',
                '  handler       = "app.handler"\n  filename = "src"\n  layers = [aws_lambda_layer_version.libs.arn]',
            )
        ],
    ),
}


@pytest.mark.parametrize(("text", "changes"), LIBS.values(), ids=LIBS)
def test_layers_of_the_template_are_played(
    tmp_path: Path, source: Path, text: str, changes: list[tuple[str, str]]
) -> None:
    """From their folders; without the folder the code is not built."""
    with pytest.raises(UsageError, match=r"there is no .*libs; build it first"):
        released(tmp_path, text, *changes, stand_in=False)
    (tmp_path / "libs").mkdir()
    code = released(tmp_path, text, *changes, stand_in=False).canary.code
    assert code
    assert (code.layers, code.without_layers) == ((str(tmp_path / "libs"),), ())


POWERTOOLS = "arn:aws:lambda:${AWS::Region}:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-x86_64:18"
ELSEWHERE = {
    "of another account": (f"!Sub '{POWERTOOLS}'", POWERTOOLS.replace("${AWS::Region}", "eu-north-1")),
    "in S3": ("!Ref Stored", "Stored"),
}


@pytest.mark.parametrize(("written", "name"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_layer_that_is_not_here_is_named(tmp_path: Path, source: Path, written: str, name: str) -> None:
    """The code runs without it, and the verdict says so; the hook's, too."""
    stored = "  Stored: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: s3://bucket/key}}\n"
    layers = ("CodeUri: src/\n", f"CodeUri: src/\n      Layers: [{written}]\n")
    code = released(tmp_path, SAM + stored, RUN, layers, stand_in=False).canary.code
    assert code
    assert code.without_layers == (name,)


@pytest.mark.parametrize("written", ["[!Ref Owner]", "!Split [',', !Ref Owner]", "!Ref Owner"])
def test_a_layer_that_is_not_known_is_asked_for(tmp_path: Path, source: Path, written: str) -> None:
    """It may be one that is here."""
    with pytest.raises(UsageError, match="Owner="):
        released(tmp_path, SAM, RUN, ("CodeUri: src/\n", f"CodeUri: src/\n      Layers: {written}\n"), stand_in=False)
