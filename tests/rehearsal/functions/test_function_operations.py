"""Functions and their versions, through boto3."""

import base64
import hashlib
from datetime import datetime

import pytest

from harness.rehearsal.functions.registry import SETTLES_IN_S

ARN = "arn:aws:lambda:eu-north-1:123456789012:function:fn"
UNKNOWN = {"FunctionName": "none"}


def test_a_created_function_answers_in_the_shape_of_the_model(client, create, fits_model):
    """CreateFunction's answer is what botocore's model allows."""
    fits_model(client, "CreateFunction", create(Description="the service", Tags={"team": "users"}))


def test_a_created_function_has_what_was_asked_for(create):
    """Name, handler, limits and environment come back as they were given."""
    made = create(Timeout=9, MemorySize=256, Environment={"Variables": {"FAIL_RATIO": "0.5"}})
    expected = {"FunctionArn": ARN, "Version": "$LATEST", "Handler": "app.handler", "Timeout": 9, "MemorySize": 256}
    assert {key: made[key] for key in expected} == expected
    assert made["Environment"] == {"Variables": {"FAIL_RATIO": "0.5"}}


@pytest.fixture
def settling(functions):
    """The service as it is beside a clock that runs: each change takes a second."""
    functions.settles_in_s = SETTLES_IN_S


def test_a_created_function_is_pending_and_settles(settling, create, client, schedule, fits_model):
    """It becomes Active after a moment, with another revision."""
    made = create()
    fits_model(client, "CreateFunction", made)
    assert (made["State"], made["StateReasonCode"], made.get("LastUpdateStatus")) == ("Pending", "Creating", None)
    schedule.advance(1.0)
    settled = client.get_function_configuration(FunctionName="fn")
    assert (settled["State"], settled["LastUpdateStatus"], settled.get("StateReason")) == ("Active", "Successful", None)
    assert settled["RevisionId"] != made["RevisionId"]


def test_an_update_is_in_progress_and_settles(settling, create, client, schedule):
    """The function stays Active; only the revision of the moment guards a change."""
    create()
    schedule.advance(1.0)
    changed = client.update_function_configuration(FunctionName="fn", Description="x")
    assert (changed["State"], changed["LastUpdateStatus"]) == ("Active", "InProgress")
    schedule.advance(1.0)
    assert client.get_function_configuration(FunctionName="fn")["LastUpdateStatus"] == "Successful"
    with pytest.raises(client.exceptions.PreconditionFailedException):
        client.publish_version(FunctionName="fn", RevisionId=changed["RevisionId"])


@pytest.mark.parametrize(
    ("operation", "given"),
    [("UpdateFunctionCode", {"ZipFile": b"unread"}), ("UpdateFunctionConfiguration", {}), ("PublishVersion", {})],
)
def test_a_function_that_has_not_settled_is_busy(settling, create, client, refused, schedule, operation, given):
    """Deploy tools that do not wait meet AWS's conflict, and after a moment no more."""
    create()
    busy = "The operation cannot be performed at this time. "
    message = refused(operation, "ResourceConflictException", FunctionName="fn", **given)
    assert message == f"{busy}The function is currently in the following state: Pending"
    schedule.advance(1.0)
    client.update_function_configuration(FunctionName="fn", Description="x")
    message = refused(operation, "ResourceConflictException", FunctionName="fn", **given)
    assert message == f"{busy}An update is in progress for resource: {ARN}"
    schedule.advance(1.0)
    assert client.publish_version(FunctionName="fn")["Version"] == "1"


def test_a_published_version_has_settled_and_keeps_its_revision(create, client, schedule):
    """PublishVersion answers a version that is Active; lists tell no states at all."""
    create()
    published = client.publish_version(FunctionName="fn")
    schedule.advance(5.0)
    assert (published["State"], published["LastUpdateStatus"]) == ("Active", "Successful")
    listed = client.list_versions_by_function(FunctionName="fn")["Versions"]
    assert listed[1]["RevisionId"] == published["RevisionId"]
    assert not any("State" in version or "LastUpdateStatus" in version for version in listed)


def test_lambdas_defaults_hold_where_nothing_is_given(create):
    """Three seconds, 128 MB, no environment."""
    made = create()
    assert (made["Timeout"], made["MemorySize"], "Environment" in made) == (3, 128, False)


