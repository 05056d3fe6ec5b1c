"""The command `canary-harness init`: writes an experiment about one's own API, from what there is about it already."""

import argparse
import os
import re
import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from harness.cli.words import pair
from harness.errors import ExitCode, UsageError
from harness.streams import say, say_json

if TYPE_CHECKING:
    from harness.core.experiment.types import Experiment, Replay
    from harness.sources.drafts import Described
    from harness.sources.experiment import Written
    from harness.sources.files import SourceFile

_SOURCES: Mapping[str, tuple[str, str]] = {
    "openapi": ("FILE", "OpenAPI 3 or Swagger 2, in JSON or YAML: one request for each operation"),
    "har": ("FILE", "what a browser or a proxy recorded; credentials become {{env.NAME}}"),
    "postman": ("FILE", "a collection that was exported as version 2"),
    "access_log": ("FILE", "lines of API Gateway, ALB, CloudFront or nginx: the real mix and the real rate"),
    "template": (
        "FILE",
        "SAM, CloudFormation, serverless.yml, Terraform: the release of a function, and its routes unless another "
        "source names the requests",
    ),
    "stack": ("NAME", "the routes of the API in a CloudFormation stack, which is read only"),
}
"""What says what is sent; the template alone also says how it is released, and goes with one of the others."""
_MOST_TOLD = 8


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def add_init_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    text = "an experiment that is there already: --ci and --locustfile are written for it, and nothing else"
    parser.add_argument("experiment", nargs="?", metavar="FILE", help=text)
    for name, (metavar, text) in _SOURCES.items():
        parser.add_argument(_option(name), metavar=metavar, help=text)
    parser.add_argument("--function", metavar="NAME", help="with --template: which of its functions")
    text = "with --template: what the template cannot know, such as a parameter; may be repeated"
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help=text)
    text = "production's rate, to be replayed: of a function, function:alias, API or api/stage; read only"
    parser.add_argument("--from-cloudwatch", metavar="NAME", help=text)
    text = "with --from-cloudwatch: from when and for how long, such as 2026-11-20T18:00/30m; default: the last hour"
    parser.add_argument("--window", metavar="TIME/LENGTH", help=text)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: NAME.yaml in this folder")
    parser.add_argument("--name", help="name of the experiment; default: that of the API")
    parser.add_argument("--host", metavar="URL", help="where the service is on AWS; default: what the source says")
    text = "version in service of a rehearsal: a URL on this machine, or a Lambda handler module:function"
    parser.add_argument("--baseline", metavar="URL|HANDLER", help=text)
    parser.add_argument("--canary", metavar="URL|HANDLER", help="version on trial; default: the baseline's")
    text = "also send requests that may change something (POST, PUT, PATCH, DELETE); else they have weight 0"
    parser.add_argument("--include-writes", action="store_true", help=text)
    parser.add_argument("--ci", choices=("github", "gitlab"), help="write a job for CI, too")
    parser.add_argument("--locustfile", action="store_true", help="write a locustfile that plays the experiment, too")
    parser.add_argument("--force", action="store_true", help="write over files that exist")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of words")


def run_init(options: argparse.Namespace) -> int:
    """Runs the command; the exit code. Raises UsageError, and then nothing was written."""
    _check_sources(options)
    if options.experiment:
        return _write_companions_alone(options)
    rate = _rate(options)
    if not _requests_of(options):
        return _write_rate_alone(rate, options)
    made, described = _made(options, rate)
    path = options.output or Path(f"{made.experiment.name}.yaml")
    files = {path: made.text, **({path.with_name(rate.file.name): rate.file.text} if rate else {})}
    files |= _companions(options, str(path), made.experiment)
    _write(files, force=options.force)
    if options.json:
        left_out = [{"label": one.label, "why": one.why} for one in described.left_out]
        requests = [*made.experiment.traffic.requests]
        say_json({"files": [*map(str, files)], "requests": requests, "left_out": left_out, "unknown": made.unknown})
    else:
        _tell(path, files, made, described, options)
    return ExitCode.AS_EXPECTED


def _check_sources(options: argparse.Namespace) -> None:
    """Raises UsageError where two sources say what is sent."""
    first, *more = [_option(name) for name in _requests_of(options)] or [""]
    if more:
        raise UsageError(
            f"{first} and {more[0]} both say what is sent, and nothing tells which of their requests are the same; "
            "give one of them. Only --template goes with another: it says how the service is released"
        )
    if (options.function or options.parameter) and not options.template:
        raise UsageError("--function and --parameter go with --template")


