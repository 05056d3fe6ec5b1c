"""The gateway against a tiny Lambda: every route and every row of what a client sees."""

import asyncio
import base64
import json
import random
import threading
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from harness.core.experiment.types import Arm, Deployment, Experiment
from harness.rehearsal import service
from harness.rehearsal.admission import LONGEST_TOKEN, Authorizer, Throttle, TokenBucket
from harness.rehearsal.apis import of_experiment
from harness.rehearsal.apis.integrations import MOST_WAITING, Integrations, Running
from harness.rehearsal.apis.routes import ApiRoute, Integration, Routes
from harness.rehearsal.apis.stages import Stage, Stages
from harness.rehearsal.cloudwatch.api_requests import ApiName
from harness.rehearsal.cloudwatch.invocations import ALONE, Underway
from harness.rehearsal.gateway import LARGEST_BODY, Gateway
from harness.rehearsal.proxy import ApiHome
from harness.rehearsal.refusal import Refusal
from harness.rehearsal.waiting import WaitingThreads

BETA = {"Authorization": "betauser@company.com", "X-Client-Version": "2"}
ERROR = {**BETA, "Authorization": "erroruser@company.com"}
INTERNAL_ERROR = {"message": "Internal server error"}


class Code(Struct, frozen=True, kw_only=True):
    """A published version."""

    kind: str = "bundled"
    environment: dict[str, str] = {}
    timeout_s: float = 30.0


class Invocation(Struct, frozen=True, kw_only=True):
    """An invocation that ended."""

    payload: bytes = b"null"
    error: str | None = None


class FakeLambda:
    """Versions, what `run` gives, and what was recorded; `outcome` may be an exception or a function of the event."""

    def __init__(self, codes: dict[str, Code], outcome: Any = None, weight: float = 0.0) -> None:
        self.codes = codes
        self.outcome = outcome
        self.weight = weight
        self.concurrency: int | None = None
        self.events: list[dict[str, Any]] = []
        self.asked_s: list[float] = []
        self.records: list[tuple[str, str | None, str, float, float, bool]] = []

    def draw(self, function: str, qualifier: str | None, chance: float, at_s: float) -> str:
        """Version 2 by `weight`, else version 1; of another function than fn always its $LATEST."""
        if function != "fn":
            return "$LATEST"
        if not self.codes:
            raise Refusal("ResourceNotFoundException", "no such alias")
        return "2" if chance < self.weight else "1"

    def code(self, function: str, version: str) -> Code:
        """The version as given."""
        return self.codes["1" if version == "$LATEST" else version]

    def take_slot(self, function: str, alias: str | None, version: str, at_s: float) -> Underway:
        """Throttles all where concurrency is 0."""
        if self.concurrency == 0:
            raise Refusal("TooManyRequestsException", "Rate Exceeded.")
        return ALONE

    def free_slot(self, function: str, alias: str | None, version: str) -> None:
        """Nothing is held."""

    def run(
        self, function: str, version: str, event: bytes, *, alias: str | None, speed: float, at_s: float
    ) -> Invocation:
        """Gives `outcome`."""
        self.asked_s.append(at_s)
        self.events.append(json.loads(event))
        outcome = self.outcome(self.events[-1]) if callable(self.outcome) else self.outcome
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Invocation) else Invocation(payload=json.dumps(outcome).encode())

    def record(
        self,
        function: str,
        alias: str | None,
        version: str,
        started_s: float,
        duration_ms: float,
        *,
        failed: bool,
        underway: Underway = ALONE,
    ) -> None:
        """Keeps what it is told."""
        self.records.append((function, alias, version, started_s, duration_ms, failed))


class Counted(Struct, frozen=True):
    """One request as the API's metrics have it."""

    api: ApiName
    received_s: float
    status: int
    latency_ms: float
    integration_ms: float | None


