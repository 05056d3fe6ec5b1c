"""The command `canary-harness plan`, and `run --dry-run`: what a run would do, resolved, and nothing done."""

import argparse
import shlex
from collections.abc import Sequence
from typing import Any

import msgspec

from harness.cli.wanted import Wanted, wanted_of
from harness.core.experiment.hosts import host_of, is_loopback
from harness.core.experiment.planned_writes import PlannedWrite, group_of, writes_of
from harness.core.experiment.rails import RAILS, limits_of
from harness.core.experiment.requests import HARMLESS, Request
from harness.core.experiment.sendable import sent_of, weight_of
from harness.core.experiment.types import Deployment, Experiment, Traffic
from harness.errors import ExitCode
from harness.report.masked_experiment import without_secrets
from harness.report.masking import masked, masked_prose
from harness.run.experiment import lacking_permission, watched
from harness.run.sent import with_requests
from harness.streams import say, say_json

Document = dict[str, Any]


def run_plan(options: argparse.Namespace) -> int:
    """Runs the command; the exit code. Raises HarnessError."""
    print_plan(wanted_of(options), as_json=options.json)
    return ExitCode.AS_EXPECTED


def print_plan(wanted: Wanted, *, as_json: bool) -> None:
    """Prints what would be played: every write on AWS by name, the guard rails, and the experiment.

    Raises UsageError if the run itself would. Only a missing permission to write is told in the plan, which is made
    to decide on it. As text it is YAML: the experiment, with the rest as comments.
    """
    experiment, unfound = _found(wanted.experiment)
    local = _is_rehearsal(wanted)
    if as_json:
        say_json(_document(experiment, wanted.command, unfound, local=local, own_users=wanted.own_users))
        return
    parts = (
        _groups(experiment, unfound),
        traffic(experiment, own_users=wanted.own_users),
        [] if wanted.own_users else _requests(without_secrets(with_requests(experiment))),
        _writes(experiment, local=local),
        _rails(experiment),
    )
    said = [shlex.join(masked(wanted.command)), *(masked_prose(line) for part in parts if part for line in ("", *part))]
    say("\n".join(f"# {line}".rstrip() for line in said))
    say(msgspec.yaml.encode(without_secrets(experiment)).decode().rstrip())


def _found(experiment: Experiment) -> tuple[Experiment, str]:
    """The experiment with the names that AWS tells, and why it told none where it could not be asked."""
    from harness.aws.clients import Aws
    from harness.aws.discovery import discover_for_a_plan
    from harness.run.command import words_of
    from harness.run.deploying import check_making

    if not watched(experiment):
        return experiment, ""
    aws = Aws()
    found, unfound = discover_for_a_plan(aws, experiment)
    if not unfound:
        check_making(aws, found.deployment)
    elif found.deployment.command:
        words_of(found.deployment.command)
    return found, unfound


def _is_rehearsal(wanted: Wanted) -> bool:
    """Whether the run may write because its cloud is one of this machine's."""
    from harness.aws.clients import Aws, services_of

    return wanted.rehearsal and Aws().is_local(*services_of(wanted.experiment))


def _document(
    experiment: Experiment, command: Sequence[str], unfound: str, *, local: bool, own_users: bool
) -> Document:
    limits = limits_of(experiment.rails, experiment.target.host)
    rails: Document = {name: None if limit == float("inf") else limit for name in RAILS for limit in [limits.of(name)]}
    return {
        "command": masked(command),
        "not_found_because": masked_prose(unfound) or None,
        "changing_requests": [] if own_users else _changing(without_secrets(with_requests(experiment))),
        "writes": writes_of(experiment),
        "writes_allowed": experiment.allow_writes or local,
        "refused_because": _refusal(experiment, local=local),
        "rails": {**rails, "hosts": _hosts(experiment)},
        "experiment": without_secrets(experiment),
    }


def _groups(experiment: Experiment, unfound: str) -> list[str]:
    """What is watched, by the names that AWS has for it."""
    if not watched(experiment):
        return ["Watches nothing: no deployment is named."]
    told = [f"Watches {_watched(one)}" for one in (experiment.deployment, *experiment.also)]
    return [*told, f"  Names could not be looked up on AWS: {unfound}"] if unfound else told


