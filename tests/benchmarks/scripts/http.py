"""The peer: Locust's HttpUser, as fast as it goes."""

import os

from locust import HttpUser, task

HEADERS = {"Authorization": "standarduser@company.com", "X-Client-Version": "2"}


class Customer(HttpUser):
    """Asks for its user."""

    def on_start(self) -> None:
        """Trusts the benchmark's authority, which its session does not read from the environment."""
        self.client.verify = os.environ.get("SSL_CERT_FILE", True)

    @task
    def fake_user(self) -> None:
        """One request."""
        self.client.get("/fakeUser", headers=HEADERS)
