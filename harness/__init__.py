"""Proves the safety net of canary releases on AWS Lambda: traffic, faults, a watcher, and a verdict.

The house, along the road from a question to its answer; each folder's docstring or README says more:

    experiments/        the experiments that come with the package, as data
    cli/                the command line, one file a command
    core/               pure: knows no clock, socket, AWS or Locust
      experiment/       what is asked: types, parsing, rates, pacing, faults, guard rails, planned writes
      timeline/         what was seen: events, the release, alarm states
      verdict/          what it means: evidence, measures, harm, findings, the verdict
      arming/           what doctor asks of a safety net before a release
    aws/                all that knows boto3: discovering, watching, deploying, forcing alarms, undoing
    traffic/            the load engine: HTTP client, sender, recorder, fleet; knows no Locust
    run/                directs one run from its first request to its verdict
    plugin/             all that knows Locust: options, roles of its processes, users, the web page
    rehearsal/          the local cloud: CodeDeploy, CloudWatch, Lambda and a gateway, in compressed time
    templates/          what a template of any tool says of a release, and doctor's questions to it
    sources/            what OpenAPI files, recordings, collections and access logs say, as experiments
    report/             a verdict and its timeline as HTML, Markdown, JUnit, tables and terminal text
    errors.py           every error, by whose fault it is
    files.py            reading files that others may have written
    processes.py        starting and ending processes
    streams.py          writing to stdout and stderr, whatever they are
    wallclock.py        wall time that goes on whatever the clock is set to

Where to look first:

    how an answer's status line and headers are parsed    traffic/client/parser.py
    how the harness evaluates an alarm                    core/timeline/alarm_evaluation.py, alarm_rules.py
    how the local cloud evaluates an alarm                rehearsal/cloudwatch/evaluation.py
    what decides caught, missed, cleared or false alarm   core/verdict/judge.py
    what options such as --canary-error-share do          plugin/options.py lists, core/experiment/overlay.py reads
    what undoes a forced alarm                            aws/forced_alarm.py; after a crash aws/healing.py

A room imports only rooms below it:
cli > plugin > run > traffic, aws, rehearsal, report > sources, templates > core > the rest.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.core.verdict.judge import judge
    from harness.core.version import __version__
    from harness.plugin.users import CanaryUser
    from harness.report import frames

__all__ = ["CanaryUser", "__version__", "frames", "judge"]

_HOMES = {
    "CanaryUser": "harness.plugin.users",
    "__version__": "harness.core.version",
    "frames": "harness.report",
    "judge": "harness.core.verdict.judge",
}


def __getattr__(name: str) -> Any:
    """A public name, loaded when it is asked for: `import harness` alone loads neither Locust nor pandas."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
