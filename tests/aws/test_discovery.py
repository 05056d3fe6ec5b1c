"""Finding the deployment from as little as a stack, a function, or an application and group."""

# ruff: noqa: N803 - the parameters of a scripted AWS are spelled as AWS spells them

from collections import deque
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from msgspec.structs import replace

from harness.aws.clients import Aws
from harness.aws.discovery import Subject, discover, discover_for_a_run, find
from harness.aws.naming import belong_together, functions_for, is_named_after
from harness.core.experiment.types import Alarm, Deployment, Experiment
from harness.errors import AccessDenied, AwsError, NotFound, Unavailable, UsageError
from tests.aws.scripted_aws import FakeAws

ACCOUNT = "arn:aws:lambda:eu-north-1:123456789012:function"


class Account:
    """A scripted account: applications with groups, what these last deployed, aliases, alarms and stacks."""

    def __init__(self) -> None:
        self.aws = FakeAws()
        self.groups: dict[tuple[str, str], dict[str, Any]] = {}
        self.targets: dict[str, tuple[str, str]] = {}
        self.aliases: dict[str, list[str]] = {}
        self.composites: dict[str, str] = {}
        self.stacks: dict[str, list[dict[str, str]]] = {}
        self.server_applications: set[str] = set()
        self.aws.script = {
            "list_applications": lambda: {"applications": self._applications()},
            "batch_get_applications": self._application_details,
            "list_deployment_groups": self._group_names,
            "batch_get_deployment_groups": self._group_details,
            "get_deployment_group": self._group,
            "get_deployment": self._deployment,
            "list_deployment_targets": self._target_ids,
            "get_deployment_target": self._target,
            "list_aliases": self._aliases_of,
            "describe_alarms": self._alarms,
            "list_stack_resources": self._resources,
        }

    def add(self, application: str, group: str, *, shifted: str | None = None, alarms: tuple[str, ...] = ()) -> None:
        """A group; `shifted` is function:alias of its last deployment."""
        known: dict[str, Any] = {
            "applicationName": application,
            "deploymentGroupName": group,
            "computePlatform": "Lambda",
            "deploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes",
            "alarmConfiguration": {"enabled": True, "alarms": [{"name": name} for name in alarms]},
        }
        if shifted:
            deployment_id = f"d-{len(self.groups):09}"
            self.targets[deployment_id] = tuple(shifted.split(":"))  # type: ignore[assignment]
            known["lastAttemptedDeployment"] = {"deploymentId": deployment_id, "status": "Succeeded"}
        self.groups[application, group] = known

    def stack(self, name: str, *resources: tuple[str, str, str]) -> None:
        """A stack of (type without AWS::, logical id, physical id)."""
        self.stacks[name] = [
            {"ResourceType": f"AWS::{kind}", "LogicalResourceId": logical, "PhysicalResourceId": physical}
            for kind, logical, physical in resources
        ]

    def find(self, stack: str | None = None, **wanted: Any) -> Subject:
        """What is found."""
        return find(self.aws, Deployment(stack=stack, **wanted))

    def _applications(self) -> list[str]:
        return list(dict.fromkeys([*(application for application, _ in self.groups), *self.server_applications]))

    def _application_details(self, applicationNames: list[str]) -> Any:
        platforms = {name: "Server" if name in self.server_applications else "Lambda" for name in applicationNames}
        infos = [{"applicationName": name, "computePlatform": platform} for name, platform in platforms.items()]
        return {"applicationsInfo": infos}

    def _group_names(self, applicationName: str) -> Any:
        names = [group for application, group in self.groups if application == applicationName]
        if not names:
            raise NotFound("codedeploy:ListDeploymentGroups", "ApplicationDoesNotExistException", "no")
        return {"deploymentGroups": names}

    def _group_details(self, applicationName: str, deploymentGroupNames: list[str]) -> Any:
        return {"deploymentGroupsInfo": [self.groups[applicationName, name] for name in deploymentGroupNames]}

    def _group(self, applicationName: str, deploymentGroupName: str) -> Any:
        if (applicationName, deploymentGroupName) not in self.groups:
            raise NotFound("codedeploy:GetDeploymentGroup", "DeploymentGroupDoesNotExistException", "no")
        return {"deploymentGroupInfo": self.groups[applicationName, deploymentGroupName]}

    def _deployment(self, deploymentId: str) -> Any:
        for (application, group), known in self.groups.items():
            if known.get("lastAttemptedDeployment", {}).get("deploymentId") == deploymentId:
                return {"deploymentInfo": {"applicationName": application, "deploymentGroupName": group}}
        raise NotFound("codedeploy:GetDeployment", "DeploymentDoesNotExistException", "no")

    def _target_ids(self, deploymentId: str) -> Any:
        return {"targetIds": [f"{deploymentId}-target"]}

    def _target(self, deploymentId: str, targetId: str) -> Any:
        function, alias = self.targets[deploymentId]
        shift = {"functionName": function, "functionAlias": alias, "currentVersion": "1", "targetVersion": "2"}
        return {"deploymentTarget": {"lambdaTarget": {"status": "Succeeded", "lambdaFunctionInfo": shift}}}

    def _aliases_of(self, FunctionName: str) -> Any:
        if FunctionName not in self.aliases:
            raise NotFound("lambda:ListAliases", "ResourceNotFoundException", "no")
        return {"Aliases": [{"Name": name} for name in self.aliases[FunctionName]]}

    def _alarms(self, AlarmNames: list[str], AlarmTypes: tuple[str, ...]) -> Any:
        rules = [
            {"AlarmName": name, "AlarmRule": self.composites[name]} for name in AlarmNames if name in self.composites
        ]
        plain = [{"AlarmName": name} for name in AlarmNames if name not in self.composites]
        return {"MetricAlarms": plain, "CompositeAlarms": rules}

    def _resources(self, StackName: str) -> Any:
        if StackName not in self.stacks:
            raise AwsError("cloudformation:ListStackResources", "ValidationError", f"Stack {StackName} does not exist")
        return {"StackResourceSummaries": self.stacks[StackName]}


