"""Users: how long they think between two requests of a closed loop."""

from typing import Any

import gevent
import pytest

with pytest.MonkeyPatch.context() as environment_variables:
    environment_variables.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")  # other tests need sockets as they are
    from locust import constant
    from locust.env import Environment
    from locust.exception import StopUser
    from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING

    from harness.plugin.users import CanaryUser


def user(think_s: float, state: str = LOCUST_STATE_RUNNING) -> Any:
    """A user in mid-run that thinks for so long."""
    kind: Any = type("Customer", (CanaryUser,), {"wait_time": constant(think_s)})
    made = kind(Environment())
    made._state = state
    return made


@pytest.mark.parametrize(("think_s", "others"), [(0.0, []), (0.01, ["had their turn"])])
def test_a_user_waits_only_if_it_thinks(think_s: float, others: list[str]) -> None:
    """Without think time the next request goes out at once."""
    seen: list[str] = []
    job = gevent.spawn(seen.append, "had their turn")
    user(think_s).wait()
    assert seen == others
    job.kill()


@pytest.mark.parametrize("think_s", [0.0, 60.0])
def test_a_user_that_is_to_stop_does_not_wait(think_s: float) -> None:
    """It ends where any user of Locust does."""
    with pytest.raises(StopUser):
        user(think_s, LOCUST_STATE_STOPPING).wait()
