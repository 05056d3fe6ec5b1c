"""Questions about this machine: its credentials and its clock."""

from harness.core.arming.diagnosis import Assessment, error, note, ok, warning
from harness.core.arming.snapshot import Snapshot, Unseen

CLOCK_OFF_S = 30.0

_ALLOW = "Allow it in the policy of these credentials: `canary-harness doctor --print-policy` prints one."


def permissions(snapshot: Snapshot) -> Assessment:
    """Every read of a run was tried; those that were refused are named by their IAM action."""
    blinding = [action for action in snapshot.denied if action in snapshot.needed]
    if blinding:
        return error(f"These credentials may not call {', '.join(blinding)}.", _ALLOW)
    if snapshot.denied:
        refused = ", ".join(snapshot.denied)
        return warning(f"These credentials may not call {refused}, which only discovery and doctor need.", _ALLOW)
    if snapshot.untried:
        return note(f"Nothing was refused; not tried: {', '.join(snapshot.untried)}.")
    return ok("Every read that a run needs was answered.")


def writes(snapshot: Snapshot) -> Assessment:
    """A write cannot be tried without making it, so it is only named."""
    if not snapshot.writes:
        return ok("The experiment changes nothing on AWS.")
    return note(f"The experiment needs {', '.join(snapshot.writes)}; they were not tried.")


def clock(snapshot: Snapshot) -> Assessment:
    """This machine and AWS agree on the time."""
    ahead_s = snapshot.clock_ahead_s
    if ahead_s is None:
        raise Unseen("no answer of AWS had a date")
    if abs(ahead_s) <= CLOCK_OFF_S:
        return ok("This machine's clock agrees with AWS's.")
    seen = f"AWS's clock is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's."
    advice = "Set the clock of this machine; for a local cloud that runs faster, set LOCUST_CANARY_CLOCK=EPOCH:SPEED."
    return warning(seen, advice)
