"""Whether the safety net is armed: what doctor saw, the questions it asks about that, and the diagnosis. Pure."""

from harness.core.arming.diagnosis import Check, CheckSeverity, Diagnosis
from harness.core.arming.harmless import why_no_fault, why_no_request
from harness.core.arming.judge import QUESTIONS, diagnose
from harness.core.arming.snapshot import FaultCounts, Hook, Probed, Snapshot

__all__ = [
    "QUESTIONS",
    "Check",
    "CheckSeverity",
    "Diagnosis",
    "FaultCounts",
    "Hook",
    "Probed",
    "Snapshot",
    "diagnose",
    "why_no_fault",
    "why_no_request",
]
