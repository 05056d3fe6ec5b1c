"""Production-like traffic for a canary release: `locust -f locustfiles/canary.py --host https://...`."""

from locust import between

from harness.plugin.users import CanaryUser


class Customer(CanaryUser):
    """Sends what customers send: the requests of the experiment, or those of the bundled service.

    For another service, name an experiment with its requests: `--canary-experiment shop.yaml`.
    """

    wait_time = between(0.5, 1.5)  # of a closed loop (--canary-users); open arrivals keep their own schedule
