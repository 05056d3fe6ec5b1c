"""`python -m tests.benchmarks [NAME ...]` runs all benchmarks of this folder, or those named."""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.rows import Row, show

NO_BENCHMARKS = {"__main__", "rows", "processes"}


def known() -> list[str]:
    """Names of the modules here that measure something."""
    modules = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted(module.name for module in modules if module.name not in NO_BENCHMARKS)


def measured(names: list[str]) -> Iterator[Row]:
    """Runs benchmarks one after the other."""
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)  # noqa: T201 - progress of a command
        yield from importlib.import_module(f"tests.benchmarks.{name}").rows()


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known())}")
    names = parser.parse_args().names or known()
    unknown = sorted(set(names) - set(known()))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; known are {', '.join(known())}")
    show(measured(names))


if __name__ == "__main__":
    main()
