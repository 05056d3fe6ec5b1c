"""Invoke, through boto3: which version runs, what comes back, and what is counted."""

import threading
from collections import Counter as Tally

import pytest

from harness.rehearsal.refusal import Refusal

ARN = "arn:aws:lambda:eu-north-1:123456789012:function:fn"
FAILING = "def handler(event, context):\n    raise KeyError('toggle')\n"
COUNTING = """
import os, pathlib
def handler(event, context):
    with open(event["file"], "a") as file:
        file.write("x")
    raise RuntimeError("again")
"""
WAITING = """
import pathlib, time
def handler(event, context):
    pathlib.Path(event["started"]).touch()
    while not pathlib.Path(event["release"]).exists():
        time.sleep(0.005)
    return "done"
"""


def test_an_invocation_runs_the_uploaded_code(create, invoke):
    """The event goes in, the function's answer comes out."""
    create()
    answer = invoke({"userName": "standard@company.com"})
    assert (answer.status, answer.error) == (200, None)
    assert answer.payload == {"version": "$LATEST", "event": {"userName": "standard@company.com"}}


def test_an_invocation_answers_in_the_shape_of_the_model(create, client, fits_model):
    """Invoke's answer is what botocore's model allows."""
    create()
    fits_model(client, "Invoke", client.invoke(FunctionName="fn"))


def test_an_invocation_without_payload_is_an_empty_event(create, invoke, client):
    """The function sees {}."""
    create()
    assert b'"event": {}' in client.invoke(FunctionName="fn")["Payload"].read()


def test_text_beyond_ascii_comes_through(create, invoke):
    """Payloads are UTF-8 both ways."""
    create()
    assert invoke({"name": "Zoë 雪"}).payload["event"] == {"name": "Zoë 雪"}


def test_a_function_that_returns_nothing_answers_null(create, invoke):
    """None is JSON's null."""
    create("def handler(event, context): pass\n")
    assert invoke({}).payload is None


@pytest.mark.parametrize(("qualifier", "version"), [("1", "1"), ("$LATEST", "$LATEST"), ("Live", "1")])
def test_the_executed_version_is_told(create, client, invoke, qualifier, version):
    """ExecutedVersion names the version behind a number, $LATEST or an alias."""
    create(Publish=True)
    client.create_alias(FunctionName="fn", Name="Live", FunctionVersion="1")
    answer = invoke({}, Qualifier=qualifier)
    assert (answer.version, answer.payload["version"]) == (version, version)


def test_an_invocation_by_alias_arn_works(create, client, invoke):
    """As API Gateway's integration does it."""
    create(Publish=True)
    client.create_alias(FunctionName="fn", Name="Live", FunctionVersion="1")
    assert invoke({}, FunctionName=f"{ARN}:Live").version == "1"


def test_invocations_by_alias_are_split_by_weight(create, publish, client, invoke):
    """Half and half over 60 invocations: at least 15 each."""
    create()
    publish(MODE="a1")
    publish(MODE="b1")
    routing = {"AdditionalVersionWeights": {"2": 0.5}}
    client.create_alias(FunctionName="fn", Name="Live", FunctionVersion="1", RoutingConfig=routing)
    versions = Tally(invoke({}, Qualifier="Live").version for _ in range(60))
    assert min(versions["1"], versions["2"]) >= 15


def test_the_function_is_told_the_alias_it_was_invoked_by(create, client, invoke):
    """invoked_function_arn ends with the alias."""
    create("def handler(event, context):\n    return context.invoked_function_arn\n", Publish=True)
    client.create_alias(FunctionName="fn", Name="Live", FunctionVersion="1")
    arns = [invoke({}, **params).payload for params in ({}, {"Qualifier": "1"}, {"Qualifier": "Live"})]
    assert arns == [ARN, f"{ARN}:1", f"{ARN}:Live"]


def test_an_unhandled_error_comes_back_as_lambda_tells_it(create, invoke):
    """FunctionError is Unhandled, and the payload names type, message and where it was raised."""
    create(FAILING)
    answer = invoke({})
    assert (answer.status, answer.error) == (200, "Unhandled")
    assert (answer.payload["errorType"], answer.payload["errorMessage"]) == ("KeyError", "'toggle'")
    assert len(answer.payload["stackTrace"]) == 1
    assert 'app.py", line 2, in handler' in answer.payload["stackTrace"][0]


