"""The verdict on a run that lasts: without what nobody can know before the end."""

from msgspec.structs import replace

from harness.core.verdict.types import Verdict

HELD_FINDINGS = frozenset({"alarm-metric-empty", "alarm-no-data", "fault-without-effect", "no-canary", "no-traffic"})
"""Findings that something did not happen in the whole run."""
HELD_REASONS = (
    "nothing was proved",
    "never had traffic",
    "never started",
    "never seen",
    "was not measured",
    "had not ended",
    "is not known",
    "No deployment was seen",
)
"""Words of reasons that say the same."""


def so_far(verdict: Verdict) -> Verdict:
    """A verdict without what may still turn out otherwise: what never happened, or has not happened yet."""
    because = tuple(reason for reason in verdict.because if not any(words in reason for words in HELD_REASONS))
    findings = tuple(finding for finding in verdict.findings if finding.id not in HELD_FINDINGS)
    shadow = tuple(one for one in verdict.shadow if one.alarms is not None)
    return replace(verdict, because=because, findings=findings, shadow=shadow)
