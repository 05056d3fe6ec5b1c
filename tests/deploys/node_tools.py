"""`osls deploy` and `cdk bootstrap && cdk deploy` play their canaries of Node; run by `make deploys` alone."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.core.odds.advise import with_alarm
from harness.core.odds.advised import AdvisedAlarm
from harness.templates import read_release
from harness.templates.snippets import snippet
from tests.core.odds.releases import setting
from tests.deploys.conftest import HERE, TOOLS, LocalCloud
from tests.templates.test_snippets import ALARMS, CONFIG, NAMES, pasted, rule_of

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


@pytest.mark.parametrize("alarm", ALARMS, ids=str)
def test_cdk_synthesizes_what_is_advised(alarm: AdvisedAlarm, tmp_path: Path) -> None:
    """The snippet as it is, beside a function and its alias; our reader finds the alarm and the preference in it."""
    (tmp_path / "node_modules").symlink_to(MODULES)
    (tmp_path / "app.js").write_text(AROUND_CDK.replace("SNIPPET", snippet("cdk", alarm, CONFIG, NAMES) or ""))
    done = subprocess.run(["node", "app.js"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    release = read_release(tmp_path / "out" / "Shop.template.json", {}, {})
    (defined,) = release.alarms
    assert rule_of(defined.defined)[0] == with_alarm(setting(), alarm).watches[0].rule.condition
    assert ("ExecutedVersion" in defined.defined.dimensions) == (alarm.counts == "canary")
    assert CONFIG in (tmp_path / "out" / "Shop.template.json").read_text()


@pytest.mark.parametrize("spoiled", [False, True])
def test_osls_packages_what_is_advised(cloud: LocalCloud, tmp_path: Path, spoiled: bool) -> None:
    """By its own schema, which takes no key that it does not know; the alarm then guards the deployment group."""
    (tmp_path / "node_modules").symlink_to(MODULES)
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return {}\n")
    text = "configValidationMode: error\n" + pasted("serverless", ALARMS[0])
    if spoiled:
        text = text.replace("    handler:", "    handlr: x\n    handler:")
    (tmp_path / "serverless.yml").write_text(text)
    done = cloud.run(MODULES / ".bin" / "osls", "package", cwd=tmp_path)
    assert (done.returncode == 0) is not spoiled, done.stdout + done.stderr
    if not spoiled:
        made = json.loads((tmp_path / ".serverless" / "cloudformation-template-update-stack.json").read_text())
        groups = [one for one in made["Resources"].values() if one["Type"] == "AWS::CodeDeploy::DeploymentGroup"]
        assert [one["Properties"]["AlarmConfiguration"]["Alarms"] for one in groups] == [
            [{"Name": {"Ref": "ApiCanaryErrors"}}]
        ]


AROUND_CDK = """\
const { App, Stack, Duration, aws_lambda: lambda, aws_cloudwatch: cloudwatch, aws_codedeploy: codedeploy } =
  require('aws-cdk-lib');
class Shop extends Stack {
  constructor(app) {
    super(app, 'Shop');
    const code = lambda.Code.fromInline('x');
    const fn = new lambda.Function(this, 'Fn', { runtime: lambda.Runtime.PYTHON_3_12, handler: 'app.handler', code });
    const alias = new lambda.Alias(this, 'Live', { aliasName: 'live', version: fn.currentVersion });
    SNIPPET
  }
}
const app = new App({ outdir: 'out' });
new Shop(app);
app.synth();
"""
