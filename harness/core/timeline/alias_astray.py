"""Where the alias sends traffic although the release does not say so."""

from harness.core.timeline.bounds import Bounds
from harness.core.timeline.deployments import PLACE_AFTER, Phase
from harness.core.timeline.release import GRACE_S, Release
from harness.core.timeline.weights import shares_of


def is_elsewhere(release: Release) -> bool:
    """Whether the last look at the alias, asked after the end and the grace, shows another place than it should."""
    wanted, alias = PLACE_AFTER.get(release.phase), release.alias
    if wanted is None or alias is None or release.ended is None or release.baseline is None or release.superseded_by:
        return False
    if alias.asked_s < release.ended[1] + GRACE_S:
        return False
    return release.place != wanted or bool(release.strangers(alias))


def is_left_split(release: Release) -> bool:
    """Whether the deployment ended badly without a rollback and the alias still splits the traffic."""
    ended_so = release.phase in (Phase.STOPPED, Phase.FAILED)
    return ended_so and release.alias is not None and bool(shares_of(release.alias))


def strayed_to(release: Release) -> tuple[str, Bounds] | None:
    """The version that somebody else put on the alias before the deployment's end, and when; None if nobody did."""
    strayed = release.weights.strayed
    return None if strayed and release.ended and strayed[1][1] > release.ended[1] else strayed
