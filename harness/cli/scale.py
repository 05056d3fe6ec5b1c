"""The command `canary-harness scale`: prints what runs a master and its workers on Kubernetes, Compose or Fargate."""

import argparse
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.words import whole
from harness.core.version import __version__
from harness.errors import ExitCode, UsageError
from harness.streams import say

if TYPE_CHECKING:
    from harness.core.experiment.types import Experiment
    from harness.templates.scaled.run import Document, ScaledRun

_ENGINES = {
    "kubernetes": "manifests for an operator that runs Locust on Kubernetes",
    "compose": "a Compose file: master and workers on one host",
    "fargate": "a CloudFormation template: a service for the master and one for its workers, on ECS with Fargate",
}
OPERATORS = ("locust", "locust-k8s-operator")
MOST_WORKERS = 500
"""The most that locust-k8s-operator took in its first version; far beyond what one master bears."""
_MOST_NAME = 40
"""Engines make longer names of it, and 63 letters are the most that one may have."""
_NAME = re.compile(rf"[a-z]([a-z0-9-]{{0,{_MOST_NAME - 2}}}[a-z0-9])?")
_FILE = re.compile(r"[A-Za-z0-9._/-]+")
_IMAGE = re.compile(r"[a-z0-9][A-Za-z0-9._/:@-]*")
_REGION = re.compile(r"[a-z]{2,3}(-[a-z]+)+-\d+")


