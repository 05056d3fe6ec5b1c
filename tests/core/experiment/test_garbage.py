"""Experiments that were damaged, cut off, or made to hurt."""

from contextlib import suppress

import pytest

from harness import experiments
from harness.core.experiment.parse import parse
from harness.errors import ExperimentError
from tests.garbage import garbage

BOMBS = {
    "aliases of aliases": "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(
        f"{key}: &{key} [{', '.join([f'*{before}'] * 10)}]\n"
        for before, key in zip("abcdefghi", "bcdefghij", strict=True)
    ),
    "merges of merges": "a: &a {x: 1}\n"
    + "".join(
        f"{key}: &{key} {{<<: [{', '.join([f'*{before}'] * 10)}]}}\n"
        for before, key in zip("abcdefghi", "bcdefghij", strict=True)
    ),
    "a long text thousands of times": f"a: &a {'x' * 100_000}\nname: [{', '.join(['*a'] * 2_000)}]\n",
    "a list that holds itself": "name: &a [*a]\n",
    "a map that merges itself": "name: &a {<<: *a}\n",
    "a word that is no truth": "name: !!bool maybe",
    "a word that is no time": "name: !!timestamp foo",
    "brackets without end": "name: " + "[" * 3_000,
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_bomb_is_refused_in_one_sentence(text: str) -> None:
    """A short text that stands for billions of values, or that PyYAML itself trips over."""
    with pytest.raises(ExperimentError, match=r"f\.yaml: ") as refused:
        parse(text, source="f.yaml")
    assert len(str(refused.value)) < 200


def damaged(seed: int) -> None:
    """One packaged experiment with faults in it either parses or is refused in a sentence."""
    text = experiments.text(experiments.NAMES[seed % len(experiments.NAMES)]).encode()
    with suppress(ExperimentError):
        parse(garbage(text, seed).decode(errors="surrogateescape"), source="f.yaml")


def test_damaged_experiments_parse_or_are_refused() -> None:
    """A few of each kind of damage."""
    for seed in range(52):
        damaged(seed)


@pytest.mark.soak
def test_four_thousand_damaged_experiments_parse_or_are_refused() -> None:
    """Other seeds than those of every day."""
    for seed in range(1_000, 5_000):
        damaged(seed)
