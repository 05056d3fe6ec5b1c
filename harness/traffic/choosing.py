"""Which request is sent next: drawn from the experiment's mix by seed, with the share of fault requests that holds."""

from collections import deque
from collections.abc import Callable, Mapping

from harness.core.experiment.pacing import WHOLE, Mix, share_draw
from harness.core.experiment.types import ERROR_PERSONA, Traffic
from harness.traffic.client.client import Client
from harness.traffic.client.prepared import Prepared
from harness.traffic.fired import Features
from harness.traffic.steering import Steering

WRONG_VERSIONS = ("", "0")
"""Client versions that make the service throw: none at all, and one that it does not know."""
OWN = "canary"
"""The key in a request event's context that says the recorder has it already."""

Prepare = Callable[[Client, str, str, str], Prepared]
"""Prepares the request of a persona, an endpoint and a client version."""


class Planned:
    """One kind of request: its bytes, what is recorded of it, what Locust's event says of it."""

    __slots__ = ("context", "features", "name", "prepared")

    def __init__(self, prepared: Prepared, features: Features) -> None:
        self.prepared = prepared
        self.features = features
        self.name = prepared.name if features.intent == "good" else f"{prepared.name} [fault]"
        self.context = {OWN: True, "intent": features.intent, "persona": features.persona}


class _Weights:
    """Every request that may be sent, with its weight, by what it is for."""

    def __init__(self, traffic: Traffic, client: Client, prepares: Mapping[Prepare, float]) -> None:
        self.good: dict[Planned, float] = {}
        self.fault: dict[Planned, float] = {}
        self.refused: dict[Planned, float] = {}
        self._client = client
        for prepare, share in prepares.items():
            self._add(traffic, prepare, share)

    def _add(self, traffic: Traffic, prepare: Prepare, share: float) -> None:
        def planned(features: Features, version: str, weight: float) -> dict[Planned, float]:
            prepared = prepare(self._client, features.persona, features.endpoint, version)
            return {Planned(prepared, features): share * weight}

        for version, weight in traffic.client_versions.items():
            for endpoint, endpoint_weight in traffic.endpoints.items():
                for persona, persona_weight in traffic.personas.items():
                    features = Features("good", persona, endpoint)
                    self.good |= planned(features, version, persona_weight * endpoint_weight * weight)
            # The error user fails where it is looked up; its feature toggles are like anyone's.
            self.fault |= planned(Features("fault", ERROR_PERSONA, "fakeUser"), version, weight)
        for wrong in WRONG_VERSIONS:
            for persona, weight in traffic.personas.items():
                self.refused |= planned(Features("fault", persona, "fakeUser"), wrong, weight)


class Chooser:
    """Chooses the next request of one process; the same seed chooses the same again.

    `prepares` are the ways to prepare a request, each with its weight.
    """

    def __init__(self, steering: Steering, client: Client, prepares: Mapping[Prepare, float]) -> None:
        seed, part = steering.seed, steering.part or WHOLE
        weights = _Weights(steering.traffic, client, prepares)
        self._good = Mix(weights.good, f"good {seed} {part.index}").draw
        self._fault = Mix(weights.fault, f"fault {seed} {part.index}").draw
        self._refused = Mix(weights.refused, f"refused {seed} {part.index}").draw
        self._pattern = steering.traffic.pattern
        self._is_fault = share_draw(self._pattern, seed, part).draw
        self._is_version_fault = share_draw("even", seed, WHOLE).draw
        # The steering that holds for the request due next, and any that began since.
        self._holding = deque([steering])

    def steer(self, steering: Steering) -> None:
        """Takes steering that holds by now."""
        self._holding.append(steering)
        if steering.traffic.pattern != self._pattern:
            self._pattern = steering.traffic.pattern
            self._is_fault = share_draw(self._pattern, steering.seed, steering.part or WHOLE).draw

    def next(self, due_s: float) -> Planned:
        """The request that is due then; the times of due requests never go back."""
        error_share, version_share = self._shares(due_s)
        if not self._is_fault(error_share + version_share):
            return self._good()
        if version_share and self._is_version_fault(version_share / (error_share + version_share)):
            return self._refused()
        return self._fault()

    def _shares(self, due_s: float) -> tuple[float, float]:
        """The shares of fault requests for one due then: by error users, and by wrong client versions.

        A late request takes part in no share that began after it was due, nor in one that was taken back since.
        """
        holding = self._holding
        while len(holding) > 1 and holding[1].since_s <= due_s:
            holding.popleft()
        if len(holding) == 1:
            return holding[0].error_share, holding[0].client_version_share
        return min(each.error_share for each in holding), min(each.client_version_share for each in holding)
