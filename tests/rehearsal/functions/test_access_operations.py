"""Permissions, tags, concurrency and account settings, through boto3."""

import json

import pytest

ARN = "arn:aws:lambda:eu-north-1:123456789012:function:fn"
GATEWAY = {
    "FunctionName": "fn",
    "StatementId": "gateway",
    "Action": "lambda:InvokeFunction",
    "Principal": "apigateway.amazonaws.com",
}


def test_a_permission_becomes_a_statement_of_the_policy(create, client, fits_model):
    """AddPermission's statement is found in GetPolicy, with its conditions."""
    create()
    source = "arn:aws:execute-api:eu-north-1:123456789012:api/*"
    added = client.add_permission(**GATEWAY, SourceArn=source)
    fits_model(client, "AddPermission", added)
    policy = client.get_policy(FunctionName="fn")
    fits_model(client, "GetPolicy", policy)
    statements = json.loads(policy["Policy"])["Statement"]
    assert statements == [json.loads(added["Statement"])]
    assert statements[0]["Principal"] == {"Service": "apigateway.amazonaws.com"}
    assert statements[0]["Condition"] == {"ArnLike": {"AWS:SourceArn": source}}


def test_a_permission_can_be_on_an_alias_alone(create, client, refused):
    """The policy of an alias is its own, and its resource is the alias's ARN."""
    create(Publish=True)
    client.create_alias(FunctionName="fn", Name="Live", FunctionVersion="1")
    statement = json.loads(client.add_permission(**GATEWAY, Qualifier="Live")["Statement"])
    assert statement["Resource"] == f"{ARN}:Live"
    refused("GetPolicy", "ResourceNotFoundException", FunctionName="fn")


@pytest.mark.parametrize(
    ("principal", "written"),
    [
        ("210987654321", {"AWS": "arn:aws:iam::210987654321:root"}),
        ("arn:aws:iam::210987654321:role/r", {"AWS": "arn:aws:iam::210987654321:role/r"}),
        ("*", "*"),
    ],
)
def test_a_principal_is_written_as_iam_does(create, client, principal, written):
    """An account, a role and everybody."""
    create()
    statement = json.loads(client.add_permission(**{**GATEWAY, "Principal": principal})["Statement"])
    assert statement["Principal"] == written


def test_a_statement_id_is_used_once(create, client, refused):
    """The same id again is a conflict."""
    create()
    client.add_permission(**GATEWAY)
    assert "(gateway) provided already exists" in refused("AddPermission", "ResourceConflictException", **GATEWAY)


def test_a_removed_permission_is_gone(create, client, refused):
    """With its last statement the policy is gone too."""
    create()
    client.add_permission(**GATEWAY)
    client.remove_permission(FunctionName="fn", StatementId="gateway")
    refused("GetPolicy", "ResourceNotFoundException", FunctionName="fn")
    refused("RemovePermission", "ResourceNotFoundException", FunctionName="fn", StatementId="gateway")


def test_a_permission_for_another_revision_is_refused(create, refused):
    """RevisionId guards the policy too."""
    create()
    refused("AddPermission", "PreconditionFailedException", **GATEWAY, RevisionId="old")


def test_tags_can_be_added_listed_and_removed(create, client, fits_model):
    """Tags live on the function."""
    create(Tags={"team": "users"})
    client.tag_resource(Resource=ARN, Tags={"stage": "test", "cost": "1"})
    client.untag_resource(Resource=ARN, TagKeys=["cost", "never"])
    answer = client.list_tags(Resource=ARN)
    fits_model(client, "ListTags", answer)
    assert answer["Tags"] == {"team": "users", "stage": "test"}


def test_reserved_concurrency_can_be_set_read_and_removed(create, client, fits_model):
    """Where nothing is reserved the answer is empty."""
    create()
    put = client.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=3)
    fits_model(client, "PutFunctionConcurrency", put)
    read = client.get_function_concurrency(FunctionName="fn")
    fits_model(client, "GetFunctionConcurrency", read)
    assert read["ReservedConcurrentExecutions"] == 3
    client.delete_function_concurrency(FunctionName="fn")
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName="fn")


