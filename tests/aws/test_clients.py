"""One retry policy, and every failure of AWS as an error of ours."""

import io
import json
import os
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from harness.aws.clients import Aws, Clients, Patience, action
from harness.errors import (
    AccessDenied,
    AwsError,
    BadCredentials,
    ExitCode,
    HarnessError,
    NotFound,
    Throttled,
    Unavailable,
    Unreachable,
    UsageError,
)

GOOD = {"deploymentInfo": {"deploymentId": "d-1", "status": "InProgress"}}
URL = "http://127.0.0.1:9"


class Body(io.BytesIO):
    """A response body as urllib3 hands it to botocore."""

    def stream(self, **_: Any) -> Any:
        """The whole body as one piece."""
        yield self.read()


def answer(body: bytes | dict[str, Any], status: int = 200) -> AWSResponse:
    """One HTTP answer of CodeDeploy."""
    raw = json.dumps(body).encode() if isinstance(body, dict) else body
    return AWSResponse(URL, status, {"content-type": "application/x-amz-json-1.1"}, Body(raw))


def refusal(code: str, message: str = "no", status: int = 400) -> AWSResponse:
    """An error answer of CodeDeploy."""
    return answer({"__type": code, "message": message}, status)


class Wire:
    """Stands in for the network below botocore: answers in turn, of which the last one stays."""

    def __init__(self) -> None:
        self.answers: deque[Any] = deque([answer(GOOD)])
        self.sent = 0

    def __call__(self, **_: Any) -> Any:
        """The next answer, or the next failure of the network."""
        self.sent += 1
        given = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
        if isinstance(given, Exception):
            raise given
        return given


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")


@pytest.fixture(scope="module")
def session() -> Any:
    """One session for all tests: what botocore loads of its models is kept."""
    return boto3.session.Session("test", "test", region_name="eu-north-1")


@pytest.fixture
def wire(session: Any) -> Any:
    """The network below the session, and gone afterwards."""
    network = Wire()
    session.events.register("before-send", network)
    yield network
    session.events.unregister("before-send", network)


@pytest.fixture
def aws(session: Any, wire: Wire) -> Aws:
    """AWS behind the scripted network, with retries that do not wait."""
    return Aws(Patience(attempts=4, first_wait_s=0.0, longest_wait_s=0.0), Clients(session))


def get_deployment(aws: Aws) -> Any:
    """Any call that reads."""
    return aws.call("codedeploy", "get_deployment", deploymentId="d-1")


def create_deployment(aws: Aws) -> Any:
    """The call that must not be made twice."""
    return aws.call("codedeploy", "create_deployment", applicationName="shop")


SIDE_BY_SIDE = """
from gevent import monkey
monkey.patch_all()
import gevent, os, time
from gevent.pywsgi import WSGIServer
from harness.aws.clients import Aws

def slow(environ, start_response):
    gevent.sleep(0.5)
    start_response("200 OK", [("Content-Type", "application/x-amz-json-1.1")])
    return [b'{"deploymentInfo": {}}']

server = WSGIServer(("127.0.0.1", 0), slow, log=None)
server.start()
os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{server.server_port}"
aws = Aws()
aws.warm("codedeploy")
began = time.monotonic()
gevent.joinall(
    [gevent.spawn(aws.call, "codedeploy", "get_deployment", deploymentId="d-1") for _ in range(8)], raise_error=True
)
print(time.monotonic() - began)
"""
PASSING = {
    "throttled": lambda: refusal("ThrottlingException", "Rate exceeded"),
    "throttled in other words": lambda: refusal("SomethingNew", "Rate exceeded"),
    "too many requests": lambda: refusal("TooManyRequestsException", status=429),
    "its own failure": lambda: refusal("InternalFailure", status=500),
    "service unavailable": lambda: answer(b"<html>busy</html>", 503),
    "connection refused": lambda: EndpointConnectionError(endpoint_url=URL),
    "connect timeout": lambda: ConnectTimeoutError(endpoint_url=URL),
    "read timeout": lambda: ReadTimeoutError(endpoint_url=URL),
    "reset": lambda: ConnectionClosedError(endpoint_url=URL),
    "half an answer": lambda: answer(json.dumps(GOOD).encode()[:-7]),
    "no body": lambda: answer(b""),
    "half a refusal": lambda: answer(b'{"__type":"Throttl', 400),
    "not an object": lambda: answer(b"null"),
}


