"""Function URLs, asynchronous invocations, provisioned concurrency and code signing, through boto3."""

import pytest

ARN = "arn:aws:lambda:eu-north-1:123456789012:function:fn"
FAILS = "def handler(event, context): raise KeyError('TABLE')\n"


@pytest.fixture
def live(create, client):
    """A function with two versions and the alias Live on the first."""
    create()
    client.publish_version(FunctionName="fn")
    client.update_function_configuration(FunctionName="fn", Description="second")
    client.publish_version(FunctionName="fn")
    client.create_alias(FunctionName="fn", Name="Live", FunctionVersion="1")
    return {"FunctionName": "fn", "Qualifier": "Live"}


def test_no_function_has_a_code_signing_configuration(create, client, refused):
    """Terraform reads it of every function; AWS leaves the answer empty."""
    create()
    answer = client.get_function_code_signing_config(FunctionName="fn")
    assert list(answer) == ["ResponseMetadata"]
    refused("GetFunctionCodeSigningConfig", "ResourceNotFoundException", FunctionName="gone")


def test_a_function_url_is_made_changed_listed_and_removed(live, client, refused, fits_model):
    """The alias has its own; a second one is a conflict."""
    made = client.create_function_url_config(**live, AuthType="NONE")
    fits_model(client, "CreateFunctionUrlConfig", made)
    assert (made["FunctionArn"], made["InvokeMode"]) == (f"{ARN}:Live", "BUFFERED")
    refused("CreateFunctionUrlConfig", "ResourceConflictException", **live, AuthType="NONE")
    changed = client.update_function_url_config(**live, AuthType="AWS_IAM")
    fits_model(client, "UpdateFunctionUrlConfig", changed)
    assert (changed["AuthType"], changed["FunctionUrl"]) == ("AWS_IAM", made["FunctionUrl"])
    listed = client.list_function_url_configs(FunctionName="fn")
    fits_model(client, "ListFunctionUrlConfigs", listed)
    assert [one["FunctionArn"] for one in listed["FunctionUrlConfigs"]] == [f"{ARN}:Live"]
    client.delete_function_url_config(**live)
    assert refused("GetFunctionUrlConfig", "ResourceNotFoundException", **live)


def test_a_version_has_no_url(live, refused):
    """$LATEST has one without a qualifier."""
    for qualifier in ("1", "$LATEST"):
        given = {"FunctionName": "fn", "Qualifier": qualifier, "AuthType": "NONE"}
        assert "regular expression" in refused("CreateFunctionUrlConfig", "ValidationException", **given)


def test_event_invokes_are_set_changed_listed_and_removed(live, client, refused, fits_model):
    """Put replaces all, Update keeps what is not given."""
    put = client.put_function_event_invoke_config(**live, MaximumRetryAttempts=1)
    fits_model(client, "PutFunctionEventInvokeConfig", put)
    assert put["FunctionArn"] == f"{ARN}:Live"
    changed = client.update_function_event_invoke_config(**live, MaximumEventAgeInSeconds=60)
    assert (changed["MaximumRetryAttempts"], changed["MaximumEventAgeInSeconds"]) == (1, 60)
    listed = client.list_function_event_invoke_configs(FunctionName="fn")
    fits_model(client, "ListFunctionEventInvokeConfigs", listed)
    assert len(listed["FunctionEventInvokeConfigs"]) == 1
    client.delete_function_event_invoke_config(**live)
    message = refused("GetFunctionEventInvokeConfig", "ResourceNotFoundException", **live)
    assert message == f"The function {ARN}:Live doesn't have an EventInvokeConfig"


def test_event_invokes_that_set_nothing_or_too_much_are_refused(live, refused):
    """At least one setting, at most two retries."""
    refused("PutFunctionEventInvokeConfig", "InvalidParameterValueException", **live)
    refused("PutFunctionEventInvokeConfig", "ValidationException", **live, MaximumRetryAttempts=3)


def test_no_retry_is_made_where_none_is_wanted(create, client, counted, schedule):
    """A failed event is tried three times in all unless the function is told otherwise."""
    create(FAILS)
    client.put_function_event_invoke_config(FunctionName="fn", MaximumRetryAttempts=0)
    client.invoke(FunctionName="fn", InvocationType="Event", Payload="{}")
    counted.wait_for(1)
    schedule.advance(600)
    assert len(counted.runs) == 1


