"""Versions that are a service of their own at a URL, and the bundled service."""

import base64
import json
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness.errors import CloudError


class Mirror(BaseHTTPRequestHandler):
    """Answers with what it was asked, or as the path says."""

    protocol_version = "HTTP/1.1"
    release = threading.Event()

    def answer(self):
        """One answer to any method."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = {"method": self.command, "path": self.path, "headers": self.headers.items()}
        seen["body"] = body.decode("latin-1")
        content = b"\x89PNG\xff" if self.path == "/image" else json.dumps(seen).encode()
        if self.path == "/hang":
            self.release.wait(20)
        self.send_response({"/broken": 503, "/thrown": 502, "/moved": 302}.get(self.path, 200))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Location", "/elsewhere")
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = answer  # noqa: N815 - the names of the standard library

    def log_message(self, *args):
        """Quiet."""


@pytest.fixture
def service():
    """The base URL of a service on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Mirror.release.set()
    server.shutdown()
    server.server_close()
    thread.join()
    Mirror.release.clear()


def proxy_event(path="/fakeUser", method="GET", **more):
    """An API Gateway proxy event."""
    return {"httpMethod": method, "path": path, "headers": {"Authorization": "qa@company.com"}, "body": None, **more}


def seen(answer):
    """What the service saw."""
    return json.loads(answer.payload["body"])


def test_a_proxy_event_becomes_a_request(create_image, invoke, service):
    """Method, path, query, headers and body reach the service."""
    create_image(service)
    query = {"multiValueQueryStringParameters": {"a": ["1", "2"], "b": ["x y"]}}
    answer = invoke(proxy_event("/featureToggles", "POST", body='{"userName": "ü"}', **query))
    request = seen(answer)
    assert (request["method"], request["path"]) == ("POST", "/featureToggles?a=1&a=2&b=x+y")
    assert request["body"].encode("latin-1").decode() == '{"userName": "ü"}'
    assert ["Authorization", "qa@company.com"] in request["headers"]


def test_the_base_path_of_the_url_comes_first(create_image, invoke, service):
    """A service need not live at the root."""
    create_image(f"{service}/v2/")
    assert seen(invoke(proxy_event("/fakeUser")))["path"] == "/v2/fakeUser"


def test_a_base64_body_arrives_as_bytes(create_image, invoke, service):
    """isBase64Encoded is undone on the way in."""
    create_image(service)
    body = base64.b64encode(b"\x00\xff").decode()
    assert seen(invoke(proxy_event(method="PUT", body=body, isBase64Encoded=True)))["body"] == "\x00\xff"


def test_headers_of_one_hop_are_not_forwarded(create_image, invoke, service):
    """Host is the service's own, and lengths are made anew."""
    create_image(service)
    headers = {
        "multiValueHeaders": {"Host": ["api.example.com"], "X-Many": ["1", "2"], "Transfer-Encoding": ["chunked"]}
    }
    got = seen(invoke(proxy_event(**headers)))["headers"]
    assert ["Host", service.removeprefix("http://")] in got
    assert [value for name, value in got if name == "X-Many"] == ["1", "2"]
    assert "Transfer-Encoding" not in dict(got)


def test_an_answer_becomes_a_proxy_response(create_image, invoke, service, counted):
    """Status, all headers and body; an answer of 503 is an answer, and no error of the function."""
    create_image(service)
    answer = invoke(proxy_event("/broken"))
    assert (answer.error, answer.payload["statusCode"]) == (None, 503)
    assert answer.payload["multiValueHeaders"]["Set-Cookie"] == ["a=1", "b=2"]
    assert answer.payload["isBase64Encoded"] is False
    assert counted.runs[0]["failed"] is False


def test_a_502_is_what_a_gateway_says_of_a_function_that_threw(create_image, invoke, service, counted):
    """It is an error of the function, and the alarm on Errors counts it."""
    create_image(service)
    assert invoke(proxy_event("/thrown")).error == "Unhandled"
    assert counted.runs[0]["failed"] is True


def test_redirects_are_passed_on(create_image, invoke, service):
    """They are the client's to follow."""
    create_image(service)
    assert invoke(proxy_event("/moved")).payload["statusCode"] == 302


def test_a_binary_answer_is_base64(create_image, invoke, service):
    """As API Gateway expects it."""
    create_image(service)
    payload = invoke(proxy_event("/image")).payload
    assert (payload["isBase64Encoded"], base64.b64decode(payload["body"])) == (True, b"\x89PNG\xff")


