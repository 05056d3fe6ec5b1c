"""Workers that send nothing and report much: each speaks Locust's protocol as a real one does, and ours if asked.

`python -m tests.benchmarks.scripts.simulated_workers PORT COUNT RATE` reports RATE requests a second of each worker.
Prints a JSON line a second: how many workers run, the requests that they reported in rows so far, and how long the
master took to answer each heartbeat.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import gevent
from locust import __version__
from locust.rpc import Message
from locust.rpc.zmqrpc import Client
from locust.runners import HEARTBEAT_INTERVAL, WORKER_REPORT_INTERVAL
from locust.stats import RequestStats

from harness.core.timeline.events import ANYONE, Arrivals, Requests, Totals, encode
from harness.core.timeline.histogram import Bins, histogram
from harness.plugin.role import BEGIN, CLOCK, END, PACING, ROWS, STEERING
from harness.traffic.steering import Timebase, unpacked

NAME = "fakeUser"


@cache
def reported(rate: int) -> tuple[Bins, dict[str, Any]]:
    """A second as rows tell it, and some seconds as Locust's statistics do; made once, since the master is measured."""
    latencies_s = [random.expovariate(20) for _ in range(rate)]
    counted = RequestStats()
    for latency_s in latencies_s * int(WORKER_REPORT_INTERVAL):
        counted.log_request("GET", NAME, latency_s * 1000, 60)
    return histogram(latencies_s), counted.total.get_stripped_report()


class Simulated:
    """One of them."""

    def __init__(self, port: int, number: int, rate: int) -> None:
        self._name, self._rate = f"simulated{number}", rate
        self._client = Client("127.0.0.1", port, self._name)
        self._users: dict[str, int] = {}
        self._base: Timebase | None = None
        self._told_s = -1
        self._asked_s: float | None = None
        self.state, self.reported = "ready", 0
        self.waits_s: list[float] = []
        self._bins, self._entry = reported(rate)
        self._send("client_ready", __version__)
        for told in (self._listen, self._beat, self._report, self._tell_rows):
            gevent.spawn(told)

    def _send(self, kind: str, data: Any) -> None:
        self._client.send(Message(kind, data, self._name))

    def _listen(self) -> None:
        answers: dict[str, Callable[[Any], None]] = {
            "spawn": self._spawn,
            "stop": self._stop,
            "quit": sys.exit,
            "heartbeat": self._heard,
            BEGIN: lambda data: self._send(CLOCK, {"asked_s": time.time()}),
            STEERING: self._steer,
            END: self._end,
        }
        while True:
            message = self._client.recv()
            if answer := answers.get(message.type):
                answer(message.data)

    def _spawn(self, job: Any) -> None:
        self._send("spawning", None)
        self._users = job["user_classes_count"]
        users = {"user_classes_count": self._users, "user_count": sum(self._users.values())}
        self._send("spawning_complete", users)
        self.state = "running"
        self._send(PACING, {"pacing": True})

    def _stop(self, _: Any) -> None:
        self.state = "ready"
        self._send("client_stopped", None)
        self._send("client_ready", __version__)

    def _steer(self, data: Any) -> None:
        """The same timebase comes with each change of the parts, which are nothing to us."""
        self._base = self._base or unpacked(data).timebase

    def _beat(self) -> None:
        gevent.sleep(random.random() * HEARTBEAT_INTERVAL)
        while True:
            if self._asked_s is None:
                self._asked_s = time.monotonic()
            self._send("heartbeat", {"state": self.state, "current_cpu_usage": 50, "current_memory_usage": 1e8})
            gevent.sleep(HEARTBEAT_INTERVAL)

    def _heard(self, _: Any) -> None:
        if self._asked_s is not None:
            self.waits_s.append(time.monotonic() - self._asked_s)
            self._asked_s = None

    def _report(self) -> None:
        gevent.sleep(random.random() * WORKER_REPORT_INTERVAL)
        while True:
            users = {"user_classes_count": self._users, "user_count": sum(self._users.values())}
            entries = [self._entry] if self.state == "running" else []
            for entry in entries:
                now = int(time.time())
                entry["last_request_timestamp"] = now
                entry["num_reqs_per_sec"] = dict.fromkeys(range(now - int(WORKER_REPORT_INTERVAL), now), self._rate)
            total = entries[0] if entries else RequestStats().total.get_stripped_report()
            self._send("stats", {"stats": entries, "stats_total": total, "errors": {}, **users})
            gevent.sleep(WORKER_REPORT_INTERVAL)

    def _tell_rows(self) -> None:
        """The rows of each second, once it is over."""
        gevent.sleep(random.random())
        while True:
            second = int(self._base.now_s()) - 1 if self._base else -1
            if self._base and self.state == "running" and second > self._told_s:
                self._told_s = second
                self._send(ROWS, {"lines": b"".join(map(encode, self._rows(float(second)))), "last": False})
                self.reported += self._rate
            gevent.sleep(1)

    def _rows(self, at_s: float) -> tuple[Arrivals, Requests]:
        arrivals = Arrivals(at_s=at_s, planned=self._rate, started=self._rate, lag=self._bins, worker=self._name)
        requests = Requests(
            at_s=at_s,
            intent="good",
            persona=ANYONE,
            endpoint=NAME,
            version="1",
            outcome="ok",
            status=200,
            count=self._rate,
            latency=self._bins,
            service_time=self._bins,
            worker=self._name,
        )
        return arrivals, requests

    def _end(self, _: Any) -> None:
        total = Totals(at_s=float(self._told_s), counted=self.reported, recorded=self.reported, worker=self._name)
        self._send(ROWS, {"lines": encode(total), "last": True})
        self._base = None


def main(port: int, count: int, rate: int) -> None:
    """Runs until it is ended, or the master says so."""
    workers = [Simulated(port, number, rate) for number in range(count)]
    while True:
        gevent.sleep(1)
        waits_s = [wait_s for worker in workers for wait_s in worker.waits_s]
        for worker in workers:
            worker.waits_s.clear()
        running = sum(worker.state == "running" for worker in workers)
        told = {"running": running, "reported": sum(worker.reported for worker in workers), "waits_s": waits_s}
        print(json.dumps(told), flush=True)  # noqa: T201 - for the benchmark


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
