"""What functions log is read as from CloudWatch Logs."""

from typing import Any


def test_logs_of_a_function_are_read_as_on_aws(client: Any, function: Any, cloud: Any) -> None:
    """By group, stream and pattern, in the time of the cloud: what `aws logs tail` asks for."""
    function("chatty", "def handler(event, context):\n    print('seen', event['n'])\n    return event")
    for number in (1, 2):
        client("lambda").invoke(FunctionName="chatty", Payload=f'{{"n": {number}}}'.encode())
    logs, now_ms = client("logs"), cloud.ready["now"] * 1000
    group = "/aws/lambda/chatty"
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert stream["logStreamName"].startswith("[$LATEST]")
    events = logs.filter_log_events(logGroupName=group, startTime=round(now_ms) - 1000, filterPattern="seen")["events"]
    assert [event["message"].strip() for event in events] == ["seen 1", "seen 2"]
    assert all(abs(event["timestamp"] - now_ms) < 1 for event in events)
    told = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)["events"]
    assert [event["message"].split()[0] for event in told] == ["START", "seen", "END", "REPORT"] * 2
    assert group in {one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]}