@pytest.fixture
def account() -> Account:
    """An account with one group that guards a deployed function, and another one."""
    account = Account()
    account.add("shop-app", "shop-prod-CartLambdaFunctionDeploymentGroup", shifted="shop-prod-cart:Live", alarms=("a",))
    account.add("pay-app", "pay-group", shifted="pay-charge:live", alarms=("b",))
    account.aliases = {"shop-prod-cart": ["Live"], "pay-charge": ["live", "beta"]}
    return account


CART = Subject(
    application="shop-app",
    group="shop-prod-CartLambdaFunctionDeploymentGroup",
    function="shop-prod-cart",
    alias="Live",
    alarms=("a",),
    config="CodeDeployDefault.LambdaCanary10Percent5Minutes",
)


# By what there is


@pytest.mark.parametrize(
    "wanted",
    [
        {"application": "shop-app", "group": CART.group},
        {"application": "shop-app"},
        {"group": CART.group},
        {"function": "shop-prod-cart"},
        {"id": "d-000000000"},
        {"application": "shop-app", "group": CART.group, "function": "shop-prod-cart", "alias": "Live"},
    ],
    ids=lambda wanted: "+".join(wanted),
)
def test_one_deployment_is_found_by_each_of_its_names(account: Account, wanted: Mapping[str, str]) -> None:
    """All ways lead to the same subject."""
    assert account.find(**wanted) == CART


def test_a_function_is_found_by_what_its_group_deployed_last(account: Account) -> None:
    """Where no name tells: the group is called like nothing else."""
    assert account.find(function="pay-charge").group == "pay-group"


def test_what_a_group_deployed_says_more_than_its_name(account: Account) -> None:
    """A group that is named after one function deploys another one."""
    account.add("odd", "pay-chargeDeploymentGroup", shifted="pay-refund:Live")
    assert account.find(function="pay-charge").group == "pay-group"


def test_what_a_stack_deployed_says_more_than_its_template(account: Account) -> None:
    """The last deployment shifted another alias than the one that the template pairs with the group."""
    account.stack(
        "pay",
        ("CodeDeploy::Application", "PayApplication", "pay-app"),
        ("CodeDeploy::DeploymentGroup", "ChargeDeploymentGroup", "pay-group"),
        ("Lambda::Alias", "ChargeAliasbeta", f"{ACCOUNT}:pay-charge:beta"),
    )
    assert account.find("pay").alias == "live"


def test_the_alias_is_the_one_that_was_shifted_last(account: Account) -> None:
    """Though the function has another, and the experiment's default is written otherwise."""
    assert account.find(group="pay-group").alias == "live"