def add_scale_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the engines, and the options of each."""
    engines = parser.add_subparsers(dest="engine", metavar="ENGINE", required=True)
    for name, text in _ENGINES.items():
        engine = engines.add_parser(name, help=text, description=text, allow_abbrev=False)
        _add_engine_arguments(engine, needs_image=name != "compose")
        if name == "kubernetes":
            text = f"the operator that the cluster has: {' or '.join(OPERATORS)}; default: {OPERATORS[0]}"
            engine.add_argument("--operator", choices=OPERATORS, default=OPERATORS[0], help=text)


def _add_engine_arguments(parser: argparse.ArgumentParser, *, needs_image: bool) -> None:
    parser.add_argument("experiment", nargs="?", metavar="FILE|NAME", help="an experiment; default: one of defaults")
    text = "processes that send, each on a core of its own; default: 2"
    parser.add_argument("--workers", type=_workers, default=2, metavar="N", help=text)
    image = f"canary-harness:{__version__}"
    text = "image with canary-harness in it" + ("" if needs_image else f"; default: {image}")
    is_image = _fitting(_IMAGE, "the name of an image")
    parser.add_argument("--image", type=is_image, default=image, required=needs_image, metavar="IMAGE", help=text)
    text = "your own locustfile instead of ours; what it imports must be in the image"
    parser.add_argument("-f", "--locustfile", metavar="FILE", help=text)
    parser.add_argument("--host", metavar="URL", help="where the service is; default: the experiment's")
    text = "region of the deployment; default: the one that the master runs in"
    parser.add_argument("--region", type=_fitting(_REGION, "a region such as eu-north-1"), metavar="REGION", help=text)
    text = "what all of it is called; default: the experiment's name"
    parser.add_argument("--name", type=_name, metavar="NAME", help=text)
    text = "experiment and locustfile are paths in the image, of whose files nothing is printed"
    parser.add_argument("--in-image", action="store_true", help=text)


def run_scale(options: argparse.Namespace) -> int:
    """Runs the command; the exit code. Raises UsageError."""
    experiment = _experiment(options)
    paths = {} if options.in_image else _paths(options, experiment)
    run = _scaled(options, experiment, paths)
    from harness.templates.scaled.printed import printed

    say(printed(*_made(options, experiment, run, paths)).rstrip())
    return ExitCode.AS_EXPECTED


def _made(
    options: argparse.Namespace, experiment: "Experiment", run: "ScaledRun", paths: Mapping[str, Path]
) -> "tuple[Sequence[str], Sequence[Document]]":
    """What a person is told, and the documents of the engine."""
    from harness.templates.scaled import compose, fargate, kubernetes

    if options.engine == "compose":
        mounted = {name: _from_here(path) for name, path in paths.items()}
        return compose.compose_file(run, mounted, f"{os.getuid()}:{os.getgid()}")
    if options.engine == "fargate":
        _check_size(run, fargate.MOST_FILES, "a task definition")
        return fargate.fargate_template(run, _permissions(experiment))
    _check_size(run, kubernetes.MOST_FILES, "a ConfigMap")
    if options.operator == OPERATORS[1]:
        return kubernetes.of_locust_k8s_operator(run)
    if run.secrets:
        needed = ", ".join(run.secrets)
        raise UsageError(
            f"--operator: Locust's own hands no Secret to its pods, and {needed} is one; "
            f"give --operator {OPERATORS[1]}, which does"
        )
    return kubernetes.of_locusts_operator(run)


# What is to run


def _experiment(options: argparse.Namespace) -> "Experiment":
    """The experiment, checked as far as it can be away from the machines that play it."""
    from harness.core.experiment.hosts import is_loopback
    from harness.core.experiment.planned_writes import writes_of
    from harness.core.experiment.rails import limits_of, refusals
    from harness.run.experiment import asked
    from harness.traffic.client.address import service_url

    word = None if options.in_image else options.experiment
    experiment = asked(word, {"host": options.host})
    host = experiment.target.host
    if host and is_loopback(service_url(host).geturl()):
        raise UsageError(f"--host: {host} would be the worker's own machine; give the address that workers reach")
    if not host and not options.locustfile and not options.in_image:
        raise UsageError("no host to send traffic to: give --host, or target.host in the experiment")
    for refused in refusals(experiment, limits_of(experiment.rails, host)):
        raise refused
    if (writes := writes_of(experiment)) and not experiment.allow_writes:
        named = "; ".join(f"{write.call} on {write.subject}" for write in writes)
        raise UsageError(f"allow_writes: the experiment would change AWS ({named}); set it to true if that is meant")
    return experiment


def _scaled(options: argparse.Namespace, experiment: "Experiment", paths: Mapping[str, Path]) -> "ScaledRun":
    from harness.core.experiment.sendable import variables_of
    from harness.templates.scaled.run import ScaledRun

    return ScaledRun(
        name=options.name or _dns_name(experiment.name),
        workers=options.workers,
        image=options.image,
        experiment=_word_for(options.experiment, options),
        locustfile=_word_for(options.locustfile, options),
        host=options.host,
        region=options.region,
        files=_texts(paths),
        requests_need=variables_of(experiment.traffic),
        master_needs=(experiment.notify.address_in,) if experiment.notify else (),
    )


def _word_for(word: str | None, options: argparse.Namespace) -> str | None:
    """What master or workers call a file: its name, for those that are brought along."""
    from harness.experiments import NAMES

    if word is None or word in NAMES:
        return word
    name = word if options.in_image else Path(word).name
    if not _FILE.fullmatch(name):
        raise UsageError(f"{word}: a file that is brought along must be named of letters, digits, '.', '-' and '_'")
    return name


def _paths(options: argparse.Namespace, experiment: "Experiment") -> dict[str, Path]:
    """The files that the run takes with it, by the names that they get there."""
    from harness.experiments import NAMES

    paths = [Path(options.experiment)] if options.experiment and options.experiment not in NAMES else []
    paths += [path.parent / name for path in paths for name in _beside(experiment, path)]
    paths += [Path(options.locustfile)] if options.locustfile else []
    named = {path.name: path for path in paths}
    if len(named) < len(paths):
        raise UsageError(f"{paths[-1]}: two files of the run have this name; rename one")
    return named


def _beside(experiment: "Experiment", path: Path) -> Iterator[str]:
    """The files that an experiment's file names, which must stand beside it: a run has one folder for all."""
    from harness.core.experiment.types import Replay

    traffic = experiment.traffic
    folder = path.parent.absolute()
    if isinstance(traffic.feed, str):
        yield _alone("traffic.feed", os.path.relpath(traffic.feed, folder), path)
    if isinstance(traffic.arrival_rate, Replay):
        yield _alone("traffic.arrival_rate", traffic.arrival_rate.source, path)


