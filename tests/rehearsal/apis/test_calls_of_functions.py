"""What functions ask of the cloud that runs them."""

import json
from typing import Any

import pytest

SOURCE = """
import datetime, time
import boto3

def handler(event, context):
    cloudwatch = boto3.client("cloudwatch")
    now = event.get("at_s") or time.time()
    one = {"MetricName": event["name"], "Value": 1, "Timestamp": now}
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=[one])
    found = cloudwatch.get_metric_statistics(
        Namespace="Shop", MetricName=event["name"], Period=60, Statistics=["Sum"],
        StartTime=datetime.datetime.fromtimestamp(now - 120, datetime.UTC),
        EndTime=datetime.datetime.fromtimestamp(now + 60, datetime.UTC),
    )["Datapoints"]
    return [point["Timestamp"].timestamp() for point in found]
"""


@pytest.mark.parametrize("clock", ["its own", "that of the event"])
def test_now_of_a_function_is_now_of_the_cloud(client: Any, function: Any, cloud: Any, clock: str) -> None:
    """Its own clock is the wall's, hours behind where time is compressed; an instant of the cloud stays what it is."""
    cloud.advance(5 * 3600)
    name = clock.replace(" ", "-")
    function(name, SOURCE, Timeout=30)
    event = {"name": name} if clock == "its own" else {"name": name, "at_s": cloud.ready["now"]}
    answer = client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    (at_s,) = json.loads(answer["Payload"].read())
    assert 0 <= cloud.ready["now"] - at_s < 120