def test_names_that_were_given_win(account: Account) -> None:
    """Over what the last deployment shifted."""
    found = account.find(application="pay-app", group="pay-group", function="pay-refund", alias="beta")
    assert (found.function, found.alias) == ("pay-refund", "beta")


def test_the_only_group_of_an_account_needs_no_name(account: Account) -> None:
    """As little as nothing at all."""
    del account.groups["pay-app", "pay-group"]
    assert account.find() == CART


def test_groups_for_servers_are_none_of_ours(account: Account) -> None:
    """Their groups are not even listed."""
    account.server_applications.add("fleet")
    account.find(function="pay-charge")
    assert [params["applicationName"] for params in account.aws.called("list_deployment_groups")] == [
        "shop-app",
        "pay-app",
    ]


def test_a_listing_is_read_to_its_last_page(account: Account) -> None:
    """Applications may be many."""
    account.aws.script["list_applications"] = deque(
        [{"applications": ["shop-app"], "nextToken": "more"}, {"applications": ["pay-app"]}]
    )
    assert account.find(function="pay-charge").application == "pay-app"


def test_a_group_that_never_deployed_is_found_by_its_name(account: Account) -> None:
    """The plugin's name tells the function, and the function its alias."""
    account.add("shop-app", "shop-prod-HelloLambdaFunctionDeploymentGroup")
    account.aliases["shop-prod-hello"] = ["Prod"]
    found = account.find(group="shop-prod-HelloLambdaFunctionDeploymentGroup")
    assert (found.function, found.alias) == ("shop-prod-hello", "Prod")


def test_children_of_composites_are_alarms_too(account: Account) -> None:
    """And children of children, each once."""
    account.add("top", "top-group", shifted="fn:Live", alarms=("all", "a"))
    account.composites = {"all": 'ALARM("some") OR ALARM("a")', "some": "ALARM(deep)"}
    assert account.find(group="top-group").alarms == ("all", "a", "some", "deep")


def test_alarms_that_may_not_be_read_are_named_all_the_same(account: Account) -> None:
    """What is denied is the doctor's to tell."""
    account.aws.script["describe_alarms"] = AccessDenied("cloudwatch:DescribeAlarms", "AccessDenied", "no")
    assert account.find(function="pay-charge").alarms == ("b",)


# By a stack


def serverless(account: Account) -> None:
    """A stack as serverless-plugin-canary-deployments makes it, with two functions."""
    account.stack(
        "shop-dev",
        ("CodeDeploy::Application", "ShopdevDeploymentApplication", "dev-app"),
        (
            "CodeDeploy::DeploymentGroup",
            "CartLambdaFunctionDeploymentGroup",
            "shop-dev-CartLambdaFunctionDeploymentGroup",
        ),
        (
            "CodeDeploy::DeploymentGroup",
            "ListLambdaFunctionDeploymentGroup",
            "shop-dev-ListLambdaFunctionDeploymentGroup",
        ),
        ("Lambda::Alias", "CartLambdaFunctionAliasLive", f"{ACCOUNT}:shop-dev-cart:Live"),
        ("Lambda::Alias", "ListLambdaFunctionAliasLive", f"{ACCOUNT}:shop-dev-list:Live"),
        ("CloudWatch::Alarm", "CartErrorsAlarm", "shop-dev-CartErrorsAlarm-1A2B3C4D5E6F"),
    )
    account.add("dev-app", "shop-dev-CartLambdaFunctionDeploymentGroup", alarms=("cart",))
    account.add("dev-app", "shop-dev-ListLambdaFunctionDeploymentGroup", alarms=("list",))


def test_a_stack_and_a_function_are_enough_before_any_deployment(account: Account) -> None:
    """Logical ids pair the group with its alias; the group says which alarms guard it."""
    serverless(account)
    found = account.find("shop-dev", function="shop-dev-list")
    assert (found.group, found.alias, found.alarms) == ("shop-dev-ListLambdaFunctionDeploymentGroup", "Live", ("list",))


def test_a_stack_with_several_groups_wants_one_named(account: Account) -> None:
    """Both are listed."""
    serverless(account)
    with pytest.raises(
        UsageError, match=r"more than one deployment group.*dev-app/shop-dev-Cart.*dev-app/shop-dev-List"
    ):
        account.find("shop-dev")


