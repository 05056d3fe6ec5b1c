"""The local cloud runs uploaded code as the user, so that its control plane answers SDKs and never a browser."""

import base64
import http.client
import io
import json
import re
import shutil
import subprocess
import threading
import urllib.parse
import zipfile
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from xml.etree import ElementTree

import boto3
import botocore.session
import pytest

from harness.rehearsal.cloud import Cloud
from harness.rehearsal.fixtures import CloudFactory
from harness.rehearsal.operations import operations
from tests.rehearsal.test_operations import SERVICES

if TYPE_CHECKING:
    from playwright.sync_api import Page

FORM = "application/x-www-form-urlencoded"
FUNCTIONS = "/2015-03-31/functions"


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Asked(NamedTuple):
    """A call of one protocol; `signed_for` is the name of the service in a signature."""

    signed_for: str
    method: str
    path: str
    headers: dict[str, str]
    body: str = ""


def target(name: str) -> dict[str, str]:
    """The headers of a JSON protocol."""
    return {"X-Amz-Target": name, "Content-Type": "application/x-amz-json-1.1"}


PROTOCOLS = {
    "json": Asked("codedeploy", "POST", "/", target("CodeDeploy_20141006.ListApplications"), "{}"),
    "json-1.0": Asked("monitoring", "POST", "/", target("GraniteServiceVersion20100801.DescribeAlarms"), "{}"),
    "query": Asked("monitoring", "POST", "/", {"Content-Type": FORM}, "Action=DescribeAlarms&Version=2010-08-01"),
    "query-2": Asked("cloudformation", "POST", "/", {"Content-Type": FORM}, "Action=DescribeStacks&Version=2010-05-15"),
    "rest-json": Asked("lambda", "GET", f"{FUNCTIONS}/", {}),
    "rest-json-2": Asked("fis", "GET", "/experiments", {}),
}
STATUSES = {"json": 400, "json-1.0": 400, "query": 403, "query-2": 403, "rest-json": 403, "rest-json-2": 403}
each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


def signature(service: str) -> str:
    """A header as every SDK sends it."""
    scope = f"somebody/20260101/eu-north-1/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=0"


def presigned(service: str) -> str:
    """The query of a presigned URL."""
    return urllib.parse.urlencode(
        {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"somebody/20260101/eu-north-1/{service}/aws4_request",
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": "0",
        }
    )


def send(url: str, asked: Asked, **headers: str) -> Answer:
    """One request as it is, with more headers: `Sec_Fetch_Mode` names `Sec-Fetch-Mode`."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    named = {**asked.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    try:
        connection.request(asked.method, parts.path + asked.path, asked.body.encode() or None, named)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def ask(cloud: Cloud, protocol: str, **headers: str) -> Answer:
    """One signed call of a protocol."""
    asked = PROTOCOLS[protocol]
    return send(cloud.ready["endpoint_url"], asked, **{"Authorization": signature(asked.signed_for), **headers})


def error_of(protocol: str, answer: Answer) -> str:
    """The code of an error, as a client of the protocol reads it."""
    if protocol.startswith("query"):
        (code,) = (
            found.text or "" for found in ElementTree.fromstring(answer.body).iter() if found.tag.endswith("Code")
        )
        return code
    assert json.loads(answer.body)
    return answer.headers["X-Amzn-ErrorType"].rpartition("#")[2].removesuffix("Exception")


@each_protocol
def test_a_signature_of_anybody_is_enough(protocol: str, canary_cloud: Cloud) -> None:
    """Nobody's key is known here."""
    assert ask(canary_cloud, protocol).status == 200


@each_protocol
def test_a_signature_for_all_regions_is_enough(protocol: str, canary_cloud: Cloud) -> None:
    """SigV4A names no region."""
    scope = f"somebody/20260101/{PROTOCOLS[protocol].signed_for}/aws4_request"
    header = f"AWS4-ECDSA-P256-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    assert ask(canary_cloud, protocol, Authorization=header).status == 200


@each_protocol
def test_a_presigned_url_is_enough(protocol: str, canary_cloud: Cloud) -> None:
    """It carries its signature in its query."""
    asked = PROTOCOLS[protocol]
    signed = asked._replace(path=f"{asked.path}?{presigned(asked.signed_for)}")
    assert send(canary_cloud.ready["endpoint_url"], signed).status == 200


