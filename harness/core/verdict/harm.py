"""Whether the release did harm, in three values; no data is never health.

Harm is measured at the users, in three ways: more requests failed by our faults or on the canary than is borne, the
canary failed more than the baseline over the same time, or it was slower.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from harness.core.verdict.evidence import Evidence
from harness.core.verdict.failures import unbearable, worse_than_the_baseline
from harness.core.verdict.health import doubt_of, health_in_words
from harness.core.verdict.measure import Measures
from harness.core.verdict.slowness import harm_by_latency


class Harm(Struct, frozen=True):
    """Whether harm was done (None: not known), and why we say so: sentences with the numbers."""

    done: bool | None
    because: tuple[str, ...]


def harm_of(evidence: Evidence, measures: Measures) -> Harm:
    """Harm from the deployment's creation to the end of the run."""
    asked = (unbearable(evidence), worse_than_the_baseline(measures), harm_by_latency(evidence))
    harms = tuple(said for said in asked if said)
    if harms:
        return Harm(True, tuple(_in_turn(harms)))
    if doubt := doubt_of(evidence, measures):
        return Harm(None, (f"Whether harm was done is not known: {doubt}.",))
    return Harm(False, (health_in_words(evidence, measures),))


def _in_turn(harms: Sequence[str]) -> Iterator[str]:
    """Several sentences about harm as one reads them, one after the other."""
    yield from harms[:1]
    for said in harms[1:]:
        yield said.replace("Harm was done:", "Harm was also done:", 1)
