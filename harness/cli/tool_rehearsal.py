"""`canary-harness rehearse --template FILE -- COMMAND`: a deploy tool releases twice to the local cloud."""

import argparse
import contextlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL
from typing import TYPE_CHECKING

from harness.cli.cloud_environment import UNSET, CloudInBackground, variables_of
from harness.cli.shared_options import printing_of
from harness.cli.words import given_of, pair
from harness.errors import HarnessError, UsageError
from harness.processes import Interrupts, await_end, end, python, start
from harness.streams import tell

if TYPE_CHECKING:
    from harness.aws.clients import Aws
    from harness.core.experiment.types import Experiment

TOOL_S = 600.0
"""Wall time that a tool may take beside its canary: it builds, uploads and polls no faster than on AWS."""
_LOOK_S = 0.1
_GROUP, _URL = "AWS::CodeDeploy::DeploymentGroup", "AWS::Lambda::Url"


def rehearse_by_tool(options: argparse.Namespace, speed: float) -> int:
    """Has the command deploy what is in service, then the change under traffic; the exit code of that run.

    Raises HarnessError.
    """
    _check(options)
    experiment = _asked(options)
    folders = [Path.cwd(), options.change or Path.cwd()]
    baseline, canary = _shells(experiment)
    with Interrupts() as stop, _cloud(options, speed) as cloud:
        variables = {**os.environ}
        before = _stacks()
        tell(f"first deployment, what is in service: {shlex.join(options.others)}")
        code = _ended(options.others, {**variables, **baseline}, folders[0], stop)
        if code:
            raise HarnessError(f"the first deployment failed: {options.others[0]} ended with exit code {code}")
        stack = _released(before)
        tell(f"second deployment, the change, of the stack {stack} in {folders[1]}")
        played = _at_its_stack(experiment, stack, cloud, speed)
        with _file(played) as file:
            code = _ended(_run(options, file), {**variables, **canary}, folders[1], stop)
        for line in cloud.told():
            if line not in played.otherwise:
                tell(f"second deployment: {line}")
        return code


# What is asked


def _check(options: argparse.Namespace) -> None:
    """Refuses what cannot be played; raises UsageError."""
    if options.all or len(options.experiments) > 1:
        raise UsageError("a command deploys one release: name one experiment at most")
    if not shutil.which(options.others[0]):
        raise UsageError(f"there is no command {options.others[0]} to deploy with")
    if options.change and not options.change.is_dir():
        raise UsageError(f"--change: there is no folder {options.change}")
    if not options.template:
        return
    from harness.templates import read_release
    from harness.templates.rehearsal import chosen

    chosen(read_release(options.template, dict(map(pair, options.parameter)), os.environ), options.function)


def _asked(options: argparse.Namespace) -> "Experiment":
    """The experiment, with the command that deploys. Raises UsageError where nothing would change."""
    from harness.run.experiment import asked

    experiment = asked(next(iter(options.experiments), None), {**given_of(options), "function": None})
    if not options.change and experiment.baseline.env == experiment.canary.env:
        raise UsageError(
            "nothing would change from the first deployment to the second: give --change DIR, the folder to deploy "
            "from the second time, or canary: {env: …} in the experiment, which the command then finds in its variables"
        )
    if not (experiment.traffic.requests or options.locustfile):
        raise UsageError("say what to send: name an experiment with traffic.requests, or give a --locustfile")
    return experiment


def _shells(experiment: "Experiment") -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The variables of both arms, which the command sees at the first deployment and at the second."""
    baseline, canary = experiment.baseline.env, experiment.canary.env
    return {name: str(value) for name, value in baseline.items()}, {name: str(value) for name, value in canary.items()}


# The cloud, and what was deployed to it


@contextlib.contextmanager
def _cloud(options: argparse.Namespace, speed: float) -> Iterator[CloudInBackground]:
    """A local cloud for as long as it lasts; this process's environment leads to it, too."""
    header = ("--version-header", options.version_header) if options.version_header else ()
    cloud = CloudInBackground(["--speed", str(speed), *header, "--with-parent"])
    for name in UNSET:
        os.environ.pop(name, None)
    os.environ.update(variables_of(cloud.ready, cloud.process.pid))
    try:
        yield cloud
    finally:
        cloud.end()


