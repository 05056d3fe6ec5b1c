"""What we ourselves bring along: credentials and a clock."""

from harness.core.arming.diagnosis import Assessment
from harness.core.arming.snapshot import Snapshot, Unseen

CLOCK_OFF_S = 30.0

_ALLOW = "Allow it in the policy of these credentials: `canary-harness doctor --print-policy` prints one."


def permissions(snapshot: Snapshot) -> Assessment:
    """Every call that a run makes was tried; what was refused is named by its IAM action."""
    blinding = [action for action in snapshot.denied if action in snapshot.needed]
    if blinding:
        return Assessment("error", f"These credentials may not call {', '.join(blinding)}.", _ALLOW)
    if snapshot.denied:
        refused = ", ".join(snapshot.denied)
        return Assessment(
            "warning", f"These credentials may not call {refused}, which only discovery and doctor do.", _ALLOW
        )
    if snapshot.untried:
        return Assessment("note", f"Nothing was refused; there was no occasion to try {', '.join(snapshot.untried)}.")
    return Assessment("ok", "Every call that a run reads with was answered.")


def writes(snapshot: Snapshot) -> Assessment:
    """A write cannot be tried without making it, so it is named only."""
    if not snapshot.writes:
        return Assessment("ok", "The experiment changes nothing on AWS.")
    return Assessment("note", f"The experiment needs {', '.join(snapshot.writes)}; they were not tried.")


def clock(snapshot: Snapshot) -> Assessment:
    """This machine and AWS agree on the time."""
    ahead_s = snapshot.clock_ahead_s
    if ahead_s is None:
        raise Unseen("no answer of AWS carried a date")
    if abs(ahead_s) <= CLOCK_OFF_S:
        return Assessment("ok", "This machine's clock is AWS's.")
    seen = f"AWS's clock is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's."
    advice = "Set the clock of this machine; for a local cloud that runs faster, set LOCUST_CANARY_CLOCK=EPOCH:SPEED."
    return Assessment("warning", seen, advice)
