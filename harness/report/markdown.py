"""report.md: the verdict first, in under 60 lines besides those that are to be pasted."""

import re
from collections.abc import Iterable, Sequence

from harness.core.verdict.types import Verdict
from harness.report import facts, shadows
from harness.report.recommended import Recommendation
from harness.report.second_opinion import second_opinion

MOST_REASONS = 5
MOST_FINDINGS = 6
MOST_CRITERIA = 4
MOST_GROUPS = 8
MOST_SHADOWS = 4

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&])")
# GitHub links bare addresses, people and issues after it has undone escapes, so only a character between them helps.
_LINKED = re.compile(r"://|@|#|\bwww(?=\.)|\bGH(?=-)", re.IGNORECASE)
_BREAK = "\u200b"


def markdown(verdict: Verdict, faults: str = "", occasion: str = "", advised: Recommendation | None = None) -> str:
    """The whole report in GitHub's Markdown.

    `faults` is a sentence about them, `occasion` says when and by whom; both are empty without a timeline.
    `advised` stands below the reasons.
    """
    about = [escaped(line) for line in (facts.meant_so(verdict), occasion, facts.subject(verdict)) if line]
    sections = (
        [f"# {escaped(facts.headline(verdict))}", "", "  \n".join(about), ""],
        _groups(verdict),
        _bullets(verdict.because, MOST_REASONS),
        _advised(advised) if advised else [],
        _timeline(verdict),
        ["", escaped(faults)] if faults else [],
        _ledger(verdict),
        _requests(verdict),
        _exposure(verdict),
        _shadows(verdict),
        _criteria(verdict),
        _findings(verdict),
    )
    return "\n".join(line for section in sections for line in section) + "\n"


def escaped(text: str) -> str:
    """Foreign text that shows as it is and cannot become markup, an entity, a link or a table cell.

    What would be linked by itself gets a space of no width behind its first character that counts.
    """
    return _SPECIAL.sub(r"\\\1", _LINKED.sub(_broken, facts.plain(text)))


def _broken(match: re.Match[str]) -> str:
    return f":{_BREAK}//" if match[0] == "://" else match[0] + _BREAK


def _bullets(lines: Sequence[str], most: int) -> list[str]:
    shown = [f"- {escaped(line)}" for line in lines[:most]]
    left = len(lines) - most
    return [*shown, f"- and {left} more in verdict.json"] if left > 0 else shown


def _table(head: facts.Row, rows: Iterable[facts.Row]) -> list[str]:
    ruled = ["---", *("---:" for _ in head[1:])]
    return [_line(head), _line(ruled), *(_line([escaped(cell) for cell in row]) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _groups(verdict: Verdict) -> list[str]:
    """What became of each group; the rest of the report is about the first one."""
    rows = facts.groups(verdict)
    if not rows:
        return []
    left = len(rows) - MOST_GROUPS
    more = [f"\nand {left} more in verdict.json"] if left > 0 else []
    return [*_table(facts.GROUPS_HEAD, rows[:MOST_GROUPS]), *more, "", f"Of {escaped(rows[0][0])}:", ""]


def _advised(advised: Recommendation) -> list[str]:
    return ["", escaped(advised.text), "", "```yaml", *advised.snippet.splitlines(), "```"]


def _timeline(verdict: Verdict) -> list[str]:
    course = facts.course(verdict)
    return ["", " → ".join(course)] if course else []


def _ledger(verdict: Verdict) -> list[str]:
    if not facts.any_step(verdict):
        return ["", facts.no_step(verdict)]
    return ["", *_table(facts.LEDGER_HEAD, facts.ledger(verdict)), "", f"Altogether {facts.totals(verdict)}."]


def _requests(verdict: Verdict) -> list[str]:
    if not verdict.traffic.sent:
        return ["", *_others_requests(verdict)]
    return [
        *("", *_table(facts.MATRIX_HEAD, facts.matrix(verdict)), "", f"Traffic: {facts.traffic(verdict)}."),
        *("", *_table(facts.ARMS_HEAD, facts.arms(verdict)), ""),
        f"Arms: {facts.arms_source(verdict)}. Client latency: {facts.latency(verdict)}.",
    ]


def _others_requests(verdict: Verdict) -> list[str]:
    """What CloudWatch counted of other people's requests, where the run sent none of its own."""
    if not facts.others_traffic(verdict):
        return [facts.NOTHING_SENT]
    arms = _table(facts.ARMS_HEAD, facts.arms(verdict))
    return [facts.OTHERS_SENT, "", *arms, "", f"Arms: {facts.arms_source(verdict)}."]


def _exposure(verdict: Verdict) -> list[str]:
    hurt, counted = verdict.exposure.failed_requests, verdict.attribution.counted_errors
    exposure = facts.nobody_can_say(verdict) if hurt is None else f"Exposure: {facts.exposure(verdict)}."
    attribution = [] if counted is None else [f"Attribution: {facts.attribution(verdict)}."]
    return ["", " ".join((exposure, *attribution, escaped(second_opinion(verdict))))]


def _shadows(verdict: Verdict) -> list[str]:
    return ["", *_bullets(shadows.sentences(verdict), MOST_SHADOWS)] if verdict.shadow else []


def _criteria(verdict: Verdict) -> list[str]:
    rows = facts.criteria(verdict)
    if not rows:
        return []
    unmet = sorted(rows, key=lambda row: row[-1] == "yes")
    left = len(rows) - MOST_CRITERIA
    return [
        "",
        *_table(facts.CRITERIA_HEAD, unmet[:MOST_CRITERIA]),
        *([f"\nand {left} more in verdict.json"] if left > 0 else []),
    ]


def _findings(verdict: Verdict) -> list[str]:
    if not verdict.findings:
        return []
    lines = [f"{finding.severity}: {finding.text} ({finding.id})" for finding in verdict.findings]
    return ["", "Findings:", "", *_bullets(lines, MOST_FINDINGS)]