def test_no_answer_is_an_unhandled_error(create_image, invoke, counted, unused_port):
    """Connection refused fails the run, and says where."""
    create_image(f"http://127.0.0.1:{unused_port}")
    answer = invoke(proxy_event())
    assert answer.error == "Unhandled"
    assert f"http://127.0.0.1:{unused_port} gave no answer" in answer.payload["errorMessage"]
    assert counted.runs[0]["failed"] is True


@pytest.mark.slow
def test_an_answer_that_takes_too_long_is_a_timeout(create_image, invoke, service):
    """After the function's timeout in wall time."""
    create_image(service, Timeout=1)
    assert invoke(proxy_event("/hang")).payload["errorType"] == "Sandbox.Timedout"


@pytest.mark.parametrize("event", [None, [], "text", {}, {"httpMethod": "GET", "headers": 3}])
def test_an_event_that_is_no_proxy_event_is_an_error(create_image, invoke, service, event):
    """There is no request to make of it."""
    create_image(service)
    answer = invoke(event)
    assert answer.error == "Unhandled"
    assert "not an API Gateway proxy event" in answer.payload["errorMessage"]


def test_warming_a_service_that_does_not_listen_names_its_url(create_image, functions, unused_port):
    """One clear sentence before the rehearsal starts."""
    create_image(f"http://127.0.0.1:{unused_port}")
    with pytest.raises(CloudError, match=f"Nothing listens at http://127.0.0.1:{unused_port} for fn"):
        functions.warm("fn", "$LATEST")


def test_warming_a_service_that_listens_is_quiet(create_image, functions, service):
    """Nothing is asked of it."""
    create_image(service)
    functions.warm("fn", "$LATEST")


@pytest.mark.parametrize("host", ["localhost:3000", "127.0.0.1", "127.0.1.1:80", "[::1]:3000"])
def test_a_service_may_be_anywhere_on_loopback(create_image, functions, host):
    """By name and by either kind of address."""
    create_image(f"http://{host}")
    assert functions.code("fn", "$LATEST").url == f"http://{host}"


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1", "http://", "http://127.0.0.1:x", "http://[::1", "http://0.0.0.0:80"]
)
def test_a_service_beyond_loopback_is_refused(refused, url):
    """A rehearsal sends its traffic to this machine alone."""
    params = {"FunctionName": "fn", "Role": "arn:aws:iam::123456789012:role/r", "Code": {"ImageUri": url}}
    assert "must be on loopback" in refused("CreateFunction", "InvalidParameterValueException", **params)


def test_a_version_tells_its_kind(create, create_image, client, functions, service):
    """Kind, URL and environment are what the gateway needs, and the same object each time."""
    create(Environment={"Variables": {"MODE": "a1"}})
    create_image(service, FunctionName="url")
    create_image("canary-harness:bundled", FunctionName="bundled")
    codes = [functions.code(name, "$LATEST") for name in ("fn", "url", "bundled")]
    assert [(code.kind, code.url) for code in codes] == [("python", None), ("url", service), ("bundled", None)]
    assert dict(codes[0].environment) == {"MODE": "a1"}
    assert functions.code("fn", "$LATEST") is codes[0]


@pytest.fixture
def bundled(monkeypatch):
    """Stands in for the bundled service: answers with its version's environment, or raises."""

    def handler(event, context):
        if event.get("raise"):
            raise ValueError("meant to fail")
        return {"statusCode": 200, "body": context.environment["MODE"] + context.function_version}

    module = types.ModuleType("harness.rehearsal.service")
    module.handler = handler
    monkeypatch.setitem(sys.modules, "harness.rehearsal.service", module)


def test_the_bundled_service_runs_with_its_versions_environment(bundled, create_image, publish, invoke, functions):
    """In the cloud's own process, each version with what was frozen with it."""
    create_image("canary-harness:bundled")
    publish(MODE="baseline")
    publish(MODE="canary")
    functions.warm("fn", "1")
    assert [invoke({}, Qualifier=version).payload["body"] for version in ("1", "2")] == ["baseline1", "canary2"]
    assert functions.pids() == []


def test_an_error_of_the_bundled_service_is_unhandled(bundled, create_image, invoke, counted):
    """What it raises becomes Lambda's error payload."""
    create_image("canary-harness:bundled", Environment={"Variables": {"MODE": "canary"}})
    answer = invoke({"raise": True})
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "ValueError")
    assert answer.payload["errorMessage"] == "meant to fail"
    assert counted.runs[0]["failed"] is True
