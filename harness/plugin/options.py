"""Our options on Locust's command line, in its environment and in its web form, and the experiment they make."""

import math
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from harness import experiments
from harness.core.experiment import durations, rates
from harness.core.experiment.contradictions import about_making
from harness.core.experiment.parse import parse
from harness.core.experiment.qualified import with_a_bare_function
from harness.core.experiment.rails import RAILS, RailName, is_host, limits_of, refusals, sure_to_trip
from harness.core.experiment.types import MAX_USERS, Experiment, Outcome
from harness.core.timeline.clock import Clock
from harness.errors import UsageError
from harness.run.experiment import Settings, watched
from harness.traffic.client.address import service_url

ADHOC = "adhoc"
REPORTS = "reports"


LOOPBACK = "127.0.0.1"


def add_options(parser: Any) -> None:
    """Adds our options to Locust's parser, which ends with one sentence and exit code 2 at a value that cannot be."""
    group = parser.add_argument_group("Canary options", "What is asked of a canary release, and how it is watched")
    for flag, metavar, text in _OPTIONS:
        action = group.add_argument(
            f"--canary-{flag}",
            env_var=f"LOCUST_CANARY_{flag.upper().replace('-', '_')}",
            type=_CHECKS.get(flag, str),
            metavar=metavar,
            help=text,
        )
        # Locust's parser takes these as arguments, its groups do not.
        action.include_in_web_ui = flag in _IN_FORM
        action.is_secret = action.is_required = action.is_multiple = False
    for flag, text in _SWITCHES:
        switch = group.add_argument(
            f"--canary-{flag}",
            env_var=f"LOCUST_CANARY_{flag.upper().replace('-', '_')}",
            action="store_true",
            help=text,
        )
        switch.include_in_web_ui = switch.is_secret = switch.is_required = switch.is_multiple = False
    # Locust would let the whole network start tests; `--web-host` still can.
    parser.set_defaults(web_host=LOOPBACK)


def settings_of(options: Any) -> Settings:
    """The settings that parsed options make; raises UsageError."""
    _check(options)
    experiment = _overridden(_experiment(_given(options, "experiment")), options)
    for problem in about_making(experiment.deployment):
        raise problem
    run_dir, clock = _given(options, "run_dir"), _given(options, "clock")
    if experiment.target.host:
        service_url(experiment.target.host)
    clock_of_run, limits = _clock_of(clock or ""), limits_of(experiment.rails, experiment.target.host)
    for refused in refusals(experiment, limits):
        raise refused
    for refused in sure_to_trip(experiment, limits, clock_of_run.speed) if watched(experiment) else ():
        raise refused
    return Settings(
        experiment=experiment,
        clock=clock_of_run,
        rehearsal=clock is not None,
        free_terminal=bool(getattr(options, "headless", False) and getattr(options, "only_summary", False)),
        run_dir=Path(run_dir) if run_dir else None,
        reports=reports(options),
    )


def in_form() -> frozenset[str]:
    """The names of our options that the web form may set."""
    return frozenset(f"canary_{flag.replace('-', '_')}" for flag in _IN_FORM)


def web_hosts(options: Any) -> frozenset[str]:
    """Names besides its own under which the web page may be reached."""
    named = str(_given(options, "web_hosts") or "")
    return frozenset(name.strip().lower() for name in named.split(",") if name.strip())


def reports(options: Any) -> Path:
    """Where run folders are made."""
    return Path(_given(options, "reports") or REPORTS)


def fixed(options: Any) -> dict[str, Any]:
    """Our options that no web form may change, whatever it sends: Locust itself takes every name it knows."""
    flags = (*(flag for flag, _ in _SWITCHES), *(flag for flag, _, _ in _OPTIONS if flag not in _IN_FORM))
    names = (f"canary_{flag.replace('-', '_')}" for flag in flags)
    return {name: getattr(options, name, None) for name in names}


def restore(options: Any, values: Mapping[str, Any]) -> None:
    """Gives options back the values that `fixed` told."""
    for name, value in values.items():
        setattr(options, name, value)


def _check(options: Any) -> None:
    """Holds values against their checks again: the web form writes over them unchecked."""
    for flag, check in _CHECKS.items():
        value = _given(options, flag.replace("-", "_"))
        try:
            check("" if value is None else str(value))
        except ArgumentTypeError as error:
            raise UsageError(f"--canary-{flag}: {error}") from error


