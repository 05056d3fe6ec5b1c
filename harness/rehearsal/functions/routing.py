"""Which version an alias sends a run to: the rules of weights, and the draw."""

from collections.abc import Mapping

from msgspec import Struct, structs

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
    """An immutable snapshot of an alias, swapped whole when the alias changes so that a draw needs no lock.

    It holds from `since_s` on, and the one `before` it for a run that was due earlier.
    """

    version: str
    other: str | None
    weight: float
    since_s: float = 0.0
    before: "Route | None" = None

    def draw(self, chance: float, at_s: float | None = None) -> str:
        """The version for a chance of 0 to 1; draws are independent (weighted aliases have no stickiness)."""
        if self.before and at_s is not None and at_s < self.since_s:
            return self.before.draw(chance)
        return self.other if self.other is not None and chance < self.weight else self.version


def route(alias: Alias, since_s: float = 0.0, before: Route | None = None) -> Route:
    """The snapshot of an alias."""
    before = before and structs.replace(before, before=None)
    for version, weight in alias.weights.items():
        return Route(alias.version, version, weight, since_s, before)
    return Route(alias.version, None, 0.0, since_s, before)


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