def _aws() -> "Aws":
    from harness.aws.clients import Aws

    return Aws()


def _stacks() -> set[str]:
    from harness.aws.clients import pages

    found = pages(_aws(), "cloudformation", "describe_stacks")
    return {str(one["StackName"]) for page in found for one in page["Stacks"]}


def _released(before: set[str]) -> str:
    """The stack of the first deployment that has a deployment group; raises UsageError unless there is one."""
    from harness.aws.candidates import named_resources, resources_of_stack

    aws = _aws()
    new = sorted(_stacks() - before)
    found = [stack for stack in new if named_resources([*resources_of_stack(aws, stack)], _GROUP)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"the command deployed {', '.join(found)}: a rehearsal plays the release of one stack")
    made = f"it made {', '.join(new)}" if new else "it made no stack"
    raise UsageError(f"the command deployed nothing that CodeDeploy releases: {made}")


def _at_its_stack(experiment: "Experiment", stack: str, cloud: CloudInBackground, speed: float) -> "Experiment":
    """The experiment as it is sent to what the stack serves, with what the cloud warned of."""
    from msgspec.structs import replace

    from harness.core.experiment.part import LONGEST_S

    host, headers = _front(stack, cloud.ready["service_url"])
    requests = experiment.traffic.requests.items()
    headed = {name: replace(one, headers={**headers, **one.headers}) for name, one in requests}
    return replace(
        experiment,
        target=replace(experiment.target, host=host),
        traffic=replace(experiment.traffic, requests=headed),
        deployment=replace(experiment.deployment, stack=stack),
        otherwise=(*experiment.otherwise, *cloud.told()),
        give_up_s=min(experiment.give_up_s + TOOL_S * speed, LONGEST_S),
    )


def _front(stack: str, service_url: str) -> tuple[str, Mapping[str, str]]:
    """Where the local cloud serves the stack's API, or else its function URL, and the headers that this takes."""
    from urllib.parse import urlsplit

    from harness.aws.candidates import named_resources, resources_of_stack
    from harness.aws.routes import address_of_stack

    gateway = "{0.scheme}://{0.netloc}".format(urlsplit(service_url))
    aws = _aws()
    found = address_of_stack(stack, aws)
    if found:
        return f"{gateway}/restapis/{found[0]}/{found[1]}/_user_request_", {}
    for _, function in named_resources([*resources_of_stack(aws, stack)], _URL):
        url = str(aws.call("lambda", "get_function_url_config", FunctionName=function)["FunctionUrl"])
        return gateway, {"Host": urlsplit(url).netloc}
    raise UsageError(f"the stack {stack} has neither an API of API Gateway nor a function URL to send requests to")


# Processes


@contextlib.contextmanager
def _file(experiment: "Experiment") -> Iterator[Path]:
    """A file with the experiment, for a process of its own."""
    import msgspec

    with tempfile.TemporaryDirectory(prefix="canary-harness-") as folder:
        file = Path(folder) / "experiment.json"
        file.write_bytes(msgspec.json.encode(experiment))
        yield file


def _run(options: argparse.Namespace, file: Path) -> Sequence[str]:
    """`canary-harness run` of the experiment, with what was said of what it prints."""
    printing = {"json": ("--json",), "verdict": ("--quiet",), "all": ("--verbose",), "summary": ()}[
        printing_of(options)
    ]
    users = ("--locustfile", str(Path(options.locustfile).absolute())) if options.locustfile else ()
    return [
        *python("-m", "harness", "run", str(file), "--reports", str(options.reports.absolute())),
        *users,
        *printing,
    ]


def _ended(command: Sequence[str], environment: Mapping[str, str], folder: Path, stop: Interrupts) -> int:
    """Runs a process to its end, or to a signal to us; its exit code. Raises HarnessError."""
    try:
        process = start(command, environment, cwd=folder, stdin=DEVNULL)
    except OSError as error:
        raise UsageError(f"the command {command[0]} cannot be started: {error.strerror}") from error
    try:
        while (code := await_end(process, _LOOK_S)) is None:
            stop.check()
        return code
    finally:
        end(process, stop)