def test_a_stack_with_one_group_is_enough(account: Account) -> None:
    """As SAM names things: all physical names are made up."""
    account.stack(
        "sam",
        ("CodeDeploy::Application", "ServerlessDeploymentApplication", "sam-ServerlessDeploymentApplication-X1"),
        ("CodeDeploy::DeploymentGroup", "HelloDeploymentGroup", "sam-HelloDeploymentGroup-Y2"),
        ("Lambda::Alias", "HelloAliaslive", f"{ACCOUNT}:sam-Hello-abcdefghijkl:live"),
    )
    account.add("sam-ServerlessDeploymentApplication-X1", "sam-HelloDeploymentGroup-Y2")
    found = account.find("sam")
    assert (found.function, found.alias) == ("sam-Hello-abcdefghijkl", "live")


def test_nested_stacks_are_looked_into(account: Account) -> None:
    """The group may be one level deeper, and its application in another stack."""
    serverless(account)
    account.stack("parent", ("CloudFormation::Stack", "Child", "child-arn"))
    account.stack("child-arn", ("CodeDeploy::DeploymentGroup", "SomeGroup", "pay-group"))
    assert account.find("parent").application == "pay-app"


def test_a_stack_that_does_not_exist_is_told_as_such(account: Account) -> None:
    """CloudFormation calls that a ValidationError."""
    with pytest.raises(UsageError, match="knows no stack nowhere"):
        account.find("nowhere")


def test_a_stack_beside_the_group_must_have_it(account: Account) -> None:
    """Which of the two is wrong, nobody but the person knows."""
    serverless(account)
    own = {"application": "dev-app", "group": "shop-dev-CartLambdaFunctionDeploymentGroup"}
    assert account.find("shop-dev", **own).function == "shop-dev-cart"
    with pytest.raises(UsageError, match="knows no stack nowhere"):
        account.find("nowhere", **own)
    with pytest.raises(UsageError, match=r"the stack shop-dev has no deployment group pay-app/pay-group; there are"):
        account.find("shop-dev", application="pay-app", group="pay-group")
    with pytest.raises(UsageError, match=r"the stack shop-dev has no deployment group pay-app/pay-group; there are"):
        account.find("shop-dev", id="d-000000001")


def test_a_stack_without_any_group_is_told_as_such(account: Account) -> None:
    """A stack can be there and deploy nothing gradually."""
    account.stack("plain", ("Lambda::Function", "Fn", "fn"))
    with pytest.raises(UsageError, match="has no CodeDeploy deployment group"):
        account.find("plain")


# For a run


def test_a_run_needs_no_function_before_its_deployment(account: Account) -> None:
    """The next deployment tells it; only who creates the deployment must know."""
    account.add("new-app", "unheard-of")
    wanted = Experiment(name="x", deployment=Deployment(application="new-app", group="unheard-of"))
    assert discover_for_a_run(account.aws, wanted).deployment.function is None  # type: ignore[arg-type]
    creates = replace(wanted, deployment=replace(wanted.deployment, target_version="2"))
    with pytest.raises(UsageError, match="name the function"):
        discover_for_a_run(account.aws, creates)  # type: ignore[arg-type]


def test_a_run_that_was_told_all_names_goes_on_where_aws_cannot_be_asked(account: Account) -> None:
    """The watcher says what it cannot see; without the names nobody could look at anything."""
    account.aws.script["get_deployment_group"] = AccessDenied("codedeploy:GetDeploymentGroup", "AccessDenied", "no")
    named = Experiment(name="x", deployment=Deployment(application="shop-app", group=CART.group))
    assert discover_for_a_run(account.aws, named) == named  # type: ignore[arg-type]
    with pytest.raises(AccessDenied):
        discover_for_a_run(account.aws, Experiment(name="x", deployment=Deployment(function="shop-prod-cart")))  # type: ignore[arg-type]


def test_a_deployment_that_a_run_is_told_to_follow_must_exist(account: Account) -> None:
    """Nobody should wait half an hour for a slip of the pen, whatever else was named."""
    named = Deployment(application="shop-app", group=CART.group, id="d-NOBODY000")
    with pytest.raises(UsageError, match="knows no d-NOBODY000"):
        discover_for_a_run(account.aws, Experiment(name="x", deployment=named))  # type: ignore[arg-type]