class Answer(Struct, frozen=True):
    """What a client saw."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)


class Client:
    """Calls a gateway without a socket; `now` is the simulated time it lives in."""

    def __init__(
        self,
        backend: FakeLambda,
        *,
        name: ApiName = ApiName("rehearsal", "rehearsal", "shared"),  # noqa: B008 - never changed
        throttle: Throttle | None = None,
        timeout_s: float = 29.0,
        experiment: Experiment = Experiment(name="one"),  # noqa: B008 - never changed
        plan: Any = None,
        **running: Any,
    ) -> None:
        self.now = 1000.0
        self.backend = backend
        self.counted: list[Counted] = []
        to = Integration(function="fn", qualifier="Live", timeout_s=timeout_s)
        users = Authorizer(service.principal)
        routes = of_experiment.routes(experiment, to, of_experiment.beside(experiment, "app"), users)
        bucket = TokenBucket(throttle, self.now) if throttle else None
        home = ApiHome(name=name, account="123456789012", region="eu-north-1")
        stages = Stages()
        stages.main = Stage(home=home, routes=Routes(routes), bucket=bucket)
        integrations = Integrations(
            Running(**running),
            backend,
            backend,
            injected=lambda _: 0.0,
        )
        self.gateway = Gateway(stages, integrations, self, now=lambda: self.now, rng=random.Random(3), plan=plan)

    def record(self, *counted: Any) -> None:
        """Stands in for the API's metrics."""
        self.counted.append(Counted(*counted))

    def ask(
        self, path: str = "/shared/fakeUser", headers: dict[str, str] = BETA, *, method: str = "GET", body: bytes = b""
    ) -> Answer:
        """One request and its answer."""
        return asyncio.run(self.answer(path, headers, method=method, body=body))

    async def answer(self, path: str, headers: dict[str, str], *, method: str = "GET", body: bytes = b"") -> Answer:
        """The same inside a running loop."""
        path, _, query = path.partition("?")
        sent_headers = {"Host": "localhost", **headers}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent_headers.items()],
            "client": ("127.0.0.9", 4711),
        }
        chunks = [body[start : start + 65536] for start in range(0, len(body), 65536)] or [b""]
        messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        messages[-1]["more_body"] = False
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        await self.gateway(scope, receive, send)
        headers_seen = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], headers_seen, sent[1]["body"])

    def toggles(self, body: bytes, headers: dict[str, str] = {}) -> Answer:  # noqa: B006 - never changed
        """POST /featureToggles."""
        return self.ask("/shared/featureToggles", headers, method="POST", body=body)


def bundled(weight: float = 0.0, **canary_environment: str) -> FakeLambda:
    """Two versions of the bundled service."""
    return FakeLambda({"1": Code(), "2": Code(environment=canary_environment)}, weight=weight)


def own(outcome: Any) -> FakeLambda:
    """One version of somebody's own code that always ends in `outcome`."""
    return FakeLambda({"1": Code(kind="python")}, outcome)


# Routes and refusals


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [("/shared/fakeUser", BETA, 200), ("/shared/fakeUser", ERROR, 502), ("/shared/fakeUser", {}, 401)],
)
def test_each_request_counts_in_the_apis_metrics(path: str, headers: dict[str, str], status: int) -> None:
    """With the minute in which it came, its status and its latency; that of the function only where one was invoked."""
    client = Client(bundled())
    client.ask(path, headers)
    (counted,) = client.counted
    assert (counted.received_s, counted.status) == (1000.0, status)
    assert counted.latency_ms >= (counted.integration_ms or 0.0)
    assert (counted.integration_ms is None) == (status == 401)


def test_a_request_that_reaches_no_stage_counts_nowhere() -> None:
    """An unknown path of the stage counts as a client's error, another stage or host is nobody's."""
    client = Client(bundled())
    client.ask("/shared/nowhere")
    assert [counted.status for counted in client.counted] == [403]
    client.ask("/other/fakeUser")
    client.ask(headers={**BETA, "Host": "evil.example"})
    assert len(client.counted) == 1


def test_the_default_stage_has_no_path_of_its_own() -> None:
    """As that of an HTTP API."""
    client = Client(bundled(), name=ApiName("shop", "a1b2c3", "$default"))
    assert client.ask("/fakeUser").status == 200
    assert client.counted[0].api.stage == "$default"


