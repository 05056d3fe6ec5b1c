"""Plays all rows in this cloud and in its peers, and prints the scoreboard; `--write` puts it into the README."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.rehearsal.truth.playing import Outcome, Unplayable, play
from tests.rehearsal.truth.rows import Row, rows, services
from tests.rehearsal.truth.worlds import LocalWorld, Ministack, Moto

README = Path(__file__).parents[3] / "harness/rehearsal/README.md"
PLACE = re.compile("(<!-- truth: written by make truth -->\n).*?(<!-- end of truth -->)", re.DOTALL)
THIS = "this cloud"

Outcomes = Mapping[str, Mapping[str, Outcome]]
"""By world, and then by row."""


def main(words: Sequence[str]) -> None:
    """Prints the scoreboard."""
    known = {service: rows(service) for service in services()}
    outcomes, absent = _all_outcomes(known)
    text = "\n".join([*_table(known, outcomes), "", *_remarks(known, outcomes, absent), ""])
    print(text)  # noqa: T201 - the scoreboard is the result
    if "--write" in words:
        there = README.read_text("utf-8")
        README.write_text(PLACE.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", there), "utf-8")


def _all_outcomes(known: Mapping[str, Sequence[Row]]) -> tuple[Outcomes, Mapping[str, str]]:
    everything = [row for of_service in known.values() for row in of_service]
    outcomes: dict[str, Mapping[str, Outcome]] = {THIS: {row.name: _here(row) for row in everything}}
    absent = {}
    for peer in (Moto(), Ministack()):
        try:
            outcomes[peer.name] = _by_peer(peer, everything)
        except Unplayable as reason:
            absent[peer.name] = str(reason)
    return outcomes, absent


def _here(row: Row) -> Outcome:
    with LocalWorld() as world:
        return play(row, world)


def _by_peer(peer: Moto | Ministack, everything: Sequence[Row]) -> Mapping[str, Outcome]:
    with peer:
        return {row.name: play(row, peer.world()) for row in everything}


def _table(known: Mapping[str, Sequence[Row]], outcomes: Outcomes) -> list[str]:
    head = f"| service | rows | {' | '.join(outcomes)} |"
    lines = [head, "|---" * (len(outcomes) + 2) + "|"]
    for service, of_service in known.items():
        scores = [_score([of_world[row.name] for row in of_service]) for of_world in outcomes.values()]
        lines.append(f"| {service} | {len(of_service)} | {' | '.join(scores)} |")
    return lines


def _score(played: Sequence[Outcome]) -> str:
    held = sum(outcome.held is True for outcome in played)
    return f"{held} of {sum(outcome.held is not None for outcome in played)}"


def _remarks(known: Mapping[str, Sequence[Row]], outcomes: Outcomes, absent: Mapping[str, str]) -> list[str]:
    everything = [row for of_service in known.values() for row in of_service]
    not_held = [row for row in everything if not outcomes[THIS][row.name].held]
    doubted = [row for row in everything if row.contradicts]
    return [
        "These are the rows that hold, of those that a server can play. The clock of others cannot be moved, so that",
        "they do not play what takes minutes; nor do they play a row for which they lack the calls that set it up.",
        "",
        *(f"- Not played at all by {name}: {reason}." for name, reason in absent.items()),
        *(f"- Not held here: {row.name}. {row.not_held or outcomes[THIS][row.name].why}." for row in not_held),
        *(f"- {row.name} is contradicted by {row.contradicts}." for row in doubted),
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
