"""What CodeDeploy needs of the other services: Lambda's aliases and versions, CloudWatch's alarm states."""

from collections.abc import Iterable, Mapping
from typing import Protocol

ALARM = "ALARM"

LATEST = "$LATEST"


class AliasState(Protocol):
    """Where an alias points: `version` takes what `weights` (version to share, 0..1) leaves."""

    @property
    def version(self) -> str:
        """The version in the alias's FunctionVersion."""

    @property
    def weights(self) -> Mapping[str, float]:
        """The additional version and its share; empty on an alias that is not split."""


class Functions(Protocol):
    """Lambda as CodeDeploy sees it; what does not exist is a Refusal ResourceNotFoundException."""

    def alias_state(self, function: str, alias: str) -> AliasState:
        """Where the alias points now."""

    def has_version(self, function: str, version: str) -> bool:
        """Whether the function and this version of it exist."""

    def shift(self, function: str, alias: str, version: str, weights: Mapping[str, float]) -> None:
        """Points the alias at `version`, with `weights` for the other one."""

    def draw(self, function: str, alias: str) -> str:
        """One version, drawn by the alias's weights."""

    def run(self, function: str, version: str, event: bytes, *, alias: str | None) -> object:
        """Runs the version and waits for its end; a Refusal says that it could not be run."""


class Alarms(Protocol):
    """CloudWatch as CodeDeploy sees it."""

    def states(self, names: Iterable[str]) -> Mapping[str, str]:
        """The state of each alarm that exists, metric or composite; those that do not are left out."""
