"""Puts the stages of the control plane before the gateway."""

from collections.abc import Callable, Iterable, Mapping

from harness.rehearsal.admission import RouteGuard
from harness.rehearsal.apis.authorizers import AuthorizerSettings, LambdaAuthorizer
from harness.rehearsal.apis.integrations import Integrations
from harness.rehearsal.apis.own_answers import OwnAnswers
from harness.rehearsal.apis.routes import ApiRoute, Routes
from harness.rehearsal.apis.stages import Stage, Stages
from harness.rehearsal.cloudwatch.api_requests import ApiName
from harness.rehearsal.proxy import ApiHome

Admitting = Callable[[AuthorizerSettings], RouteGuard]
"""Makes what asks a Lambda authorizer."""


class Serving:
    """What the control plane needs of the data plane; `now` is simulated time."""

    def __init__(
        self,
        stages: Stages,
        integrations: Integrations,
        *,
        account: str,
        region: str,
        now: Callable[[], float],
    ) -> None:
        self._stages = stages
        self._integrations = integrations
        self._account = account
        self._region = region
        self._now = now

    def serve(
        self,
        name: ApiName,
        variables: Mapping[str, str],
        routes: Callable[[Admitting], Iterable[ApiRoute]],
        answers: OwnAnswers,
    ) -> None:
        """Serves a stage from now on, as it is now."""
        home = ApiHome(name=name, account=self._account, region=self._region, variables=variables)

        def admitting(settings: AuthorizerSettings) -> RouteGuard:
            return LambdaAuthorizer(settings, home, self._integrations.run, self._now)

        made = Routes(routes(admitting), falls_back=name.kind == "HTTP")
        self._stages.put(Stage(home=home, routes=made, answers=answers))

    def domain(self, api_id: str) -> str:
        """The name of an API on AWS."""
        return f"{api_id}.execute-api.{self._region}.amazonaws.com"

    def withdraw(self, api_id: str, stage: str | None = None) -> None:
        """Serves a stage, or all of an API, no longer."""
        self._stages.remove(api_id, stage)
