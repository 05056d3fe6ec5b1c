"""What every part of an experiment is made of: the base of its types, and its kinds of numbers."""

from typing import Annotated

from msgspec import Meta, Struct

LONGEST_S = 604_800.0
"""A week: far beyond the 50 hours that a Lambda deployment may take."""

Share = Annotated[float, Meta(ge=0, le=1)]
Rate = Annotated[float, Meta(ge=0, le=1_000_000)]
Weight = Annotated[float, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0, le=LONGEST_S)]
Duration = Annotated[float, Meta(gt=0, le=LONGEST_S)]
Instant = Annotated[float, Meta(ge=-LONGEST_S, le=LONGEST_S)]
Count = Annotated[int, Meta(ge=1)]


class Part(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of an experiment. It cannot be changed, and an unknown key is an error."""