def test_fake_user_is_answered_by_the_version_that_was_drawn() -> None:
    """GET /fakeUser gives the user, JSON, and names the version."""
    answer = Client(bundled()).ask()
    assert (answer.status, answer.content["email"]) == (200, "some_test_email@company.com")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-lambda-version"] == "1"
    assert answer.headers["content-length"] == str(len(answer.body))


def test_feature_toggles_needs_no_authorization() -> None:
    """POST /featureToggles has no authorizer."""
    answer = Client(bundled()).toggles(b'{"userName": "devuser@company.com"}')
    assert (answer.status, answer.content["userGroup"]) == (200, "dev")


def test_every_answer_has_api_gateways_ids() -> None:
    """Request ids are there, and no two are alike."""
    client = Client(bundled())
    answers = [client.ask(), client.ask(headers={}), client.ask("/shared/nowhere")]
    assert len({answer.headers["x-amzn-requestid"] for answer in answers}) == 3
    assert all(len(base64.b64decode(answer.headers["x-amz-apigw-id"])) == 11 for answer in answers)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/shared/nowhere"),
        ("GET", "/shared"),
        ("GET", "/shared/"),
        ("GET", "/shared/fakeUser/"),
        ("GET", "/shared/fakeuser"),
        ("POST", "/shared/fakeUser"),
        ("GET", "/shared/featureToggles"),
        ("HEAD", "/shared/fakeUser"),
        ("OPTIONS", "/shared/fakeUser"),
        ("DELETE", "/shared/featureToggles"),
    ],
)
def test_an_unknown_route_is_403(method: str, path: str) -> None:
    """API Gateway asks for a token where it knows no route."""
    answer = Client(bundled()).ask(path, method=method)
    assert (answer.status, answer.content) == (403, {"message": "Missing Authentication Token"})
    assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


@pytest.mark.parametrize("path", ["/", "/fakeUser", "/prod/fakeUser", "/sharedfakeUser"])
def test_an_unknown_stage_is_forbidden(path: str) -> None:
    """Outside the stage nothing is known at all."""
    answer = Client(bundled()).ask(path)
    assert (answer.status, answer.content) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize("headers", [{"X-Client-Version": "1"}, {"Authorization": "", "X-Client-Version": "1"}])
def test_a_missing_authorization_is_401(headers: dict[str, str]) -> None:
    """Without its identity source the authorizer is not asked and no version invoked."""
    client = Client(bundled())
    answer = client.ask(headers=headers)
    assert (answer.status, answer.content) == (401, {"message": "Unauthorized"})
    assert answer.headers["x-amzn-errortype"] == "UnauthorizedException"
    assert not client.backend.records


def test_a_body_that_is_no_question_is_refused_before_the_function() -> None:
    """By the API's request validator: no version is invoked."""
    client = Client(bundled())
    answer = client.toggles(b'{"userName": "a+b@company.com"}')
    assert (answer.status, answer.content) == (400, {"message": "Invalid request body"})
    assert not client.backend.records


def test_a_failure_behind_the_service_is_a_500_and_no_error() -> None:
    """The function answers it itself."""
    client = Client(bundled(weight=1.0, UPSTREAM_FAIL_RATIO="1"))
    answer = client.ask()
    assert (answer.status, answer.content) == (500, "No imageResponse!")
    assert [record[-1] for record in client.backend.records] == [False]


@pytest.mark.parametrize("user", ["a@b", "x@evil.org!", "é@company.çom", "a" * 300, "a" * 9000])
def test_a_malformed_user_is_denied(user: str) -> None:
    """The authorizer denies; no version is invoked, so no version is named."""
    client = Client(bundled())
    answer = client.ask(headers={**BETA, "Authorization": user})
    assert answer.status == 403
    assert answer.content["Message"].startswith("User is not authorized to access this resource")
    assert answer.headers["x-amzn-errortype"] == "AccessDeniedException"
    assert "x-lambda-version" not in answer.headers
    assert not client.backend.records


