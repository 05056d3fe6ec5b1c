"""MetricDataQuery: a metric's statistic or an expression on others, and the numbers it yields."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from harness.rehearsal.cloudwatch import expressions
from harness.rehearsal.cloudwatch.bucket import Bucket, is_statistic
from harness.rehearsal.cloudwatch.expressions import MathExpression, Series, UnknownExpression
from harness.rehearsal.cloudwatch.requests import invalid
from harness.rehearsal.cloudwatch.store import MINUTE_S, Metric, MetricStore
from harness.rehearsal.operations import Params

FINE_PERIODS_S = frozenset({1, 5, 10, 20, 30})
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")


class MetricStat(Struct, frozen=True):
    """One statistic of one metric; without `unit`, in the unit in which it was published.

    `account` is given where the metric is said to be that account's: of another one there is no data.
    """

    metric: Metric
    period_s: int
    statistic: str
    unit: str | None = None
    account: str | None = None


class Query(Struct, frozen=True):
    """One query of several: a `stat` or an `expression`; those `returned` are part of the answer."""

    id: str
    stat: MetricStat | None = None
    expression: MathExpression | None = None
    label: str | None = None
    period_s: int | None = None
    returned: bool = True


def is_period(seconds: int) -> bool:
    """Whether CloudWatch has datapoints of that length."""
    return seconds in FINE_PERIODS_S or seconds % MINUTE_S == 0


def dimensions_of(given: Iterable[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    """Dimensions of a request as a metric's identity has them; their order does not matter on AWS."""
    return tuple(sorted((dimension["Name"], dimension["Value"]) for dimension in given))


def metric_of(given: Params) -> Metric:
    """The metric that a request names by Namespace, MetricName and Dimensions; raises ValidationError."""
    for name in ("Namespace", "MetricName"):
        if not given.get(name):
            raise invalid(f"{name} must not be null")
    return Metric(given["Namespace"], given["MetricName"], dimensions_of(given.get("Dimensions", ())))


def parse(given: Sequence[Params]) -> tuple[Query, ...]:
    """The queries of a request, each checked; raises ValidationError."""
    queries = tuple(_query(one) for one in given)
    ids = [query.id for query in queries]
    if len(set(ids)) < len(ids):
        raise invalid("The values for parameter id in MetricDataQueries are not unique.")
    for query in queries:
        unknown = (query.expression.names if query.expression else frozenset()) - set(ids)
        if unknown:
            raise invalid(f"Error in expression '{query.id}': undefined variables {sorted(unknown)}")
    _refuse_cycles({query.id: query.expression.names for query in queries if query.expression})
    return queries


def _query(given: Params) -> Query:
    if not _ID.fullmatch(given["Id"]):
        raise invalid(f"The value {given['Id']} for parameter Id is not matching the expected pattern {_ID.pattern}")
    if ("MetricStat" in given) == ("Expression" in given):
        raise invalid(f"The query {given['Id']} must have either a MetricStat or an MathExpression.")
    return Query(
        id=given["Id"],
        stat=_stat(given["MetricStat"], given.get("AccountId")) if "MetricStat" in given else None,
        expression=_expression(given) if "Expression" in given else None,
        label=given.get("Label"),
        period_s=_period(given["Period"]) if "Period" in given else None,
        returned=given.get("ReturnData", True),
    )


def _stat(given: Params, account: str | None) -> MetricStat:
    if not is_statistic(given["Stat"]):
        raise invalid(f"The value {given['Stat']} for parameter MetricStat.Stat is not supported.")
    metric, period_s = metric_of(given["Metric"]), _period(given["Period"])
    return MetricStat(metric, period_s, given["Stat"], given.get("Unit"), account)


def _period(seconds: int) -> int:
    if not is_period(seconds):
        raise invalid(f"The value {seconds} for parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
    return seconds


def _expression(given: Params) -> MathExpression:
    try:
        return expressions.parse(given["Expression"])
    except UnknownExpression as error:
        raise invalid(f"Error in expression '{given['Id']}': {error}") from error


def _refuse_cycles(uses: Mapping[str, frozenset[str]]) -> None:
    remaining = dict(uses)
    while free := [name for name, used in remaining.items() if not used & remaining.keys()]:
        for name in free:
            del remaining[name]
    if remaining:
        raise invalid(f"The expressions {sorted(remaining)} depend on each other.")


class Reader:
    """Reads queries from a store, in periods that start at given instants."""

    def __init__(self, store: MetricStore, queries: Iterable[Query]) -> None:
        self._store = store
        self._queries = {query.id: query for query in queries}

    def period_s(self, query: Query) -> int:
        """A query's period: its own, or for an expression the longest of the metrics, unless it says otherwise."""
        if query.stat:
            return query.stat.period_s
        return query.period_s or max((q.stat.period_s for q in self._queries.values() if q.stat), default=MINUTE_S)

    def series(self, query: Query, starts: Sequence[float], period_s: int) -> Series:
        """One number, or None without data, for each period that begins at one of `starts`."""
        if query.stat:
            return [self._number(query.stat, start, period_s) for start in starts]
        assert query.expression
        return expressions.evaluate(
            query.expression,
            self._resolver(starts, period_s),
            self._metric_ids(),
            length=len(starts),
            period_s=period_s,
        )

    def samples(self, query: Query, start_s: float) -> float | None:
        """How many samples a metric has in the period at `start_s`; None for an expression and without data."""
        if not query.stat:
            return None
        bucket = self._bucket(query.stat, start_s, query.stat.period_s)
        return bucket.count if bucket else None

    def _number(self, stat: MetricStat, start_s: float, period_s: int) -> float | None:
        bucket = self._bucket(stat, start_s, period_s)
        return bucket.statistic(stat.statistic) if bucket else None

    def _bucket(self, stat: MetricStat, start_s: float, period_s: int) -> Bucket | None:
        if stat.account not in (None, self._store.account):
            return None
        return self._store.between(stat.metric, stat.unit, start_s, start_s + period_s)

    def _resolver(self, starts: Sequence[float], period_s: int) -> Callable[[str], Series]:
        return lambda name: self.series(self._queries[name], starts, period_s)

    def _metric_ids(self) -> list[str]:
        return [query.id for query in self._queries.values() if query.stat]