def _requests_of(options: argparse.Namespace) -> list[str]:
    """The sources that a person gave for the requests; a template's routes count where there is nothing else."""
    given = [name for name in _SOURCES if getattr(options, name)]
    return [name for name in given if name != "template"] or given


class _Rate(NamedTuple):
    """Production's rate: the file that tells it, and of what it is."""

    file: "SourceFile"
    told: str


def _rate(options: argparse.Namespace) -> _Rate | None:
    """What CloudWatch counted; None where nobody asks for it."""
    name = options.from_cloudwatch
    if not name:
        if options.window:
            raise UsageError("--window goes with --from-cloudwatch")
        return None
    from harness.aws.clients import Aws
    from harness.aws.counted import counted
    from harness.run.experiment import clock_of_environment
    from harness.sources.files import SourceFile
    from harness.sources.rhythm import as_csv, last_hour, window_of

    now_s = clock_of_environment().experiment_s(time.time())
    try:
        window = window_of(options.window) if options.window else last_hour(now_s)
    except ValueError as error:
        raise UsageError(f"--window: {error}") from error
    aws = Aws()
    aws.warm("cloudwatch")
    found = counted(aws, name, *window, now_s)
    file = f"{re.sub('[^A-Za-z0-9]+', '-', name.rsplit(':function:', 1)[-1]).strip('-') or 'production'}-rate.csv"
    told = f"{sum(found.counts.values()):,.0f} {found.metric} of {name}"
    return _Rate(SourceFile(file, as_csv(found.metric, found.counts)), told)


def _write_rate_alone(rate: _Rate | None, options: argparse.Namespace) -> int:
    """Writes no more than the file of a rate, for an experiment that is there already."""
    if rate is None:
        named = ", ".join(map(_option, _SOURCES))
        raise UsageError(
            f"say what the experiment is about by one of {named}; or --from-cloudwatch for a rate alone; or name the "
            "FILE of an experiment that is there already, for --ci or --locustfile"
        )
    path = options.output or Path(rate.file.name)
    _write({path: rate.file.text}, force=options.force)
    if options.json:
        say_json({"files": [str(path)], "requests": [], "left_out": [], "unknown": []})
    else:
        say(f"Wrote {path}: {rate.told}.")
        say(f"An experiment beside it replays them by traffic: {{arrival_rate: {{from: {path.name}}}}}")
    return ExitCode.AS_EXPECTED


def _write_companions_alone(options: argparse.Namespace) -> int:
    """Writes what goes with an experiment that is there already."""
    from harness.run.experiment import read_experiment

    given = [*_requests_of(options), *(["from_cloudwatch"] if options.from_cloudwatch else [])]
    if others := [name for name in given if name != "stack"]:
        raise UsageError(
            f"{_option(others[0])} makes another experiment; leave it out, or leave out {options.experiment}"
        )
    files = _companions(options, options.experiment, read_experiment(options.experiment))
    if not files:
        raise UsageError(f"{options.experiment} is there already: say what to write for it by --ci or --locustfile")
    _write(files, force=options.force)
    if options.json:
        say_json({"files": [*map(str, files)], "requests": [], "left_out": [], "unknown": []})
    else:
        say(f"Wrote {' and '.join(map(str, files))}; what is yours to fill in stands at its top.")
    return ExitCode.AS_EXPECTED


def _made(options: argparse.Namespace, rate: _Rate | None) -> "tuple[Written, Described]":
    from harness.core.experiment.hosts import is_loopback
    from harness.sources.experiment import Choices, written

    word, described, released = _described(options)
    baseline = options.baseline
    if not baseline and not options.host and described.host and is_loopback(described.host):
        baseline = described.host
    choices = Choices(
        source=word,
        name=options.name,
        host=options.host,
        stack=options.stack,
        baseline=baseline,
        canary=options.canary,
        include_writes=options.include_writes,
        rate=_replay(rate.file) if rate else None,
        released=released,
        template=options.template,
    )
    if options.canary and not baseline:
        raise UsageError("--canary needs --baseline, the version in service of a rehearsal")
    return written(described, choices), described


def _replay(file: "SourceFile") -> "Replay":
    from harness.core.experiment.types import Replay
    from harness.sources.rhythm import steps_in

    replay = Replay(source=file.name)
    return replace(replay, steps=steps_in(replay, file))