def test_the_log_tail_has_what_the_function_wrote(create, invoke):
    """START, the function's own lines, END and REPORT, in that order."""
    create(
        "import sys\ndef handler(event, context):\n    print('to stdout')\n    print('to stderr', file=sys.stderr)\n"
    )
    lines = invoke({}).log.splitlines()
    assert [line.split()[0] for line in lines] == ["START", "to", "to", "END", "REPORT"]
    assert lines[0].endswith("Version: $LATEST")
    assert "Memory Size: 128 MB" in lines[-1]
    assert "Init Duration" in lines[-1]


def test_a_warm_start_has_no_init_duration(create, invoke):
    """The start is told once."""
    create()
    invoke({})
    assert "Init Duration" not in invoke({}).log


def test_the_log_tail_is_the_last_4_kb(create, invoke):
    """A long log loses its beginning."""
    create("def handler(event, context):\n    for number in range(2000): print('line', number)\n")
    log = invoke({}).log
    assert len(log) == 4096
    assert "line 1999" in log


def test_the_log_of_an_error_has_its_traceback(create, invoke):
    """As Lambda's Python runtime logs it."""
    create(FAILING)
    assert "[ERROR] KeyError: 'toggle'\nTraceback (most recent call last):\n" in invoke({}).log


def test_no_log_is_returned_unless_asked_for(create, client):
    """LogResult needs LogType Tail."""
    create()
    assert "LogResult" not in client.invoke(FunctionName="fn")


def test_a_payload_that_is_no_json_is_refused(create, refused, counted):
    """The request never reaches the function."""
    create()
    message = refused("Invoke", "InvalidRequestContentException", FunctionName="fn", Payload=b"{oops")
    assert message.startswith("Could not parse request body into json")
    assert counted.runs == []


def test_a_payload_beyond_the_limit_is_refused(create, refused):
    """1 MB for an event nobody waits for."""
    create()
    params = {"FunctionName": "fn", "InvocationType": "Event", "Payload": b'"' + b"x" * 1_048_576 + b'"'}
    message = refused("Invoke", "RequestTooLargeException", **params)
    assert message == "1048578 byte payload is too large for the Event invocation type (limit 1048576 bytes)"


def test_an_unknown_invocation_type_is_refused(create, refused):
    """The types are Lambda's."""
    create()
    assert "'invocationType'" in refused("Invoke", "ValidationException", FunctionName="fn", InvocationType="Later")


@pytest.mark.parametrize("qualifier", ["7", "None"])
def test_an_unknown_qualifier_is_refused(create, refused, qualifier):
    """Neither the version nor the alias exists."""
    create()
    message = refused("Invoke", "ResourceNotFoundException", FunctionName="fn", Qualifier=qualifier)
    assert message == f"Function not found: {ARN}:{qualifier}"


def test_a_dry_run_runs_nothing(create, invoke, counted):
    """DryRun answers 204 and counts nothing."""
    create(FAILING)
    answer = invoke({}, InvocationType="DryRun")
    assert (answer.status, answer.payload, counted.runs) == (204, None, [])


def test_a_run_is_counted_with_its_start_in_simulated_time(create, publish, client, invoke, counted, schedule):
    """Function, alias, version, start, wall duration and outcome."""
    create("import time\ndef handler(event, context):\n    time.sleep(0.02)\n")
    publish(MODE="a1")
    client.create_alias(FunctionName="fn", Name="Live", FunctionVersion="1")
    schedule.advance(90)
    invoke({}, Qualifier="Live")
    run = counted.runs[0]
    assert (run["function"], run["alias"], run["version"], run["failed"]) == ("fn", "Live", "1", False)
    assert run["started_s"] == schedule.clock.now()
    assert run["duration_ms"] >= 20


def test_a_failed_run_is_counted_as_an_error(create, invoke, counted):
    """Whatever went wrong inside the function."""
    create(FAILING)
    invoke({})
    assert (counted.runs[0]["failed"], counted.runs[0]["alias"]) == (True, None)


