"""`osls deploy` and `cdk bootstrap && cdk deploy` play their canaries of Node; run by `make deploys` alone."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.deploys.conftest import HERE, TOOLS, LocalCloud

MODULES = TOOLS / "node" / "node_modules"
GOOD = 'exports.handler = async () => ({ statusCode: 200, body: "NAME" });'
BROKEN = 'exports.handler = async () => { throw new Error("NAME"); };'


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a project of the tool that the test's parameter names, and the tool's modules."""
    folder = Path(shutil.copytree(HERE / request.param, tmp_path / request.param))
    (folder / "node_modules").symlink_to(MODULES)
    (folder / "code").mkdir(exist_ok=True)
    return folder


def play(cloud: LocalCloud, stack: str, deploy: Sequence[object], code: Path, folder: Path) -> None:
    """A first release, a good one and a broken one, each by the tool."""
    code.write_text(GOOD.replace("NAME", "first"))
    first = cloud.run(*deploy, cwd=folder)
    assert first.returncode == 0, first.stdout + first.stderr

    code.write_text(GOOD.replace("NAME", "second"))
    second = cloud.released(stack, deploy, folder, folder.parent / "second")
    assert (second["tool"], second["outcome"], second["call"]) == (0, "promoted", "cleared"), second["because"]
    assert cloud.stack(stack)["StackStatus"] == "UPDATE_COMPLETE"

    code.write_text(BROKEN.replace("NAME", "third"))
    third = cloud.released(stack, deploy, folder, folder.parent / "third")
    assert (third["tool"], third["outcome"], third["call"]) == (1, "rolled_back", "caught"), third["because"]
    assert cloud.stack(stack)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


@pytest.mark.parametrize("project", ["serverless"], indirect=True)
def test_osls_is_promoted_and_rolled_back(cloud: LocalCloud, project: Path) -> None:
    """With a hook in Node, and the routes of a REST API made one by one."""
    play(cloud, "orders-prod", (MODULES / ".bin" / "osls", "deploy"), project / "orders.js", project)


@pytest.mark.parametrize("project", ["cdk"], indirect=True)
def test_cdk_is_promoted_and_rolled_back(cloud: LocalCloud, project: Path) -> None:
    """After its bootstrap, with a zip that it uploads as an asset."""
    cdk = MODULES / ".bin" / "cdk"
    done = cloud.run(cdk, "bootstrap", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    play(cloud, "basket", (cdk, "deploy", "--require-approval", "never"), project / "code" / "index.js", project)