def test_the_code_hash_is_the_zips(create, zipped):
    """CodeSha256 is the base64 of the zip's SHA-256, and CodeSize its length."""
    content = zipped("def handler(event, context): ...\n")
    made = create("def handler(event, context): ...\n")
    assert base64.b64decode(made["CodeSha256"]) == hashlib.sha256(content).digest()
    assert made["CodeSize"] == len(content)


def test_timestamps_are_simulated_time(create, client, schedule):
    """LastModified follows the cloud's clock, which stands until it is moved."""
    first = create()["LastModified"]
    schedule.advance(3600)
    second = client.update_function_configuration(FunctionName="fn", Timeout=4)["LastModified"]
    form = "%Y-%m-%dT%H:%M:%S.%f%z"
    assert (datetime.strptime(second, form) - datetime.strptime(first, form)).total_seconds() == pytest.approx(3600)


def test_creating_with_publish_gives_version_1(create):
    """Publish makes the first version at once, and answers it by the function's own ARN."""
    made = create(Publish=True)
    assert (made["Version"], made["FunctionArn"]) == ("1", ARN)


def test_a_function_cannot_be_created_twice(create, client, refused, zipped):
    """A second function of the name is a conflict."""
    create()
    params = {"Role": "arn:aws:iam::123456789012:role/r", "Code": {"ZipFile": zipped("x = 1")}}
    message = refused("CreateFunction", "ResourceConflictException", FunctionName="fn", **params)
    assert message == "Function already exist: fn"


@pytest.mark.parametrize("name", ["fn", "123456789012:function:fn", "function:fn", ARN, "123456789012:fn"])
def test_a_function_is_found_by_name_partial_arn_and_arn(create, client, name):
    """All of Lambda's ways to name a function mean the same one."""
    create()
    assert client.get_function_configuration(FunctionName=name)["FunctionName"] == "fn"


def test_a_qualifier_may_be_part_of_the_name(create, client):
    """`fn:1` is version 1."""
    create(Publish=True)
    found = client.get_function_configuration(FunctionName="fn:1")
    assert (found["Version"], found["FunctionArn"]) == ("1", f"{ARN}:1")


def test_two_different_qualifiers_are_refused(create, refused):
    """The name's qualifier and the parameter must agree."""
    create(Publish=True)
    message = refused("GetFunction", "InvalidParameterValueException", FunctionName="fn:1", Qualifier="2")
    assert "does not match the specified qualifier" in message


def test_an_unknown_function_is_named_in_the_refusal(refused):
    """ResourceNotFoundException tells the ARN that was looked for."""
    message = refused("GetFunction", "ResourceNotFoundException", **UNKNOWN)
    assert message == "Function not found: arn:aws:lambda:eu-north-1:123456789012:function:none"


def test_an_unknown_version_is_named_in_the_refusal(create, refused):
    """ResourceNotFoundException tells the qualified ARN."""
    create()
    message = refused("GetFunction", "ResourceNotFoundException", FunctionName="fn", Qualifier="7")
    assert message == f"Function not found: {ARN}:7"


def test_a_function_of_another_account_is_not_found(create, refused):
    """The account is a part of the name."""
    create()
    refused("GetFunction", "ResourceNotFoundException", FunctionName=ARN.replace("123456789012", "210987654321"))


def test_a_name_that_cannot_be_is_refused(refused):
    """The name's pattern is AWS's."""
    assert "'functionName'" in refused("GetFunction", "ValidationException", FunctionName="no spaces")


def test_get_function_tells_code_tags_and_concurrency(create, client, fits_model):
    """GetFunction has more than the configuration."""
    create(Tags={"team": "users"})
    client.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=5)
    answer = client.get_function(FunctionName="fn")
    fits_model(client, "GetFunction", answer)
    assert answer["Tags"] == {"team": "users"}
    assert answer["Concurrency"] == {"ReservedConcurrentExecutions": 5}
    assert answer["Code"]["RepositoryType"] == "S3"


def test_get_function_through_an_alias_tells_its_version(create, client):
    """The version is the alias's, the ARN the alias's own."""
    create(Publish=True)
    client.create_alias(FunctionName="fn", Name="Live", FunctionVersion="1")
    found = client.get_function_configuration(FunctionName="fn", Qualifier="Live")
    assert (found["Version"], found["FunctionArn"]) == ("1", f"{ARN}:Live")


