"""The command `canary-harness completion`: prints what a shell needs to complete our words."""

import argparse
from collections.abc import Iterator

import shtab

from harness.errors import ExitCode
from harness.streams import say

SHELLS = ("bash", "zsh", "tcsh")
_FOLDERS = frozenset({"DIR", "FOLDER", "RUN"})


def add_completion_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to complete")


def print_completion(whole: argparse.ArgumentParser, shell: str) -> int:
    """Prints the script of a shell for all commands of a parser; the exit code."""
    for action in _actions(whole):
        named = action.metavar if isinstance(action.metavar, str) else ""
        if "FILE" in named:
            action.complete = shtab.FILE  # type: ignore[attr-defined] # where shtab looks
        elif named in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    say(shtab.complete(whole, shell))
    return ExitCode.AS_EXPECTED


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # argparse has no public way; shtab itself goes this one
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
