"""The peer: Locust's FastHttpUser, as fast as it goes."""

from locust import FastHttpUser, task

HEADERS = {"Authorization": "standarduser@company.com", "X-Client-Version": "2"}


class Customer(FastHttpUser):
    """Asks for its user."""

    @task
    def fake_user(self) -> None:
        """One request."""
        self.client.get("/fakeUser", headers=HEADERS)
