"""The command `canary-harness alarm`: shows alarms, forces them by hand, and undoes what a crashed run left."""

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from harness.cli.words import duration
from harness.core.experiment.types import AlarmState
from harness.errors import ExitCode, HarnessError, UsageError
from harness.streams import say, say_json, tell

if TYPE_CHECKING:
    from harness.aws.clients import Aws
    from harness.aws.healing import Healed
    from harness.core.experiment.types import Deployment
    from harness.core.timeline.events import Event
    from harness.core.timeline.left import Left
    from harness.processes import Interrupts

ALLOWED = "LOCUST_CANARY_ALLOW_WRITES"
REASON = "canary-harness: set by hand"
LOOK_EVERY_S = 5.0
"""Time between two looks at an alarm that is held, by the clock of the environment."""
SHORTEST_REST_S = 0.05
EXIT_CODES = """\
exit codes:
  0    done, or nothing was left to do
  1    AWS said no, or something is left
  2    usage, no credentials, or no such alarm
"""


def add_alarm_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the subcommands `status`, `set` and `reset`."""
    does = parser.add_subparsers(metavar="status|set|reset", required=True, dest="does", parser_class=type(parser))
    status = _does(does, "status", _status, "show the state of alarms, or what a crashed run left changed on AWS")
    _add_subjects(status)
    force = _does(does, "set", _set, "force an alarm into a state; its next evaluation may undo that")
    force.add_argument("name", metavar="ALARM")
    force.add_argument("state", metavar="STATE", choices=get_args(AlarmState), help=", ".join(get_args(AlarmState)))
    force.add_argument("--reason", default=REASON, help=f"shown in the alarm's history; default: {REASON}")
    text = "hold the state for this time, such as 30s or 5m, then undo it; Ctrl-C undoes it at once"
    force.add_argument("--for", type=duration, metavar="TIME", dest="for_s", help=text)
    _add_permission(force)
    reset = _does(does, "reset", _reset, "set alarms to OK, or undo all that a crashed run left changed on AWS")
    _add_subjects(reset)
    text = (
        "with --run: try again for this time, such as 15m, while a deployment shifts the alias or AWS does not answer"
    )
    reset.add_argument("--wait", type=duration, metavar="TIME", dest="wait_s", help=text)
    _add_permission(reset)


def _does(does: Any, name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = does.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.set_defaults(run_alarm=run)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_subjects(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="ALARM")
    text = "everything that this run forced, throttled or started and did not undo: alarms, concurrency, FIS"
    parser.add_argument("--run", type=Path, metavar="FOLDER", help=text)


def _add_permission(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--allow-writes", action="store_true", help="without it nothing is changed on AWS")
    parser.add_argument("--dry-run", action="store_true", help="say what the command would do, and do nothing")


def run_alarm(options: argparse.Namespace) -> int:
    """Runs the command; the exit code. Raises HarnessError."""
    command: Callable[[argparse.Namespace], int] = options.run_alarm
    return command(options)


# status


def _status(options: argparse.Namespace) -> int:
    if _subjects(options):
        return _left(RunJournal(options.run), options)
    aws = _aws()
    seen = [_seen(aws, name) for name in options.names]
    lines = [f"{alarm['name']}: {alarm['state']} since {alarm['since']}; {alarm['reason']}" for alarm in seen]
    _tell(options, seen, lines)
    return ExitCode.AS_EXPECTED


def _left(folder: "RunJournal", options: argparse.Namespace) -> int:
    writes = [left.write for left in folder.unhealed()]
    lines = [f"{write.call} on {write.subject}: {write.detail}" for write in writes]
    _tell(options, writes, lines or ["nothing else is left" if folder.doubt else "nothing is left of this run"])
    return _code(folder, healed=not writes)


def _code(folder: "RunJournal", *, healed: bool) -> int:
    """The exit code: what cannot be read may be left."""
    if folder.doubt:
        tell(folder.doubt)
    return ExitCode.AS_EXPECTED if healed and not folder.doubt else ExitCode.HARNESS_FAILED


def _seen(aws: "Aws", name: str) -> Mapping[str, str]:
    from harness.aws.looks import BOTH_KINDS
    from harness.aws.parsing import alarms_of

    answer = aws.call("cloudwatch", "describe_alarms", AlarmNames=[name], AlarmTypes=BOTH_KINDS)
    for alarm in alarms_of(answer):
        since = alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp")
        told = since.astimezone(UTC).isoformat(timespec="seconds") if isinstance(since, datetime) else "?"
        state, reason = str(alarm.get("StateValue")), str(alarm.get("StateReason") or "no reason told")
        return {"name": name, "state": state, "since": told, "reason": reason}
    raise UsageError(f"there is no alarm named {name} in this account and region")


# set


def _set(options: argparse.Namespace) -> int:
    held = f" for {options.for_s:g} s" if options.for_s else ""
    if options.dry_run:
        _tell(options, [], [f"would call cloudwatch:SetAlarmState on {options.name}: {options.state}{held}"])
        return ExitCode.AS_EXPECTED
    _check_permission(options)
    aws = _aws()
    before = _seen(aws, options.name)["state"]
    if options.for_s:
        return _hold(aws, options, before)
    _force(aws, options.name, options.state, options.reason)
    _tell(
        options,
        [{"name": options.name, "before": before, "state": options.state}],
        [f"{options.name}: {before} to {options.state}"],
    )
    return ExitCode.AS_EXPECTED


def _hold(aws: "Aws", options: argparse.Namespace, before: str) -> int:
    """Holds the alarm in the state against its evaluations, until the time is over or a signal comes."""
    from harness.aws.forced_alarm import ForcedAlarm
    from harness.aws.journal import Journal
    from harness.processes import Interrupts
    from harness.run.experiment import clock_of_environment

    speed = clock_of_environment().speed
    journal = Journal(_say_write, time.time)
    forced = ForcedAlarm(aws, name=options.name, state=options.state, reason=options.reason, journal=journal)
    healed = False
    with Interrupts() as stop:
        try:
            forced.inject()
            until_s = time.monotonic() + options.for_s / speed
            while not _over(until_s, LOOK_EVERY_S / speed, stop):
                forced.hold()
        finally:
            healed = forced.heal()
    told = f"{options.name}: {before} again" if healed else f"{options.name} is still {options.state}: reset it by hand"
    _tell(options, [{"name": options.name, "before": before, "healed": healed}], [told])
    if not healed:
        return ExitCode.HARNESS_FAILED
    return 128 + stop.signum if stop.count else ExitCode.AS_EXPECTED


def _over(until_s: float, look_every_s: float, stop: "Interrupts") -> bool:
    """Waits until the next look is due; returns whether the time is over or a signal came. All in wall time."""
    look_s = min(until_s, time.monotonic() + max(look_every_s, SHORTEST_REST_S))
    while time.monotonic() < look_s and not stop.count:
        time.sleep(SHORTEST_REST_S)
    return bool(stop.count) or time.monotonic() >= until_s


def _force(aws: "Aws", name: str, state: str, reason: str) -> None:
    from harness.aws.forced_alarm import set_alarm_state

    set_alarm_state(aws, name, state, reason)


# reset


def _reset(options: argparse.Namespace) -> int:
    if _subjects(options):
        return _heal(RunJournal(options.run), options)
    if options.wait_s is not None:
        raise UsageError("--wait goes with --run FOLDER: an alarm is set at once")
    if options.dry_run:
        _tell(options, [], [f"would call cloudwatch:SetAlarmState on {name}: OK" for name in options.names])
        return ExitCode.AS_EXPECTED
    _check_permission(options)
    aws = _aws()
    done = []
    for name in options.names:
        before = _seen(aws, name)["state"]
        if before != "OK":
            _force(aws, name, "OK", "canary-harness: reset by hand")
        done.append({"name": name, "before": before, "state": "OK"})
    _tell(options, done, [f"{one['name']}: {one['before']} to OK" for one in done])
    return ExitCode.AS_EXPECTED


def _heal(folder: "RunJournal", options: argparse.Namespace) -> int:
    """Undoes what a run left. It asks for no permission: the run had it, and it holds for undoing, too."""
    lefts = folder.unhealed()
    if options.dry_run or not lefts:
        return _left(folder, options)
    healed = _healed_within(options.wait_s or 0.0, folder, lefts)
    _tell(options, healed, [_became(one) for one in healed])
    return _code(folder, healed=all(one.healed for one in healed))


def _healed_within(wait_s: float, folder: "RunJournal", lefts: "Sequence[Left]") -> "list[Healed]":
    """Undoes what a run left, and tries again for `wait_s` while something is left. A signal ends the wait."""
    from harness.processes import Interrupts
    from harness.run.experiment import clock_of_environment

    aws, speed = _aws(), clock_of_environment().speed
    until_s = time.monotonic() + wait_s / speed
    with Interrupts() as stop:

        def rest(for_s: float) -> None:
            time.sleep(for_s)
            stop.check()

        healed = folder.heal(aws, lefts, rest)
        told = ""
        while not all(one.healed for one in healed) and not _over(until_s, LOOK_EVERY_S / speed, stop):
            left = [at for at, one in enumerate(healed) if not one.healed]
            told = _tell_once("\n".join(_became(healed[at]) for at in left), told)
            for at, again in zip(left, folder.heal(aws, [lefts[at] for at in left], rest), strict=True):
                healed[at] = again
    return healed


def _tell_once(text: str, told: str) -> str:
    """Says why the command waits, unless it said the same before; returns what was said last."""
    if text != told:
        tell(text)
    return text


def _became(one: "Healed") -> str:
    word = "LEFT" if not one.healed else "undone" if one.found else "nothing to undo"
    return f"{one.call} on {one.subject}: {word}, {one.told}"


class RunJournal:
    """What a run's timeline and earlier healings say it changed; `doubt` is what they cannot say, empty if nothing.

    It needs no other file and no disk that can be written. Raises UsageError while the run still goes on.
    """

    def __init__(self, path: Path) -> None:
        from harness.report.folder import RunFolder

        self._folder: RunFolder = RunFolder.open(path)
        if self._folder.is_held:
            raise UsageError(f"the run in {path} still goes on; stop it first, it undoes what it did")
        self._events, unread = self._folder.read_writes()
        self.doubt = _doubt(self._folder.timeline, unread)
        self._since_s, self._opened = self._seconds_until_now(), time.monotonic()

    def unhealed(self) -> "list[Left]":
        """What was begun and never undone."""
        from harness.core.timeline.left import unhealed

        return unhealed(self._events)

    def heal(self, aws: "Aws", lefts: "Sequence[Left]", rest: Callable[[float], None]) -> "list[Healed]":
        """Undoes these changes, and notes that in the run folder where it can; `rest` waits between two looks."""
        from harness.aws.healing import heal
        from harness.core.timeline.left import creation_of

        created = creation_of(self._events)
        return heal(aws, lefts, self._record, self._now_s, self._deployment(), created=created, rest=rest)

    def _record(self, event: "Event") -> None:
        from harness.core.timeline.events import encode

        try:
            with self._folder.healing.open("ab", buffering=0) as file:
                file.write(b"\n" + encode(event))  # ends a line that was cut off
        except OSError as error:
            tell(f"{self._folder.healing} cannot be written, so that this will be told again: {error.strerror}")

    def _deployment(self) -> "Deployment | None":
        """The deployment group of the run, as far as the folder still tells."""
        try:
            return self._folder.read_experiment().deployment
        except HarnessError:
            return None

    def _now_s(self) -> float:
        """Seconds since the run began, but never before its last write."""
        from harness.run.experiment import clock_of_environment

        return self._since_s + (time.monotonic() - self._opened) * clock_of_environment().speed

    def _seconds_until_now(self) -> float:
        from harness.run.experiment import clock_of_environment

        last_s = max((event.at_s for event in self._events), default=0.0)
        began = next((event.epoch_s for event in self._events if hasattr(event, "epoch_s")), None)
        now_s = clock_of_environment().experiment_s(time.time())
        return last_s if began is None else max(last_s, now_s - began)


def _doubt(timeline: Path, unread: int | None) -> str:
    if unread is None:
        return f"{timeline} tells nothing of the run, so what it changed is not known"
    return f"{unread} lines of {timeline} cannot be read, and may tell of more" if unread else ""


# What all do


def _subjects(options: argparse.Namespace) -> bool:
    """Whether a run folder is named; raises UsageError unless either that or alarms are."""
    if bool(options.names) == bool(options.run):
        raise UsageError("name alarms, or a run by --run FOLDER")
    return bool(options.run)


def _check_permission(options: argparse.Namespace) -> None:
    if not (options.allow_writes or os.environ.get(ALLOWED, "").lower() in ("1", "true", "yes")):
        raise UsageError("this changes an alarm on AWS; give --allow-writes if it is meant, or --dry-run to see it")


def _aws() -> "Aws":
    from harness.aws.clients import Aws

    aws = Aws()
    aws.warm("cloudwatch")
    return aws


def _say_write(event: "Event") -> None:
    from harness.core.timeline.events import Write

    if isinstance(event, Write):
        tell(f"{event.call} on {event.subject}: {event.step}, {event.detail}")


def _tell(options: argparse.Namespace, document: Any, lines: Sequence[str]) -> None:
    if options.json:
        say_json(document)
    else:
        say("\n".join(lines))
