"""The command `canary-harness init`: writes an experiment about one's own API, from what there is about it already."""

import argparse
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ExitCode, UsageError
from harness.streams import say, say_json

if TYPE_CHECKING:
    from harness.core.experiment.types import Experiment
    from harness.sources.drafts import Described
    from harness.sources.experiment import Written
    from harness.sources.files import SourceFile

_SOURCES: Mapping[str, tuple[str, str]] = {
    "openapi": ("FILE", "OpenAPI 3 or Swagger 2, in JSON or YAML: one request for each operation"),
    "har": ("FILE", "what a browser or a proxy recorded; credentials become {{env.NAME}}"),
    "postman": ("FILE", "a collection that was exported as version 2"),
    "access_log": ("FILE", "lines of API Gateway, ALB, CloudFront or nginx: the real mix and the real rate"),
    "stack": ("NAME", "the routes of the API in a CloudFormation stack, which is read only"),
}
_MOST_TOLD = 8


def add_init_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    source = parser.add_mutually_exclusive_group(required=True)
    for name, (metavar, text) in _SOURCES.items():
        source.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, help=text)
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
    made, described = _made(options)
    path = options.output or Path(f"{made.experiment.name}.yaml")
    files = {path: made.text, **_companions(options, path, made)}
    _write(files, force=options.force)
    if options.json:
        left_out = [{"label": one.label, "why": one.why} for one in described.left_out]
        requests = [*made.experiment.traffic.requests]
        say_json({"files": [*map(str, files)], "requests": requests, "left_out": left_out, "unknown": made.unknown})
    else:
        _tell(path, files, made, described)
    return ExitCode.AS_EXPECTED


def _made(options: argparse.Namespace) -> "tuple[Written, Described]":
    from harness.core.experiment.hosts import is_loopback
    from harness.sources.experiment import Choices, written

    word, described = _described(options)
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
    )
    if options.canary and not baseline:
        raise UsageError("--canary needs --baseline, the version in service of a rehearsal")
    return written(described, choices), described


def _described(options: argparse.Namespace) -> "tuple[str, Described]":
    """The source's name, and what it says."""
    if options.stack:
        from harness.aws.routes import routes_of_stack

        return f"the stack {options.stack}", routes_of_stack(options.stack)
    from harness.sources.files import read_source

    kind = next(name for name in _SOURCES if getattr(options, name))
    word = getattr(options, kind)
    return Path(word).name, _reader(kind)(read_source(Path(word)))


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


def _companions(options: argparse.Namespace, path: Path, made: "Written") -> dict[Path, str]:
    from harness.sources.companions import ci_job, locustfile

    files: dict[Path, str] = {}
    if options.ci:
        name, text = ci_job(options.ci, str(path), made.experiment, options.stack)
        files[Path(name)] = text
    if options.locustfile:
        files[Path("locustfile.py")] = locustfile(str(path))
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


def _tell(path: Path, files: Mapping[Path, str], made: "Written", described: "Described") -> None:
    sent = [*made.experiment.traffic.requests]
    say(f"Wrote {' and '.join(map(str, files))}: {len(sent)} request{'' if len(sent) == 1 else 's'}.")
    say("Not known, and yours to fill in:")
    for sentence in made.unknown:
        say(f"  - {sentence}")
    if described.left_out:
        say(f"Left out ({len(described.left_out)}, all named at the end of {path}):")
        for one in described.left_out[:_MOST_TOLD]:
            say(f"  - {one.label}: {one.why}")
    say(_next(made.experiment, shlex.quote(str(path))))


def _next(experiment: "Experiment", file: str) -> str:
    """What a person does next."""
    if experiment.baseline.url or experiment.baseline.handler:
        return f"Next: canary-harness rehearse {file}"
    if experiment.target.host:
        return f"Next: canary-harness plan {file}; a rehearsal needs your service on this machine, see --baseline"
    return f"Next: say in {file} where the service is; then: canary-harness rehearse {file}"
