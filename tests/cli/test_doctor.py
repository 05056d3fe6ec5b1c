"""The command `doctor`, as a person or a pipeline runs it."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.aws import discovery
from harness.cli import doctor as checkup
from harness.cli.doctor import add_doctor_arguments, examine_net
from harness.cli.words import given_of
from harness.core.experiment.overlay import overlaid
from harness.core.experiment.types import Alarm, Also, Deployment, Experiment, Traffic
from harness.errors import AccessDenied, TemplateError, Unreachable, UsageError
from harness.rehearsal.cloud import Cloud
from harness.rehearsal.fixtures import CloudFactory, aws_environment
from tests.templates.conftest import SAM

WANTED = Experiment(name="erroruser", traffic=Traffic(error_share=0.05))


@pytest.fixture
def cloud(canary_cloud: Cloud, canary_aws: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A local cloud that deployed once and serves, whose time is the command's."""
    canary_cloud.deploy()
    canary_cloud.advance(400)
    names = canary_cloud.ready
    for _ in range(6):
        now = canary_cloud.clock.now()
        canary_cloud.cloudwatch.invocations.record(names["function"], names["alias"], "2", now, 5.0, failed=False)
        canary_cloud.advance(60)
    own_time = SimpleNamespace(time=canary_cloud.clock.now, sleep=canary_cloud.advance)
    monkeypatch.setattr(checkup, "time", own_time)
    return canary_cloud


def asked(*words: str, experiment: Experiment | None = None) -> tuple[Experiment, argparse.Namespace]:
    """What a command line asks."""
    parser = argparse.ArgumentParser()
    add_doctor_arguments(parser)
    options = parser.parse_args(words)
    return overlaid(experiment or Experiment(name="doctor"), given_of(options)), options


