"""What the harness itself could not see, or had trouble with."""

from collections import Counter

from harness.core.timeline.refusals import BAD_CREDENTIALS, DENIED
from harness.core.verdict.evidence import Evidence
from harness.core.verdict.findings.scene import Scene, finding, warning
from harness.core.verdict.types import Finding

LONG_BLINDNESS_S = 30.0


def looks_failed(scene: Scene) -> Finding | None:
    """Looks that failed are evidence about us, not about the canary."""
    blind = scene.evidence.blind
    if not blind:
        return None
    calls = Counter(f"{look.call} {look.code}" for look in blind)
    most = ", ".join(f"{number} x {call}" for call, number in calls.most_common(3))
    longest_s = _longest_blindness(scene.evidence)
    return finding(
        "looks-failed",
        "warning" if longest_s >= LONG_BLINDNESS_S else "note",
        f"{len(blind)} look{'s' if len(blind) > 1 else ''} at the control plane failed ({most}); for up to "
        f"{longest_s:.0f} s nothing was seen. "
        "Changes in that time are dated no closer.",
    )


def permission_missing(scene: Scene) -> Finding | None:
    """A look that the credentials may not make."""
    denied = sorted({look.call for look in scene.evidence.blind if look.code in DENIED})
    if not denied:
        return None
    return warning(
        "permission-missing",
        f"These credentials may not call {', '.join(denied)}, so what these calls tell was not seen: allow them in the "
        "policy (canary-harness doctor --print-policy prints it).",
    )


def credentials_refused(scene: Scene) -> Finding | None:
    """Credentials that expired in the middle, or were never good."""
    refused = [look for look in scene.evidence.blind if look.code in BAD_CREDENTIALS]
    if not refused:
        return None
    last_s = refused[-1].at_s
    until = f"until {last_s:.0f} s" if any(seen_s > last_s for seen_s in scene.evidence.looks) else "to the end"
    return warning(
        "credentials-refused",
        f"AWS refused the credentials ({refused[-1].code}) from {refused[0].asked_s:.0f} s {until} of the run. Let "
        "them last longer than a run, or renew them where they are kept: they are read again.",
    )


def clock_skew(scene: Scene) -> Finding | None:
    """This machine does not know what time it is."""
    ahead_s = scene.evidence.rollout.run.ahead_s
    if not ahead_s:
        return None
    return warning(
        "clock-skew",
        f"AWS's clock is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's. All dates were "
        "corrected by that; set this machine's clock, since AWS refuses calls that are five minutes off.",
    )


def _longest_blindness(evidence: Evidence) -> float:
    """The longest time between two good looks with a failed one in between."""
    longest_s, seen_s, blind = 0.0, 0.0, False
    sightings = [(at_s, True) for at_s in evidence.looks] + [(look.at_s, False) for look in evidence.blind]
    for at_s, good in sorted(sightings):
        longest_s = max(longest_s, 0.0 if good and not blind else at_s - seen_s)
        blind = not good
        seen_s = at_s if good else seen_s
    return longest_s


def trouble(scene: Scene) -> Finding | None:
    """The harness or its surroundings had trouble."""
    if not scene.evidence.troubles:
        return None
    said = "; ".join(dict.fromkeys(f"{event.what}: {event.message}".rstrip(".") for event in scene.evidence.troubles))
    return warning("trouble", f"The harness had trouble during the run: {said}.")
