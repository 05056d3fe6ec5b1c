"""Whatever is sent to the control plane, the answer is AWS's: at once, in the protocol of the service, and honest."""

import errno
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
from harness.rehearsal.clock import CloudClock, Schedule
from harness.rehearsal.cloud import Cloud
from harness.rehearsal.servers import serve
from harness.rehearsal.wire import Wire

WITHIN_S = 60.0
"""Silence is seen by it, and a loaded machine may take half of it to load moto."""
SIGNED = "AWS4-HMAC-SHA256 Credential=x/20260101/eu-north-1/{}/aws4_request, SignedHeaders=host, Signature=0"


def ask(
    cloud: Cloud, body: bytes | None, *, path: str = "/", method: str = "POST", **headers: str
) -> tuple[int, Any, bytes]:
    """One raw request: status, headers, body of its answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(cloud.ready["endpoint_url"] + path, body, named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=WITHIN_S) as answer:
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
    canary_cloud.advance(86_400)
    date = boto3.client("codedeploy").list_applications()["ResponseMetadata"]["HTTPHeaders"]["date"]

    assert abs(parsedate_to_datetime(date).timestamp() - canary_cloud.clock.now()) < 5


@pytest.mark.parametrize(("agent", "dated"), [("aws-sdk-js/3.1000.0", False), ("Boto3/1.43", True)])
def test_an_error_makes_no_client_set_its_clock_for_ever(canary_cloud: Cloud, agent: str, dated: bool) -> None:
    """The SDK for JavaScript asks again for as long as the date of an error is minutes off, which it stays here."""
    canary_cloud.advance(86_400)
    request = urllib.request.Request(canary_cloud.ready["endpoint_url"], b"{}", {"User-Agent": agent})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=WITHIN_S)
    assert ("Date" in refused.value.headers) == dated


def test_date_of_the_gateway_is_simulated_time(canary_cloud: Cloud) -> None:
    """The service lives in the same time as its control plane."""
    canary_cloud.advance(86_400)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(canary_cloud.ready["service_url"] + "/fakeUser", timeout=WITHIN_S)
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


def send(cloud: Cloud, *parts: bytes, closed: bool = False) -> bytes:
    """What the AWS endpoint answers to raw bytes; `closed` ends them."""
    address = urlsplit(cloud.ready["endpoint_url"])
    with socket.create_connection((str(address.hostname), address.port or 0), timeout=10) as link:
        link.sendall(b"".join(parts))
        if closed:
            link.shutdown(socket.SHUT_WR)
        return link.makefile("rb").read()


LIST_METRICS = (
    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n"
    "X-Amz-Target: GraniteServiceVersion20100801.ListMetrics\r\n"
    f"Authorization: {SIGNED.format('monitoring')}\r\n"
).encode()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"GARBAGE\r\n\r\n", 400, id="no request line"),
        pytest.param(b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414, id="long path"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 200 + b"\r\n", 431, id="many headers"),
        pytest.param(b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000 + b"\r\n\r\n", 431, id="long header"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, id="HTTP/2"),
        pytest.param(bytes.fromhex("16030100c8010000c40303"), 400, id="TLS"),
    ],
)
def test_what_is_no_request_is_refused_in_json_at_once(canary_cloud: Cloud, sent: bytes, status: int) -> None:
    """Never a page for people, and never silence."""
    head, _, body = send(canary_cloud, sent).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(body)["message"]


@pytest.mark.parametrize(
    ("sent", "status", "closed"),
    [
        pytest.param(b"Content-Length: 50\r\n\r\n{}", 408, False, id="body that does not come"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n2", 408, False, id="chunk that does not come"),
        pytest.param(b"Content-Length: 50\r\n\r\n{}", 400, True, id="short body"),
        pytest.param(b"Content-Length: -5\r\n\r\n", 400, True, id="negative length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n20\r\n{}", 400, True, id="short chunk"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n", 400, True, id="bad chunk"),
        pytest.param(b"Transfer-Encoding: gzip\r\n\r\n", 400, True, id="other transfer encoding"),
        pytest.param(b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}", 400, True, id="other encoding"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", 200, True, id="chunks"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n", 400, True, id="chunk of no object"),
    ],
)
def test_body_is_read_whole_or_refused(
    canary_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, sent: bytes, status: int, closed: bool
) -> None:
    """In the words of the protocol, and in bounded time."""
    monkeypatch.setattr("harness.rehearsal.servers._Handler.timeout", 0.3)
    head, _, body = send(canary_cloud, LIST_METRICS, sent, closed=closed).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert ("__type" in json.loads(body)) is (status != 200)


def test_chunks_are_bounded(canary_cloud: Cloud) -> None:
    """They say no length beforehand."""
    chunk = b"%x\r\n%s\r\n" % (MOST_BYTES_ELSE + 1, b" " * (MOST_BYTES_ELSE + 1))
    answer = send(canary_cloud, LIST_METRICS, b"Transfer-Encoding: chunked\r\n\r\n", chunk, b"0\r\n\r\n")
    assert b" 413 " in answer.partition(b"\r\n")[0]


def test_zip_is_known_in_capitals_too(canary_cloud: Cloud) -> None:
    """Codings of HTTP have no case."""
    body = gzip.compress(b"{}")
    sent = b"Content-Encoding: GZIP\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert b" 200 " in send(canary_cloud, LIST_METRICS, sent, body).partition(b"\r\n")[0]


@pytest.mark.parametrize(("method", "path"), [("GET", "/moto-api/"), ("POST", "/moto-api/reset")])
def test_pages_of_moto_are_not_served(canary_cloud: Cloud, method: str, path: str) -> None:
    """They are no part of AWS, and one of them forgets everything."""
    status, _, body = ask(canary_cloud, b"", path=path, method=method, Authorization=SIGNED.format("s3"))
    assert (status, b"UnknownOperationException" in body) == (400, True)


def test_a_request_for_another_region_is_answered_and_told(
    canary_cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    """Once: on AWS nothing of this region would be found there."""
    signed = SIGNED.format("codedeploy")
    for region in ("eu-north-1", "sa-east-1", "sa-east-1"):
        headers = {"Authorization": signed.replace("eu-north-1", region), "Content_Type": "application/x-amz-json-1.1"}
        status, _, _ = ask(canary_cloud, b"{}", X_Amz_Target="CodeDeploy_20141006.ListApplications", **headers)
        assert status == 200
    assert [record.getMessage().split(":")[0] for record in caplog.records if record.levelname == "WARNING"] == [
        "A request is for the region sa-east-1"
    ]


def test_failure_of_moto_is_not_called_a_missing_operation(canary_cloud: Cloud) -> None:
    """It names the operation, which is there."""
    status, answer = call(canary_cloud, "ssm", "AmazonSSM.GetParameter", b"garbage")
    assert (status, answer["__type"]) == (400, "SerializationException")
    assert "GetParameter" in answer["message"]
    assert "not part" not in answer["message"]


@pytest.mark.parametrize("service", ["apigateway", "bedrock", "nosuchservice"])
def test_what_moto_lacks_is_called_missing(canary_cloud: Cloud, service: str) -> None:
    """And not by a page."""
    status, _, body = ask(canary_cloud, b"", path="/foo", method="GET", Authorization=SIGNED.format(service))
    assert (status, b"GET /foo is not part of this local cloud" in body) == (400, True)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/?Action=DescribeAlarms&Version=2010-08-01", None),
        ("POST", "/", b"Action=DescribeAlarms&Version=2010-08-01"),
    ],
)
def test_query_needs_no_content_type(canary_cloud: Cloud, method: str, path: str, body: bytes | None) -> None:
    """Its parameters may be in the URL of a GET."""
    headers = {"Authorization": SIGNED.format("monitoring"), "Content_Type": ""}
    status, _, answer = ask(canary_cloud, body, path=path, method=method, **headers)
    assert (status, b"DescribeAlarmsResult" in answer) == (200, True)


def test_operation_asked_for_wrongly_is_not_called_missing(canary_cloud: Cloud) -> None:
    """The sentence says what to look at."""
    headers = {"Authorization": SIGNED.format("codedeploy"), "X_Amz_Target": "CodeDeploy_20141006.ListApplications"}
    status, _, body = ask(canary_cloud, b"{}", Content_Type="text/html", **headers)
    assert status == 400
    assert "content type" in json.loads(body)["message"]


def test_descriptors_that_run_out_are_told_in_one_sentence(caplog: pytest.LogCaptureFixture) -> None:
    """Of every request that is lost by it; a traceback is for a bug."""
    server = serve(Wire({}, Schedule(CloudClock(1.0))), "127.0.0.1", 0)
    try:
        raise OSError(errno.EMFILE, "Too many open files")
    except OSError:
        server.handle_error(None, ("127.0.0.1", 4321))
    finally:
        server.server_close()
    (told,) = caplog.records
    assert "4321" in told.getMessage()
    assert "ran out of file descriptors" in told.getMessage()
    assert not told.exc_info