def _alone(field: str, name: str, path: Path) -> str:
    if Path(name).name != name or not _FILE.fullmatch(name):
        raise UsageError(f"{path}: {field}: {name} must stand beside the experiment to be brought along")
    return name


def _texts(paths: Mapping[str, Path]) -> dict[str, str]:
    """What the files hold; raises UsageError where that is a secret, which everybody would read who sees them."""
    from harness.sources.files import read_source

    texts = {name: read_source(path).text for name, path in paths.items()}
    for name, text in texts.items():
        if place := _secret_in(name, text):
            hint = "write {{env.NAME}} in an experiment, or give --in-image"
            raise UsageError(f"{paths[name]}: {place} holds a secret, which is not printed; {hint}")
    return texts


def _secret_in(name: str, text: str) -> str | None:
    """Where a file holds a secret, as far as names of values and known shapes tell; None where it holds none."""
    from harness.core.experiment.feed import feed_of
    from harness.core.experiment.plain_yaml import read_yaml
    from harness.core.experiment.secrets import SECRET_NAME, SECRET_SHAPE
    from harness.report.masked_experiment import secret_in

    if found := SECRET_SHAPE.search(text):
        return f"line {text.count(chr(10), 0, found.start()) + 1}"
    if name.endswith((".yaml", ".yml", ".json")):
        return secret_in(read_yaml(text, name))
    if name.endswith((".csv", ".jsonl", ".ndjson")):
        columns = (column for column in feed_of(text, name).columns if SECRET_NAME.search(column))
        return next((f"the column {column}" for column in columns), None)
    return None


def _check_size(run: "ScaledRun", most: int, place: str) -> None:
    size = sum(len(text.encode()) for text in run.files.values())
    if size > most:
        raise UsageError(f"the files of the run are {size:,} bytes, and {place} takes {most:,}; give --in-image")


def _permissions(experiment: "Experiment") -> list[dict[str, Any]]:
    """The statements of IAM for what the experiment does."""
    from harness.aws.policy import FINDS_AND_EXAMINES, WATCHES, narrowed, needed_for_writes

    needed = {*needed_for_writes(experiment)}
    statements: list[dict[str, Any]] = narrowed(experiment)["Statement"]
    return [
        one for one in statements if one["Sid"] in (WATCHES, FINDS_AND_EXAMINES) or needed.intersection(one["Action"])
    ]


def _from_here(path: Path) -> str:
    """A path as Compose takes it: a relative one must begin with a dot."""
    return str(path) if path.is_absolute() else f"./{path}"


# Words of the command line


def _workers(word: str) -> int:
    count = whole(word)
    if not 1 <= count <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"must be from 1 to {MOST_WORKERS}, got {word}")
    return count


def _name(word: str) -> str:
    if not _NAME.fullmatch(word):
        rule = f"at most {_MOST_NAME} small letters, digits and '-', a letter first and no '-' at the end"
        raise argparse.ArgumentTypeError(f"must be {rule}, got {word}")
    return word


def _fitting(pattern: re.Pattern[str], what: str) -> Any:
    def read(word: str) -> str:
        if not pattern.fullmatch(word):
            raise argparse.ArgumentTypeError(f"must be {what}, got {word}")
        return word

    return read


def _dns_name(name: str) -> str:
    """An experiment's name as engines take it."""
    small = re.sub("[^a-z0-9]+", "-", name.lower()).lstrip("-0123456789")
    return small[:_MOST_NAME].strip("-") or "canary"