def test_an_event_is_accepted_before_it_has_run(create, invoke, counted):
    """Event answers 202 with no payload, and the run is counted."""
    create()
    answer = invoke({}, InvocationType="Event")
    assert (answer.status, answer.payload, answer.error) == (202, None, None)
    counted.wait_for(1)


def test_a_failed_event_is_retried_after_one_and_two_minutes(create, invoke, counted, schedule, tmp_path, eventually):
    """Lambda tries three times in all."""
    create(COUNTING)
    invoke({"file": str(tmp_path / "runs")}, InvocationType="Event")
    for attempt, wait_s in ((1, 60), (2, 120)):
        counted.wait_for(attempt)
        eventually(lambda: bool(schedule._due))
        schedule.advance(wait_s)
    counted.wait_for(3)
    schedule.advance(3600)
    assert (tmp_path / "runs").read_text() == "xxx"


def test_no_reserved_concurrency_throttles_everything(create, client, refused, counted):
    """A reservation of 0 answers 429, and is counted as a throttle and not as a run."""
    create()
    client.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=0)
    assert refused("Invoke", "TooManyRequestsException", FunctionName="fn") == "Rate Exceeded."
    assert (len(counted.throttles), counted.runs) == (1, [])


def test_a_throttle_tells_its_reason(create, client):
    """The answer's Reason is that of a reservation."""
    create()
    client.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=0)
    with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
        client.invoke(FunctionName="fn")
    assert caught.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_reserved_concurrency_limits_runs_at_once(create, client, functions, counted, tmp_path, eventually):
    """With one reserved, a second run is refused while the first is under way and admitted after it."""
    create(WAITING, Timeout=20)
    client.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=1)
    event = f'{{"started": "{tmp_path / "started"}", "release": "{tmp_path / "release"}"}}'.encode()
    first = threading.Thread(target=functions.run, args=("fn", "$LATEST", event), kwargs={"alias": None})
    first.start()
    eventually((tmp_path / "started").exists)
    with pytest.raises(Refusal) as caught:
        functions.run("fn", "$LATEST", event, alias=None)
    assert caught.value.code == "TooManyRequestsException"
    (tmp_path / "release").touch()
    first.join()
    assert functions.run("fn", "$LATEST", event, alias=None).payload == b'"done"'


def test_a_slot_counts_runs_that_others_make(create, client, functions, counted):
    """The gateway's own runs take slots too, and give them back."""
    create()
    client.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=1)
    functions.take_slot("fn", "Live", "1", 0.0)
    with pytest.raises(Refusal):
        functions.take_slot("fn", "Live", "1", 0.0)
    functions.free_slot("fn", "Live", "1")
    assert functions.take_slot("fn", "Live", "1", 0.0) == (1, 1, 1)
    assert [throttle["alias"] for throttle in counted.throttles] == ["Live"]


def test_a_run_counts_when_it_was_asked_for(create, client, functions, counted):
    """However late a loaded machine takes it up; a throttle does, too."""
    create()
    functions.run("fn", "$LATEST", b"{}", alias=None, at_s=1000.0)
    client.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=0)
    with pytest.raises(Refusal):
        functions.run("fn", "$LATEST", b"{}", alias=None, at_s=2000.0)
    assert [counted.runs[0]["started_s"], counted.throttles[0]["started_s"]] == [1000.0, 2000.0]


def test_runs_under_way_count_for_function_alias_and_version(create, functions):
    """Each run that begins knows how many there are, itself among them."""
    create()
    functions.take_slot("fn", "Live", "1", 0.0)
    functions.take_slot("fn", None, "2", 0.0)
    assert functions.take_slot("fn", "Live", "2", 0.0) == (3, 2, 1)


def test_other_calls_are_answered_while_a_function_runs(create, client, functions, tmp_path, eventually):
    """A run holds no lock: a slow function does not stop the control plane."""
    create(WAITING, Timeout=20)
    event = f'{{"started": "{tmp_path / "started"}", "release": "{tmp_path / "release"}"}}'.encode()
    run = threading.Thread(target=client.invoke, kwargs={"FunctionName": "fn", "Payload": event})
    run.start()
    eventually((tmp_path / "started").exists)
    assert client.get_function_configuration(FunctionName="fn")["FunctionName"] == "fn"
    (tmp_path / "release").touch()
    run.join()