@pytest.mark.parametrize("failure", PASSING.values(), ids=PASSING)
def test_what_may_pass_is_asked_again(aws: Aws, wire: Wire, failure: Any) -> None:
    """Two failures and then an answer are an answer."""
    wire.answers = deque([failure(), failure(), answer(GOOD)])
    assert get_deployment(aws)["deploymentInfo"]["status"] == "InProgress"
    assert wire.sent == 3


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (lambda: refusal("ThrottlingException"), Throttled),
        (lambda: refusal("InternalFailure", status=500), Unavailable),
        (lambda: EndpointConnectionError(endpoint_url=URL), Unreachable),
        (lambda: answer(b"{"), Unreachable),
    ],
)
def test_patience_ends(aws: Aws, wire: Wire, failure: Any, kind: type[HarnessError]) -> None:
    """After the last attempt the failure itself is raised, with the call in its message."""
    wire.answers = deque(failure() for _ in range(9))
    with pytest.raises(kind, match="codedeploy:GetDeployment"):
        get_deployment(aws)
    assert wire.sent == 4


def test_patience_ends_in_time(session: Any, wire: Wire) -> None:
    """No attempt begins after the total time, however many are left."""
    wire.answers = deque([EndpointConnectionError(endpoint_url=URL)])
    with pytest.raises(Unreachable):
        get_deployment(Aws(Patience(attempts=99, total_s=0.05, first_wait_s=0.1), Clients(session)))
    assert wire.sent == 1


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("AccessDeniedException", 400, AccessDenied),
        ("AccessDenied", 403, AccessDenied),
        ("DeploymentDoesNotExistException", 400, NotFound),
        ("ResourceNotFoundException", 404, NotFound),
        ("ExpiredTokenException", 400, BadCredentials),
        ("DeploymentLimitExceededException", 400, AwsError),
        ("InvalidDeploymentIdException", 400, AwsError),
        ("NotImplemented", 501, AwsError),
    ],
)
def test_a_refusal_is_final(aws: Aws, wire: Wire, code: str, status: int, kind: type[AwsError]) -> None:
    """What AWS refuses for a reason is not asked again, and keeps AWS's own code."""
    wire.answers = deque([refusal(code, status=status)])
    with pytest.raises(kind) as caught:
        get_deployment(aws)
    assert (type(caught.value), caught.value.code, wire.sent) == (kind, code, 1)


def test_a_missing_permission_is_named(aws: Aws, wire: Wire) -> None:
    """The message says which action the policy must allow."""
    wire.answers = deque([refusal("AccessDeniedException", "User: arn is not authorized")])
    with pytest.raises(AccessDenied, match="Allow codedeploy:GetDeployment in the policy"):
        get_deployment(aws)


def test_expired_credentials_are_called_that(aws: Aws, wire: Wire) -> None:
    """The message says what to do about them."""
    wire.answers = deque([refusal("ExpiredTokenException", "The security token included in the request is expired")])
    with pytest.raises(AwsError, match="renew"):
        get_deployment(aws)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidSignatureException", "Signature expired: 20260101T120000Z is now earlier than 20260101T120500Z"),
        (
            "InvalidSignatureException",
            "Signature not yet current: 20260101T121000Z is still later than 20260101T120500Z",
        ),
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large"),
    ],
)
def test_a_clock_that_is_minutes_off_is_called_that(aws: Aws, wire: Wire, code: str, message: str) -> None:
    """AWS's code blames the signature, and renewed credentials would not help."""
    wire.answers = deque([refusal(code, message)])
    with pytest.raises(AwsError, match="clock differs from AWS's: set it"):
        get_deployment(aws)


CREDENTIALS = "[default]\naws_access_key_id = {key}\naws_secret_access_key = secret\naws_session_token = token\n"


def test_credentials_that_somebody_renewed_in_their_file_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run may last longer than a session's token; boto3 itself reads the file once."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    file, used = tmp_path / "credentials", []
    session = boto3.session.Session()

    def answering(request: Any, **_: Any) -> AWSResponse:
        used.append(request.headers["Authorization"].split(b"=")[1].split(b"/")[0].decode())
        return answer(GOOD) if used[-1] == "RENEWED" else refusal("ExpiredTokenException", "expired")

    session.events.register("before-send", answering)
    file.write_text(CREDENTIALS.format(key="OLD"))
    aws = Aws(clients=Clients(session))
    with pytest.raises(BadCredentials):
        get_deployment(aws)
    file.write_text(CREDENTIALS.format(key="RENEWED"))
    with pytest.raises(BadCredentials):
        get_deployment(aws)
    assert get_deployment(aws)
    assert used == ["OLD", "OLD", "RENEWED"]


def test_a_page_of_a_proxy_becomes_one_line(aws: Aws, wire: Wire) -> None:
    """An HTML body does not flood the report."""
    wire.answers = deque([answer(b"<html>\n" + b"very long\n" * 500, 502)])
    with pytest.raises(Unavailable) as caught:
        get_deployment(aws)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("failure", [ReadTimeoutError(endpoint_url=URL), ConnectionClosedError(endpoint_url=URL)])
