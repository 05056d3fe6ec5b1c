"""What a template does not say: the names that are missing, and the options that give them."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct


class MissingName(Struct, frozen=True):
    """Something that the template does not say: its name, why not, and the line where it is needed.

    `on` are the names that it hangs on, where none of its own can be given.
    """

    name: str
    why: str
    line: int
    on: tuple[str, ...] = ()

    @property
    def option(self) -> str:
        """The option that gives it."""
        return f"--parameter '{self.name}=…'" if ":" in self.name else f"--parameter {self.name}=…"


def how_to_give(asked: Mapping[str, MissingName], names: Sequence[str]) -> str:
    """The options that give what is missing; where a name hangs on others, theirs."""
    options = [*dict.fromkeys(option for name in names for option in _options(asked, name))]
    return f"give {' and '.join(options)}" if options else "it hangs on what is not known"


def _options(asked: Mapping[str, MissingName], name: str) -> Iterator[str]:
    one = asked.get(name)
    if one is not None and not one.on:
        yield one.option
    for other in one.on if one else ():
        yield from _options(asked, other)
