"""The one road to the experiment of a run: a file or a packaged name, with the options laid over it, checked."""

import contextlib
import difflib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from harness import experiments
from harness.core.experiment.contradictions import contradictions
from harness.core.experiment.hosts import is_loopback
from harness.core.experiment.overlay import overlaid
from harness.core.experiment.parse import parse, parse_shadows, telling_lines
from harness.core.experiment.planned_writes import PlannedWrite, writes_of
from harness.core.experiment.rails import host_refusal, limits_of, refusals, sure_to_trip
from harness.core.experiment.replay import Steps
from harness.core.experiment.types import Experiment, Notify, RateStep, Replay, ShadowAlarm
from harness.core.timeline.clock import Clock, read_clock
from harness.core.timeline.shadow import why_unreadable
from harness.errors import ExperimentError, UsageError
from harness.files import bounded
from harness.run.sent import with_requests
from harness.traffic.client.address import service_url
from harness.traffic.feeds import check_values, read_feed

if TYPE_CHECKING:
    from harness.report.printing import Print  # only here: `--help` must not wait for it

ADHOC = "adhoc"
SHADOW = "shadow"
"""The option that names a file of shadow alarms, which take the place of those of the experiment."""
CLOCK = "LOCUST_CANARY_CLOCK"
RESOLVED = "LOCUST_CANARY_RESOLVED"
"""Names, in the environment of a Locust process, the file with the experiment that it plays as it stands."""


def read_experiment(word: str | None, name: str = ADHOC) -> Experiment:
    """The experiment of a packaged name or of a file; without either one of defaults. Raises UsageError."""
    if not word:
        return Experiment(name=name)
    if word in experiments.NAMES:
        return parse(experiments.text(word), source=word)
    path = Path(word)
    if path.suffix in (".yaml", ".yml", ".json") or path.name != word or path.is_file():
        return _read_file(path)
    close = difflib.get_close_matches(word, experiments.NAMES, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(experiments.NAMES)}"
    raise UsageError(f"unknown experiment {word!r}; {hint}")


def _read_file(path: Path) -> Experiment:
    text = _text_of(path, "experiment")
    with naming(str(path)):
        experiment = _with_its_feed(parse(text, source=str(path), steps=_steps_beside(path)), path)
        with telling_lines(text):
            read_feed(experiment.traffic)
        return experiment


def read_shadows(path: Path) -> tuple[ShadowAlarm, ...]:
    """The shadow alarms of a file: a list of them, or a map with the key `shadow`. Raises UsageError."""
    with naming(str(path)):
        return parse_shadows(_text_of(path, "shadow alarms"), source=str(path))


def check_expressions(shadows: Sequence[ShadowAlarm]) -> None:
    """Raises ExperimentError for the first expression that cannot be evaluated."""
    for index, alarm in enumerate(shadows):
        if reason := why_unreadable(alarm):
            raise ExperimentError(f"shadow[{index}].expression", f"cannot be evaluated: {reason}")


def _text_of(path: Path, what: str) -> str:
    try:
        with path.open("rb") as file:
            if file.seekable():
                file.seek(0)  # /dev/fd/N may share its place in the file with whoever read it before
            return bounded(file).decode()
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the {what} {path}: {getattr(error, 'strerror', None) or error}") from error


def _steps_beside(path: Path) -> Steps:
    """Reads the file of a rate that an experiment's file names, which is found beside it."""

    def read(rate: Replay) -> tuple[RateStep, ...]:
        from harness.sources.rhythm import steps_of  # only here: few experiments name one

        return steps_of(rate, path.parent)

    return read


def _with_its_feed(experiment: Experiment, path: Path) -> Experiment:
    """The experiment with the whole path of its feed, which is found beside its file."""
    feed = experiment.traffic.feed
    if not isinstance(feed, str):
        return experiment
    return replace(experiment, traffic=replace(experiment.traffic, feed=str((path.parent / feed).absolute())))


@contextlib.contextmanager
def naming(source: str) -> Iterator[None]:
    """Puts the experiment's source before an error about one of its fields."""
    try:
        yield
    except ExperimentError as error:
        at = f"{source}, line {error.line}" if error.line else source
        raise UsageError(str(error) if error.path == source else f"{at}: {error}") from error


def asked(word: str | None, given: Mapping[str, Any], name: str = ADHOC) -> Experiment:
    """The experiment with the options laid over it; raises UsageError if they contradict each other."""
    experiment = overlaid(read_experiment(word, name), given)
    if given.get(SHADOW):
        experiment = replace(experiment, shadow=read_shadows(Path(given[SHADOW])))
    for problem in contradictions(experiment):
        raise problem
    check_expressions(experiment.shadow)
    return experiment