def test_a_throttled_stage_is_429() -> None:
    """Beyond burst and rate the stage refuses, and simulated time fills it again."""
    client = Client(bundled(), throttle=Throttle(rate=1, burst=2))
    assert [client.ask().status for _ in range(3)] == [200, 200, 429]
    client.now += 1
    answers = [client.ask(), client.ask()]
    assert [answer.status for answer in answers] == [200, 429]
    assert answers[1].content == {"message": "Too Many Requests"}


def test_a_body_of_more_than_10_mb_is_413() -> None:
    """API Gateway takes no larger payload."""
    client = Client(bundled())
    answer = client.toggles(b"x" * (LARGEST_BODY + 1))
    assert answer.status == 413
    assert not client.backend.records


def test_a_body_that_says_it_is_too_large_is_413_unread() -> None:
    """The length alone is enough."""
    assert Client(bundled()).toggles(b"", {"Content-Length": str(LARGEST_BODY + 1)}).status == 413


def test_a_body_of_10_mb_is_let_in() -> None:
    """The limit itself is allowed; the function finds nothing in it."""
    assert Client(bundled()).toggles(b"x" * LARGEST_BODY).status == 400


# Several functions


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/fakeUser", "/orders/1", "/featureToggles"])
def test_every_path_and_method_reaches_a_service_at_a_url(method: str, path: str) -> None:
    """No route of the bundled service, and nothing that stands in front of one, is in its way."""
    experiment = Experiment(name="own", baseline=Arm(url="http://127.0.0.1:1"), canary=Arm(url="http://127.0.0.1:2"))
    client = Client(own({"statusCode": 200}), experiment=experiment)
    assert client.ask(f"/shared{path}", {}, method=method).status == 200
    assert client.backend.events[0]["path"] == path


def test_what_another_function_answers_is_no_run_of_this_one() -> None:
    """It has no alias: its version is $LATEST, and its runs count for it alone."""
    deployment = Deployment(requests=("/fakeUser",))
    client = Client(bundled(weight=1.0, FAIL_RATIO="1"), experiment=Experiment(name="two", deployment=deployment))
    answers = [client.ask(), client.toggles(b'{"userName": "devuser@company.com"}')]
    seen = [(answer.status, answer.headers["x-lambda-version"]) for answer in answers]
    assert seen == [(502, "2"), (200, "$LATEST")]
    assert [record[:3] for record in client.backend.records] == [
        ("fn", "Live", "2"),
        ("app-FeatureToggles", None, "$LATEST"),
    ]


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/orders/new", "GET /orders/new"),
        ("GET", "/orders/1", "ANY /orders/{id}"),
        ("POST", "/orders/new", "ANY /orders/{id}"),
        ("GET", "/orders/1/lines", "ANY /{proxy+}"),
        ("GET", "/", None),
    ],
)
def test_the_most_specific_route_answers(method: str, path: str, route: str | None) -> None:
    """Fixed parts go before parameters, those before greedy ones."""
    paths = ["ANY /{proxy+}", "ANY /orders/{id}", "GET /orders/new"]
    to = Integration(function="fn")
    made = [ApiRoute(method=one.split()[0], path=one.split()[1], integration=to) for one in paths]
    matched = Routes(made).match(method, path)
    assert (f"{matched.route.method} {matched.route.path}" if matched else None) == route


def test_a_rest_api_looks_for_the_method_at_one_path_alone() -> None:
    """A path that fits better hides the method of another."""
    to = Integration(function="fn")
    made = [ApiRoute(method="GET", path="/orders", integration=to), ApiRoute(method="ANY", path="/{a}", integration=to)]
    assert Routes(made, falls_back=False).match("POST", "/orders") is None
    assert Routes(made).match("POST", "/orders") is not None


# The authorizer


class Decider:
    """An authorizer function that can change its mind, and counts."""

    def __init__(self) -> None:
        self.principal: str | None = None
        self.asked = 0

    def __call__(self, token: str) -> str | None:
        """Whatever it thinks now."""
        self.asked += 1
        return self.principal


