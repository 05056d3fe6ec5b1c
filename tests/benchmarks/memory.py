"""Memory and time that ten million recorded requests take, beside Locust's own statistics of the same requests.

Requests come at 20,000 a second, of both endpoints and versions, with latencies from 0.2 ms to 20 s,
some of them failed. The recorder passes its rows on four times a second as in a run. Growth is that of the process's
peak of resident memory over all requests but the first hundred thousand. Needs nothing.

`python -m tests.benchmarks.memory --requests 100000000` takes longer.
"""

import argparse
import itertools
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec import Struct

from harness.core.timeline.events import ANYONE, Event, encode
from harness.traffic.fired import Features, Reply
from harness.traffic.recorder import Recorder
from harness.traffic.steering import Timebase
from tests.benchmarks.rows import Row, show

REQUESTS = 10_000_000
WARM = 100_000
RATE = 20_000
FLUSHES_PER_S = 4
WANTED_MIB = 50.0

Record = Callable[[int], None]
"""Records so many requests more."""


class Sample(Struct, frozen=True):
    """A request that came to its end."""

    features: Features
    reply: Reply
    latency_s: float


class Growth(Struct, frozen=True):
    """What requests cost: memory in all, processor time of each."""

    mib: float
    each_us: float


def rows(requests: int = REQUESTS) -> Iterator[Row]:
    """Memory, then time; each side in a process of its own."""
    ours, peer = _apart("recorder", requests), _apart("locust", requests)
    what, peer_name = f"{requests:,} recorded requests", "Locust's statistics"
    yield Row(
        what=f"{what}, growth of memory",
        value=ours.mib,
        unit="MiB",
        peer=peer_name,
        peer_value=peer.mib,
        wanted=f"< {WANTED_MIB:g}",
    )
    yield Row(what=f"{what}, time of each", value=ours.each_us, unit="µs", peer=peer_name, peer_value=peer.each_us)


def _apart(side: str, requests: int) -> Growth:
    command = [sys.executable, "-m", __spec__.name, "--requests", str(requests), "--side", side]
    return msgspec.json.decode(subprocess.check_output(command), type=Growth)


def _growth(make: Callable[[], Record], requests: int) -> Growth:
    record = make()
    record(WARM)
    peak, began = _peak_mib(), time.process_time()
    record(requests - WARM)
    used_s = time.process_time() - began
    return Growth(_peak_mib() - peak, used_s / (requests - WARM) * 1e6)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _recorder() -> Record:
    recorder = Recorder(Timebase(began_wall_s=0.0), _encode)
    samples, numbers = itertools.cycle(_samples()), itertools.count()

    def record(count: int) -> None:
        for number, sample in zip(itertools.islice(numbers, count), samples, strict=False):
            due_s = number / RATE
            recorder.started(due_s, 0.001)
            recorder.answered(sample.features, sample.reply, due_s, sample.latency_s, sample.latency_s)
            if number % (RATE // FLUSHES_PER_S) == 0:
                recorder.flush(due_s)

    return record


def _locust_statistics() -> Record:
    from locust.stats import RequestStats  # patches the process, which must be its own

    statistics, samples = RequestStats(), itertools.cycle(_samples())

    def record(count: int) -> None:
        for sample in itertools.islice(samples, count):
            statistics.log_request("GET", sample.features.endpoint, sample.latency_s * 1000, 60)
            if sample.reply.reason:
                statistics.log_error("GET", sample.features.endpoint, sample.reply.reason)

    return record


def _samples() -> list[Sample]:
    rng = random.Random(1)
    return [_sample(rng) for _ in range(10_007)]


def _sample(rng: random.Random) -> Sample:
    reply = Reply(200, rng.choice("12")) if rng.random() < 0.99 else Reply(502, "2", "HTTP 502")
    features = Features("good", ANYONE, rng.choice(["fakeUser", "featureToggles"]))
    return Sample(features, reply, 0.0002 * 1e5 ** rng.random())


def _encode(events: Sequence[Event]) -> None:
    for event in events:
        encode(event)


SIDES = {"recorder": _recorder, "locust": _locust_statistics}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--side", choices=[*SIDES], help="one side alone, in this process, as JSON")
    given = parser.parse_args()
    if given.side:
        sys.stdout.buffer.write(msgspec.json.encode(_growth(SIDES[given.side], given.requests)))
    else:
        show(rows(given.requests))


if __name__ == "__main__":
    main()
