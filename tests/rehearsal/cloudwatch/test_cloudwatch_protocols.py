"""CloudWatch in the protocols of older and newer clients: query, JSON 1.0 and CBOR, as plain HTTP."""

import gzip
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any
from xml.etree import ElementTree

import cbor2
import pytest

SIGNED = "AWS4-HMAC-SHA256 Credential=x/20260822/eu-north-1/monitoring/aws4_request, SignedHeaders=host, Signature=0"
AUTHORIZED = {"Authorization": SIGNED}
NAMESPACE = "{http://monitoring.amazonaws.com/doc/2010-08-01/}"


def query(aws: Any, action: str, **params: Any) -> tuple[int, ElementTree.Element]:
    """Status and document of a call in the query protocol; `__` in a name stands for a dot."""
    named = {name.replace("__", "."): value for name, value in params.items()}
    body = urllib.parse.urlencode({"Action": action, "Version": "2010-08-01", **named}).encode()
    status, _, text = post(aws, body, {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
    return status, ElementTree.fromstring(text)


def post(
    aws: Any, body: bytes, headers: dict[str, str], path: str = "", signed: dict[str, str] = AUTHORIZED
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to a request with a signature that nobody checks."""
    request = urllib.request.Request(aws.url + path, data=body, headers={**headers, **signed})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def texts(document: ElementTree.Element, name: str) -> list[str | None]:
    """The texts of all elements of a name."""
    return [element.text for element in document.iter(f"{NAMESPACE}{name}")]


def test_the_query_protocol_puts_and_reads_numbers(aws: Any) -> None:
    """Lists, numbers and timestamps of the query protocol arrive as what they are."""
    status, _ = query(
        aws,
        "PutMetricData",
        Namespace="App",
        MetricData__member__1__MetricName="Errors",
        MetricData__member__1__Values__member__1="1.5",
        MetricData__member__1__Values__member__2="3",
        MetricData__member__1__Counts__member__1="2",
        MetricData__member__1__Counts__member__2="1",
        MetricData__member__1__Timestamp="2026-08-22T12:00:30Z",
        MetricData__member__1__Dimensions__member__1__Name="Stage",
        MetricData__member__1__Dimensions__member__1__Value="x",
    )
    assert status == 200
    status, document = query(
        aws,
        "GetMetricStatistics",
        Namespace="App",
        MetricName="Errors",
        Dimensions__member__1__Name="Stage",
        Dimensions__member__1__Value="x",
        StartTime="2026-08-22T12:00:00Z",
        EndTime="2026-08-22T12:01:00Z",
        Period="60",
        Statistics__member__1="Sum",
        Statistics__member__2="SampleCount",
    )
    assert (status, texts(document, "Sum"), texts(document, "SampleCount")) == (200, ["6.0"], ["3.0"])
    assert texts(document, "Timestamp") == ["2026-08-22T12:00:00Z"]


def test_the_query_protocol_puts_an_alarm_that_is_evaluated(aws: Any) -> None:
    """An alarm put by an older client trips like any other."""
    status, _ = query(
        aws,
        "PutMetricAlarm",
        AlarmName="errors",
        Namespace="App",
        MetricName="Errors",
        Statistic="Sum",
        Period="60",
        EvaluationPeriods="1",
        Threshold="3.0",
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        ActionsEnabled="false",
    )
    assert status == 200
    aws.put(5.0)
    aws.advance(120)
    _, document = query(aws, "DescribeAlarms", AlarmNames__member__1="errors", MaxRecords="10")
    assert texts(document, "StateValue") == ["ALARM"]
    assert texts(document, "ActionsEnabled") == ["false"]
    _, history = query(aws, "DescribeAlarmHistory", AlarmName="errors", HistoryItemType="StateUpdate")
    assert texts(history, "HistorySummary") == ["Alarm updated from INSUFFICIENT_DATA to ALARM"]


@pytest.mark.parametrize(
    ("action", "params", "status", "code"),
    [
        ("SetAlarmState", {"AlarmName": "x", "StateValue": "OK", "StateReason": ""}, 404, "ResourceNotFound"),
        ("SetAlarmState", {"AlarmName": "x", "StateValue": "FINE", "StateReason": ""}, 400, "ValidationError"),
        ("SetAlarmState", {"AlarmName": "x"}, 400, "ValidationError"),
        ("PutMetricData", {"MetricData__member__1__MetricName": "Errors"}, 400, "MissingParameter"),
        ("DescribeAlarms", {"NextToken": "rubbish"}, 400, "InvalidNextToken"),
        ("DescribeAlarms", {"MaxRecords": "many"}, 400, "ValidationError"),
        ("DescribeAlarmHistory", {"StartDate": "9" * 17}, 400, "ValidationError"),
        ("MakeCoffee", {}, 400, "InvalidAction"),
    ],
)
def test_the_query_protocol_answers_errors_as_documents(
    aws: Any, action: str, params: dict[str, str], status: int, code: str
) -> None:
    """Errors are XML with AWS's code."""
    found, document = query(aws, action, **params)
    assert (found, [element.text for element in document.iter() if element.tag.endswith("Code")]) == (status, [code])


def test_json_names_the_error_twice(aws: Any) -> None:
    """In JSON the error is in the body and, for older clients' sake, in a header."""
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "GraniteServiceVersion20100801.SetAlarmState",
    }
    body = json.dumps({"AlarmName": "x", "StateValue": "OK", "StateReason": ""}).encode()
    status, answered, text = post(aws, body, headers)
    assert status == 404
    assert answered["x-amzn-query-error"] == "ResourceNotFound;Sender"
    assert json.loads(text)["__type"].endswith("ResourceNotFound")


def test_json_has_timestamps_as_seconds_since_1970(aws: Any) -> None:
    """Instants are numbers with milliseconds."""
    aws.advance(0.25)
    aws.put_alarm()
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "GraniteServiceVersion20100801.DescribeAlarms",
    }
    _, _, text = post(aws, b"{}", headers)
    (alarm,) = json.loads(text)["MetricAlarms"]
    assert alarm["StateUpdatedTimestamp"] == pytest.approx(aws.now, abs=1e-3)


def test_long_bodies_may_be_zipped(aws: Any) -> None:
    """boto3 zips what is long, and what it zips arrives."""
    data = [{"MetricName": f"metric-{number}", "Value": 1.0} for number in range(400)]
    sent = []
    aws.client.meta.events.register("before-send.cloudwatch.*", lambda request, **_: sent.append(request.headers))
    aws.client.put_metric_data(Namespace="App", MetricData=data)
    assert sent[0]["Content-Encoding"] == b"gzip"
    assert len(aws.client.list_metrics(Namespace="App")["Metrics"]) == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"no gzip", 400, id="no gzip"),
        pytest.param(gzip.compress(b"{}", mtime=0)[:-3], 400, id="cut off"),
        pytest.param(gzip.compress(b"0" * 40_000_000, mtime=0), 413, id="a bomb"),
    ],
)
def test_a_body_that_only_claims_to_be_zipped_is_refused(aws: Any, body: bytes, status: int) -> None:
    """Rubbish, a part, or a bomb under Content-Encoding gzip is a client error."""
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "Content-Encoding": "gzip",
        "X-Amz-Target": "GraniteServiceVersion20100801.PutMetricData",
    }
    assert post(aws, body, headers)[0] == status