def test_a_deny_stays_denied_for_30_seconds() -> None:
    """Results are cached, denials too, in simulated time."""
    decide = Decider()
    authorizer = Authorizer(decide)
    assert authorizer.principal(b"someone", 0.0) is None
    decide.principal = "someone"
    assert authorizer.principal(b"someone", 29.9) is None
    assert authorizer.principal(b"someone", 30.0) == "someone"


def test_a_cached_result_does_not_ask_again() -> None:
    """One token is decided once within its time."""
    decide = Decider()
    authorizer = Authorizer(decide)
    for _ in range(5):
        authorizer.principal(b"someone", 0.0)
    assert decide.asked == 1


def test_the_authorizers_cache_is_bounded() -> None:
    """The oldest results make room."""
    decide = Decider()
    authorizer = Authorizer(decide, capacity=2)
    for token in (b"a", b"b", b"c", b"a", b"c"):
        authorizer.principal(token, 0.0)
    assert decide.asked == 4


def test_an_over_long_token_is_denied_unasked() -> None:
    """What could fill the memory is not kept."""
    decide = Decider()
    assert Authorizer(decide).principal(b"a" * (LONGEST_TOKEN + 1), 0.0) is None
    assert decide.asked == 0


# The bundled service


@pytest.mark.parametrize(
    "headers",
    [
        ERROR,
        {**BETA, "X-Client-Version": "3"},
        {"Authorization": "a@company.com"},
        {**BETA, "Authorization": "a+b@company.com"},
    ],
)
def test_a_service_that_throws_is_502(headers: dict[str, str]) -> None:
    """Error user, wrong or no client version, a user that is no email: an unhandled exception, counted as an error."""
    client = Client(bundled())
    answer = client.ask(headers=headers)
    assert (answer.status, answer.content) == (502, INTERNAL_ERROR)
    assert answer.headers["x-amzn-errortype"] == "InternalServerErrorException"
    assert [record[-1] for record in client.backend.records] == [True]


def test_a_502_names_its_version_unless_told_otherwise() -> None:
    """AWS's 502 knows no version; the default tells it all the same, because attribution needs it."""
    assert Client(bundled()).ask(headers=ERROR).headers["x-lambda-version"] == "1"
    assert "x-lambda-version" not in Client(bundled(), version_header="answers").ask(headers=ERROR).headers


def test_answers_of_the_function_always_name_their_version() -> None:
    """The function's own answers carry the header in both modes."""
    assert Client(bundled(), version_header="answers").ask().headers["x-lambda-version"] == "1"


def test_metrics_equal_the_requests_that_were_let_in() -> None:
    """One record for each invocation, stamped with the simulated time of its arrival."""
    client = Client(bundled())
    for number, headers in enumerate([BETA, ERROR, {}, {**BETA, "Authorization": "x"}, BETA]):
        client.now = 1000.0 + number
        client.ask(headers=headers)
    seen = [
        (function, alias, version, at, failed) for function, alias, version, at, _, failed in client.backend.records
    ]
    assert seen == [
        ("fn", "Live", "1", 1000.0, False),
        ("fn", "Live", "1", 1001.0, True),
        ("fn", "Live", "1", 1004.0, False),
    ]


def test_versions_answer_by_weight() -> None:
    """A tenth of the requests at weight 0.1 names the canary."""
    client = Client(bundled(weight=0.1))
    versions = Counter(client.ask().headers["x-lambda-version"] for _ in range(2000))
    assert 140 <= versions["2"] <= 260  # 200 expected, 4.5 standard deviations each way


def test_fail_ratio_fails_its_share_of_the_version_alone() -> None:
    """FAIL_RATIO 0.5 of the canary fails half of its requests and none of the baseline's."""
    client = Client(bundled(weight=0.5, FAIL_RATIO="0.5"))
    answers = [client.ask() for _ in range(2000)]
    failed = Counter(answer.headers["x-lambda-version"] for answer in answers if answer.status == 502)
    assert failed["1"] == 0
    assert 410 <= failed["2"] <= 590  # 500 expected, 4.5 standard deviations each way


