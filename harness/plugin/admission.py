"""Which tests may be, and what Locust is told where a person said nothing."""

from typing import Any

from msgspec.structs import replace

from harness.aws.clients import Aws
from harness.aws.discovery import discover_for_a_plan
from harness.core.experiment.rails import host_refusal
from harness.core.experiment.types import Experiment, Rails
from harness.errors import UsageError
from harness.plugin import options
from harness.plugin.crew import DRAIN_S
from harness.run.experiment import Settings, check_host, check_permission, lacks_permission


class Admission:
    """Checks tests by the options and hosts that Locust was started with.

    Raises UsageError where these allow no test at all. `least_users` is how many users open arrivals need.
    """

    def __init__(self, environment: Any, least_users: int) -> None:
        self._environment = environment
        self._given = environment.parsed_options
        self._fixed = options.fixed(self._given)
        settings = options.settings_of(self._given)
        _check_permission(settings)
        self._named = tuple(filter(None, (environment.host, settings.experiment.target.host)))
        self._apply_defaults(settings.experiment, least_users)

    @property
    def sends_canary_traffic(self) -> bool:
        """Whether any class of the locustfiles sends what the experiment asks for."""
        return any(map(_sends_canary_traffic, self._environment.user_classes))

    def begin(self) -> Settings:
        """What the test that Locust begins is; raises UsageError where it cannot be one."""
        options.restore(self._given, self._fixed)
        _check_tags(self._environment)
        return self.settings(self._given, self._environment.host)

    def settings(self, asked: Any, host: str | None) -> Settings:
        """What a test with these options and this host would be; raises UsageError where it cannot be one."""
        settings = options.settings_of(asked)
        self._check_host(host, settings.experiment.rails)
        return settings

    def _apply_defaults(self, experiment: Experiment, least_users: int) -> None:
        """Fills in what a person need not say: the host of the experiment, and how many users its traffic takes."""
        self._environment.host = self._environment.host or experiment.target.host
        closed = experiment.traffic.users or not all(map(_sends_canary_traffic, self._environment.user_classes))
        if closed and not self._environment.stop_timeout:
            # Locust would kill users in the middle of their last request: sent, and counted as failed or not at all.
            self._environment.stop_timeout = DRAIN_S
        if self.sends_canary_traffic and self._given.headless:
            self._check_host(self._environment.host, experiment.rails)
        users = experiment.traffic.users or (least_users if self.sends_canary_traffic else 0)
        if users:
            self._given.num_users = self._given.num_users or users
            self._given.spawn_rate = self._given.spawn_rate or min(users, 100)

    def _check_host(self, asked: str | None, rails: Rails) -> None:
        """Raises UsageError for traffic to nowhere, and to a host that nobody named when Locust was started."""
        for user in self._environment.user_classes:
            host = asked or user.host
            named = self._named or tuple(filter(None, (user.host,)))
            if _sends_canary_traffic(user):
                check_host(host, named, rails.hosts)
            elif host and (refused := host_refusal(host, named, rails.hosts)):
                raise UsageError(refused)


def _check_permission(settings: Settings) -> None:
    """Raises UsageError where the plan lacks permission, with the names that AWS has for what it would change."""
    if lacks_permission(settings):
        found, _ = discover_for_a_plan(Aws(), settings.experiment)
        check_permission(replace(settings, experiment=found))


def _check_tags(environment: Any) -> None:
    """Raises UsageError where tags leave users without a task: each would fail by itself, over and over."""
    idle = [user.__name__ for user in environment.user_classes if not user.tasks]
    if idle and (environment.parsed_options.tags or environment.parsed_options.exclude_tags):
        raise UsageError(
            f"--tags and --exclude-tags leave no task for {', '.join(idle)}; name a tag of its tasks, or name the user "
            "classes that are to run"
        )


def _sends_canary_traffic(user: Any) -> bool:
    return getattr(user, "sends_canary_traffic", False)
