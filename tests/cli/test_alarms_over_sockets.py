"""The matrix of alarms and releases for real: the local cloud judges the alarm, and the harness what came of it.

`tests/core/verdict/test_matrix.py` has all pairs on built timelines; the right calls stand there.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest

from harness.core.experiment.parse import parse
from harness.rehearsal.fixtures import CloudFactory, aws_environment
from tests.core.verdict.test_matrix import CELLS

SPEED = 90.0
OK_HANDLER = "import os\ndef handler(event, context):\n    return {'statusCode': %d, 'body': '{}', 'headers': %s}\n"
VERSION = "{'X-Function-Version': os.environ['AWS_LAMBDA_FUNCTION_VERSION']}"
RELEASES: dict[str, dict[str, Any]] = {
    "healthy": {"objective": {"latency": {"p99_s": 5}}},  # a busy machine may be slow
    "fault requests": {"traffic": {"error_share": 0.05}},
    "broken canary": {"canary": {"env": {"FAIL_RATIO": 0.5}}},
    "slow canary": {"canary": {"env": {"LATENCY_MS": 2000}}},
    "throttled": {"faults": [{"at_s": 60, "for_s": 60, "concurrency": 0}]},
    "handled 500s": {"canary": {"env": {"STATUS": 500}}},
    "late": {"faults": [{"at_s": 270, "error_share": 0.1}]},
    "traffic stops": {"traffic": {"arrival_rate": [{"at_s": 0, "rate": 8}, {"at_s": 250, "rate": 0}]}},
}
IN_TEST = [
    ("rate", "fault requests"),
    ("rate", "healthy"),
    ("duration", "slow canary"),
    ("errors", "slow canary"),
    ("throttles", "throttled"),
    ("composite", "broken canary"),
    ("5xx", "handled 500s"),
    ("errors", "traffic stops"),
]
"""Played by `make test`; the soak plays every pair."""


def experiment_of(release: str) -> dict[str, Any]:
    """The experiment that plays a release; what the group's alarm is the test says."""
    keys = RELEASES[release]
    traffic = {"arrival_rate": 8, **keys.get("traffic", {})}
    return {"name": "matrix", "steady_s": 30, **keys, "traffic": traffic}


def guard(cloud: Any, kind: str) -> None:
    """Puts the alarm of this kind in place of the stack's own."""
    watch, names = boto3.client("cloudwatch"), cloud.ready
    dimensions = [{"Name": "FunctionName", "Value": names["function"]}]
    lambda_ = {"Namespace": "AWS/Lambda", "Dimensions": dimensions}
    every = {
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    }
    flat = {**every, **lambda_, "Period": 60}
    slow = {**flat, "MetricName": "Duration", "ExtendedStatistic": "p99", "Threshold": 1000.0}
    api = {"Namespace": "AWS/ApiGateway", "Dimensions": [{"Name": "ApiName", "Value": names["api"]}]}
    single = {
        "5xx": {**api, "MetricName": "5XXError", "Statistic": "Sum", "Threshold": 3.0},
        "throttles": {"MetricName": "Throttles", "Statistic": "Sum", "Threshold": 1.0},
        "duration": slow,
    }

    def query(id_: str, metric: str) -> dict[str, Any]:
        of = {"Metric": {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions}}
        return {"Id": id_, "MetricStat": {**of, "Period": 60, "Stat": "Sum"}, "ReturnData": False}

    if kind == "errors":
        return
    watch.delete_alarms(AlarmNames=[names["alarm"]])
    if kind == "none":
        group = {"applicationName": names["application"], "currentDeploymentGroupName": names["group"]}
        boto3.client("codedeploy").update_deployment_group(**group, alarmConfiguration={"enabled": False, "alarms": []})
    elif kind == "rate":
        rate = {"Id": "rate", "Expression": "100*errors/calls", "ReturnData": True}
        metrics = [query("errors", "Errors"), query("calls", "Invocations"), rate]
        watch.put_metric_alarm(AlarmName=names["alarm"], **every, Threshold=2.0, Metrics=metrics)
    elif kind in single:
        watch.put_metric_alarm(AlarmName=names["alarm"], **{**flat, **single[kind]})
    elif kind == "composite":
        errors = {"MetricName": "Errors", "Statistic": "Sum", "Threshold": 3.0}
        watch.put_metric_alarm(AlarmName="sum", **flat, **errors)
        watch.put_metric_alarm(AlarmName="slow", **slow)
        watch.put_composite_alarm(AlarmName=names["alarm"], AlarmRule='ALARM("sum") OR ALARM("slow")')


def played(kind: str, release: str, make: CloudFactory, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Any:
    """The process and the verdict of one pair."""
    monkeypatch.chdir(folder)
    keys = experiment_of(release)
    if release == "handled 500s":
        for module, status in (("good", 200), ("bad", 500)):
            Path(f"{module}.py").write_text(OK_HANDLER % (status, VERSION))
        keys |= {"baseline": {"handler": "good:handler"}, "canary": {"handler": "bad:handler"}}
    file = folder / "matrix.json"
    file.write_bytes(msgspec.json.encode(keys))
    cloud = make(parse(file.read_text(), source=str(file)), speed=SPEED, seed=1)
    aws_environment(cloud, monkeypatch)
    monkeypatch.setenv("LOCUST_CANARY_CLOCK", cloud.ready["clock"])
    guard(cloud, kind)
    names = cloud.ready
    words = ["--application", names["application"], "--group", names["group"], "--host", names["service_url"]]
    command = [sys.executable, "-m", "harness", "run", str(file), *words, "--target-version", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=folder)
    found = folder / "reports" / "latest" / "verdict.json"
    assert found.exists(), done.stderr[-2000:]
    return done.returncode, json.loads(found.read_text())


def right(kind: str, release: str) -> str:
    """The call that the matrix has for a pair."""
    return next(call for guarded, went, call in CELLS if (guarded, went) == (kind, release))


def check(kind: str, release: str, make: CloudFactory, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Plays a pair and holds its call against the matrix, and the exit code against the verdict."""
    code, verdict = played(kind, release, make, monkeypatch, folder)
    assert verdict["call"] == right(kind, release), json.dumps(verdict, indent=1)
    assert code == verdict["exit_code"]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "release"), IN_TEST)
def test_pair_is_called_right(
    kind: str, release: str, canary_cloud_factory: CloudFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Eight that are unlike one another."""
    check(kind, release, canary_cloud_factory, monkeypatch, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize(("kind", "release"), [(kind, went) for kind, went, _ in CELLS if (kind, went) not in IN_TEST])
def test_every_pair_is_called_right(
    kind: str, release: str, canary_cloud_factory: CloudFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All others."""
    check(kind, release, canary_cloud_factory, monkeypatch, tmp_path)
