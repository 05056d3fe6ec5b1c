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


def test_a_metric_filter_counts_what_functions_log(client: Any, function: Any, cloud: Any) -> None:
    """From PutMetricFilter on; a run that times out has a line for it, as on AWS."""
    group, began_s = "/aws/lambda/broken", cloud.ready["now"]
    client("logs").create_log_group(logGroupName=group)
    counted = {"metricNamespace": "Shop", "metricName": "Failures", "metricValue": "1"}
    client("logs").put_metric_filter(
        logGroupName=group, filterName="f", filterPattern="?KeyError ?timed", metricTransformations=[counted]
    )
    function("broken", "import time\ndef handler(event, context):\n    time.sleep(9) if event else {}['no']", Timeout=1)
    for payload in (b"{}", b"{}", b'{"hang": true}'):
        client("lambda").invoke(FunctionName="broken", Payload=payload)
    cloud.advance(120)
    counts = client("cloudwatch").get_metric_statistics(
        Namespace="Shop",
        MetricName="Failures",
        StartTime=began_s - 60,
        EndTime=cloud.ready["now"],
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    assert [count["Sum"] for count in counts] == [3.0]