def test_a_hundred_runs_stay_unreserved(create, client, refused):
    """A reservation must leave them to the other functions of the account."""
    create()
    client.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=900)
    code = "InvalidParameterValueException"
    message = refused("PutFunctionConcurrency", code, FunctionName="fn", ReservedConcurrentExecutions=901)
    assert "below its minimum value of [100]" in message


def test_account_settings_count_functions_and_reservations(create, client, fits_model):
    """The limits are a new account's."""
    create()
    client.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=40)
    answer = client.get_account_settings()
    fits_model(client, "GetAccountSettings", answer)
    assert answer["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert answer["AccountLimit"]["UnreservedConcurrentExecutions"] == 960
    assert answer["AccountUsage"]["FunctionCount"] == 1


@pytest.mark.parametrize("name", ["fn:1", "arn:aws:lambda:eu-north-1:123456789012:function:fn:Live"])
def test_concurrency_is_reserved_for_whole_functions_alone(create, client, refused, name):
    """A version or an alias has none."""
    create()
    for operation, more in (
        ("PutFunctionConcurrency", {"ReservedConcurrentExecutions": 1}),
        ("GetFunctionConcurrency", {}),
    ):
        message = refused(operation, "InvalidParameterValueException", FunctionName=name, **more)
        assert message.startswith("This operation is permitted on Lambda functions only.")


@pytest.mark.parametrize(
    ("qualifier", "words"),
    [("a" * 129, "Member must have length less than or equal to 128"), ("not good", "regular expression pattern")],
)
def test_a_qualifier_that_cannot_be_one_is_refused(create, refused, qualifier, words):
    """By its pattern and its length."""
    create()
    assert words in refused("GetFunction", "ValidationException", FunctionName="fn", Qualifier=qualifier)


def test_a_function_of_another_region_is_not_reachable(create, client, refused):
    """The message names both, and the fault is the caller's."""
    create()
    arn = "arn:aws:lambda:us-east-1:123456789012:function:fn"
    message = refused("GetFunction", "ResourceNotFoundException", FunctionName=arn)
    assert message == "Functions from 'us-east-1' are not reachable in this region ('eu-north-1')"
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        client.get_function(FunctionName=arn)
    assert caught.value.response["Type"] == "User"
    assert caught.value.response["Message"] == message


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        ({"StatementId": "a b"}, "ValidationException", "'statementId' failed to satisfy constraint"),
        ({"Action": "s3:GetObject"}, "ValidationException", "'action' failed to satisfy constraint"),
        ({"Qualifier": "$LATEST"}, "InvalidParameterValueException", "adding policies for $LATEST"),
    ],
)
def test_a_permission_that_lambda_would_not_take_is_refused(create, refused, wrong, code, said):
    """In its words."""
    create()
    assert said in refused("AddPermission", code, **{**GATEWAY, **wrong})


def test_all_that_a_permission_depends_on_is_in_the_policy(create, client):
    """None of it is dropped."""
    create()
    given = {"PrincipalOrgID": "o-a1b2c3d4e5", "FunctionUrlAuthType": "NONE", "EventSourceToken": "t"}
    condition = json.loads(client.add_permission(**GATEWAY, **given)["Statement"])["Condition"]
    assert condition == {
        "StringEquals": {
            "aws:PrincipalOrgID": "o-a1b2c3d4e5",
            "lambda:FunctionUrlAuthType": "NONE",
            "lambda:EventSourceToken": "t",
        }
    }


def test_a_reservation_holds_what_is_provisioned(create, client, refused):
    """One of less is refused, in AWS's words."""
    create(Publish=True)
    client.put_provisioned_concurrency_config(FunctionName="fn", Qualifier="1", ProvisionedConcurrentExecutions=5)
    message = refused(
        "PutFunctionConcurrency", "InvalidParameterValueException", FunctionName="fn", ReservedConcurrentExecutions=4
    )
    assert message.endswith("should not be lower than function's total provisioned concurrency [5].")
    client.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=5)