def test_provisioned_concurrency_is_ready_after_a_while(live, client, schedule, refused, fits_model):
    """IN_PROGRESS with nothing allocated, then READY with all of it."""
    put = client.put_provisioned_concurrency_config(**live, ProvisionedConcurrentExecutions=3)
    fits_model(client, "PutProvisionedConcurrencyConfig", put)
    assert (put["Status"], put["AllocatedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 0)
    schedule.advance(120)
    ready = client.get_provisioned_concurrency_config(**live)
    assert (ready["Status"], ready["AllocatedProvisionedConcurrentExecutions"]) == ("READY", 3)
    listed = client.list_provisioned_concurrency_configs(FunctionName="fn")
    fits_model(client, "ListProvisionedConcurrencyConfigs", listed)
    assert listed["ProvisionedConcurrencyConfigs"][0]["FunctionArn"] == f"{ARN}:Live"
    client.delete_provisioned_concurrency_config(**live)
    refused("GetProvisionedConcurrencyConfig", "ProvisionedConcurrencyConfigNotFoundException", **live)


def test_an_alias_with_weights_cannot_be_provisioned(live, client, refused):
    """As in the middle of a canary; one that is provisioned already may be shifted."""
    alias = {"FunctionName": "fn", "Name": "Live"}
    client.update_alias(**alias, RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}})
    given = {**live, "ProvisionedConcurrentExecutions": 1}
    message = refused("PutProvisionedConcurrencyConfig", "InvalidParameterValueException", **given)
    assert message == "Alias with weights can not be used with Provisioned Concurrency"
    client.update_alias(**alias, RoutingConfig={"AdditionalVersionWeights": {}})
    client.put_provisioned_concurrency_config(**given)
    client.update_alias(**alias, RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}})


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({"Qualifier": "$LATEST"}, "InvalidParameterValueException", "unpublished function versions"),
        ({"Qualifier": "none"}, "ResourceNotFoundException", "Cannot find alias arn"),
        ({"Qualifier": "9"}, "ResourceNotFoundException", "Function not found"),
        ({"Qualifier": "1"}, "ResourceConflictException", "pointed by a Provisioned Concurrency alias"),
        ({"ProvisionedConcurrentExecutions": 0}, "ValidationException", "greater than or equal to 1"),
        ({"ProvisionedConcurrentExecutions": 901}, "InvalidParameterValueException", "unreserved concurrency [900]"),
    ],
)
def test_what_cannot_be_provisioned_is_refused(live, client, refused, given, code, words):
    """The alias is provisioned already."""
    wanted = {**live, "ProvisionedConcurrentExecutions": 1}
    client.put_provisioned_concurrency_config(**wanted)
    assert words in refused("PutProvisionedConcurrencyConfig", code, **{**wanted, **given})


@pytest.mark.parametrize(
    ("destinations", "code", "said"),
    [
        ({"OnFailure": {"Destination": "queue"}}, "ValidationException", "regular expression"),
        (
            {"OnFailure": {"Destination": "arn:aws:dynamodb:eu-north-1:123456789012:table/t"}},
            "InvalidParameterValueException",
            "DestinationConfig(onSuccess=null, onFailure=OnFailure(destination=arn:aws:dynamodb:eu-north-1:",
        ),
        (
            {"OnSuccess": {"Destination": "arn:aws:s3:::bucket"}},
            "InvalidParameterValueException",
            "DestinationConfig(onSuccess=OnSuccess(destination=arn:aws:s3:::bucket), onFailure=null) is invalid.",
        ),
        ({"OnSuccess": {"Destination": ARN}}, "InvalidParameterValueException", "as a destination for itself"),
        ({"OnSuccess": {"Destination": f"{ARN}2"}}, "InvalidParameterValueException", f"ARN {ARN}2 is invalid."),
    ],
)
def test_a_destination_that_takes_no_events_is_refused(create, refused, destinations, code, said):
    """Not an ARN, another service, the function itself, or a function that is not there."""
    create()
    assert said in refused("PutFunctionEventInvokeConfig", code, FunctionName="fn", DestinationConfig=destinations)


def test_a_destination_that_takes_events_is_kept(create, client):
    """A queue, and for failures a bucket."""
    create()
    ends = {
        "OnSuccess": {"Destination": "arn:aws:sqs:eu-north-1:123456789012:q"},
        "OnFailure": {"Destination": "arn:aws:s3:::bucket"},
    }
    assert (
        client.put_function_event_invoke_config(FunctionName="fn", DestinationConfig=ends)["DestinationConfig"] == ends
    )


def test_a_page_of_nothing_is_refused(create, refused):
    """A list is asked for one item at least."""
    create()
    message = refused("ListProvisionedConcurrencyConfigs", "ValidationException", FunctionName="fn", MaxItems=0)
    assert "Value '0' at 'maxItems'" in message