def test_an_update_changes_the_revision(create, client):
    """Every change gives a new RevisionId."""
    before = create()["RevisionId"]
    assert client.update_function_configuration(FunctionName="fn", Timeout=5)["RevisionId"] != before


def test_settings_that_are_not_named_stay(create, client):
    """UpdateFunctionConfiguration changes what it names alone."""
    create(Timeout=9, Environment={"Variables": {"MODE": "a"}})
    changed = client.update_function_configuration(FunctionName="fn", MemorySize=512)
    assert (changed["Timeout"], changed["MemorySize"], changed["Environment"]["Variables"]) == (9, 512, {"MODE": "a"})


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("UpdateFunctionConfiguration", {"Timeout": 5}),
        ("UpdateFunctionCode", {"ZipFile": b"unread"}),
        ("PublishVersion", {}),
    ],
)
def test_a_change_meant_for_another_revision_is_refused(create, refused, operation, params):
    """A RevisionId that is not the latest is a failed precondition."""
    create()
    message = refused(operation, "PreconditionFailedException", FunctionName="fn", RevisionId="old", **params)
    assert message.startswith("The Revision Id provided does not match the latest Revision Id.")


def test_a_change_meant_for_this_revision_is_made(create, client):
    """The latest RevisionId lets the change through."""
    revision = create()["RevisionId"]
    changed = client.update_function_configuration(FunctionName="fn", Timeout=5, RevisionId=revision)
    assert changed["Timeout"] == 5


def test_a_dry_run_of_new_code_changes_nothing(create, client, zipped):
    """UpdateFunctionCode with DryRun answers and leaves the code."""
    before = create()["CodeSha256"]
    client.update_function_code(FunctionName="fn", ZipFile=zipped("x = 1"), DryRun=True)
    assert client.get_function_configuration(FunctionName="fn")["CodeSha256"] == before


def test_new_code_can_be_published_at_once(create, client, zipped, fits_model):
    """UpdateFunctionCode with Publish answers with the version."""
    create(Publish=True)
    answer = client.update_function_code(FunctionName="fn", ZipFile=zipped("x = 1"), Publish=True)
    fits_model(client, "UpdateFunctionCode", answer)
    assert answer["Version"] == "2"


def test_publishing_numbers_versions_from_one(create, publish):
    """Each published change has the next number."""
    create()
    assert [publish(MODE=mode) for mode in ("a1", "b1", "c1")] == ["1", "2", "3"]


def test_publishing_what_has_not_changed_gives_the_last_version(create, client):
    """AWS makes no version of a function that is as it was; a new description is no change."""
    create(Publish=True)
    again = client.publish_version(FunctionName="fn", Description="again")
    assert (again["Version"], again["Description"]) == ("1", "")


def test_a_version_has_the_description_it_was_published_with(create, client, fits_model):
    """PublishVersion's description is the version's alone."""
    create(Description="the service")
    published = client.publish_version(FunctionName="fn", Description="first")
    fits_model(client, "PublishVersion", published)
    assert published["Description"] == "first"
    assert client.get_function_configuration(FunctionName="fn")["Description"] == "the service"


def test_publishing_with_another_code_hash_is_refused(create, refused):
    """CodeSha256 guards against code that somebody else has changed."""
    create()
    message = refused("PublishVersion", "InvalidParameterValueException", FunctionName="fn", CodeSha256="abc")
    assert message.startswith("CodeSHA256 (abc) is different from current CodeSHA256 in $LATEST (")


def test_a_deleted_versions_number_is_not_used_again(create, client, publish):
    """Numbers only rise."""
    create()
    publish(MODE="a1")
    client.delete_function(FunctionName="fn", Qualifier="1")
    assert client.publish_version(FunctionName="fn")["Version"] == "2"


def test_a_version_keeps_its_settings(create, client, publish):
    """What changes on $LATEST afterwards does not reach a version."""
    create()
    publish(MODE="old")
    publish(MODE="new")
    old = client.get_function_configuration(FunctionName="fn", Qualifier="1")
    assert old["Environment"]["Variables"] == {"MODE": "old"}


def test_versions_are_listed_after_latest(create, client, publish, fits_model):
    """ListVersionsByFunction starts with $LATEST under its qualified ARN."""
    create()
    publish(MODE="a1")
    publish(MODE="b1")
    answer = client.list_versions_by_function(FunctionName="fn")
    fits_model(client, "ListVersionsByFunction", answer)
    assert [version["FunctionArn"] for version in answer["Versions"]] == [f"{ARN}:$LATEST", f"{ARN}:1", f"{ARN}:2"]


