"""The command `canary-harness plan`, and `run --dry-run`: what a run would do, resolved, and nothing done."""

import argparse
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from harness.core.experiment import Experiment
from harness.core.plan import PlannedWrite, writes_of
from harness.core.rails import RAILS, host_of, limits_of
from harness.errors import UsageError
from harness.report.folder import masked, without_secrets
from harness.streams import say

if TYPE_CHECKING:
    from harness.load.options import Settings

Document = dict[str, Any]


def print_plan(command: Sequence[str], environment: Mapping[str, str], *, as_json: bool) -> None:
    """Prints what a Locust command would play: every write on AWS by name, the guard rails, and the experiment.

    Raises UsageError where the run itself would. As text it is YAML: the experiment, with the rest as comments.
    """
    settings = resolved(command, environment)
    experiment, local = settings.experiment, _is_rehearsal(settings)
    if as_json:
        document = _document(experiment, command, local=local)
        say(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
        return
    said = [shlex.join(masked(command)), "", *_writes(experiment, local=local), "", *_rails(experiment)]
    say("\n".join(f"# {line}".rstrip() for line in said))
    say(msgspec.yaml.encode(without_secrets(experiment)).decode().rstrip())


def resolved(command: Sequence[str], environment: Mapping[str, str]) -> "Settings":
    """The settings that a Locust process would read from its command line and environment."""
    import configargparse

    from harness.load import options

    parser = configargparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    options.add_options(parser)
    parser.add_argument("--host", "-H", env_var="LOCUST_HOST")
    try:
        given, _ = parser.parse_known_args([*command], env_vars={**environment})
    except argparse.ArgumentError as error:
        raise UsageError(str(error)) from error
    return options.settings_of(given)


def _is_rehearsal(settings: "Settings") -> bool:
    """Whether the run would have leave to write because its cloud is one of this machine's."""
    from harness.aws.clients import Aws, services_of

    return settings.rehearsal and Aws().is_local(*services_of(settings.experiment))


def _document(experiment: Experiment, command: Sequence[str], *, local: bool) -> Document:
    limits = limits_of(experiment.rails, experiment.target.host)
    rails: Document = {name: None if limit == float("inf") else limit for name in RAILS for limit in [limits.of(name)]}
    return {
        "command": masked(command),
        "writes": writes_of(experiment),
        "writes_allowed": experiment.allow_writes or local,
        "rails": {**rails, "hosts": _hosts(experiment)},
        "experiment": without_secrets(experiment),
    }


def _writes(experiment: Experiment, *, local: bool) -> list[str]:
    writes = writes_of(experiment)
    if not writes:
        return ["Changes nothing on AWS."]
    leave = (
        "allowed"
        if experiment.allow_writes
        else "allowed: a local cloud is no production"
        if local
        else "NOT allowed: give --allow-writes, or allow_writes: true"
    )
    return [f"Changes on AWS ({leave}):", *(f"  {_told(write)}" for write in writes)]


def _told(write: PlannedWrite) -> str:
    undone = f"; undone by {write.undone_by}" if write.undone_by else ""
    return f"{write.call} on {write.subject}: {write.what}{undone}"


def _rails(experiment: Experiment) -> list[str]:
    limits = limits_of(experiment.rails, experiment.target.host)
    told = (f"  {name}: {limits.of(name):g}, {rail.bounds}" for name, rail in RAILS.items())
    hosts = " and ".join([*_hosts(experiment), "this machine"])
    return ["Guard rails:", *told, f"  hosts: {hosts} only"]


def _hosts(experiment: Experiment) -> list[str]:
    named = [host_of(experiment.target.host)] if experiment.target.host else []
    return [*(experiment.rails.hosts or named)]