def _described(options: argparse.Namespace) -> "tuple[str, Described, Mapping[str, Any] | None]":
    """The source's name, what it says, and how the service is released where a template says that."""
    (kind,) = _requests_of(options)
    word = getattr(options, kind)
    routes, released, lacking = _released(options) if options.template else ((), None, "")
    name, described = _source(kind, word, routes, options.function)
    return name, replace(described, unknown=(*described.unknown, lacking) if lacking else described.unknown), released


def _source(kind: str, word: str, routes: tuple[tuple[str, str], ...], function: str | None) -> "tuple[str, Described]":
    """A source's name, and what it says."""
    if kind == "template":
        return Path(word).name, _routed(word, function, routes)
    if kind == "stack":
        from harness.aws.routes import routes_of_stack

        return f"the stack {word}", routes_of_stack(word)
    from harness.sources.files import read_source

    return Path(word).name, _reader(kind)(read_source(Path(word)))


def _released(options: argparse.Namespace) -> tuple[tuple[tuple[str, str], ...], Mapping[str, Any], str]:
    """The routes of the template's function, the keys that say how it is released, and what of that has no words."""
    from harness.templates import read_release, released_keys, routes_of

    release = read_release(Path(options.template), dict(map(pair, options.parameter)), os.environ, with_code=True)
    return routes_of(release, options.function), *released_keys(release, options.function)


def _routed(word: str, function: str | None, routes: tuple[tuple[str, str], ...]) -> "Described":
    from harness.sources.template import described_by_routes

    if not routes:
        problem = "the template gives no route to the function; give --openapi, --har or --access-log for the requests"
        raise UsageError(f"{word}: {problem}")
    return described_by_routes(function or "", routes)


def _reader(kind: str) -> "Callable[[SourceFile], Described]":
    if kind == "openapi":
        from harness.sources.openapi import read_openapi

        return read_openapi
    if kind == "har":
        from harness.sources.har import read_har

        return read_har
    if kind == "postman":
        from harness.sources.postman import read_postman

        return read_postman
    from harness.sources.access_log import read_access_log

    return read_access_log


def _companions(options: argparse.Namespace, path: str, experiment: "Experiment") -> dict[Path, str]:
    from harness.sources.companions import ci_job, locustfile

    files: dict[Path, str] = {}
    if options.ci:
        name, text = ci_job(options.ci, path, experiment, options.stack)
        files[Path(name)] = text
    if options.locustfile:
        files[Path("locustfile.py")] = locustfile(path)
    return files


def _write(files: Mapping[Path, str], *, force: bool) -> None:
    """Writes all files, or none where one is there already."""
    there = [str(path) for path in files if path.exists()]
    if there and not force:
        raise UsageError(f"{there[0]} exists already; give --force to write over it, or --output for another file")
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error


def _tell(
    path: Path, files: Mapping[Path, str], made: "Written", described: "Described", options: argparse.Namespace
) -> None:
    sent = [*made.experiment.traffic.requests]
    say(f"Wrote {' and '.join(map(str, files))}: {len(sent)} request{'' if len(sent) == 1 else 's'}.")
    say("Not known, and yours to fill in:")
    for sentence in made.unknown:
        say(f"  - {sentence}")
    if described.left_out:
        say(f"Left out ({len(described.left_out)}, all named at the end of {path}):")
        for one in described.left_out[:_MOST_TOLD]:
            say(f"  - {one.label}: {one.why}")
    say(_next(made, shlex.quote(str(path)), options))


def _next(made: "Written", file: str, options: argparse.Namespace) -> str:
    """What a person does next."""
    experiment = made.experiment
    if options.template:
        from harness.templates import ALARMS_UNPLAYED

        function = f" --function {shlex.quote(options.function)}" if options.function else ""
        given = "".join(f" --parameter {shlex.quote(one)}" for one in options.parameter)
        played = f"canary-harness rehearse {file} --template {shlex.quote(options.template)}{function}{given}"
        if any(sentence.startswith(ALARMS_UNPLAYED) for sentence in made.unknown):
            return f"Next: {played} -- COMMAND, which deploys it, such as sam deploy"
        return f"Next: {played}"
    if experiment.baseline.url or experiment.baseline.handler:
        return f"Next: canary-harness rehearse {file}"
    if experiment.target.host:
        return f"Next: canary-harness plan {file}; a rehearsal needs your service on this machine, see --baseline"
    return f"Next: say in {file} where the service is; then: canary-harness rehearse {file}"
