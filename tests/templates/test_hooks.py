"""Hooks that cannot report, or do not: CodeDeploy waits an hour for each, and fails the deployment."""

from pathlib import Path

import pytest

from tests.templates.conftest import PLAIN, SAM, Examine, told

ALLOW = "{Statement: [{Effect: Allow, Action: codedeploy:PutLifecycleEventHookExecutionStatus, Resource: '*'}]}"
PUT = "client.put_lifecycle_event_hook_execution_status(status='Succeeded')"
HOOKED = ("        Alarms:", "        Hooks: {PreTraffic: !Ref Pre}\n        Alarms:")


def with_hook(says: str) -> tuple[str, tuple[str, str]]:
    """A template of SAM with a hook that says this of itself."""
    hook = f"  Pre: {{Type: 'AWS::Serverless::Function', Properties: {{FunctionName: CodeDeployHook_pre, {says}}}}}\n"
    return SAM + hook, HOOKED


@pytest.mark.parametrize(
    ("says", "may"),
    [
        ("Handler: a.b", False),
        (f"Policies: [{ALLOW}]", True),
        (f"Policies: {ALLOW}", True),
        ("Policies: [{Statement: {Effect: Allow, Action: ['codedeploy:Put*'], Resource: '*'}}]", True),
        ("Policies: [{Statement: {Effect: Deny, Action: ['codedeploy:Put*'], Resource: '*'}}]", False),
        ("Policies: [AWSLambdaBasicExecutionRole, {DynamoDBReadPolicy: {TableName: t}}]", False),
        ("Policies: [!Sub 'arn:${AWS::Partition}:iam::aws:policy/AWSCodeDeployFullAccess']", True),
        ("Policies: [!ImportValue shared-policy]", None),
        ("Role: !ImportValue shared-role", None),
    ],
)
def test_a_hook_whose_role_does_not_allow_it_to_report_is_named(examine: Examine, says: str, may: bool | None) -> None:
    """With the action to allow; what the template does not say is not judged."""
    text, change = with_hook(says)
    diagnosis = examine(text, change)
    found = told(diagnosis).get("hooks")
    assert (found is None) == (may is not False)
    assert diagnosis.exit_code == (3 if may is False else 0)


ROLE = """\
  "Pre": {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Fn::GetAtt": ["Role", "Arn"]}}},
  "Role": {"Type": "AWS::IAM::Role", "Properties": {"ManagedPolicyArns": [
    {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]]}
  ]}},
"""
POLICY = """\
  "Policy": {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "Role"}], "PolicyDocument": {"Statement": [
    {"Effect": "Allow", "Action": "codedeploy:PutLifecycleEventHookExecutionStatus", "Resource": "*"}
  ]}}},
"""


@pytest.mark.parametrize(("more", "may"), [(ROLE, False), (ROLE + POLICY, True)])
def test_a_role_is_all_that_is_attached_to_it(examine: Examine, more: str, may: bool) -> None:
    """As CDK writes it: a policy of its own, beside the role."""
    hooked = ('"DeploymentGroupName": {"Ref": "Group"}', '"DeploymentGroupName": {"Ref": "Group"}, HOOK')
    hook = ("HOOK", '"BeforeAllowTrafficHook": {"Ref": "Pre"}')
    diagnosis = examine(PLAIN, hooked, hook, ('  "App":', f'{more}  "App":'))
    assert ("hooks" in told(diagnosis)) == (not may)


@pytest.mark.parametrize(
    ("files", "reports"),
    [
        ({"app.py": PUT}, True),
        ({"app.py": "def handler(event, context):\n    return 'ok'\n"}, False),
        ({"app.py": "from report import done\n", "report.py": PUT}, True),
        ({"app.py": "pass\n", "other.py": PUT}, False),
        ({"app.mjs": "await client.send(new PutLifecycleEventHookExecutionStatusCommand({}))"}, True),
        ({"elsewhere.py": "pass\n"}, True),
    ],
)
def test_a_hook_whose_code_never_reports_is_named(
    examine: Examine, tmp_path: Path, files: dict[str, str], reports: bool
) -> None:
    """By its handler's file and those that it names; a handler that is not here is not judged."""
    (tmp_path / "hooks").mkdir()
    for name, text in files.items():
        (tmp_path / "hooks" / name).write_text(text)
    text, change = with_hook(f"CodeUri: hooks/, Handler: app.handler, Policies: [{ALLOW}]")
    found = told(examine(text, change)).get("hooks", ("ok", 0, ""))
    assert (found[0], "speaks nowhere" in found[2]) == (("ok", False) if reports else ("warning", True))