def test_lists_come_in_pages(create, client, publish):
    """boto3's paginator reads all versions though a page has two."""
    create()
    for number in range(4):
        publish(MODE=f"mode-{number}")
    pages = client.get_paginator("list_versions_by_function").paginate(
        FunctionName="fn", PaginationConfig={"PageSize": 2}
    )
    assert [[version["Version"] for version in page["Versions"]] for page in pages] == [
        ["$LATEST", "1"],
        ["2", "3"],
        ["4"],
    ]


def test_a_marker_that_is_none_is_refused(create, refused):
    """A page token is one of ours."""
    create()
    refused("ListVersionsByFunction", "InvalidParameterValueException", FunctionName="fn", Marker="x")


def test_functions_are_listed_once_or_with_all_versions(create, client, fits_model):
    """ListFunctions gives $LATEST, and with ALL every version."""
    create(Publish=True)
    create(FunctionName="other")
    once = client.list_functions()
    fits_model(client, "ListFunctions", once)
    assert [each["FunctionName"] for each in once["Functions"]] == ["fn", "other"]
    every = client.list_functions(FunctionVersion="ALL")["Functions"]
    assert [(each["FunctionName"], each["Version"]) for each in every] == [
        ("fn", "$LATEST"),
        ("fn", "1"),
        ("other", "$LATEST"),
    ]


def test_a_deleted_function_is_gone(create, client, refused, fits_model):
    """DeleteFunction answers 204 and takes the aliases along."""
    create(Publish=True)
    client.create_alias(FunctionName="fn", Name="Live", FunctionVersion="1")
    answer = client.delete_function(FunctionName="fn")
    fits_model(client, "DeleteFunction", answer)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    refused("GetFunction", "ResourceNotFoundException", FunctionName="fn")
    refused("Invoke", "ResourceNotFoundException", FunctionName="fn", Qualifier="Live")


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_version_that_an_alias_sends_traffic_to_cannot_be_deleted(create, client, publish, refused, version):
    """Neither the alias's own version nor the one with a weight."""
    create()
    publish(MODE="a1")
    publish(MODE="b1")
    routing = {"AdditionalVersionWeights": {"2": 0.1}}
    client.create_alias(FunctionName="fn", Name="Live", FunctionVersion="1", RoutingConfig=routing)
    message = refused("DeleteFunction", "ResourceConflictException", FunctionName="fn", Qualifier=version)
    assert message == "Unable to delete version because the following aliases reference it: [Live]"


@pytest.mark.parametrize("qualifier", ["$LATEST", "Live"])
def test_neither_latest_nor_an_alias_is_deleted_by_delete_function(create, refused, qualifier):
    """Only numbered versions are deleted by qualifier."""
    create(Publish=True)
    refused("DeleteFunction", "InvalidParameterValueException", FunctionName="fn", Qualifier=qualifier)


def test_boto3_waiters_see_a_ready_function(settling, create, client, schedule):
    """function_active_v2 and function_updated_v2 return once it has settled."""
    create()
    schedule.advance(1.0)
    for waiter in ("function_exists", "function_active_v2", "function_updated_v2"):
        client.get_waiter(waiter).wait(FunctionName="fn", WaiterConfig={"Delay": 1, "MaxAttempts": 1})


BAD_SETTINGS = {
    "a timeout of 901 s": ({"Timeout": 901}, "'timeout'", "ValidationException"),
    "too little memory": ({"MemorySize": 128 - 1}, "'memorySize'", "ValidationException"),
    "another language": ({"Runtime": "java21"}, "python3.x", "InvalidParameterValueException"),
    "layers": ({"Layers": ["arn:aws:lambda:eu-north-1:123456789012:layer:l:1"]}, "does not exist", None),
    "a reserved variable": ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "AWS_REGION", None),
    "a variable with a dash": (
        {"Environment": {"Variables": {"A-B": "x"}}},
        "'environment.variables'",
        "ValidationException",
    ),
    "5 KB of variables": ({"Environment": {"Variables": {"BIG": "x" * 5000}}}, "4KB", None),
    "a description of 300 letters": ({"Description": "x" * 300}, "'description'", "ValidationException"),
}