def test_a_deployment_of_another_group_is_refused(account: Account) -> None:
    """A run would wait for what it can never see, or judge what nobody asked about."""
    for named in (Deployment(group="pay-group", id="d-000000000"), Deployment(application="pay-app", id="d-000000000")):
        with pytest.raises(
            UsageError, match=r"d-000000000 is a deployment of shop-app/shop-prod-Cart.* and not of pay-"
        ):
            discover_for_a_run(account.aws, Experiment(name="x", deployment=named))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "known", [{"creator": "codeDeployRollback"}, {"rollbackInfo": {"rollbackTriggeringDeploymentId": "d-FORWARD"}}]
)
def test_a_rollback_is_not_followed(account: Account, known: dict[str, Any]) -> None:
    """It is no release: the deployment that it undid is."""
    account.aws.script["get_deployment"] = {"deploymentInfo": {"deploymentId": "d-UNDID", **known}}
    with pytest.raises(UsageError, match=r"deployment\.id: d-UNDID is (a rollback|the rollback of d-FORWARD)"):
        discover_for_a_run(account.aws, Experiment(name="x", deployment=Deployment(id="d-UNDID")))  # type: ignore[arg-type]


# What is not found


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (
            {"function": "nobody"},
            "no deployment group deploys the function nobody; there are pay-app/pay-group, shop-app",
        ),
        ({"application": "nobody"}, "knows no application nobody; there are pay-app, shop-app"),
        ({"group": "nobody"}, "no deployment group of the name nobody is there; there are pay-app/pay-group"),
        ({"application": "pay-app", "group": "nobody"}, "pay-app has no deployment group nobody; there are pay-group"),
        ({"id": "d-NOBODY000"}, "deployment.id: CodeDeploy knows no d-NOBODY000"),
        ({}, "more than one deployment group is there: name one; there are pay-app/pay-group, shop-app"),
    ],
    ids=str,
)
def test_what_is_not_there_is_told_with_what_is(account: Account, wanted: Mapping[str, str], told: str) -> None:
    """One sentence that names the candidates."""
    with pytest.raises(UsageError) as caught:
        account.find(**wanted)
    assert told in str(caught.value)


def test_an_account_without_any_group_is_told_as_such(account: Account) -> None:
    """Most likely the region or the account is the wrong one."""
    account.groups.clear()
    with pytest.raises(UsageError, match=r"none in this region and account \(looked in eu-north-1\)"):
        account.find(function="pay-charge")


def test_a_function_with_several_aliases_wants_one_named(account: Account) -> None:
    """Before any deployment nothing tells which one is shifted."""
    account.add("new", "new-group")
    account.aliases["fn"] = ["blue", "green"]
    with pytest.raises(UsageError, match=r"deployment.alias: the function fn has several; there are blue, green"):
        account.find(group="new-group", function="fn", application="new")


def test_a_group_whose_name_tells_no_function_wants_it_named(account: Account) -> None:
    """Nothing is guessed without a function of that name being there."""
    account.add("new", "new-group")
    with pytest.raises(UsageError, match=r"deployment.function: .*new/new-group never deployed"):
        account.find(group="new-group")


def test_many_histories_are_not_read_for_one_function(account: Account) -> None:
    """CodeDeploy throttles; a person knows the application."""
    for number in range(60):
        account.add(f"app{number}", f"group{number}", shifted=f"fn{number}:Live")
    with pytest.raises(UsageError, match="name its application"):
        account.find(function="nobody")
    assert account.aws.called("get_deployment_target") == []


@pytest.mark.parametrize("operation", ["list_applications", "list_deployment_targets", "list_aliases"])
def test_an_aws_that_fails_is_no_answer(account: Account, operation: str) -> None:
    """A call that was not answered must not look like a thing that is not there."""
    account.add("new", "new-fnDeploymentGroup")
    account.aws.script[operation] = Unavailable("service:Call", "InternalFailure", "no")
    with pytest.raises(Unavailable):
        account.find(function="pay-charge") if operation != "list_aliases" else account.find(
            group="new-fnDeploymentGroup"
        )


# Names


