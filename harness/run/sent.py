"""What is sent where an experiment does not say it: the requests of the bundled service."""

from msgspec.structs import replace

from harness import experiments
from harness.core.experiment.parse import parse
from harness.core.experiment.types import Experiment


def with_requests(experiment: Experiment) -> Experiment:
    """The experiment with the bundled service's requests, feed and faults where it has no requests of its own."""
    traffic = experiment.traffic
    if traffic.requests:
        return experiment
    bundled = parse(experiments.service(), source=experiments.SERVICE).traffic
    filled = replace(traffic, requests=bundled.requests, feed=bundled.feed, fault=bundled.fault)
    return replace(experiment, traffic=filled)
