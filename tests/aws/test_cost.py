"""What reading metrics costs, told where it is more than a cent."""

from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from harness.aws.clients import Aws, Clients, Patience
from harness.aws.cost import cost_told
from harness.errors import HarnessError

ONCE = Patience(attempts=1)
ASKED = [{"Id": f"m{place}"} for place in range(400)]


@pytest.mark.parametrize(("calls", "told"), [(2, None), (4, "1,600 metrics by GetMetricData: about $0.02 (assumed: ")])
def test_more_than_a_cent_is_told(calls: int, told: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call counts, whoever shares the clients; on this machine nothing costs anything."""
    aws = _aws()
    for _ in range(calls):
        with pytest.raises(HarnessError):
            aws.with_patience(ONCE).call("cloudwatch", "get_metric_data", MetricDataQueries=ASKED)
    assert cost_told(aws) is None
    monkeypatch.setattr(Aws, "is_local", lambda *_: False)
    found = cost_told(aws)
    assert (found is None) == (told is None)
    assert told is None or told in str(found)


def _aws() -> Aws:
    """AWS whose calls are refused before they leave."""
    session: Any = boto3.session.Session("testing", "testing", region_name="eu-north-1")
    clients = Clients(session)
    clients._clients["cloudwatch"] = SimpleNamespace(
        meta=SimpleNamespace(endpoint_url="http://127.0.0.1:9"), get_metric_data=_refuse
    )
    return Aws(clients=clients)


def _refuse(**_: Any) -> None:
    raise ValueError("no answer")
