"""`aws cloudformation package` and `deploy` play their canary on the local cloud; run by `make deploys` alone."""

import re
import sys
from pathlib import Path

from tests.deploys.conftest import BROKEN, GOOD, LocalCloud

AWS = Path(sys.executable).with_name("aws")
DEPLOY = (AWS, "cloudformation", "deploy", "--stack-name", "shop", "--template-file", "packaged.yaml")
CAPABLE = ("--capabilities", "CAPABILITY_IAM")


def packaged(cloud: LocalCloud, shop: Path, code: str) -> None:
    """Uploads new code of the function, and writes the template that names it."""
    (shop / "src" / "app.py").write_text(code)
    package = (AWS, "cloudformation", "package", "--template-file", "template.yaml", "--s3-bucket", "releases")
    done = cloud.run(*package, "--output-template-file", "packaged.yaml", cwd=shop)
    assert done.returncode == 0, done.stderr


def test_a_good_release_is_promoted_and_a_broken_one_rolled_back(cloud: LocalCloud, shop: Path, tmp_path: Path) -> None:
    """The tool ends as it does on AWS, and so does the stack; the harness calls the one cleared, the other caught."""
    assert cloud.run(AWS, "s3", "mb", "s3://releases", cwd=shop).returncode == 0
    packaged(cloud, shop, GOOD.format("first"))
    first = cloud.run(*DEPLOY, *CAPABLE, cwd=shop)
    assert first.returncode == 0, first.stdout + first.stderr

    packaged(cloud, shop, GOOD.format("second"))
    second = cloud.released("shop", (*DEPLOY, *CAPABLE), shop, tmp_path / "second")
    assert (second["tool"], second["outcome"], second["call"]) == (0, "promoted", "cleared"), second["because"]

    packaged(cloud, shop, BROKEN.format("third"))
    third = cloud.released("shop", (*DEPLOY, *CAPABLE), shop, tmp_path / "third")
    assert (third["tool"], third["outcome"], third["call"]) == (255, "rolled_back", "caught"), third["because"]
    assert cloud.stack("shop")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"

    group = f"/aws/lambda/{cloud.stack('shop')['Outputs']['Function']}"
    # What `aws logs tail` of the AWS CLI's version 2, which PyPI does not have, asks and shows.
    tail = (AWS, "logs", "filter-log-events", "--log-group-name", group, "--interleaved", "--start-time", "0")
    told = cloud.run(*tail, "--query", "events[].[logStreamName, message]", "--output", "text", cwd=shop)
    assert re.search(r"^\[3\]\w+\t.*RuntimeError: third$", told.stdout, re.MULTILINE), told.stdout[-999:] + told.stderr


def test_a_deploy_that_was_killed_is_gone_on_with(cloud: LocalCloud, shop: Path) -> None:
    """Its stack waits with a change set that nobody carried out, and the next deploy takes it over."""
    cloud.run(AWS, "s3", "mb", "s3://releases", cwd=shop)
    template = shop / "template.yaml"
    template.write_text(template.read_text().replace("CodeDeployHook_before", "CodeDeployHook_left"))
    packaged(cloud, shop, GOOD.format("first"))
    left = (*DEPLOY[:4], "left", *DEPLOY[5:], *CAPABLE)
    planned = cloud.run(*left, "--no-execute-changeset", cwd=shop)
    assert planned.returncode == 0, planned.stderr
    assert cloud.stack("left")["StackStatus"] == "REVIEW_IN_PROGRESS"
    again = cloud.run(*left, cwd=shop)
    assert again.returncode == 0, again.stderr
    assert cloud.stack("left")["StackStatus"] == "CREATE_COMPLETE"
