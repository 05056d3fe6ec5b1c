"""Our options on Locust's command line, in its environment and in its web form, and the experiment they make."""

import logging
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from harness.core.experiment import rates
from harness.core.experiment.overlay import OPTIONS, one_of
from harness.core.experiment.rails import RAILS, RailName
from harness.core.experiment.types import Arrivals, Outcome, Pattern
from harness.core.timeline.clock import read_clock
from harness.report.printing import Print
from harness.run.experiment import SHADOW, Settings, clock_of, playable

REPORTS = "reports"


LOOPBACK = "127.0.0.1"
EVERYWHERE = "*"
"""Where Locust's masters listen unless they are told."""


def add_options(parser: Any) -> None:
    """Adds our options to Locust's parser, which ends with one sentence and exit code 2 at a value that cannot be."""
    group = parser.add_argument_group("Canary options", "What is asked of a canary release, and how it is watched")
    for flag, metavar, text in _OPTIONS:
        action = group.add_argument(
            f"--canary-{flag}",
            env_var=f"LOCUST_CANARY_{flag.upper().replace('-', '_')}",
            type=_check_of(flag),
            metavar=metavar,
            help=text,
        )
        if flag in CHOICES:
            action.choices = ("", *CHOICES[flag])
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
        switch.include_in_web_ui = flag in _IN_FORM
        switch.is_secret = switch.is_required = switch.is_multiple = False
    # Locust would let the whole network start tests; `--web-host` still can.
    parser.set_defaults(web_host=LOOPBACK)
    _keep_own_workers_here(parser)


def _keep_own_workers_here(parser: Any) -> None:
    """Has the master of `--processes` listen on loopback: its workers are on this machine, and anybody could be one."""
    parse: Callable[..., Any] = parser.parse_args

    def parse_args(*args: Any, **options: Any) -> Any:
        parsed = parse(*args, **options)
        if getattr(parsed, "processes", None) and parsed.master_bind_host == EVERYWHERE:
            parsed.master_bind_host = LOOPBACK
        return parsed

    parser.parse_args = parse_args


def settings_of(options: Any) -> Settings:
    """The settings that parsed options make; raises UsageError."""
    clock = clock_of(_given(options, "clock"), "--canary-clock")
    given = {name: _given(options, name) for name in (*OPTIONS, SHADOW)} | {"host": getattr(options, "host", None)}
    run_dir = _given(options, "run_dir")
    return Settings(
        experiment=playable(_given(options, "experiment"), given, clock),
        clock=clock,
        rehearsal=_given(options, "clock") is not None,
        free_terminal=bool(getattr(options, "headless", False) and getattr(options, "only_summary", False)),
        printing=_given(options, "print"),
        run_dir=Path(run_dir) if run_dir else None,
        reports=reports(options),
    )


def in_form() -> frozenset[str]:
    """The names of our options that the web form may set."""
    return frozenset(f"canary_{flag.replace('-', '_')}" for flag in _IN_FORM)


def read_form(sent: Mapping[str, str]) -> dict[str, str | bool]:
    """What Locust's form sent, with its switches on or off as Locust itself reads them."""
    switches = {f"canary_{name}" for name in SWITCHED}
    return {name: value == "true" if name in switches else value for name, value in sent.items()}


def silence_tables(options: Any) -> None:
    """Leaves Locust's tables out where something of ours is printed in their place."""
    if _given(options, "print") not in (None, "all"):
        logging.getLogger("locust.stats_logger").disabled = True


def web_hosts(options: Any) -> frozenset[str]:
    """Names besides its own under which the web page may be reached."""
    named = str(_given(options, "web_hosts") or "")
    return frozenset(name.strip().lower() for name in named.split(",") if name.strip())


def reports(options: Any) -> Path:
    """Where run folders are made."""
    return Path(_given(options, "reports") or REPORTS)


def fixed(options: Any) -> dict[str, Any]:
    """Our options that no web form may change, whatever it sends: Locust itself takes every name it knows."""
    flags = (*(flag for flag, _ in _SWITCHES), *(flag for flag, _, _ in _OPTIONS))
    names = (f"canary_{flag.replace('-', '_')}" for flag in flags if flag not in _IN_FORM)
    return {name: getattr(options, name, None) for name in names}


def restore(options: Any, values: Mapping[str, Any]) -> None:
    """Gives options back the values that `fixed` told."""
    for name, value in values.items():
        setattr(options, name, value)


def _given(options: Any, name: str) -> Any:
    """An option's value; None where it was left out, or emptied in the web form."""
    value = getattr(options, f"canary_{name}", None)
    return None if value == "" else value


def _check_of(flag: str) -> Callable[[str], str]:
    """Gives the text of an option back as it came if it can be read: Locust's web form writes texts over values."""
    option = OPTIONS.get(flag.replace("-", "_"))

    def check(text: str) -> str:
        try:
            if option and text:
                option.read(text)
            elif flag == "clock" and text:
                read_clock(text)
            elif flag == "print" and text:
                one_of(*get_args(Print))(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from error
        return text

    return check


_PATTERNS = get_args(Pattern)
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
    ("stop-on", "WHAT", "Stop the deployment and roll it back once there is enough against the canary: evidence"),
    ("shadow", "FILE", "File of alarms that do not exist, evaluated beside the real ones"),
    ("expect", "OUTCOME", f"Outcome that must come out: {', '.join(Outcome)}"),
    ("clock", "EPOCH:SPEED", "Clock of a rehearsal; `canary-harness rehearse` gives it"),
    ("hosts", "NAMES", "Only hosts that traffic may go to, with commas in between; *.example.com for all below"),
    *((f"max-{flag}", metavar, f"Guard rail: most {RAILS[name].bounds}") for flag, metavar, name in _RAILS),
    ("run-dir", "FOLDER", "Existing folder of this run; without it one is made"),
    ("print", "WORD", f"What to print of the verdict at the end: {', '.join(get_args(Print))}; nothing if left out"),
    ("web-hosts", "NAMES", "Names besides its own under which the web page may be reached, such as a proxy's"),
    ("reports", "FOLDER", f"Where run folders are made, {REPORTS} if left out"),
)
_SWITCHES = (
    (
        "allow-writes",
        "Let this run change things on AWS: deploy, stop a deployment, force an alarm, throttle, start FIS experiments",
    ),
    ("redeploy", "Publish the code in service once more and deploy that, once traffic is steady"),
)
_IN_FORM = (
    "arrival-rate",
    "error-share",
    "pattern",
    "arrivals",
    "application",
    "group",
    "deployment",
    "target-version",
    "redeploy",
    "expect",
    "allow-writes",
)
CHOICES: Mapping[str, tuple[str, ...]] = {
    "pattern": _PATTERNS,
    "arrivals": get_args(Arrivals),
    "expect": tuple(Outcome),
}
"""The words that an option can be, by its flag; a form offers them, and an empty one for what the experiment says."""
SWITCHED = frozenset(flag.replace("-", "_") for flag, _ in _SWITCHES)
"""The names of options that are on or off."""
