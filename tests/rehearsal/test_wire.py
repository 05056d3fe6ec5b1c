"""Whatever is sent to the control plane, the answer is AWS's: at once, in the protocol of the service, and honest."""

import gzip
import json
import resource
import socket
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import boto3
import pytest
from botocore.exceptions import ClientError

from harness.rehearsal.bodies import MOST_BYTES_ELSE, TOO_LARGE
from harness.rehearsal.cloud import Cloud

SIGNED = "AWS4-HMAC-SHA256 Credential=x/20260101/eu-north-1/{}/aws4_request, SignedHeaders=host, Signature=0"


def ask(cloud: Cloud, body: bytes, *, path: str = "/", method: str = "POST", **headers: str) -> tuple[int, Any, bytes]:
    """One raw request: status, headers, body of its answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(cloud.ready["endpoint_url"] + path, body, named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def call(cloud: Cloud, service: str, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """One signed JSON request: status and answer."""
    headers = {"Authorization": SIGNED.format(service), "X_Amz_Target": target}
    status, _, answer = ask(cloud, body, Content_Type="application/x-amz-json-1.1", **headers)
    return status, json.loads(answer)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Amz_Target": "DynamoDB_20120810.NoSuchThing"},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Authorization": SIGNED.format("nosuchservice")},
    ],
)
def test_request_that_nobody_knows_is_answered_at_once(headers: dict[str, str], canary_cloud: Cloud) -> None:
    """An unsigned or foreign request with a body gets an error, and not silence."""
    status, _, body = ask(canary_cloud, b"Action=NoSuchThing&Version=1999-01-01", **headers)
    assert 400 <= status < 600
    assert b"<html" not in body.lower()


@pytest.mark.parametrize(
    ("service", "target"),
    [
        ("codedeploy", "CodeDeploy_20141006.ListApplications"),
        ("monitoring", "GraniteServiceVersion20100801.DescribeAlarms"),
    ],
)
@pytest.mark.parametrize("body", [b"{bad", b"[]", b'"x"', b"\xff"])
def test_body_that_is_no_json_object_is_refused(body: bytes, service: str, target: str, canary_cloud: Cloud) -> None:
    """A half request must not be taken for an empty one."""
    status, answer = call(canary_cloud, service, target, body)
    assert (status, answer["__type"]) == (400, "SerializationException")


def test_half_a_write_changes_nothing(canary_cloud: Cloud, canary_aws: Any) -> None:
    """UpdateAlias with a body cut off leaves the alias alone."""
    names = {"FunctionName": canary_cloud.ready["function"], "Name": canary_cloud.ready["alias"]}
    before = boto3.client("lambda").get_alias(**names)["RevisionId"]
    path = f"/2015-03-31/functions/{names['FunctionName']}/aliases/{names['Name']}"
    status, _, _ = ask(canary_cloud, b'{"FunctionVer', path=path, method="PUT", Authorization=SIGNED.format("lambda"))
    assert status == 400
    assert boto3.client("lambda").get_alias(**names)["RevisionId"] == before


@pytest.mark.parametrize(
    ("service", "target", "body"),
    [
        ("monitoring", "GraniteServiceVersion20100801.DescribeAlarmHistory", {"AlarmName": 5}),
        ("monitoring", "GraniteServiceVersion20100801.DescribeAlarms", {"AlarmNames": "x"}),
        ("codedeploy", "CodeDeploy_20141006.ListApplications", {"nextToken": 5}),
        ("codedeploy", "CodeDeploy_20141006.GetDeployment", {"deploymentId": 5}),
    ],
)
def test_member_of_the_wrong_type_is_refused(
    service: str, target: str, body: dict[str, Any], canary_cloud: Cloud
) -> None:
    """As AWS does, and never as a failure of ours."""
    status, answer = call(canary_cloud, service, target, json.dumps(body).encode())
    assert (status, answer["__type"]) == (400, "SerializationException")


@pytest.mark.parametrize(
    ("service", "target", "body"),
    [
        ("monitoring", "GraniteServiceVersion20100801.DescribeAlarmHistory", b'{"StartDate": 1e18}'),
        ("monitoring", "GraniteServiceVersion20100801.DescribeAlarmHistory", b'{"EndDate": -1e300}'),
        ("monitoring", "GraniteServiceVersion20100801.DescribeAlarms", b'{"a":' * 20_000 + b"1" + b"}" * 20_000),
        ("codedeploy", "CodeDeploy_20141006.ListDeployments", b'{"createTimeRange": {"start": 1e30, "end": 1}}'),
    ],
)
def test_instant_beyond_the_calendar_or_a_body_too_deep_is_refused(
    service: str, target: str, body: bytes, canary_cloud: Cloud
) -> None:
    """It is the caller's mistake, and no failure of the cloud."""
    status, answer = call(canary_cloud, service, target, body)
    assert (status, answer["__type"]) == (400, "SerializationException")