def test_an_armed_cloud_ends_with_0_and_says_so(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    """The result on stdout, progress on stderr."""
    assert examine_net(*asked("--host", cloud.ready["service_url"], experiment=WANTED)) == 0
    out, err = capsys.readouterr()
    assert "ARMED · " in out
    assert cloud.ready["group"] in out.replace("\n", "")
    assert "waiting for CloudWatch" in err


def test_json_is_the_whole_diagnosis(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    """One document, each check with all that a machine may want."""
    code = examine_net(*asked("--function", cloud.ready["function"], "--json", experiment=WANTED))
    document = json.loads(capsys.readouterr().out)
    assert (document["exit_code"], document["schema"], document["group"]) == (code, 1, cloud.ready["group"])
    assert {"id", "severity", "seen", "matters", "advice", "file", "line"} == set(document["checks"][0])


def test_a_function_may_be_named_by_its_arn_and_alias(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    """It is what a console or a stack's outputs give to copy."""
    names = cloud.ready
    arn = f"arn:aws:lambda:{names['region']}:{names['account']}:function:{names['function']}:{names['alias']}"
    assert examine_net(*asked("--function", arn, "--json", experiment=WANTED)) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["function"], document["alias"]) == (names["function"], names["alias"])


def test_a_misarmed_cloud_ends_with_3(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong comes first, with why it matters and what to do."""
    where = {"applicationName": cloud.ready["application"], "currentDeploymentGroupName": cloud.ready["group"]}
    cloud.codedeploy.update_deployment_group({**where, "autoRollbackConfiguration": {"enabled": False, "events": []}})
    assert examine_net(*asked("--verbose", experiment=WANTED)) == 3
    out = " ".join(capsys.readouterr().out.split())
    assert "NOT ARMED" in out
    assert out.index("[rollback-on-alarm]") < out.index("[rollback-on-failure]") < out.index("[alarm-configured]")
    assert "leaves the alias split. Add the event" in out


def test_flags_win_over_the_experiment(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    """The file names a group that is not there."""
    experiment = Experiment(name="x", deployment=Deployment(application="old", group="old"))
    words = (
        "--application",
        cloud.ready["application"],
        "--group",
        cloud.ready["group"],
        "--alias",
        "Nobody",
        "--json",
    )
    examine_net(*asked(*words, experiment=experiment))
    document = json.loads(capsys.readouterr().out)
    assert (document["application"], document["alias"]) == (cloud.ready["application"], "Nobody")


def test_without_a_host_nothing_is_sent(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    """And that is said."""
    examine_net(*asked("--json", experiment=WANTED))
    checks = {check["id"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert (checks["host"]["severity"], checks["good-request"]["severity"]) == ("warning", "note")


def test_a_service_elsewhere_gets_no_request_of_a_service_that_it_may_not_be(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its host is known, and that alone does not say what it answers."""
    examine_net(*asked("--host", "https://api.example.com/shared", "--json", experiment=WANTED))
    checks = {check["id"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    for name in ("good-request", "fault-request"):
        assert checks[name]["severity"] == "note"
        assert "api.example.com is not this machine" in checks[name]["seen"]


def test_an_alarm_on_the_live_version_is_a_warning_at_most(
    canary_cloud_factory: CloudFactory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Between two deployments of a stack that is how it looks."""
    dimensions = {"FunctionName": "{function}", "Resource": "{function}:{alias}", "ExecutedVersion": "1"}
    cloud = canary_cloud_factory(Experiment(name="at-rest", alarm=Alarm(dimensions=dimensions)))
    aws_environment(cloud, monkeypatch)
    monkeypatch.setattr(checkup, "time", SimpleNamespace(time=cloud.clock.now, sleep=cloud.advance))
    assert examine_net(*asked("--group", cloud.ready["group"], "--json")) == 0
    checks = {check["id"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["alarm-versions"]["severity"] == "warning"
    assert "right only between deployments" in checks["alarm-versions"]["seen"]


def test_a_misspelled_metric_ends_with_3_and_names_the_one_that_is_meant(
    canary_cloud_factory: CloudFactory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the function had no traffic yet."""
    cloud = canary_cloud_factory(Experiment(name="misspelled", alarm=Alarm(metric="Error")))
    aws_environment(cloud, monkeypatch)
    monkeypatch.setattr(checkup, "time", SimpleNamespace(time=cloud.clock.now, sleep=cloud.advance))
    assert examine_net(*asked("--group", cloud.ready["group"])) == 3
    assert "AWS/Lambda has no metric Error, Errors is meant." in " ".join(capsys.readouterr().out.split())


def test_a_further_group_is_named_with_the_command_that_examines_it(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """One diagnosis is of one group: nobody should take the other one for armed."""
    both = Experiment(name="both", also=(Also(application="shop", group="my toggles"),))
    examine_net(*asked("--group", cloud.ready["group"], experiment=both))
    assert "for the other one: canary-harness doctor --application shop --group 'my toggles'" in capsys.readouterr().err


def test_a_group_that_is_not_there_is_a_usage_error(cloud: Cloud) -> None:
    """With what there is."""
    with pytest.raises(UsageError, match="there are fake-user"):
        examine_net(*asked("--application", "shop"))


@pytest.mark.parametrize(
    ("error", "code", "severity"),
    [
        (AccessDenied("codedeploy:ListApplications", "AccessDeniedException", "no"), 3, "error"),
        (Unreachable("codedeploy:ListApplications", "timeout"), 4, "unknown"),
    ],
)
def test_names_that_cannot_be_found_are_a_diagnosis_too(
    cloud: Cloud,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: int,
    severity: str,
) -> None:
    """A machine gets its JSON, whatever AWS says."""

    def fail(*_: Any, **__: Any) -> Experiment:
        raise error

    monkeypatch.setattr(discovery, "discover", fail)
    assert examine_net(*asked("--json")) == code
    check = json.loads(capsys.readouterr().out)["checks"][0]
    assert (check["severity"], "codedeploy:ListApplications" in check["seen"]) == (severity, True)


def test_the_policy_is_printed_without_any_aws(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As JSON to paste, narrowed to what is named."""
    monkeypatch.delenv("AWS_REGION", raising=False)
    assert examine_net(*asked("--print-policy", "--function", "fn")) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["Version"] == "2012-10-17"
    assert "arn:aws:lambda:*:*:function:fn" in [statement["Resource"] for statement in document["Statement"]]


@pytest.mark.parametrize("word", ["-1", "soon", "inf", "nan"])
def test_a_wait_that_is_no_time_is_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is asked."""
    with pytest.raises(SystemExit):
        asked(f"--wait={word}")
    assert "a duration is like 30s, 5m or 1h30m" in capsys.readouterr().err


@pytest.mark.parametrize("clock", ["soon", "0", "0:0", "nan:1", "0:-1"])
def test_a_clock_that_is_none_is_a_usage_error(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, clock: str) -> None:
    """The environment names a rehearsal's clock."""
    monkeypatch.setenv("LOCUST_CANARY_CLOCK", clock)
    with pytest.raises(UsageError, match="LOCUST_CANARY_CLOCK: must be EPOCH:SPEED"):
        examine_net(*asked())


def test_a_template_is_examined_without_aws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No credentials, no call; the exit code and the places are in the JSON."""
    template = tmp_path / "template.yaml"
    template.write_text(SAM)
    assert examine_net(*asked("--template", str(template), "--function", "Api")) == 0
    assert "AS FAR AS THE TEMPLATE SAYS" in capsys.readouterr().out
    template.write_text(SAM.replace("Threshold: 3", "Threshold: !Ref Owner"))
    assert examine_net(*asked("--template", str(template), "--json")) == 4
    document = json.loads(capsys.readouterr().out)
    assert {(document["template"], 4)} == {(check["file"], 4) for check in document["diagnoses"][0]["checks"]}
    assert examine_net(*asked("--template", str(template), "--parameter", "Owner=3")) == 0
    with pytest.raises(UsageError, match="NAME=VALUE"):
        examine_net(*asked("--template", str(template), "--parameter", "Owner"))
    with pytest.raises(UsageError, match="--stack asks AWS, and --template does not"):
        examine_net(*asked("--template", str(template), "--stack", "shop"))
    with pytest.raises(UsageError, match="--parameter goes with --template"):
        examine_net(*asked("--parameter", "Owner=3"))


def test_annotations_are_one_document_also_for_a_template_that_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pull request shows where; what goes with AWS alone is refused."""
    path = tmp_path / "template.yaml"
    path.write_text(SAM)
    assert examine_net(*asked("--template", str(path), "--annotations", "sarif")) == 0
    assert json.loads(capsys.readouterr().out)["version"] == "2.1.0"
    path.write_text("Resources: [\n")
    with pytest.raises(TemplateError):
        examine_net(*asked("--template", str(path), "--annotations", "github"))
    assert capsys.readouterr().out.startswith("::error file=")
    for words in (("--annotations", "sarif"), ("--template", str(path), "--json", "--annotations", "sarif")):
        with pytest.raises(UsageError, match="--annotations"):
            examine_net(*asked(*words))