def _experiment(source: str | None) -> Experiment:
    if source is None:
        return Experiment(name=ADHOC)
    if source in experiments.NAMES and not Path(source).exists():
        return parse(experiments.text(source), source=source)
    try:
        text = Path(source).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # no text in UTF-8, or no path at all
        names = ", ".join(experiments.NAMES)
        raise UsageError(f"--canary-experiment: {source!r} is no file that can be read, nor one of {names}") from error
    return parse(text, source=source)


def _overridden(experiment: Experiment, options: Any) -> Experiment:
    """Flags go before the file."""
    for part, fields in _OVERRIDES.items():
        given = {field: (kind, _given(options, option)) for option, (field, kind) in fields.items()}
        changes = {field: kind(value) for field, (kind, value) in given.items() if value is not None}
        changes = with_a_bare_function(changes) if part == "deployment" else changes
        experiment = replace(experiment, **{part: replace(getattr(experiment, part), **changes)})
    if _given(options, "arrival_rate") is not None and _given(options, "users") is None:
        experiment = replace(experiment, traffic=replace(experiment.traffic, users=None))
    seed = _given(options, "seed")
    host = getattr(options, "host", None) or experiment.target.host
    return replace(
        experiment,
        target=replace(experiment.target, host=host),
        deployment=replace(
            experiment.deployment, redeploy=experiment.deployment.redeploy or bool(_given(options, "redeploy"))
        ),
        allow_writes=experiment.allow_writes or bool(_given(options, "allow_writes")),
        seed=experiment.seed if seed is None else int(seed),
    )


def _given(options: Any, name: str) -> Any:
    """An option's value; None where it was left out, or emptied in the web form."""
    value = getattr(options, f"canary_{name}", None)
    return None if value == "" else value


# Checks. They give the text back as it came, because Locust's web form writes texts over the values.


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ArgumentTypeError(f"must be a number, not {text!r}") from error
    if not math.isfinite(value):
        raise ArgumentTypeError(f"must be a number, not {text!r}")
    return value


def _rate(text: str) -> str:
    try:
        rates.read(text or "0")
    except ValueError as error:
        raise ArgumentTypeError(f"must be a rate such as {rates.WORDS}, not {text!r}: {error}") from error
    return text


def _share(text: str) -> str:
    if text and not 0 <= _number(text) <= 1:
        raise ArgumentTypeError(f"must be between 0 and 1, not {text!r}")
    return text


def _least_zero(text: str) -> str:
    if text and _number(text) < 0:
        raise ArgumentTypeError(f"must not be negative, not {text!r}")
    return text


def _duration(text: str) -> str:
    try:
        durations.duration_s(text or "1s")
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    return text


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _host_names(text: str) -> str:
    for name in _names(text):
        if not is_host(name):
            raise ArgumentTypeError(f"must be names of hosts such as api.example.com or *.example.com, not {name!r}")
    return text


def _whole(text: str) -> str:
    try:
        int(text or "0")
    except ValueError as error:
        raise ArgumentTypeError(f"must be a whole number, not {text!r}") from error
    return text


def _natural(text: str) -> str:
    if int(_whole(text) or "0") < 0:
        raise ArgumentTypeError(f"must not be negative, not {text!r}")
    return text


def _count(text: str) -> str:
    if text and not 1 <= int(_whole(text)) <= MAX_USERS:
        raise ArgumentTypeError(f"must be at least 1 and at most {MAX_USERS:,}, not {text!r}")
    return text


