"""The peer: Locust's HttpUser, as fast as it goes."""

from locust import HttpUser, task

HEADERS = {"Authorization": "standarduser@company.com", "X-Client-Version": "2"}


class Customer(HttpUser):
    """Asks for its user."""

    @task
    def fake_user(self) -> None:
        """One request."""
        self.client.get("/fakeUser", headers=HEADERS)