@pytest.mark.parametrize(
    ("function", "group"),
    [
        ("better-apis-demo-shared-FakeUser", "better-apis-demo-shared-FakeUserLambdaFunctionDeploymentGroup"),
        ("shop-dev-hello", "shop-dev-HelloLambdaFunctionDeploymentGroup"),
        ("shop-dev-my_fn", "shop-dev-MyUnderscorefnLambdaFunctionDeploymentGroup"),
        ("fake-user-FakeUser", "fake-user-FakeUserDeploymentGroup"),
        ("sam-Hello-aBcDeFgHiJkL", "sam-HelloDeploymentGroup-DP39TAO2TZ28"),
    ],
)
def test_a_group_is_named_after_its_function(function: str, group: str) -> None:
    """As the tools do it."""
    assert is_named_after(group, function)


def test_a_long_group_name_is_cut_to_100_characters() -> None:
    """As the plugin does it, whatever is left of the ending."""
    function = f"{'s' * 80}-dev-Cart"
    assert is_named_after(f"{'s' * 80}-dev-CartLambdaFunctionDeploymentGroup"[:100], function)


def test_a_group_is_not_named_after_another_function() -> None:
    """Not even one whose name begins alike."""
    assert not is_named_after("shop-dev-CartLambdaFunctionDeploymentGroup", "shop-dev-cart-old")


@pytest.mark.parametrize("function", ["shop-dev-hello", "shop-dev-Hello", "shop-dev-my_fn", "shop-dev-get-all"])
def test_the_name_of_a_group_leads_back_to_its_function(function: str) -> None:
    """For every stack name there is, the function is among the guesses."""
    stack, _, key = "shop-dev", "-", function.removeprefix("shop-dev-")
    normal = key.replace("-", "Dash").replace("_", "Underscore")
    group = f"{stack}-{normal[0].upper()}{normal[1:]}LambdaFunctionDeploymentGroup"
    assert function in functions_for(group)


def test_logical_ids_pair_group_and_alias() -> None:
    """By the logical id of the function that both begin with."""
    assert belong_together("HelloLambdaFunctionDeploymentGroup", "HelloLambdaFunctionAliasLive")
    assert not belong_together("HelloLambdaFunctionDeploymentGroup", "ByeLambdaFunctionAliasLive")


# The experiment


def test_the_blanks_of_an_experiment_are_filled(account: Account) -> None:
    """What it says already stays; the host is not found."""
    experiment = Experiment(name="x", deployment=Deployment(function="shop-prod-cart"))
    found = discover(account.aws, experiment)  # type: ignore[arg-type]
    assert (found.deployment.application, found.deployment.group, found.alarm.name) == ("shop-app", CART.group, "a")
    assert found.target.host is None


def test_the_alarm_of_an_experiment_stays(account: Account) -> None:
    """Whether it guards the group is the doctor's question."""
    experiment = Experiment(name="x", deployment=Deployment(function="shop-prod-cart"), alarm=Alarm(name="mine"))
    assert discover(account.aws, experiment).alarm.name == "mine"  # type: ignore[arg-type]


# On the local cloud


@pytest.mark.parametrize(
    "known", [("function",), ("application",), ("group",), ("stack",), ("application", "group"), ()], ids="+".join
)
@pytest.mark.parametrize("deployed", [True, False])
def test_the_local_cloud_s_deployment_is_found(
    canary_cloud: Any, canary_aws: Mapping[str, str], known: tuple[str, ...], deployed: bool
) -> None:
    """Over the wire, before and after a first deployment."""
    names = canary_cloud.ready
    if deployed:
        canary_cloud.deploy()
        canary_cloud.advance(400)
    found = find(Aws(), Deployment(**{name: names[name] for name in known}))
    assert (found.application, found.group, found.function, found.alias, found.alarms) == (
        names["application"],
        names["group"],
        names["function"],
        names["alias"],
        (names["alarm"],),
    )


def test_composites_of_the_local_cloud_are_found_with_their_children(
    canary_cloud: Any, canary_aws: Mapping[str, str]
) -> None:
    """DescribeAlarms tells what a composite consists of."""
    names = canary_cloud.ready
    boto3.client("cloudwatch").put_composite_alarm(AlarmName="both", AlarmRule=f'ALARM("{names["alarm"]}")')
    boto3.client("codedeploy").update_deployment_group(
        applicationName=names["application"],
        currentDeploymentGroupName=names["group"],
        alarmConfiguration={"enabled": True, "alarms": [{"name": "both"}]},
    )
    assert find(Aws(), Deployment(function=names["function"])).alarms == ("both", names["alarm"])
