"""A local cloud for real deploy tools, each in an environment of its own below `build/deploys`."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest

HERE = Path(__file__).parent
TOOLS = HERE.parent.parent / "build" / "deploys"
SPEED = 20
"""Slow enough that a busy machine bears the traffic, which tools and other tests share with it."""
LIMIT_S = 300
"""Seconds that one deployment may take: the AWS CLI looks every 30 s."""

GOOD = """
def handler(event, context):
    return {{"statusCode": 200, "headers": {{"X-Lambda-Version": context.function_version}}, "body": "{0}"}}
"""
BROKEN = """
def handler(event, context):
    raise RuntimeError("{0}")
"""


class LocalCloud:
    """A cloud that runs, and the environment of a shell that uses it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        access = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        where = {"endpoint_url": environment["AWS_ENDPOINT_URL"], "region_name": environment["AWS_REGION"]}
        self.cloudformation: Any = boto3.client("cloudformation", **where, **access)
        self.codedeploy: Any = boto3.client("codedeploy", **where, **access)

    def run(self, *command: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
        """Runs a tool to its end, unmodified."""
        words = [str(word) for word in command]
        return subprocess.run(
            words, cwd=cwd, env=self.environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )

    def stack(self, name: str) -> dict[str, Any]:
        """A stack, with its outputs by name."""
        (found,) = self.cloudformation.describe_stacks(StackName=name)["Stacks"]
        return {**found, "Outputs": {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}}

    def released(self, stack: str, command: Sequence[object], cwd: Path, folder: Path) -> dict[str, Any]:
        """Runs a tool under the harness's own traffic and eyes: its verdict, and the tool's exit code."""
        url = self.stack(stack)["Outputs"]["Url"]
        gateway = self.environment["CANARY_CLOUD_SERVICE_URL"].rpartition("/")[0]
        experiment = {
            "name": stack,
            "target": {"host": gateway},
            "traffic": {
                "requests": {"home": {"get": f"/{url.split('/', 3)[3]}", "headers": {"Host": url.split("/")[2]}}},
                "arrival_rate": 2,
            },
            "steady_s": 60,
            # What a function takes to answer says more of the machine than of its release.
            "objective": {"latency": {"p99_s": 3}},
            "give_up_s": 6000,
        }
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "experiment.yaml"
        file.write_text(json.dumps(experiment))
        told = folder / "exit-code"
        wrapped = f"{shlex.join([str(word) for word in command])} > {folder}/tool.log 2>&1; echo $? > {told}"
        harness = [sys.executable, "-m", "harness", "run", file, "--stack", stack, "--reports", folder / "reports"]
        done = self.run(*harness, "--", "sh", "-c", wrapped, cwd=cwd)
        assert told.exists(), done.stderr
        (verdict,) = (folder / "reports").glob(f"{stack}/2*/verdict.json")
        return {**json.loads(verdict.read_text()), "tool": int(told.read_text()), "log": done.stdout + done.stderr}


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    """A cloud of the test's own, as `canary-harness cloud --env` gives it to a shell."""
    command = [sys.executable, "-m", "harness", "cloud", "--env", "--speed", str(SPEED)]
    shell = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    exported = [shlex.split(line)[1].partition("=") for line in shell.splitlines() if line.startswith("export ")]
    variables = {name: value for name, _, value in exported}
    yield LocalCloud({**os.environ, **variables, "SAM_CLI_TELEMETRY": "0", "CDK_DISABLE_CLI_TELEMETRY": "1"})
    os.kill(int(variables["CANARY_CLOUD_PID"]), 15)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a template of SAM and its code."""
    return Path(shutil.copytree(HERE / "shop", tmp_path / "shop"))