def playable(word: str | None, given: Mapping[str, Any], clock: Clock) -> Experiment:
    """The same, to be played with traffic; raises UsageError if a guard rail forbids it, too.

    In a Locust process that `handed_on` leads to its file, that experiment is played, and no option changes it.
    """
    resolved = os.environ.get(RESOLVED)
    experiment = read_experiment(resolved) if resolved else asked(word, given)
    check_values(with_requests(experiment).traffic)
    if experiment.notify:
        webhook_of(experiment.notify)
    if experiment.target.host:
        service_url(experiment.target.host)
    limits = limits_of(experiment.rails, experiment.target.host)
    for refused in refusals(experiment, limits):
        raise refused
    for refused in sure_to_trip(experiment, limits, clock.speed) if watched(experiment) else ():
        raise refused
    return experiment


@contextlib.contextmanager
def handed_on(experiment: Experiment) -> Iterator[Mapping[str, str]]:
    """The environment in which a process that takes our place plays the experiment as it stands."""
    with tempfile.TemporaryFile() as file:  # has no name, so that nobody needs to remove it
        file.write(msgspec.json.encode(experiment))
        file.flush()
        os.set_inheritable(file.fileno(), True)
        yield {**os.environ, RESOLVED: f"/dev/fd/{file.fileno()}"}


def check_host(host: str | None, named: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    """Raises UsageError if traffic would go nowhere, or to a host that is neither allowed nor `named`."""
    if not host:
        raise UsageError("no host to send traffic to: give --host, or target.host in the experiment")
    from harness.traffic.client.proxies import proxy_for  # only here: it takes long to load, and few commands send

    proxy_for(service_url(host))
    if refused := host_refusal(host, named, allowed):
        raise UsageError(refused)


def clock_of(text: str | None, option: str = CLOCK) -> Clock:
    """The clock that a rehearsal names as EPOCH:SPEED, else AWS's own; raises UsageError."""
    try:
        return read_clock(text or "0:1")
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error


def clock_of_environment() -> Clock:
    """The clock that the environment names."""
    return clock_of(os.environ.get(CLOCK))


class Settings(Struct, frozen=True, kw_only=True):
    """What the options say, checked.

    `rehearsal` says that somebody gave the clock, `free_terminal` that Locust prints no table while the test lasts,
    `printing` what is printed of the verdict.
    `run_dir` is an existing run folder; without it one is made below `reports`.
    """

    experiment: Experiment
    clock: Clock
    rehearsal: bool
    free_terminal: bool = False
    printing: "Print | None" = None
    run_dir: Path | None
    reports: Path


def check_permission(settings: Settings) -> None:
    """Raises UsageError if the plan changes something on AWS without permission.

    A rehearsal may: its cloud is no production.
    """
    if lacks_permission(settings):
        raise UsageError(lacking_permission(writes_of(settings.experiment)))


def lacking_permission(writes: Iterable[PlannedWrite]) -> str:
    """The refusal of an experiment that would make these changes on AWS without permission."""
    named = "; ".join(f"{write.call} on {write.subject}" for write in writes)
    return (
        f"this would change AWS ({named}); give --allow-writes (Locust: --canary-allow-writes), "
        "or allow_writes: true in the experiment, if it is meant"
    )


def lacks_permission(settings: Settings) -> bool:
    """Whether the plan changes something on AWS and nobody allowed that."""
    return not (settings.experiment.allow_writes or settings.rehearsal) and bool(writes_of(settings.experiment))


def watched(experiment: Experiment) -> bool:
    """Whether there is a deployment to watch at all: anything leads to one."""
    deployment = experiment.deployment
    named = (deployment.id, deployment.stack, deployment.application, deployment.group, deployment.function)
    return any((*named, deployment.target_version, deployment.redeploy, deployment.command))


def webhook_of(notify: Notify) -> str:
    """Where a run's messages go; raises ExperimentError, which never tells the address: it is a secret."""
    address = os.environ.get(notify.address_in, "")
    if not address:
        raise ExperimentError(
            "notify.address_in", f"no webhook is known: set the environment variable {notify.address_in}"
        )
    if not address.startswith("https://") and not (address.startswith("http://") and is_loopback(address)):
        raise ExperimentError(
            "notify.address_in", f"{notify.address_in} must hold an address that begins with https://"
        )
    return address