@pytest.mark.parametrize("content_type", ["application/cbor", "application/xml", "text/plain"])
def test_a_protocol_that_is_not_spoken_is_refused_as_an_api(aws: Any, content_type: str) -> None:
    """It is answered with an error in JSON, not with a page."""
    headers = {
        "Content-Type": content_type,
        "Smithy-Protocol": "rpc-v3-xml",
        "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/eu-north-1/monitoring/aws4_request",
    }
    status, _, text = post(aws, b"\xa0", headers)
    assert status == 400
    assert json.loads(text)["__type"].endswith("UnknownOperationException")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"AlarmNames": "errors"}', b'{"MaxRecords": {}}', b"\xff"])
def test_what_cannot_be_read_is_the_callers_fault(aws: Any, body: bytes) -> None:
    """A malformed body is answered with a client error, never with a failure of the server."""
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "GraniteServiceVersion20100801.DescribeAlarms",
    }
    status, _, _ = post(aws, body, headers)
    assert 200 <= status < 500


def in_cbor(aws: Any, operation: str, body: bytes, target: str = "GraniteServiceVersion20100801") -> Any:
    """Status, headers and content of the answer to a raw request in Smithy's rpc-v2-cbor."""
    headers = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
    status, answered, content = post(aws, body, headers, f"/service/{target}/operation/{operation}")
    assert answered["Content-Type"] == "application/cbor"
    assert answered["smithy-protocol"] == "rpc-v2-cbor"
    return status, answered, cbor2.loads(content, tag_hook=lambda tag: tag)


def test_cbor_answers_instants_and_numbers_as_what_they_are(aws: Any) -> None:
    """An instant is a number under tag 1, a threshold a float, a period an integer; what is absent is left out."""
    aws.advance(0.25)
    aws.put_alarm()
    status, _, content = in_cbor(aws, "DescribeAlarms", cbor2.dumps({"AlarmNames": ["errors"]}))
    (alarm,) = content["MetricAlarms"]
    assert status == 200
    assert alarm["StateUpdatedTimestamp"].timestamp() == pytest.approx(aws.now, abs=1e-3)
    assert (alarm["Threshold"], alarm["Period"]) == (3.0, 60)
    assert isinstance(alarm["Threshold"], float)
    assert "Unit" not in alarm