def test_a_version_with_a_bad_environment_always_fails() -> None:
    """A function that throws while it starts fails every invocation."""
    client = Client(bundled(weight=1.0, FAIL_RATIO="most"))
    assert client.ask().status == 502


def test_latency_delays_without_blocking_others() -> None:
    """Slow invocations wait side by side."""
    client = Client(bundled(weight=1.0, LATENCY_MS="50"))

    async def many() -> list[Answer]:
        return await asyncio.gather(*[client.answer("/shared/fakeUser", BETA) for _ in range(50)])

    begun = time.perf_counter()
    answers = asyncio.run(many())
    assert {answer.status for answer in answers} == {200}
    assert time.perf_counter() - begun < 1.0
    assert all(record[4] >= 49 for record in client.backend.records)


def test_what_takes_long_is_counted_at_once() -> None:
    """Where time is compressed its end comes minutes later: an alarm would judge its minute without it."""
    client = Client(bundled(weight=1.0, LATENCY_MS="200"))

    async def counted_while_under_way() -> list[float]:
        asked = asyncio.ensure_future(client.answer("/shared/fakeUser", BETA))
        while not client.backend.records and not asked.done():
            await asyncio.sleep(0)
        assert not asked.done()
        durations_ms = [record[4] for record in client.backend.records]
        await asked
        return durations_ms

    (duration_ms,) = asyncio.run(counted_while_under_way())
    assert 200 <= duration_ms < 250
    assert len(client.backend.records) == 1


def test_a_version_slower_than_its_own_timeout_fails() -> None:
    """Lambda ends the invocation: an error of the function."""
    backend = FakeLambda({"1": Code(environment={"LATENCY_MS": "60000"}, timeout_s=0.01)})
    client = Client(backend)
    assert client.ask().status == 502
    assert [record[-1] for record in backend.records] == [True]


def test_api_gateway_stops_waiting_before_the_function_does() -> None:
    """Integration timeout: 504, while the invocation goes on."""
    client = Client(bundled(weight=1.0, LATENCY_MS="200"), timeout_s=0.01)
    answer = client.ask()
    assert (answer.status, answer.content) == (504, {"message": "Endpoint request timed out"})
    assert answer.headers["x-lambda-version"] == "2"


def test_without_a_free_slot_the_function_is_throttled() -> None:
    """Reserved concurrency 0: Lambda rejects, and API Gateway answers 500."""
    backend = bundled()
    backend.concurrency = 0
    answer = Client(backend).ask()
    assert (answer.status, answer.content) == (500, INTERNAL_ERROR)
    assert not backend.records


def test_without_its_alias_the_gateway_answers_500() -> None:
    """An alias that is gone cannot be invoked."""
    assert Client(FakeLambda({})).ask().status == 500


# Somebody's own code


def test_own_code_gets_a_proxy_event() -> None:
    """The event is API Gateway's, with the authorizer's principal and without the stage in its path."""
    client = Client(own({"statusCode": 200}))
    client.ask("/shared/fakeUser?a=1&a=2&b=%20", {**BETA, "User-Agent": "test"})
    event = client.backend.events[0]
    assert (event["path"], event["httpMethod"], event["body"]) == ("/fakeUser", "GET", None)
    assert event["queryStringParameters"] == {"a": "2", "b": " "}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [" "]}
    assert event["headers"]["X-Client-Version"] == "2"
    assert event["requestContext"]["authorizer"]["principalId"] == "betauser@company.com"
    assert event["requestContext"]["path"] == "/shared/fakeUser"
    assert event["requestContext"]["requestTimeEpoch"] == 1_000_000
    assert event["requestContext"]["identity"] == {"sourceIp": "127.0.0.9", "userAgent": "test"}


def test_own_code_counts_from_when_its_request_came() -> None:
    """Whenever a thread takes it up: its run is told the instant of the request."""
    client = Client(own({"statusCode": 200}))
    client.ask()
    assert client.backend.asked_s == [counted.received_s for counted in client.counted] == [1000.0]


