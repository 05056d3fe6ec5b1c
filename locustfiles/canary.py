"""Production-like traffic for a canary release: `locust -f locustfiles/canary.py --host https://...`."""

from locust import between

from harness.plugin.users import CanaryUser


class Customer(CanaryUser):
    """Sends what customers send: both endpoints, all personas, both client versions, as the experiment mixes them.

    For another service, override `prepare`.
    """

    wait_time = between(0.5, 1.5)  # of a closed loop (--canary-users); open arrivals keep their own schedule