def _one_of(*words: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text and text not in words:
            raise ArgumentTypeError(f"must be one of {', '.join(words)}, not {text!r}")
        return text

    return check


def _clock(text: str) -> str:
    _clock_of(text)
    return text


def _clock_of(text: str) -> Clock:
    if not text:
        return Clock()
    epoch, colon, speed = text.partition(":")
    try:
        clock = Clock(epoch_s=float(epoch), speed=float(speed))
    except ValueError as error:
        raise ArgumentTypeError(f"must be EPOCH:SPEED, not {text!r}") from error
    if not (colon and math.isfinite(clock.epoch_s) and math.isfinite(clock.speed) and clock.speed > 0):
        raise ArgumentTypeError(f"must be EPOCH:SPEED with a speed above 0, not {text!r}")
    return clock


_PATTERNS = ("even", "bernoulli", "burst")
_RAILS: tuple[tuple[str, str, RailName], ...] = (
    ("arrival-rate", "RATE", "arrival_rate"),
    ("error-share", "SHARE", "error_share"),
    ("fault-requests", "N", "fault_requests"),
    ("wall-time", "TIME", "wall_time_s"),
    ("blind", "TIME", "blind_s"),
)
_OPTIONS = (
    ("experiment", "FILE|NAME", "Experiment file, or the name of one that comes with the package"),
    ("arrival-rate", "RATE", f"Requests started per second, whatever the answers, as in {rates.WORDS}"),
    ("error-share", "SHARE", "Share of requests that are meant to fail, 0 to 1"),
    ("pattern", "PATTERN", f"How fault requests are spread: {', '.join(_PATTERNS)}"),
    ("arrivals", "ARRIVALS", "How starts are spread: even, poisson"),
    ("users", "N", "Closed loop of N users instead of open arrivals"),
    ("seed", "N", "Seed of everything drawn; the same seed sends the same requests again"),
    ("stack", "NAME", "CloudFormation stack with the deployment group to watch"),
    ("application", "NAME", "CodeDeploy application to watch"),
    ("group", "NAME", "Deployment group to watch"),
    ("deployment", "ID", "Deployment to watch; without it the next one of the group"),
    ("target-version", "VERSION", "Published version to deploy once traffic is steady"),
    ("command", "COMMAND", "Command that deploys, started once traffic is steady"),
    ("function", "NAME", "Lambda function whose deployments to watch: its name, name:alias or ARN"),
    ("alias", "NAME", "Alias that the deployment shifts"),
    ("alarm", "NAME", "CloudWatch alarm to watch besides those of the group"),
    ("expect", "OUTCOME", f"Outcome that must come out: {', '.join(Outcome)}"),
    ("clock", "EPOCH:SPEED", "Clock of a rehearsal; `canary-harness rehearse` gives it"),
    ("hosts", "NAMES", "Only hosts that traffic may go to, with commas in between; *.example.com for all below"),
    *((f"max-{flag}", metavar, f"Guard rail: most {RAILS[name].bounds}") for flag, metavar, name in _RAILS),
    ("run-dir", "FOLDER", "Existing folder of this run; without it one is made"),
    ("web-hosts", "NAMES", "Names besides its own under which the web page may be reached, such as a proxy's"),
    ("reports", "FOLDER", f"Where run folders are made, {REPORTS} if left out"),
)
_SWITCHES = (
    ("allow-writes", "Let this run change things on AWS: deploy, force an alarm, throttle, start FIS experiments"),
    ("redeploy", "Publish the code in service once more and deploy that, once traffic is steady"),
)
_IN_FORM = frozenset({"arrival-rate", "error-share", "pattern", "arrivals"})
_CHECKS: dict[str, Callable[[str], str]] = {
    "arrival-rate": _rate,
    "error-share": _share,
    "pattern": _one_of(*_PATTERNS),
    "arrivals": _one_of("even", "poisson"),
    "users": _count,
    "seed": _whole,
    "expect": _one_of(*Outcome),
    "clock": _clock,
    "hosts": _host_names,
    "max-arrival-rate": _least_zero,
    "max-error-share": _share,
    "max-fault-requests": _natural,
    "max-wall-time": _duration,
    "max-blind": _duration,
}
_OVERRIDES: dict[str, dict[str, tuple[str, Callable[[str], Any]]]] = {
    "traffic": {
        "arrival_rate": ("arrival_rate", rates.read),
        "error_share": ("error_share", float),
        "pattern": ("pattern", str),
        "arrivals": ("arrivals", str),
        "users": ("users", int),
    },
    "deployment": {
        "stack": ("stack", str),
        "application": ("application", str),
        "group": ("group", str),
        "deployment": ("id", str),
        "target_version": ("target_version", str),
        "command": ("command", str),
        "function": ("function", str),
        "alias": ("alias", str),
    },
    "alarm": {"alarm": ("name", str)},
    "rails": {
        "hosts": ("hosts", _names),
        "max_arrival_rate": ("arrival_rate", float),
        "max_error_share": ("error_share", float),
        "max_fault_requests": ("fault_requests", int),
        "max_wall_time": ("wall_time_s", durations.duration_s),
        "max_blind": ("blind_s", durations.duration_s),
    },
    "expect": {"expect": ("outcome", Outcome)},
}
