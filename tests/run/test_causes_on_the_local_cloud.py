"""Whole runs against the local cloud, each of a team whose net has another hole: the verdict, and the cause."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

HARNESS = Path(sys.executable).with_name("canary-harness")
FAILING = "canary: {env: {FAIL_RATIO: 0.5}}"


class Team:
    """A local cloud of its own, and runs against it."""

    def __init__(self, names: Mapping[str, Any], folder: Path) -> None:
        self.names, self.folder = names, folder
        self.env = {
            **os.environ,
            "AWS_ENDPOINT_URL": str(names["endpoint_url"]),
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": str(names["region"]),
            "LOCUST_CANARY_CLOCK": str(names["clock"]),
        }

    def client(self, service: str) -> Any:
        """A boto3 client of the cloud."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.names["endpoint_url"],
            region_name=self.names["region"],
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )

    def run(self, experiment: str, *, command: Sequence[str] = (), host: str | None = None) -> dict[str, Any]:
        """The verdict on a run; without a command it deploys version 2 itself."""
        (self.folder / "mine.yaml").write_text(f"name: mine\n{experiment}\n")
        where = ("--application", self.names["application"], "--group", self.names["group"])
        how = ("--", *command) if command else ("--target-version", "2")
        ran = subprocess.run(
            [HARNESS, "run", "mine.yaml", *where, "--host", host or self.names["service_url"], *how],
            env=self.env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=150,
        )
        assert ran.returncode not in (1, 2), ran.stderr[-2000:]
        verdict: dict[str, Any] = json.loads((self.folder / "reports" / "latest" / "verdict.json").read_text())
        assert ran.returncode == verdict["exit_code"]
        return verdict


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Callable[..., Team]]:
    """Starts a cloud: `team(experiment, speed=60)`, its experiment in YAML; it ends with the test."""
    clouds: list[subprocess.Popen[str]] = []

    def begin(experiment: str, *, speed: int = 60) -> Team:
        (tmp_path / "cloud.yaml").write_text(f"name: mine\n{experiment}\n")
        cloud = subprocess.Popen(
            [HARNESS, "cloud", "--speed", str(speed), "--with-parent", "--experiment", "cloud.yaml"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        clouds.append(cloud)
        assert cloud.stdout
        return Team(json.loads(cloud.stdout.readline()), tmp_path)

    yield begin
    for cloud in clouds:
        cloud.terminate()
        cloud.wait()


def ids(verdict: Mapping[str, Any]) -> dict[str, str]:
    """The severities of the findings by their id."""
    return {finding["id"]: finding["severity"] for finding in verdict["findings"]}


def of_function(team: Team, id_: str, metric: str, **more: Any) -> dict[str, Any]:
    """An entry of `Metrics` on a metric of the function."""
    dimensions = [{"Name": "FunctionName", "Value": team.names["function"]}]
    stat = {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions}
    return {"Id": id_, "MetricStat": {"Metric": stat, "Period": 60, "Stat": "Sum"}, **more}


def put_alarm(team: Team, *metrics: Mapping[str, Any], threshold: float) -> None:
    """Puts another alarm in the place of the group's."""
    team.client("cloudwatch").put_metric_alarm(
        AlarmName=team.names["alarm"],
        EvaluationPeriods=1,
        Threshold=threshold,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
        Metrics=list(metrics),
    )


def put_rate(team: Team) -> None:
    """The errors of a hundred invocations, as metric math."""
    put_alarm(
        team,
        of_function(team, "errors", "Errors", ReturnData=False),
        of_function(team, "invocations", "Invocations", ReturnData=False),
        {"Id": "rate", "Expression": "100 * errors / MAX([errors, invocations])"},
        threshold=2.0,
    )


def put_as_cdk_does(team: Team) -> None:
    """One metric within `Metrics`, with the account's own id."""
    put_alarm(team, of_function(team, "m1", "Errors", AccountId=str(team.names["account"])), threshold=3.0)


@pytest.mark.parametrize(
    "put",
    [pytest.param(put_rate, marks=pytest.mark.slow), pytest.param(put_as_cdk_does, marks=pytest.mark.soak)],
)
def test_an_alarm_in_another_form_catches_the_same(put: Callable[[Team], None], team: Callable[..., Team]) -> None:
    """A tenth of error users, rolled back by metric math: caught, and no false alarm."""
    experiment = (
        "traffic: {arrival_rate: 8, error_share: 0.1}\nsteady_s: 20\nexpect: {outcome: rolled_back, call: caught}"
    )
    mine = team(experiment)
    put(mine)
    verdict = mine.run(experiment)
    assert (verdict["exit_code"], verdict["outcome"], verdict["call"]) == (0, "rolled_back", "caught")


@pytest.mark.parametrize(
    ("override", "outcome", "finding"),
    [
        pytest.param(
            "overrideAlarmConfiguration={'enabled': False, 'alarms': []}",
            "promoted",
            "deployment-overrides-alarms",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "autoRollbackConfiguration={'enabled': False}",
            "stopped",
            "no-rollback-configured",
            marks=pytest.mark.soak,
        ),
    ],
)
def test_a_deployment_that_overrides_its_group_is_read_as_that(
    override: str, outcome: str, finding: str, team: Callable[..., Team]
) -> None:
    """Harm was done and the net did not hold: missed, and why."""
    experiment = f"traffic: {{arrival_rate: 8}}\nsteady_s: 20\n{FAILING}"
    mine = team(experiment, speed=90)
    names = {key: mine.names[key] for key in ("application", "group", "function", "alias")}
    resource = {"Name": names["function"], "Alias": names["alias"], "CurrentVersion": "1", "TargetVersion": "2"}
    spec = {"version": 0.0, "Resources": [{"f": {"Type": "AWS::Lambda::Function", "Properties": resource}}]}
    (mine.folder / "deploy.py").write_text(
        "import boto3\n"
        "print(boto3.client('codedeploy').create_deployment(\n"
        f"    applicationName={names['application']!r}, deploymentGroupName={names['group']!r}, {override},\n"
        f"    revision={{'revisionType': 'AppSpecContent', 'appSpecContent': {{'content': {json.dumps(spec)!r}}}}},\n"
        ")['deploymentId'])\n"
    )
    verdict = mine.run(experiment, command=(sys.executable, "deploy.py"))
    assert (verdict["exit_code"], verdict["outcome"], verdict["call"]) == (3, outcome, "missed")
    assert ids(verdict)[finding] == "error"


@pytest.mark.slow
def test_weights_that_somebody_takes_off_the_alias_leave_the_canary_untried(team: Callable[..., Team]) -> None:
    """As a `terraform apply` does that owns the alias, too."""
    experiment = "traffic: {arrival_rate: 8}\nsteady_s: 20"
    mine = team(experiment, speed=90)
    alias = {"FunctionName": mine.names["function"], "Name": mine.names["alias"]}

    def take_off() -> None:
        functions = mine.client("lambda")
        until_s = time.monotonic() + 100
        while not functions.get_alias(**alias).get("RoutingConfig") and time.monotonic() < until_s:
            time.sleep(0.2)
        time.sleep(1.0)  # over a minute of the cloud's time, in which some look sees the weights
        functions.update_alias(**alias, FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {}})

    threading.Thread(target=take_off, daemon=True).start()
    verdict = mine.run(experiment)
    assert (verdict["exit_code"], verdict["call"]) == (4, "inconclusive")
    assert ids(verdict)["alias-lost-weights"] == "error"


@pytest.mark.soak
def test_a_fault_that_hits_nothing_proves_nothing(team: Callable[..., Team]) -> None:
    """An FIS action on another function runs, and nobody feels it."""
    mine = team("traffic: {arrival_rate: 20}")
    arn = f"arn:aws:lambda:{mine.names['region']}:{mine.names['account']}:function:somebody-elses"
    template = mine.client("fis").create_experiment_template(
        clientToken="a",
        description="errors of another function",
        roleArn="arn:aws:iam::123456789012:role/fis",
        stopConditions=[{"source": "none"}],
        targets={"fn": {"resourceType": "aws:lambda:function", "resourceArns": [arn], "selectionMode": "ALL"}},
        actions={
            "errors": {
                "actionId": "aws:lambda:invocation-error",
                "parameters": {"duration": "PT5M", "invocationPercentage": "100"},
                "targets": {"Functions": "fn"},
            }
        },
    )["experimentTemplate"]["id"]
    verdict = mine.run(f"faults: [{{at_s: 30, for_s: 200, fis_template: {template}}}]")
    assert (verdict["exit_code"], verdict["call"]) == (4, "inconclusive")
    assert ids(verdict)["fault-without-effect"] == "error"


class Unaliased(BaseHTTPRequestHandler):
    """A load balancer whose target group still names the function without its alias: every request runs $LATEST."""

    team: Team

    def do_GET(self) -> None:
        """Invokes the function."""
        self.rfile.read(int(self.headers.get("content-length") or 0))
        answer = self.team.client("lambda").invoke(FunctionName=self.team.names["function"], Payload=b"{}")
        self.send_response(502 if answer.get("FunctionError") else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


ANSWERS = 'def handler(event, context):\n    return {"statusCode": 200, "body": "{}"}\n'
MALFORMED = "def handler(event, context):\n    return None\n"


@pytest.mark.soak
def test_traffic_past_the_alias_is_told_with_both_counts(team: Callable[..., Team], tmp_path: Path) -> None:
    """The canary had nothing to do, and why."""
    (tmp_path / "answers.py").write_text(ANSWERS)
    experiment = (
        'traffic: {arrival_rate: 5}\nbaseline: {handler: "answers:handler"}\ncanary: {handler: "answers:handler"}'
    )
    mine = team(experiment, speed=30)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Balancer", (Unaliased,), {"team": mine}))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    verdict = mine.run(experiment, host=f"http://127.0.0.1:{server.server_port}/shared")
    server.shutdown()
    assert (verdict["exit_code"], verdict["call"]) == (4, "inconclusive")
    assert ids(verdict)["traffic-bypasses-alias"] == "error"


@pytest.mark.soak
def test_answers_that_the_gateway_cannot_read_are_told(tmp_path: Path) -> None:
    """Clients see 502, and Lambda's Errors count nothing."""
    (tmp_path / "answers.py").write_text(ANSWERS)
    (tmp_path / "malformed.py").write_text(MALFORMED)
    arms = 'baseline: {handler: "answers:handler"}\ncanary: {handler: "malformed:handler"}'
    (tmp_path / "odd.yaml").write_text(f"name: odd\ntraffic: {{arrival_rate: 5}}\n{arms}\n")
    subprocess.run([HARNESS, "rehearse", "odd.yaml", "--speed", "30"], cwd=tmp_path, capture_output=True, timeout=150)
    verdict = json.loads((tmp_path / "reports" / "latest" / "verdict.json").read_text())
    assert (verdict["exit_code"], verdict["call"]) == (3, "missed")
    (text,) = (finding["text"] for finding in verdict["findings"] if finding["id"] == "failures-not-counted")
    assert "counted 0 Errors" in text


@pytest.mark.slow
def test_a_canary_that_cannot_be_imported_is_rolled_back(team: Callable[..., Team], tmp_path: Path) -> None:
    """Every invocation fails and counts in Errors, as on AWS; the finding names what to look for."""
    for module, first in (("good", ""), ("bad", "import left_out_of_the_layer\n")):
        answer = "{'statusCode': 200, 'body': '{}'}"
        (tmp_path / f"{module}.py").write_text(f"{first}def handler(event, context):\n    return {answer}\n")
    arms = "baseline: {handler: good:handler}\ncanary: {handler: bad:handler}"
    experiment = f"traffic: {{arrival_rate: 8}}\nsteady_s: 30\n{arms}"
    verdict = team(experiment).run(experiment)
    assert (verdict["outcome"], verdict["call"]) == ("rolled_back", "caught")
    assert ids(verdict)["canary-always-fails"] == "warning"
