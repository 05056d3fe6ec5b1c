"""What was captured on AWS, as rows of data: one YAML file a service, one row a fact."""

from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import yaml
from msgspec import Struct

HERE = Path(__file__).parent


class Refused(Struct, frozen=True, forbid_unknown_fields=True):
    """An error answer; a message of None is not held."""

    code: str
    message: Any = None
    type: str | None = None
    status: int | None = None


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """Waits `wait_s`, then makes a `call`, `codedeploy.GetDeployment`, or takes a `sample`, and holds what comes back.

    `hold` maps paths into the answer to what must be there. With `within_s` the call is made again and again until all
    of it holds, which must be that many seconds later. A call is made `times` times, each with its own `$n`: 01, 02.
    `keep` names parts of the answer for the steps that follow; a `sample` of 200 is held against `like` at 5 %.
    """

    call: str = ""
    parameters: dict[str, Any] = msgspec.field(default={}, name="with")
    wait_s: float = 0.0
    times: int = 1
    hold: dict[str, Any] = {}
    refused: Refused | None = None
    within_s: tuple[float, float] | None = None
    keep: dict[str, str] = {}
    sample: str = ""
    like: tuple[float, ...] = ()


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    """One fact: what it says, where and when it was captured, what is asked, and what must be held.

    `contradicts` names the row whose capture says the opposite, and how. `not_held` says why this cloud is not like
    that yet; a row that holds must not say so.
    """

    name: str
    says: str
    source: str
    date: str
    steps: tuple[Step, ...]
    given: tuple[str, ...] = ()
    contradicts: str = ""
    not_held: str = ""


def services() -> tuple[str, ...]:
    """The services of which there are rows."""
    return tuple(sorted(path.stem for path in (HERE / "rows").glob("*.yaml")))


@cache
def rows(service: str) -> tuple[Row, ...]:
    """All rows of a service."""
    return msgspec.convert(_read(HERE / "rows" / f"{service}.yaml"), tuple[Row, ...])


@cache
def givens() -> dict[str, list[Step]]:
    """What can be there before a row begins, as calls that set it up."""
    return msgspec.convert(_read(HERE / "givens.yaml"), dict[str, list[Step]])


class _Loader(yaml.SafeLoader):
    """Reads a date as the text that it is."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [(tag, form) for tag, form in known if tag != "tag:yaml.org,2002:timestamp"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