@pytest.mark.parametrize("region", ["eu-north-1", "us-east-1"])
def test_presigned_urls_of_boto3_work(region: str, canary_cloud: Cloud, canary_aws: Any) -> None:
    """In old regions boto3 signs those of S3 by version 2."""
    client = boto3.client("s3", region_name=region, endpoint_url=canary_cloud.ready["endpoint_url"])
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    client.create_bucket(Bucket=f"files-{region}", **where)
    client.put_object(Bucket=f"files-{region}", Key="k", Body=b"kept")
    url = client.generate_presigned_url("get_object", Params={"Bucket": f"files-{region}", "Key": "k"})
    asked = Asked("s3", "GET", f"?{urlsplit(url).query}", {})
    assert send(url, asked).body == b"kept"


def test_credentials_by_a_web_identity_need_no_signature(canary_cloud: Cloud, canary_aws: Any) -> None:
    """SDKs ask so where they have no credentials yet."""
    asked = {"RoleArn": "arn:aws:iam::123456789012:role/ci", "RoleSessionName": "ci", "WebIdentityToken": "t" * 20}
    assert boto3.client("sts").assume_role_with_web_identity(**asked)["Credentials"]


@each_protocol
def test_a_request_without_a_signature_is_refused_in_its_protocol(protocol: str, canary_cloud: Cloud) -> None:
    """As AWS refuses it."""
    answer = send(canary_cloud.ready["endpoint_url"], PROTOCOLS[protocol])
    assert (answer.status, error_of(protocol, answer)) == (STATUSES[protocol], "MissingAuthenticationToken")


@pytest.mark.parametrize(
    "header",
    [
        "Basic dXNlcjpwdw==",
        "Bearer x",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=somebody, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=x/20260101/eu-north-1/lambda/aws4_request",
        "Other Credential=x/20260101/eu-north-1/lambda/aws4_request, SignedHeaders=host, Signature=0",
    ],
)
def test_half_a_signature_is_refused(header: str, canary_cloud: Cloud) -> None:
    """Under the code that AWS has for it."""
    answer = ask(canary_cloud, "rest-json", Authorization=header)
    assert (answer.status, error_of("rest-json", answer)) == (400, "IncompleteSignature")


@pytest.mark.parametrize("part", ["X-Amz-Credential", "X-Amz-Signature"])
def test_half_a_presigned_url_is_refused(part: str, canary_cloud: Cloud) -> None:
    """A credential alone signs nothing, and a signature alone names nobody."""
    query = "&".join(pair for pair in presigned("lambda").split("&") if not pair.startswith(part))
    asked = PROTOCOLS["rest-json"]._replace(path=f"{FUNCTIONS}/?{query}")
    assert error_of("rest-json", send(canary_cloud.ready["endpoint_url"], asked)) == "IncompleteSignature"


@pytest.mark.parametrize(
    "header",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Mode": "no-cors"},
        {"User_Agent": "Mozilla/5.0 (X11; Linux x86_64)"},
    ],
)
@each_protocol
def test_a_browser_and_a_foreign_name_are_refused_in_their_protocol(
    protocol: str, header: dict[str, str], canary_cloud: Cloud
) -> None:
    """Even with a signature, and with nothing that would let a page read the answer."""
    answer = ask(canary_cloud, protocol, **header)
    assert (answer.status, error_of(protocol, answer)) == (STATUSES[protocol], "AccessDenied")
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_preflight_is_refused(canary_cloud: Cloud) -> None:
    """So that no page may send the header of a signature."""
    asks = {"Origin": "https://evil.example", "Access_Control_Request_Headers": "authorization"}
    answer = send(canary_cloud.ready["endpoint_url"], Asked("lambda", "OPTIONS", FUNCTIONS, {}), **asks)
    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("length", ["abc", "-1"])
def test_a_length_that_is_no_number_is_refused_at_once(length: str, canary_cloud: Cloud) -> None:
    """Neither as HTML nor with silence."""
    asked = Asked("lambda", "POST", f"{FUNCTIONS}/", {"Content-Length": length})
    answer = send(canary_cloud.ready["endpoint_url"], asked)
    assert error_of("rest-json", answer) == "MissingAuthenticationToken"


