"""Words of the command line that several commands read."""

import argparse


def duration(word: str) -> float:
    """The seconds of `30s`, `5m` or `1h30m`."""
    return _duration_s(word)


def duration_or_zero(word: str) -> float:
    """The same, where 0 means not at all."""
    return _duration_s(word, may_be_zero=True)


def _duration_s(word: str, *, may_be_zero: bool = False) -> float:
    from harness.core.experiment.durations import duration_s

    try:
        return duration_s(word, may_be_zero=may_be_zero)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
