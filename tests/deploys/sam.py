"""`sam build && sam deploy --resolve-s3` plays its canary on the local cloud; run by `make deploys` alone."""

import json
import shlex
import shutil
import sys
from pathlib import Path

from tests.deploys.conftest import BROKEN, GOOD, SPEED, TOOLS, LocalCloud

SAM = TOOLS / "sam" / "bin" / "sam"
DEPLOY = (SAM, "deploy", "--stack-name", "shop", "--resolve-s3", "--capabilities", "CAPABILITY_IAM")
UNASKED = ("--no-confirm-changeset",)


def built(cloud: LocalCloud, shop: Path, code: str) -> None:
    """Builds the application with new code of its function."""
    (shop / "src" / "app.py").write_text(code)
    done = cloud.run(SAM, "build", cwd=shop)
    assert done.returncode == 0, done.stderr


def test_a_good_release_is_promoted_and_a_broken_one_rolled_back(cloud: LocalCloud, shop: Path, tmp_path: Path) -> None:
    """The tool ends as it does on AWS, and so does the stack; the harness calls the one cleared, the other caught."""
    built(cloud, shop, GOOD.format("first"))
    first = cloud.run(*DEPLOY, *UNASKED, cwd=shop)
    assert first.returncode == 0, first.stdout + first.stderr
    assert cloud.codedeploy.list_deployments()["deployments"] == []

    again = cloud.run(*DEPLOY, *UNASKED, cwd=shop)
    assert "No changes to deploy" in again.stdout + again.stderr

    built(cloud, shop, GOOD.format("second"))
    second = cloud.released("shop", (*DEPLOY, *UNASKED), shop, tmp_path / "second")
    assert (second["tool"], second["outcome"], second["call"]) == (0, "promoted", "cleared"), second["because"]
    assert cloud.stack("shop")["StackStatus"] == "UPDATE_COMPLETE"

    built(cloud, shop, BROKEN.format("third"))
    third = cloud.released("shop", (*DEPLOY, *UNASKED), shop, tmp_path / "third")
    assert (third["tool"], third["outcome"], third["call"]) == (1, "rolled_back", "caught"), third["because"]
    assert cloud.stack("shop")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"

    deleted = cloud.run(SAM, "delete", "--stack-name", "shop", "--no-prompts", cwd=shop)
    assert deleted.returncode == 0, deleted.stdout + deleted.stderr


def test_one_command_deploys_twice_and_judges(cloud: LocalCloud, shop: Path, tmp_path: Path) -> None:
    """What is in service from one folder, then the change from another, on a cloud that the command starts itself."""
    change = Path(shutil.copytree(shop, tmp_path / "change"))
    built(cloud, shop, GOOD.format("first"))
    built(cloud, change, BROKEN.format("second"))
    experiment = tmp_path / "game.yaml"
    traffic = "traffic: {arrival_rate: 2, requests: {root: {get: /}}}"
    experiment.write_text(f"{{name: game, {traffic}, expect: {{outcome: rolled_back}}}}")
    harness = (sys.executable, "-m", "harness", "rehearse", experiment, "--speed", SPEED, "--json")
    where = ("--template", "template.yaml", "--change", change, "--reports", tmp_path / "reports")
    done = cloud.run(*harness, *where, "--", *DEPLOY, *UNASKED, cwd=shop)
    assert done.returncode == 0, done.stderr
    (verdict,) = (tmp_path / "reports").glob("game/2*/verdict.json")
    assert json.loads(verdict.read_text())["call"] == "caught"


SWITCHED = """
from settings import FAILS


def handler(event, context):
    if FAILS == "yes":
        raise RuntimeError("the experiment has it fail")
    return {"statusCode": 200, "headers": {"X-Lambda-Version": context.function_version}, "body": "good"}
"""


def test_one_folder_is_deployed_healthy_and_then_with_the_experiments_fault(
    cloud: LocalCloud, shop: Path, tmp_path: Path
) -> None:
    """The tool finds each arm's `env` in its variables, and builds it in: SAM publishes no version without new code."""
    (shop / "src" / "app.py").write_text(SWITCHED)
    experiment = tmp_path / "switched.yaml"
    experiment.write_text(
        "name: switched\ntraffic: {arrival_rate: 2, requests: {root: {get: /}}}\n"
        "baseline: {env: {FAILS: 'no'}}\ncanary: {env: {FAILS: 'yes'}}\nexpect: {outcome: rolled_back, call: caught}\n"
    )
    deploy = shlex.join(map(str, (*DEPLOY, *UNASKED)))
    tool = f"echo \"FAILS = '$FAILS'\" > src/settings.py && {SAM} build && {deploy}"
    harness = (sys.executable, "-m", "harness", "rehearse", experiment, "--speed", SPEED, "--json")
    where = ("--template", "template.yaml", "--reports", tmp_path / "reports")
    done = cloud.run(*harness, *where, "--", "sh", "-c", tool, cwd=shop)
    assert done.returncode == 0, done.stderr
    (verdict,) = (tmp_path / "reports").glob("switched/2*/verdict.json")
    assert json.loads(verdict.read_text())["call"] == "caught"