def test_own_code_gets_the_body_as_text() -> None:
    """A body goes into the event; there is no authorizer on this route."""
    arm = Arm(handler="mine:answer")
    client = Client(own({"statusCode": 200}), experiment=Experiment(name="own", baseline=arm, canary=arm))
    client.toggles(b'{"userName": "\xc3\xa5@company.com"}')
    event = client.backend.events[0]
    assert event["body"] == '{"userName": "å@company.com"}'
    assert "authorizer" not in event["requestContext"]


def test_own_codes_answer_reaches_the_client() -> None:
    """Status, headers and body are the function's; the version header is the gateway's."""
    outcome = {
        "statusCode": 418,
        "headers": {"X-Own": "a", "X-Lambda-Version": "99", "Content-Type": "text/plain", "Content-Length": "9999"},
        "multiValueHeaders": {"Set-Cookie": ["a=1"]},
        "body": "short and stout",
    }
    answer = Client(own(outcome)).ask()
    unnamed = Client(own(outcome), version_header="none").ask()
    assert unnamed.headers["X-Lambda-Version"] == "99"
    assert (answer.status, answer.body) == (418, b"short and stout")
    assert answer.headers["x-lambda-version"] == "1"
    assert answer.headers["X-Own"] == "a"
    assert answer.headers["Set-Cookie"] == "a=1"
    assert answer.headers["Content-Type"] == "text/plain"
    assert "Content-Length" not in answer.headers


def test_a_base64_body_is_decoded() -> None:
    """Binary answers come as base64."""
    encoded = base64.b64encode(b"\x00\xff").decode()
    assert Client(own({"statusCode": 200, "body": encoded, "isBase64Encoded": True})).ask().body == b"\x00\xff"


def test_a_204_has_no_body_and_no_length() -> None:
    """HTTP allows neither."""
    answer = Client(own({"statusCode": 204, "body": "ignored"})).ask()
    assert (answer.status, answer.body) == (204, b"")
    assert "content-length" not in answer.headers


@pytest.mark.parametrize("status", [500, 503])
def test_a_handled_5xx_is_passed_on(status: int) -> None:
    """A status that the function chose is its answer."""
    answer = Client(own({"statusCode": status, "body": "sorry"})).ask()
    assert (answer.status, answer.body) == (status, b"sorry")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b'"text"',
        b"[]",
        b"{}",
        b"{",
        b"[" * 100_000,
        b'{"statusCode": "many"}',
        b'{"statusCode": true}',
        b'{"statusCode": 99}',
        b'{"statusCode": 600}',
        b'{"statusCode": 200.5}',
        b'{"statusCode": 200, "body": {"a": 1}}',
        b'{"statusCode": 200, "body": 7}',
        b'{"statusCode": 200, "body": "***", "isBase64Encoded": true}',
        b'{"statusCode": 200, "headers": []}',
        b'{"statusCode": 200, "headers": {"a": {"b": 1}}}',
        b'{"statusCode": 200, "headers": {"a": null}}',
        b'{"statusCode": 200, "headers": {"bad name": "x"}}',
        b'{"statusCode": 200, "headers": {"a": "x\\r\\nSet-Cookie: y"}}',
        b'{"statusCode": 200, "headers": {"a": "\\u20ac"}}',
        b'{"statusCode": 200, "multiValueHeaders": {"a": "x"}}',
    ],
)
def test_a_malformed_proxy_answer_is_502(payload: bytes) -> None:
    """What is no proxy answer cannot reach the client, and never breaks the gateway."""
    answer = Client(own(Invocation(payload=payload))).ask()
    assert (answer.status, answer.content) == (502, INTERNAL_ERROR)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["statusCode", "headers"]), inner),
        max_leaves=10,
    )
)
def test_any_payload_gets_a_proper_status(payload: Any) -> None:
    """The gateway is total over whatever functions return."""
    assert 200 <= Client(own(Invocation(payload=json.dumps(payload).encode()))).ask().status <= 599


def test_own_code_that_throws_is_502() -> None:
    """An unhandled error, a timeout and a crash look the same."""
    answer = Client(own(Invocation(payload=b'{"errorMessage": "no"}', error="Unhandled"))).ask()
    assert (answer.status, answer.content) == (502, INTERNAL_ERROR)
    assert answer.headers["x-lambda-version"] == "1"


