"""The peer: Locust's FastHttpUser, as fast as it goes or each user at a pace."""

import os

from locust import FastHttpUser, constant_pacing, task

HEADERS = {"Authorization": "standarduser@company.com", "X-Client-Version": "2"}


class Customer(FastHttpUser):
    """Asks for its user."""

    wait_time = constant_pacing(float(os.environ.get("BENCHMARK_PACE_S", "0")))

    @task
    def fake_user(self) -> None:
        """One request."""
        self.client.get("/fakeUser", headers=HEADERS)