def test_cbor_of_indefinite_length_is_read(aws: Any) -> None:
    """SDKs that write as they go leave the length of a map and a list open."""
    aws.put_alarm()
    body = b"\xbf\x6aAlarmNames\x9f\x66errors\xff\xff"
    status, _, content = in_cbor(aws, "DescribeAlarms", body)
    assert (status, [alarm["AlarmName"] for alarm in content["MetricAlarms"]]) == (200, ["errors"])


def test_cbor_null_is_as_if_absent(aws: Any) -> None:
    """SDKs of some languages write what is not given."""
    aws.put_alarm()
    status, _, content = in_cbor(aws, "DescribeAlarms", cbor2.dumps({"AlarmNames": None}))
    assert (status, [alarm["AlarmName"] for alarm in content["MetricAlarms"]]) == (200, ["errors"])


@pytest.mark.parametrize(
    ("operation", "body", "target", "status", "code"),
    [
        ("MakeCoffee", b"\xa0", "GraniteServiceVersion20100801", 400, "UnknownOperationException"),
        ("ListDashboards", b"\xa0", "GraniteServiceVersion20100801", 400, "UnknownOperationException"),
        ("DescribeAlarms", b"\xa0", "Another", 400, "UnknownOperationException"),
        ("DescribeAlarms", b"\xff", "GraniteServiceVersion20100801", 400, "SerializationException"),
        ("DescribeAlarms", b"\x81\x01", "GraniteServiceVersion20100801", 400, "SerializationException"),
        ("DescribeAlarms", b"\xbb" + b"\xff" * 8, "GraniteServiceVersion20100801", 400, "SerializationException"),
        (
            "DescribeAlarms",
            b"\x9b\x00\x00\x00\xff\xff\xff\xff\xff",
            "GraniteServiceVersion20100801",
            400,
            "SerializationException",
        ),
        (
            "DescribeAlarmHistory",
            cbor2.dumps({"StartDate": 1e30}),
            "GraniteServiceVersion20100801",
            400,
            "SerializationException",
        ),
        ("DescribeAlarms", b"\x81" * 5000, "GraniteServiceVersion20100801", 400, "SerializationException"),
        (
            "DescribeAlarms",
            cbor2.dumps({"MaxRecords": "many"}),
            "GraniteServiceVersion20100801",
            400,
            "SerializationException",
        ),
        (
            "SetAlarmState",
            cbor2.dumps({"AlarmName": "x", "StateValue": "OK", "StateReason": ""}),
            "GraniteServiceVersion20100801",
            404,
            "ResourceNotFound",
        ),
    ],
)
def test_cbor_answers_errors_in_cbor(
    aws: Any, operation: str, body: bytes, target: str, status: int, code: str
) -> None:
    """Whatever is wrong, the answer is an error in the same protocol, and an unknown operation is named."""
    found, _, content = in_cbor(aws, operation, body, target)
    assert (found, content["__type"]) == (status, code)
    if code == "UnknownOperationException":
        assert operation in content["message"]


def test_an_error_is_named_by_its_shape_and_by_its_code(aws: Any) -> None:
    """SDKs of the new protocols look for the shape, older clients for the code, in a header."""
    body = cbor2.dumps({"AlarmName": "errors", "StateValue": "OK", "StateReason": "", "StateReasonData": "no JSON"})
    aws.put_alarm()
    status, answered, content = in_cbor(aws, "SetAlarmState", body)
    assert (status, content["__type"]) == (400, "InvalidFormatFault")
    assert answered["x-amzn-query-error"] == "InvalidFormat;Sender"


def test_an_unsigned_request_in_cbor_is_refused_in_cbor(aws: Any) -> None:
    """The service is known by the path."""
    headers = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
    path = "/service/GraniteServiceVersion20100801/operation/DescribeAlarms"
    status, _, content = post(aws, b"\xa0", headers, path, signed={})
    assert (status, cbor2.loads(content)["__type"]) == (400, "MissingAuthenticationTokenException")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (
            {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "GraniteServiceVersion20100801.MakeCoffee"},
            b"{}",
        ),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"Action=MakeCoffee&Version=2010-08-01"),
    ],
)
def test_an_unknown_operation_is_named_in_every_protocol(aws: Any, headers: dict[str, str], body: bytes) -> None:
    """So that whoever reads the error knows what is missing here."""
    status, _, text = post(aws, body, headers)
    assert status == 400
    assert b"MakeCoffee is not part of this local cloud" in text
