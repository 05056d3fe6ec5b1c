"""The metrics of an account and region: what has been published and how long it is kept."""

from collections.abc import Iterator

from msgspec import Struct

from harness.rehearsal.cloudwatch.bucket import Bucket

MINUTE_S = 60
SECONDS_KEPT_S = 3 * 3600
"""How long data finer than a minute can be read; AWS keeps them three hours."""
MINUTES_KEPT_S = 15 * 86400
"""How long data of a minute are kept; AWS keeps them 15 days and coarser ones longer, which this cloud does not."""
RECENTLY_ACTIVE_S = 3 * 3600


class Metric(Struct, frozen=True, order=True):
    """A metric's identity: with another set of dimensions it is another metric. `dimensions` are sorted by name."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()


class _Recording:
    """One metric in one unit. `seconds` holds all data of the last hours, those of a minute at the minute's start."""

    def __init__(self) -> None:
        self.seconds: dict[int, Bucket] = {}
        self.minutes: dict[int, Bucket] = {}

    def add(self, at_s: float, bucket: Bucket, *, high_resolution: bool) -> None:
        minute = int(at_s // MINUTE_S) * MINUTE_S
        self.minutes.setdefault(minute, Bucket()).merge(bucket)
        self.seconds.setdefault(int(at_s) if high_resolution else minute, Bucket()).merge(bucket)

    def between(self, start_s: int, end_s: int) -> Bucket | None:
        whole_minutes = start_s % MINUTE_S == 0 == end_s % MINUTE_S
        buckets, step = (self.minutes, MINUTE_S) if whole_minutes else (self.seconds, 1)
        found = [buckets[key] for key in range(start_s, end_s, step) if key in buckets]
        if len(found) < 2:
            return found[0] if found else None
        total = Bucket()
        for bucket in found:
            total.merge(bucket)
        return total

    def forget(self, now_s: float) -> None:
        self.seconds = {key: bucket for key, bucket in self.seconds.items() if key >= now_s - SECONDS_KEPT_S}
        self.minutes = {key: bucket for key, bucket in self.minutes.items() if key >= now_s - MINUTES_KEPT_S}


class MetricStore:
    """All metrics of an account; what is in here is visible."""

    def __init__(self, account: str = "") -> None:
        self.account = account
        self._recordings: dict[Metric, dict[str, _Recording]] = {}
        self._latest_s: dict[Metric, float] = {}

    def add(self, metric: Metric, unit: str, at_s: float, bucket: Bucket, *, high_resolution: bool = False) -> None:
        """Publishes a bucket at `at_s`; without `high_resolution` it belongs to the minute as a whole."""
        recording = self._recordings.setdefault(metric, {}).setdefault(unit, _Recording())
        recording.add(at_s, bucket, high_resolution=high_resolution)
        self._latest_s[metric] = max(at_s, self._latest_s.get(metric, at_s))

    def units(self, metric: Metric) -> list[str]:
        """The units in which a metric was published, sorted; none of an unknown metric."""
        return sorted(self._recordings.get(metric, ()))

    def between(self, metric: Metric, unit: str | None, start_s: float, end_s: float) -> Bucket | None:
        """All from `start_s` until before `end_s`, whole seconds; None without data.

        Without `unit` the alphabetically first one counts, where AWS says that the behaviour is not defined.
        """
        units = self._recordings.get(metric, {})
        recording = units.get(unit) if unit else units[min(units)] if units else None
        return recording.between(int(start_s), int(end_s)) if recording else None

    def metrics(self, *, active_since_s: float | None = None) -> Iterator[Metric]:
        """The known metrics, sorted; with `active_since_s` those alone that have data since then."""
        for metric in sorted(self._recordings):
            if active_since_s is None or self._latest_s[metric] >= active_since_s:
                yield metric

    def forget(self, now_s: float) -> None:
        """Drops what is too old to be read, and metrics that have nothing left."""
        for metric, units in list(self._recordings.items()):
            for recording in units.values():
                recording.forget(now_s)
            if self._latest_s[metric] < now_s - MINUTES_KEPT_S:
                del self._recordings[metric], self._latest_s[metric]
