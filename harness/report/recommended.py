"""What the report advises at its top: a setting that truly does better, where the safety net failed."""

from msgspec import Struct

from harness.core.arming.of_runs import reckoned_of
from harness.core.arming.snapshot import Unseen
from harness.core.experiment.types import Call
from harness.core.odds.advise import advise
from harness.report.judged_run import JudgedRun
from harness.templates.snippets import names_of, snippet

FAILED = (Call.MISSED, Call.FALSE_ALARM)


class Recommendation(Struct, frozen=True):
    """One sentence, what it takes for granted, and the text to paste into a template of SAM."""

    text: str
    assumed: tuple[str, ...]
    snippet: str


def recommendation(run: JudgedRun) -> Recommendation | None:
    """Another alarm with the rollout that there is; None where the net held, or where nothing truly does better."""
    if run.verdict.call not in FAILED:
        return None
    try:
        known = reckoned_of([(run.evidence, run.events)])
    except Unseen:
        return None
    found = advise(known.setting, rollouts=False)
    best = found.recommended
    pasted = (
        snippet("sam", best.alarm, best.config, names_of(run.evidence.experiment.deployment))
        if best and best.alarm
        else None
    )
    return Recommendation(found.text, known.assumed, pasted) if pasted else None
