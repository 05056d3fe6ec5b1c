"""Shadow alarms in words: what alarms that do not exist would have done, beside what the real one did."""

from collections.abc import Iterable, Mapping

from harness.core.verdict.types import ShadowFacts, Verdict
from harness.report import facts

HEAD: facts.Row = ("shadow alarm", "rule", "in ALARM", "against the real one", "would have", "call", "false alarms")
ABOUT = (
    "A measure beside the verdict, and no part of it: alarms that do not exist, by the datapoints that CloudWatch has. "
    "In ALARM is when CloudWatch would have shown it, in seconds since the creation. False alarms are its times in "
    "ALARM in which the canary had done no harm."
)
REAL = "(the real alarm)"
_DID: Mapping[bool | None, str] = {True: "stopped the release", False: "let it pass", None: facts.NOT_MEASURED}


def rows(verdict: Verdict, rules: Iterable[str] = ()) -> list[facts.Row]:
    """One row for each shadow alarm, below that of the real ones, whose `rules` are told; none without any."""
    if not verdict.shadow:
        return []
    rang = verdict.detection.alarm_s
    real = (
        REAL,
        "; ".join(rules),
        facts.span(rang, digits=0) if rang else "never",
        "",
        facts.words(verdict.outcome),
        facts.words(verdict.call),
        "",
    )
    return [real, *map(_row, verdict.shadow)]


def _row(seen: ShadowFacts) -> facts.Row:
    rang = facts.span(seen.alarm_s, digits=0) if seen.alarm_s else _unrung(seen)
    false = facts.NOT_MEASURED if seen.false_alarms is None else f"{seen.false_alarms} of {seen.alarms}"
    return (
        facts.plain(seen.name),
        facts.plain(seen.rule or facts.NOT_MEASURED),
        rang,
        lead(seen) or facts.NOT_MEASURED,
        _DID[seen.stops],
        facts.words(seen.call),
        "none" if seen.alarms == 0 else false,
    )


def _unrung(seen: ShadowFacts) -> str:
    if seen.alarms is None:
        return facts.NOT_MEASURED
    return "not by then" if seen.why else "never"


def lead(seen: ShadowFacts) -> str:
    """How much earlier or later than the real alarm it would have rung; empty where one of them did not."""
    if seen.lead_s is None:
        return ""
    low, high = seen.lead_s
    if high <= 0:
        return f"{facts.span((-high, -low), digits=0)} later"
    if low >= 0:
        return f"{facts.span(seen.lead_s, digits=0)} earlier"
    return f"between {-low:.0f} s later and {high:.0f} s earlier"


def sentences(verdict: Verdict) -> list[str]:
    """One sentence for each shadow alarm: what it would have done, or why that is not known."""
    return [_sentence(seen) for seen in verdict.shadow]


def _sentence(seen: ShadowFacts) -> str:
    name = f"Shadow alarm {seen.name}"
    if seen.alarm_s is None and seen.why:
        return f"{name}: {seen.why}."
    if seen.alarm_s is None:
        return f"{name} would not have gone to ALARM, and would have let the release pass."
    beside = f", {lead(seen)} than the real alarm" if seen.lead_s else ""
    did = f"; {seen.why}" if seen.why else f", and would have {_DID[seen.stops]}"
    return f"{name} would have gone to ALARM {facts.span(seen.alarm_s, digits=0)} after the creation{beside}{did}."


def notes(verdict: Verdict) -> list[str]:
    """Why something is not known of shadow alarms, by their names."""
    named: dict[str, list[str]] = {}
    for seen in verdict.shadow:
        if seen.why:
            named.setdefault(seen.why, []).append(seen.name)
    return [f"{', '.join(names)}: {why}." for why, names in named.items()]
