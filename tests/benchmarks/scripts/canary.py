"""Ours: the user of locustfiles/canary.py without think time."""

import os

from locust import constant

from harness.plugin.users import CanaryUser
from harness.traffic.recorder import Recorder

if os.environ.get("BENCHMARK_RECORDER") == "off":
    for counts in ("started", "answered"):
        setattr(Recorder, counts, lambda *_: None)


class Customer(CanaryUser):
    """Sends the experiment's mix."""

    wait_time = constant(0)
