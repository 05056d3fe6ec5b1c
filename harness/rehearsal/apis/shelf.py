"""Where the control plane of API Gateway keeps what it was given, in AWS's own spelling."""

import random
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.rehearsal.operations import Answer
from harness.rehearsal.refusal import Refusal

_LETTERS = string.ascii_lowercase + string.digits
_ID_LENGTH = 10


def new_id(rng: random.Random) -> str:
    """An id of API Gateway's form."""
    return "".join(rng.choices(_LETTERS, k=_ID_LENGTH))


class Shelf:
    """All of one kind, such as the stages of an API; `key` is the member that tells them apart.

    Without a `name_for` each must bring its key along, as stages do with their names.
    """

    def __init__(self, kind: str, key: str, name_for: Callable[[], str] | None = None) -> None:
        self._kind = kind
        self._key = key
        self._name_for = name_for
        self._kept: dict[str, Answer] = {}

    def put(self, content: Mapping[str, Any]) -> Answer:
        """Keeps one, in the place of another of the same key."""
        made = {name: value for name, value in content.items() if value is not None}
        if self._name_for and self._key not in made:
            made[self._key] = self._name_for()
        self._kept[made[self._key]] = made
        return made

    def add(self, content: Mapping[str, Any]) -> Answer:
        """Keeps a new one; refuses another of the same key."""
        if (key := content.get(self._key)) in self._kept:
            raise Refusal("ConflictException", f"{self._kind} {key} already exists")
        return self.put(content)

    def get(self, key: str) -> Answer:
        """One of them; raises a Refusal where it is not there."""
        if key not in self._kept:
            raise Refusal("NotFoundException", f"Invalid {self._kind} identifier specified")
        return self._kept[key]

    def find(self, key: str | None) -> Answer | None:
        """One of them; None where it is not there."""
        return self._kept.get(key or "")

    def remove(self, key: str) -> Answer:
        """Forgets one; the answer of AWS has nothing in it."""
        self.get(key)
        del self._kept[key]
        return {}

    def clear(self) -> None:
        """Forgets all."""
        self._kept.clear()

    def __iter__(self) -> Iterator[Answer]:
        return iter([*self._kept.values()])

    def __len__(self) -> int:
        return len(self._kept)


def patched(entity: Answer, operations: Sequence[Mapping[str, Any]]) -> Answer:
    """Changes an entity by JSON patches as API Gateway takes them, whose values are texts."""
    for each in operations:
        *parents, last = [_part(part) for part in each["path"].lstrip("/").split("/")]
        place = entity
        for parent in parents:
            place = place.setdefault(parent, {})
        if each["op"] == "remove":
            place.pop(last, None)
        else:
            place[last] = _like(place.get(last), each.get("value"))
    return entity


def _part(text: str) -> str:
    return text.replace("~1", "/").replace("~0", "~")


def _like(known: object, value: Any) -> Any:
    """The text as a value of the kind that stands there."""
    if isinstance(known, bool) or value in ("true", "false"):
        return value == "true"
    return int(value) if isinstance(known, int) and str(value).isdecimal() else value