def test_own_code_that_is_throttled_is_500() -> None:
    """Lambda rejected the invocation, so no version answered."""
    answer = Client(own(Refusal("TooManyRequestsException", "Rate Exceeded."))).ask()
    assert (answer.status, answer.content) == (500, INTERNAL_ERROR)
    assert "x-lambda-version" not in answer.headers


def test_own_code_that_hangs_is_504() -> None:
    """A thread that waits does not keep the client."""
    let_go = threading.Event()
    client = Client(own(lambda _: let_go.wait(5)), timeout_s=0.01)

    async def ask_and_let_go() -> Answer:
        answer = await client.answer("/shared/fakeUser", BETA)
        let_go.set()
        return answer

    assert asyncio.run(ask_and_let_go()).status == 504


def test_a_version_that_hangs_leaves_the_other_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """More hanging runs of the canary than there are threads: 504 for each of them, and the baseline answers."""
    monkeypatch.setattr("harness.rehearsal.clock.LEAST_LIMIT_S", 0.3)
    let_go = threading.Event()
    backend = FakeLambda({"1": Code(kind="python"), "2": Code(kind="python")}, {"statusCode": 200})
    answer = backend.run

    def run(function: str, version: str, event: bytes, **more: Any) -> Invocation:
        return (
            answer(function, version, event, **more) if version == "1" else Invocation(payload=b"%d" % let_go.wait(5))
        )

    backend.run = run  # type: ignore[method-assign]
    client = Client(backend, speed=1000)

    async def ask(weight: float, times: int) -> list[Answer]:
        backend.weight = weight
        return await asyncio.gather(*(client.answer("/shared/fakeUser", BETA) for _ in range(times)))

    async def both() -> tuple[list[Answer], list[Answer]]:
        hanging = asyncio.create_task(ask(1.0, MOST_WAITING + 5))
        await asyncio.sleep(0.05)
        healthy = await ask(0.0, 3)
        return healthy, await hanging

    healthy, hanging = asyncio.run(both())
    let_go.set()
    assert {one.status for one in healthy} == {200}
    assert {one.status for one in hanging} == {504}


def test_slow_own_code_does_not_block_the_bundled_service() -> None:
    """The loop goes on while threads wait."""
    let_go = threading.Event()
    backend = FakeLambda({"1": Code(), "2": Code(kind="python")}, lambda _: let_go.wait(5))
    client = Client(backend)

    async def both() -> Answer:
        backend.weight = 1.0
        slow = asyncio.create_task(client.answer("/shared/fakeUser", BETA))
        await asyncio.sleep(0)
        backend.weight = 0.0
        quick = await client.answer("/shared/fakeUser", BETA)
        let_go.set()
        await slow
        return quick

    assert asyncio.run(both()).status == 200


def test_a_bug_behind_the_gateway_is_a_500_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing that goes wrong inside becomes a stack trace on the wire."""
    answer = Client(own(ZeroDivisionError("a bug"))).ask()
    assert (answer.status, answer.content) == (500, INTERNAL_ERROR)
    assert "GET /shared/fakeUser failed" in caplog.text


# Threads that wait


def test_waiting_threads_are_bounded() -> None:
    """Work beyond the bound waits its turn and is done all the same."""
    threads = WaitingThreads(2)
    let_go = threading.Event()
    running: list[str] = []

    def work() -> str:
        running.append(threading.current_thread().name)
        let_go.wait(5)
        return threading.current_thread().name

    futures = [threads.submit(work) for _ in range(6)]
    assert len(running) <= 2
    let_go.set()
    assert len({future.result(timeout=5) for future in futures}) == 2
    threads.close()


def test_waiting_threads_pass_errors_on() -> None:
    """Whoever waits for the work gets its exception."""
    threads = WaitingThreads(1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 / 0).result(timeout=5)
    assert threads.submit(lambda: 7).result(timeout=5) == 7
    threads.close()
