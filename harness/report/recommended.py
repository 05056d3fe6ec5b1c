"""What the report advises at its top: a setting that truly does better, where the safety net failed or would."""

from msgspec import Struct

from harness.core.arming.of_runs import reckoned_of
from harness.core.arming.reckoned import Reckoned
from harness.core.arming.snapshot import Unseen
from harness.core.experiment.types import Call
from harness.core.odds.advise import advise
from harness.core.odds.asked import EVERY_REQUEST
from harness.core.odds.chances import chance, effective
from harness.core.odds.setting import Setting
from harness.report.judged_run import JudgedRun
from harness.templates.snippets import names_of, snippet

FAILED = (Call.MISSED, Call.FALSE_ALARM)
MOSTLY = 0.9
"""A net that catches as many of such releases needs no advice."""


class Recommendation(Struct, frozen=True):
    """One sentence, what it takes for granted, and the text to paste into a template of SAM."""

    text: str
    assumed: tuple[str, ...]
    snippet: str


def recommendation(run: JudgedRun) -> Recommendation | None:
    """Another alarm with the rollout that there is; None where the net holds, or where nothing truly does better."""
    try:
        known = reckoned_of([(run.evidence, run.events)])
    except Unseen:
        return None
    failed = run.verdict.call in FAILED
    if not failed and (_is_borne(run, known.setting) or _holds(known)):
        return None
    found = advise(known.setting, rollouts=False)
    best = found.recommended
    if best is None or best.alarm is None:
        return None
    text = found.text if failed else f"{found.text} That is reckoned for releases of which {found.question}."
    pasted = snippet("sam", best.alarm, best.config, names_of(run.evidence.experiment.deployment))
    return Recommendation(text, known.assumed, pasted) if pasted else None


def _is_borne(run: JudgedRun, setting: Setting) -> bool:
    """Whether what failed did no harm: then it need not be caught."""
    return run.verdict.call == Call.CLEARED and (bool(setting.planned) or setting.fault != EVERY_REQUEST)


def _holds(known: Reckoned) -> bool:
    """Whether the net would hold again; an alarm that cannot be reckoned with may well hold."""
    able = effective(known.setting)
    seen = bool(able.watches and able.guards)
    return bool(known.unsaid) or (seen and chance(able) >= MOSTLY)
