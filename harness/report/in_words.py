"""What the chart shows, in words: for those who cannot see it, and for what it has no room to say."""

from collections.abc import Sequence

from harness.report import facts
from harness.report.datapoints import AlarmPeriod
from harness.report.judged_run import JudgedRun
from harness.report.lanes import Span, fault_spans, spans

MOST_FAULTS = 6
MOST_TOLD = 3
"""Spans of a lane that are told one by one in words."""
MOST_DRAWN_ALARMS = 3


def faults(run: JudgedRun) -> str:
    """The faults of a run and their times in a sentence; empty where there was none."""
    told = [f"{fault.label} from {when(fault, run.origin_s, digits=0)}" for fault in fault_spans(run)]
    more = f" and {len(told) - MOST_FAULTS} more" if len(told) > MOST_FAULTS else ""
    return f"Faults: {', '.join(told[:MOST_FAULTS])}{more}." if told else ""


def occasion(run: JudgedRun) -> str:
    """When, which service and versions, and who ran it, in one line; what is not known is left out."""
    release, speed = run.rollout.release, run.rollout.run.speed
    started = run.manifest.started.replace("T", " ")[:16] + " UTC" if run.manifest else None
    function = run.evidence.experiment.deployment.function
    alias = run.evidence.experiment.deployment.alias
    service = ":".join(filter(None, (function, alias))) if function else None
    versions = f"version {release.baseline} → {release.canary}" if release.baseline and release.canary else None
    who = f"run by {run.manifest.by}" if run.manifest and run.manifest.by else None
    rehearsed = f"at speed {speed:g}" if speed != 1 else None
    return " · ".join(filter(None, (started, service, versions, who, rehearsed)))


def counted_from(run: JudgedRun) -> str:
    """What the time axis counts from."""
    return "seconds since the run began" if run.rollout.release.created_s is None else "seconds since the creation"


def alternative(run: JudgedRun) -> str:
    """The chart in words, for who cannot see it: the steps, what is in each lane, and the traffic."""
    told = [f"{at} {step}" for step, at, *_ in facts.ledger(run.verdict) if at != facts.NOT_MEASURED]
    sent = run.verdict.traffic.sent
    traffic = facts.traffic(run.verdict) if sent else "No request was sent"
    sentences = (f"Timeline of {facts.headline(run.verdict)}", "; ".join(told), *_lanes_told(run), traffic)
    return facts.plain(" ".join(f"{sentence}." for sentence in sentences if sentence))


def _lanes_told(run: JudgedRun) -> list[str]:
    lanes: dict[str, list[Span]] = {}
    for span in spans(run):
        lanes.setdefault(span.lane, []).append(span)
    return [f"{lane}: {_lane_told(drawn, run.origin_s)}" for lane, drawn in lanes.items()]


def _lane_told(drawn: Sequence[Span], origin_s: float) -> str:
    if len(drawn) <= MOST_TOLD:
        return ", ".join(f"{span.label or span.detail} ({when(span, origin_s)})" for span in drawn)
    whole = min(span.from_s for span in drawn) - origin_s, max(span.to_s for span in drawn) - origin_s
    names = dict.fromkeys(span.label for span in drawn if span.label)
    named = f": {', '.join(names)}" if len(names) <= 2 * MOST_TOLD and names else ""
    return f"{len(drawn)}{named} ({facts.span(whole)})"


def when(span: Span, origin_s: float, *, digits: int = 1) -> str:
    """When it was, in the seconds of the time axis."""
    return facts.span((span.from_s - origin_s, span.to_s - origin_s), digits=digits)


def drawn_alarms(points: Sequence[AlarmPeriod]) -> list[str]:
    """The alarms whose datapoints are drawn, a panel each: those that breached before the others, a few at most."""
    breached = dict.fromkeys(point.alarm for point in points if point.breaching)
    return [*(breached | dict.fromkeys(point.alarm for point in points))][:MOST_DRAWN_ALARMS]
