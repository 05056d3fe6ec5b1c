"""`doctor --learn-delays`: how long AWS takes in one account, as lines for an experiment that is rehearsed."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from harness.core.experiment.types import Experiment
from harness.streams import say, say_json

Span = tuple[float, float]


def print_delays(wanted: Experiment, *, as_json: bool) -> None:
    """Prints the delays that were found beside the built-in ones. Raises HarnessError where AWS cannot be asked."""
    from harness.aws.clients import Aws
    from harness.aws.delays import learn
    from harness.aws.discovery import discover

    aws = Aws()
    aws.warm()
    named = discover(aws, wanted, whole=False).deployment
    delays = learn(aws, str(named.application), str(named.group))
    found = {"alarm_delay_s": delays.alarm_s, "stop_delay_s": delays.stop_s}
    if as_json:
        say_json(as_document(found, _built_in()))
    else:
        say("\n".join(as_lines(found, _built_in())))


def _built_in() -> dict[str, Span]:
    from harness.core.delays import METRIC_DELAY_S, STOP_DELAY_S
    from harness.core.timeline.alarm_evaluation import MINUTE_S

    return {"alarm_delay_s": (METRIC_DELAY_S[0], METRIC_DELAY_S[1] + MINUTE_S), "stop_delay_s": STOP_DELAY_S}


def as_document(found: Mapping[str, Sequence[float]], built_in: Mapping[str, Span]) -> dict[str, Any]:
    """The same for machines: `cloud` is the key of an experiment."""
    cloud = {name: _span(delays) for name, delays in found.items() if _has_width(delays)}
    return {"cloud": cloud, "found": dict(found), "built_in": dict(built_in)}


def as_lines(found: Mapping[str, Sequence[float]], built_in: Mapping[str, Span]) -> list[str]:
    """Lines of YAML; what was not found, or seen once alone, is a comment, so that it stays as it is built in."""
    keys = [_line(name, delays, built_in[name]) for name, delays in found.items()]
    return ["cloud:" if any(map(_has_width, found.values())) else "# cloud: too little was found", *keys]


def _line(name: str, delays: Sequence[float], built_in: Span) -> str:
    known = f"built in: {built_in[0]:g} to {built_in[1]:g}"
    if not delays:
        return f"  # {name}: none found; {known}"
    if not _has_width(delays):
        seen = f"only {delays[0]:.1f} s was seen ({len(delays)} found), which bounds nothing"
        return f"  # {name}: {seen}; {known}"
    return f"  {name}: {_span(delays)}   # {len(delays)} found, median {median(delays):.1f}; {known}"


def _has_width(delays: Sequence[float]) -> bool:
    """Whether the delays differ: one alone is no span that a rehearsal could draw from."""
    return bool(delays) and min(_span(delays)) < max(_span(delays))


def _span(delays: Sequence[float]) -> list[float]:
    return [round(min(delays), 1), round(max(delays), 1)]