def test_the_gateway_takes_any_header_but_no_foreign_name(canary_cloud: Cloud) -> None:
    """Browsers are clients of a service; a foreign name is not the service's."""
    user = Asked("", "GET", "/fakeUser", {"Authorization": "standarduser@company.com", "X-Client-Version": "1"})
    page = {"Origin": "https://shop.example", "Sec_Fetch_Site": "cross-site", "User_Agent": "Mozilla/5.0"}
    url = canary_cloud.ready["service_url"]
    assert send(url, user, **page).status == 200
    assert send(url, user, Host="shop.localhost").status == 200
    refused = send(url, user, Host="evil.example")
    assert (refused.status, refused.headers["x-amzn-ErrorType"]) == (403, "ForbiddenException")
    assert "evil.example" in json.loads(refused.body)["message"]


def test_a_cloud_on_all_addresses_is_served_under_the_names_of_this_machine(canary_cloud_factory: CloudFactory) -> None:
    """Whichever of its addresses a container or a colleague uses."""
    cloud = canary_cloud_factory(host="0.0.0.0")
    for name in ("0.0.0.0", "127.0.0.1", "192.0.2.7", "localhost"):
        assert ask(cloud, "json", Host=name).status == 200
    assert ask(cloud, "json", Host="evil.example").status == 400