def _watched(wanted: Deployment) -> str:
    which = f"deployment {wanted.id} of " if wanted.id else ""
    shifts = f", which shifts {wanted.alias} of {wanted.function}" if wanted.function else ""
    return f"{which}{group_of(wanted)}{shifts}"


def traffic(experiment: Experiment, *, own_users: bool) -> list[str]:
    """What is asked of the traffic before anything is deployed, and whose traffic it is."""
    wanted = experiment.deployment
    told = []
    if (wanted.target_version or wanted.redeploy or wanted.command) and experiment.steady_s:
        told.append(f"Deploys after {experiment.steady_s:g} s if the traffic is steady by then.")
    elif wanted.target_version or wanted.redeploy or wanted.command:
        told.append("Deploys at once: with steady_s 0 nothing is checked of the traffic before.")
    if own_users:
        told.append("Requests, arrival rate and error share are for CanaryUsers: all other users of the locustfile")
        told.append("send what it says, and their requests fail only where it makes them.")
    return told


def _requests(experiment: Experiment) -> list[str]:
    """What is sent, and what of it may change something on another machine."""
    traffic, host = experiment.traffic, experiment.target.host
    keys = sent_of(traffic)
    steps = (f"{name} ({', '.join(flow.steps)})" for name, flow in traffic.flow.items() if flow.weight)
    told = [
        f"Sends: {', '.join(_request(traffic, key) for key in keys if weight_of(traffic, key)) or 'no single requests'}"
    ]
    if traffic.flow:
        told.append(f"  In sequence: {', '.join(steps)}")
    if changing := _changing(experiment):
        told.append(f"  These may change something at {host_of(host or '')}: {', '.join(changing)}")
    return told


def _changing(experiment: Experiment) -> list[str]:
    """The requests that may change something on another machine than this one."""
    requests, host = experiment.traffic.requests, experiment.target.host
    if not host or is_loopback(host):
        return []
    keys = (key for key in sent_of(experiment.traffic) if requests[key].method not in HARMLESS)
    return list(dict.fromkeys(_line(requests[key]) for key in keys))


def _request(traffic: Traffic, key: str) -> str:
    return f"{key} ({_line(traffic.requests[key])}, weight {weight_of(traffic, key):g})"


def _line(request: Request) -> str:
    return f"{request.method.upper()} {request.path}"


def _writes(experiment: Experiment, *, local: bool) -> list[str]:
    writes = writes_of(experiment)
    if not writes:
        return ["Changes nothing on AWS."]
    permission = (
        "allowed" if experiment.allow_writes else "allowed: a local cloud is no production" if local else "NOT allowed"
    )
    refusal = _refusal(experiment, local=local)
    refused = [f"  The run is refused: {refusal}"] if refusal else []
    return [f"Changes on AWS ({permission}):", *(f"  {_told(write)}" for write in writes), *refused]


def _refusal(experiment: Experiment, *, local: bool) -> str | None:
    """Why the run would be refused for want of permission to write, in the words of the run; None if it has it."""
    has_permission = experiment.allow_writes or local or not writes_of(experiment)
    return None if has_permission else lacking_permission(writes_of(experiment))


def _told(write: PlannedWrite) -> str:
    undone = f"; undone by {write.undone_by}" if write.undone_by else ""
    return f"{write.call} on {write.subject}: {write.what}{undone}"


def _rails(experiment: Experiment) -> list[str]:
    limits = limits_of(experiment.rails, experiment.target.host)
    told = (f"  {name}: {_limit(limits.of(name))}, {rail.bounds}" for name, rail in RAILS.items())
    hosts = " and ".join([*_hosts(experiment), "this machine"])
    return ["Guard rails:", *told, f"  hosts: {hosts} only"]


def _limit(limit: float) -> str:
    return "no limit to this machine" if limit == float("inf") else f"{limit:g}"


def _hosts(experiment: Experiment) -> list[str]:
    named = [host_of(experiment.target.host)] if experiment.target.host else []
    return [*(experiment.rails.hosts or named)]