def test_null_is_as_if_absent(canary_cloud: Cloud) -> None:
    """AWS's JSON says so of optional members; a required one is missing."""
    target = "GraniteServiceVersion20100801."
    status, answer = call(canary_cloud, "monitoring", f"{target}DescribeAlarms", b'{"AlarmNames": null}')
    assert (status, len(answer["MetricAlarms"])) == (200, 1)
    status, _ = call(canary_cloud, "monitoring", f"{target}SetAlarmState", b'{"AlarmName": null}')
    assert status == 400


def test_required_member_left_out_is_refused(canary_cloud: Cloud) -> None:
    """A client without botocore's own checks learns which."""
    headers = {"Authorization": SIGNED.format("lambda"), "Content_Type": "application/json"}
    status, _, body = ask(canary_cloud, b"{}", path="/2015-03-31/functions", **headers)
    assert status == 400
    assert b"FunctionName" in body


def test_unknown_operation_of_an_xml_service_is_refused_in_xml(canary_cloud: Cloud, canary_aws: Any) -> None:
    """Its own client can read the error."""
    with pytest.raises(ClientError, match="InvalidAction"):
        boto3.client("cloudformation").activate_organizations_access()
    headers = {"Authorization": SIGNED.format("cloudformation")}
    body = b"Action=ActivateOrganizationsAccess&Version=2010-05-15"
    _, _, answer = ask(canary_cloud, body, Content_Type="application/x-www-form-urlencoded", **headers)
    assert ElementTree.fromstring(answer).tag.endswith("ErrorResponse")


def test_lambda_request_of_curl_is_understood(canary_cloud: Cloud) -> None:
    """The path names the operation, whatever the content type says."""
    path = f"/2015-03-31/functions/{canary_cloud.ready['function']}/aliases/{canary_cloud.ready['alias']}"
    content_type = "application/x-www-form-urlencoded"
    status, _, body = ask(
        canary_cloud,
        b'{"Description": "x"}',
        path=path,
        method="PUT",
        Content_Type=content_type,
        Authorization=SIGNED.format("lambda"),
    )
    assert (status, json.loads(body)["Description"]) == (200, "x")


def test_errors_of_codedeploy_are_spelt_as_its_own(canary_cloud: Cloud) -> None:
    """JSON 1.1 errors of CodeDeploy say `message`."""
    _, answer = call(
        canary_cloud, "codedeploy", "CodeDeploy_20141006.GetDeployment", b'{"deploymentId": "d-ABCDEFGHI"}'
    )
    assert set(answer) == {"__type", "message"}


def test_date_of_an_answer_is_simulated_time(canary_cloud: Cloud, canary_aws: Any) -> None:
    """A client that measures clock skew by it meets the cloud's clock."""
    canary_cloud.advance(30 * 86_400)
    date = boto3.client("codedeploy").list_applications()["ResponseMetadata"]["HTTPHeaders"]["date"]

    assert abs(parsedate_to_datetime(date).timestamp() - canary_cloud.clock.now()) < 5


def test_date_of_the_gateway_is_simulated_time(canary_cloud: Cloud) -> None:
    """The service lives in the same time as its control plane."""
    canary_cloud.advance(30 * 86_400)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(canary_cloud.ready["service_url"] + "/fakeUser", timeout=10)
    assert abs(parsedate_to_datetime(refused.value.headers["Date"]).timestamp() - canary_cloud.clock.now()) < 5


@pytest.mark.parametrize(
    ("service", "target"),
    [
        ("codedeploy", "CodeDeploy_20141006.ListApplications"),
        ("monitoring", "GraniteServiceVersion20100801.ListMetrics"),
    ],
)
def test_a_zipped_body_is_bounded_while_it_is_inflated(canary_cloud: Cloud, service: str, target: str) -> None:
    """A bomb of some kilobytes is refused in the words of the protocol, and takes no more memory than a body may."""
    bomb, before = gzip.compress(bytes(MOST_BYTES_ELSE * 10)), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    headers = {"Authorization": SIGNED.format(service), "X_Amz_Target": target, "Content_Encoding": "gzip"}
    status, _, answer = ask(canary_cloud, bomb, Content_Type="application/x-amz-json-1.1", **headers)
    assert (status, json.loads(answer)["__type"]) == (413, TOO_LARGE)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MOST_BYTES_ELSE * 5


@pytest.mark.parametrize("length", ["70167212", "9" * 30, "9" * 5000])
@pytest.mark.parametrize(("service", "path"), [("lambda", "/2015-03-31/functions"), ("cloudformation", "/")])
def test_a_body_beyond_aws_limit_is_refused_unread(canary_cloud: Cloud, service: str, path: str, length: str) -> None:
    """By the length that its request gives, before a byte of it is kept."""
    address = urlsplit(canary_cloud.ready["endpoint_url"])
    assert address.hostname
    head = [f"POST {path} HTTP/1.1", f"Host: {address.netloc}", f"Authorization: {SIGNED.format(service)}"]
    with socket.create_connection((address.hostname, address.port or 80), timeout=10) as link:
        link.sendall("\r\n".join([*head, f"Content-Length: {length}", "", "{}"]).encode())
        link.shutdown(socket.SHUT_WR)
        assert b" 413 " in link.makefile("rb").readline()