def test_a_deployment_that_may_exist_is_not_created_again(aws: Aws, wire: Wire, failure: Exception) -> None:
    """No answer does not mean that nothing happened."""
    wire.answers = deque([failure])
    with pytest.raises(Unreachable):
        create_deployment(aws)
    assert wire.sent == 1


@pytest.mark.parametrize(
    "failure", [lambda: EndpointConnectionError(endpoint_url=URL), lambda: refusal("ThrottlingException")]
)
def test_a_deployment_that_cannot_exist_is_created_again(aws: Aws, wire: Wire, failure: Any) -> None:
    """A refused connection and a throttled call have surely changed nothing."""
    wire.answers = deque([failure(), answer({"deploymentId": "d-2"})])
    assert create_deployment(aws)["deploymentId"] == "d-2"


@pytest.mark.parametrize("cut", range(len(json.dumps(GOOD))))
def test_an_answer_cut_anywhere_is_no_answer(aws: Aws, wire: Wire, cut: int) -> None:
    """A body that breaks off is never taken for an empty answer."""
    wire.answers = deque(answer(json.dumps(GOOD).encode()[:cut]) for _ in range(5))
    with pytest.raises(Unreachable):
        get_deployment(aws)


def test_wrong_parameters_are_a_usage_error(aws: Aws) -> None:
    """botocore's own validation names the parameter."""
    with pytest.raises(UsageError, match="deploymentId"):
        aws.call("codedeploy", "get_deployment")


def test_credentials_that_cannot_be_had_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where they come from a program or a sign-on, that may have to be renewed."""
    (tmp_path / "config").write_text("[profile broken]\ncredential_process = false\n")
    monkeypatch.setenv("AWS_PROFILE", "broken")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(AwsError, match="Renew"):
        Aws().warm("codedeploy")


@pytest.mark.slow
def test_under_gevent_calls_wait_side_by_side(tmp_path: Path) -> None:
    """Locust patches the standard library; a slow answer then holds up nobody else."""
    script = tmp_path / "side_by_side.py"
    script.write_text(SIDE_BY_SIDE)
    took = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=60).stdout
    assert 0.5 <= float(took) < 2.0


def test_a_region_that_does_not_exist_is_doubted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address cannot be found, and the sentence says which region is near."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    session = boto3.session.Session(region_name="eu-nort-1", **keys)

    def nowhere(request: Any, **_: Any) -> None:
        raise EndpointConnectionError(endpoint_url=request.url)

    session.events.register("before-send", nowhere)
    with pytest.raises(Unreachable, match="no region eu-nort-1, did you mean eu-north-1"):
        Aws(Patience(attempts=1), Clients(session)).call("codedeploy", "list_applications")


def test_a_region_that_exists_is_not_doubted(aws: Aws, wire: Wire) -> None:
    """Then it is the network."""
    wire.answers = deque([EndpointConnectionError(endpoint_url=URL)])
    with pytest.raises(Unreachable) as caught:
        aws.call("codedeploy", "list_applications")
    assert "did you mean" not in str(caught.value)


def test_no_region_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says which variable to set."""
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(UsageError, match="AWS_REGION") as caught:
        Aws().warm("codedeploy")
    assert caught.value.exit_code is ExitCode.USAGE


def test_no_credentials_are_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are missed before the first call is made."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UsageError, match="no AWS credentials"):
        Aws().warm("codedeploy")


def test_half_credentials_are_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An access key without its secret is no credentials."""
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UsageError, match="no AWS credentials"):
        Aws().warm("codedeploy")


def test_an_unknown_profile_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the profile."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UsageError, match="nobody"):
        Aws().warm("codedeploy")


def test_an_endpoint_that_is_no_url_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "not a url")
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL"):
        Aws().warm("codedeploy")


def test_clients_are_made_once(session: Any, wire: Wire) -> None:
    """Creating one is slow, so it is kept."""
    clients = Clients(session)
    assert clients.of("codedeploy") is clients.of("codedeploy")


@pytest.mark.parametrize(
    ("service", "operation", "name"),
    [
        ("codedeploy", "get_deployment", "codedeploy:GetDeployment"),
        ("codedeploy", "batch_get_deployments", "codedeploy:BatchGetDeployments"),
        ("cloudwatch", "get_metric_data", "cloudwatch:GetMetricData"),
        ("lambda", "get_alias", "lambda:GetAlias"),
    ],
)
def test_a_method_of_boto3_is_named_as_its_iam_action(service: str, operation: str, name: str) -> None:
    """What stands in a policy stands in our messages."""
    assert action(service, operation) == name


def test_aws_region_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every other SDK takes the region from it, so people set it."""
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    Aws().warm()


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": ""}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-2"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "eu-west-3"),
    ],
)
def test_a_region_set_to_nothing_counts_as_unset(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], region: str
) -> None:
    """Pipelines set variables that they do not have to nothing; the profile's region is the last resort."""
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-west-3\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Aws().region == region