@pytest.mark.parametrize(("params", "words", "code"), BAD_SETTINGS.values(), ids=BAD_SETTINGS.keys())
def test_settings_out_of_lambdas_rules_are_refused(create, refused, client, params, words, code):
    """The refusal names the field or the reason, and nothing changes."""
    revision = create()["RevisionId"]
    message = refused(
        "UpdateFunctionConfiguration", code or "InvalidParameterValueException", FunctionName="fn", **params
    )
    assert words in message
    assert client.get_function_configuration(FunctionName="fn")["RevisionId"] == revision


BAD_CODE = {
    "no zip": ({"ZipFile": b"no zip at all"}, "Could not unzip uploaded file"),
    "nothing": ({"ZipFile": b""}, "Could not unzip uploaded file"),
    "no source": ({}, "Please provide a source for function code."),
    "S3": ({"S3Bucket": "bucket", "S3Key": "key"}, "NoSuchBucket"),
    "an unknown image": ({"ImageUri": "123.dkr.ecr.eu-north-1.amazonaws.com/x:1"}, "is not valid"),
    "a service elsewhere": ({"ImageUri": "http://example.com"}, "must be on loopback"),
    "a handler without function": ({"ImageUri": "python:module"}, "python:module:function"),
}


@pytest.mark.parametrize(("code", "words"), BAD_CODE.values(), ids=BAD_CODE.keys())
def test_code_that_cannot_be_is_refused(refused, code, words):
    """The refusal says what is wrong with the code."""
    params = {"FunctionName": "fn", "Role": "arn:aws:iam::123456789012:role/r", "Code": code}
    assert words in refused("CreateFunction", "InvalidParameterValueException", **params)


@pytest.mark.parametrize("path", ["../evil.py", "/evil.py", "a/../../evil.py", "..\\evil.py", "C:\\evil.py"])
def test_a_zip_that_would_leave_its_folder_is_refused(refused, zipped, path):
    """No entry is written anywhere but below the function's own folder."""
    code = {"ZipFile": zipped({path: "x = 1"})}
    params = {"FunctionName": "fn", "Role": "arn:aws:iam::123456789012:role/r", "Code": code}
    assert "leaves its folder" in refused("CreateFunction", "InvalidParameterValueException", **params)


def test_a_zip_needs_runtime_and_handler(refused, zipped):
    """Both are mandatory for a zip."""
    params = {"FunctionName": "fn", "Role": "arn:aws:iam::123456789012:role/r", "Code": {"ZipFile": zipped("x = 1")}}
    assert "mandatory" in refused("CreateFunction", "InvalidParameterValueException", **params)


def test_an_image_takes_no_handler(refused):
    """What runs is said by the image alone."""
    params = {"FunctionName": "fn", "Role": "arn:aws:iam::123456789012:role/r", "Handler": "app.handler"}
    code = {"ImageUri": "canary-harness:bundled"}
    assert "Image" in refused("CreateFunction", "InvalidParameterValueException", Code=code, **params)


def test_an_image_tells_where_it_came_from(create_image, client, fits_model):
    """GetFunction gives the image URI back."""
    made = create_image("canary-harness:bundled")
    assert made["PackageType"] == "Image"
    answer = client.get_function(FunctionName="fn")
    fits_model(client, "GetFunction", answer)
    assert answer["Code"]["ImageUri"] == "canary-harness:bundled"


def test_a_zip_cannot_replace_an_image_nor_the_other_way(create, create_image, refused, zipped):
    """The package type of a function is for life."""
    create()
    create_image("canary-harness:bundled", FunctionName="image")
    code = "InvalidParameterValueException"
    refused("UpdateFunctionCode", code, FunctionName="fn", ImageUri="canary-harness:bundled")
    refused("UpdateFunctionCode", code, FunctionName="image", ZipFile=zipped("x = 1"))


def test_a_role_that_is_no_arn_is_refused(refused, zipped):
    """The role's pattern is AWS's."""
    code = {"ZipFile": zipped("x = 1")}
    assert "'role'" in refused("CreateFunction", "ValidationException", FunctionName="fn", Role="me", Code=code)


def test_a_function_that_is_pending_cannot_be_invoked(settling, create, client, schedule, refused):
    """Once it is Active it can."""
    create()
    message = refused("Invoke", "ResourceConflictException", FunctionName="fn")
    assert message.endswith("The function is currently in the following state: Pending")
    schedule.advance(SETTLES_IN_S)
    assert client.invoke(FunctionName="fn")["StatusCode"] == 200
