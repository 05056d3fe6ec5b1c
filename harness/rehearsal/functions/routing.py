"""Which version an alias sends a run to: the rules of weights, and the draw."""

import random
from collections.abc import Mapping

from msgspec import Struct

from harness.rehearsal.functions.names import LATEST, invalid_value, is_version
from harness.rehearsal.functions.records import Alias
from harness.rehearsal.refusal import Refusal

_FIELD = "routingConfig.additionalVersionWeights"
_VALUE_RULE = (
    "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
    "Member must have value greater than or equal to 0.0, Member must not be null]"
)
_KEY_RULE = (
    "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, "
    "Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+, "
    "Member must not be null]"
)


class AliasState(Struct, frozen=True):
    """An alias as CodeDeploy needs it: its version, and the weights (0..1) of others, empty when there are none."""

    version: str
    weights: dict[str, float]


class Route(Struct, frozen=True):
    """An immutable snapshot of an alias, swapped whole when the alias changes so that a draw needs no lock."""

    version: str
    other: str | None
    weight: float

    def draw(self, rng: random.Random) -> str:
        """One version; each draw is independent of the others (weighted aliases have no stickiness)."""
        return self.other if self.other is not None and rng.random() < self.weight else self.version


def route(alias: Alias) -> Route:
    """The snapshot of an alias."""
    for version, weight in alias.weights.items():
        return Route(alias.version, version, weight)
    return Route(alias.version, None, 0.0)


def check_weights(version: str, weights: Mapping[str, float]) -> None:
    """Refuses weights that AWS would refuse for an alias that points to `version`; existence is checked elsewhere."""
    if len(weights) > 1:
        raise _invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for other, weight in weights.items():
        _check_weight(version, other, weight)


def _check_weight(version: str, other: str, weight: float) -> None:
    if not 0.0 <= weight <= 1.0:
        raise invalid_value(f"{{{other}={weight}}}", _FIELD, _VALUE_RULE)
    if other == LATEST or not is_version(other):
        raise invalid_value(f"{{{other}={weight}}}", _FIELD, _KEY_RULE)
    if version == LATEST:
        raise _invalid("$LATEST is not supported for an alias pointing to more than 1 version")
    if other == version:
        raise _invalid(
            f"Invalid function version {other}. Function version {other} is already included in routing configuration."
        )


def _invalid(message: str) -> Refusal:
    return Refusal("InvalidParameterValueException", message)