NODE_FETCH = """
fetch(process.argv[1], {method: 'POST', headers: JSON.parse(process.argv[2]), body: '{}'})
  .then(async answer => console.log(answer.status, await answer.text()))
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node is installed")
def test_fetch_of_node_is_answered(canary_cloud: Cloud) -> None:
    """A hook may report by it: it sends one header of a browser's, and no page can send it alone."""
    headers = json.dumps({**PROTOCOLS["json"].headers, "Authorization": signature("codedeploy")})
    node = ["node", "-e", NODE_FETCH, canary_cloud.ready["endpoint_url"], headers]
    done = subprocess.run(node, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.startswith("200 "), done.stdout


# A real browser


@pytest.fixture
def foreign_page(page: "Page") -> "Iterator[Page]":
    """A page of another origin on this machine."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<iframe name=sink></iframe>")

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as site:
        threading.Thread(target=site.serve_forever, args=(0.02,), daemon=True).start()
        page.goto(f"http://127.0.0.1:{site.server_port}/")
        yield page
        site.shutdown()


FETCH = "([url, body]) => fetch(url, {method: 'POST', mode: 'no-cors', body}).then(answer => answer.type)"
SUBMIT = """([url, body]) => new Promise(done => {
    const form = Object.assign(document.createElement("form"), {action: url, method: "POST", target: "sink"})
    for (const [name, value] of new URLSearchParams(body))
        form.append(Object.assign(document.createElement("input"), {name, value}))
    document.body.append(form)
    document.querySelector("iframe").onload = () => done(true)
    form.submit()
})"""


def test_a_foreign_page_creates_no_function(foreign_page: "Page", canary_cloud: Cloud, canary_aws: Any) -> None:
    """By a POST that needs no permission, unsigned or with a made-up signature in its URL; a tool can do the same."""
    url = canary_cloud.ready["endpoint_url"]
    path, body = f"{FUNCTIONS}?{presigned('lambda')}", upload()
    for attempt in (FUNCTIONS, path):
        assert foreign_page.evaluate(FETCH, [url + attempt, body]) == "opaque"
    assert "theirs" not in names_of_functions()
    assert send(url, Asked("lambda", "POST", path, {"Content-Type": "text/plain"}, body)).status == 201
    assert "theirs" in names_of_functions()


def test_a_foreign_form_forces_no_alarm(foreign_page: "Page", canary_cloud: Cloud, canary_aws: Any) -> None:
    """Neither one without a signature nor one with a made-up signature in its URL; a tool can."""
    url, alarm = canary_cloud.ready["endpoint_url"], canary_cloud.ready["alarm"]
    forced = {"Action": "SetAlarmState", "Version": "2010-08-01", "AlarmName": alarm, "StateValue": "ALARM"}
    body = urllib.parse.urlencode({**forced, "StateReason": "by a page"})
    path = f"/?{presigned('monitoring')}"
    for attempt in ("/", path):
        assert foreign_page.evaluate(SUBMIT, [url + attempt, body])
    assert reason_of(alarm) != "by a page"
    assert send(url, Asked("monitoring", "POST", path, {"Content-Type": FORM}, body)).status == 200
    assert reason_of(alarm) == "by a page"


def attempts(cloud: Cloud) -> Iterator[dict[str, str]]:
    """Every operation of the cloud as a page may ask for it, signed by whoever."""
    for service, kind in SERVICES.items():
        model = botocore.session.get_session().get_service_model(service)
        for name in operations(kind):
            how = model.operation_model(name).http
            path = re.sub(r"{[\w-]+\+?}", cloud.ready["function"], how["requestUri"])
            joined = "&" if "?" in path else "?"
            yield {
                "method": how["method"],
                "url": f"{cloud.ready['endpoint_url']}{path}{joined}{presigned(model.signing_name)}&of={name}",
                "target": f"{model.metadata.get('targetPrefix', '')}.{name}",
                "signature": signature(model.signing_name),
                "body": urllib.parse.urlencode({"Action": name, "Version": model.api_version}),
            }


TRY_ALL = """async attempts => {
    const done = []
    const shown = source => new Promise(told => {
        const image = new Image()
        Object.assign(image, {onload: () => told(done.push(source)), onerror: told, src: source})
    })
    for (const {method, url, target, signature, body} of attempts) {
        const headers = {"Authorization": signature, "X-Amz-Target": target, "Content-Type": "application/json"}
        const sent = method === "GET" ? {} : {body: "{}"}
        await Promise.all([
            fetch(url, {method, headers, ...sent}).then(() => done.push(url), () => {}),
            fetch(url, {method: "POST", mode: "no-cors", body: new URLSearchParams(body)}),
            fetch(url, {method: "POST", mode: "no-cors", body: "{}"}),
            fetch(`${url}&${body}`, {mode: "no-cors"}),
            shown(`${url}&${body}`),
        ])
    }
    return done
}"""


def headers_of_a_form(page: "Page", attempt: Mapping[str, str]) -> dict[str, str]:
    """What the browser sends along where a form submits an attempt."""
    with page.expect_response(attempt["url"]) as answered:
        assert page.evaluate(SUBMIT, [attempt["url"], attempt["body"]])
    headers = answered.value.request.all_headers()
    assert (headers["sec-fetch-mode"], headers["content-type"]) == ("navigate", FORM)
    return {name: value for name, value in headers.items() if name != "content-length"}


def test_a_foreign_page_is_refused_every_operation(foreign_page: "Page", canary_cloud: Cloud) -> None:
    """By whatever a page can send: fetches with and without permission, forms and images, each with a signature."""
    tried = [*attempts(canary_cloud)]
    answers: list[tuple[str, int]] = []
    foreign_page.on("response", lambda answer: answers.append((answer.url, answer.status)))
    assert foreign_page.evaluate(TRY_ALL, tried) == []
    assert {url for url, _ in answers} >= {attempt["url"] for attempt in tried}
    for attempt in {attempt["signature"]: attempt for attempt in tried}.values():
        headers = headers_of_a_form(foreign_page, attempt)
    assert {status for _, status in answers} <= {400, 403}
    for attempt in tried:  # as a form would, each of which costs the browser a page
        asked = Asked(
            "", "POST", attempt["url"].removeprefix(canary_cloud.ready["endpoint_url"]), headers, attempt["body"]
        )
        assert send(canary_cloud.ready["endpoint_url"], asked).status in (400, 403)


def upload() -> str:
    """What creates the function `theirs`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("app.py", "def handler(event, context): ...")
    code = {"ZipFile": base64.b64encode(file.getvalue()).decode()}
    role = "arn:aws:iam::123456789012:role/x"
    runs = {"Runtime": "python3.11", "Handler": "app.handler"}
    return json.dumps({"FunctionName": "theirs", "Role": role, "Code": code, **runs})


def names_of_functions() -> set[str]:
    """All functions of the account."""
    return {function["FunctionName"] for function in boto3.client("lambda").list_functions()["Functions"]}


def reason_of(alarm: str) -> str:
    """Why the alarm is in its state."""
    (found,) = boto3.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    return str(found["StateReason"])
