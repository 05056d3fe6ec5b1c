"""What a person asks of a release: how the canary fails, in words, and what is taken for granted about it."""

from collections.abc import Iterator

from harness.core.delays import METRIC_DELAY_S, STOP_DELAY_S
from harness.core.experiment.types import Experiment
from harness.core.numbers import LEAST_SHOWN, figures
from harness.core.odds.setting import Delays, FaultModel, Setting

EVERY_REQUEST = FaultModel()
"""The question where nobody asks another one: a canary that fails every request."""

NO_FAULT = FaultModel(share=0.0)


def question_of(setting: Setting) -> str:
    """The fault in words."""
    fault, shares = setting.fault, [one.share for one in setting.planned]
    meant = f"{_part(max(shares))} of all requests are meant to fail" if shares else ""
    told = _words(fault) if fault.share > 0 else "" if meant else "nothing fails on the canary"
    return "; ".join(part for part in (told, meant) if part)


def _words(fault: FaultModel) -> str:
    share = "every request" if fault.share >= 1 else f"{_part(fault.share)} of the requests"
    where = f" to one endpoint, which takes {_part(fault.of_traffic)} of the traffic," if fault.of_traffic < 1 else ""
    kinds = {
        "latency": f"takes {fault.latency_s:g} s",
        "ramp": f"fails, reached in a straight line within {fault.ramp_s:g} s",
        "intermittent": f"fails for {fault.on_s:g} s of every {fault.every_s:g} s",
    }
    begun = f" from {fault.at_s:g} s after the first traffic on" if fault.at_s else ""
    return f"{share}{where} to the canary {kinds.get(fault.kind, 'fails')}{begun}".replace(", to the", " to the")


def assumed_of(setting: Setting) -> Iterator[str]:
    """What is taken for granted about any release."""
    if setting.delays == Delays():
        spans = f"metrics {_span(METRIC_DELAY_S)} after their minute, the stop {_span(STOP_DELAY_S)} after ALARM"
        yield f"Delays are those captured on other accounts ({spans}); doctor --learn-delays finds your own."
    arrivals = "evenly" if setting.arrivals == "even" else "by chance (Poisson)"
    yield f"Requests arrive {arrivals}, and each is drawn to a version by the weight alone."
    if setting.fault.kind == "latency":
        yield "All other requests are far below the threshold of an alarm on latency."
    elif setting.fault.share > 0:
        yield f"A failed request is one that clients see as {setting.fault.status}; no hook delays the first shift."


def assumed_of_experiment(experiment: Experiment, *, own_fault: bool) -> Iterator[str]:
    """What an experiment leaves open."""
    if any(fault.force_alarm or fault.concurrency is not None or fault.fis_template for fault in experiment.faults):
        yield "Forced alarms, reserved concurrency and FIS templates are left out: only requests are reckoned with."
    if experiment.deployment.hooks:
        yield "Hooks are left out: what they report, and how long they take, is not reckoned with."
    if not experiment.canary.is_bundled:
        yield "How the canary's own code fails is not known: a canary that fails every request is reckoned with."
    elif own_fault:
        yield "The experiment says no fault: a canary that fails every request is reckoned with."


def _span(span: tuple[float, float]) -> str:
    return f"{span[0]:g} to {span[1]:g} s"


def _part(share: float) -> str:
    return f"1 in {figures(1 / share)}" if 0 < share < LEAST_SHOWN else f"{share:.3g}"
