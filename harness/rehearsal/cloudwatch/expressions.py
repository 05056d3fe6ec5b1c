"""Metric math: arithmetic on metrics of one period, as in `100 * errors / MAX([invocations, 1])`.

Parsed by Python's own parser, whose expressions have the same shape, and then held against what is known here. A value
is a number or a series; a series has one number or None (no data) for each period.
"""

import ast
import itertools
import math
import operator
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import pairwise

from msgspec import Struct

from harness.core.timeline.metric_math import parse_tree

Series = list[float | None]
Value = float | Series
Resolve = Callable[[str], Series]

_BINARY: Mapping[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Gt: lambda left, right: float(left > right),
    ast.GtE: lambda left, right: float(left >= right),
    ast.Lt: lambda left, right: float(left < right),
    ast.LtE: lambda left, right: float(left <= right),
    ast.Eq: lambda left, right: float(left == right),
    ast.NotEq: lambda left, right: float(left != right),
    ast.And: lambda left, right: float(bool(left) and bool(right)),
    ast.Or: lambda left, right: float(bool(left) or bool(right)),
}
_EACH: Mapping[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
_TOGETHER: Mapping[str, Callable[[Sequence[float]], float]] = {
    "SUM": sum,
    "AVG": statistics.fmean,
    "MIN": min,
    "MAX": max,
}
_OVER_TIME = frozenset({"DIFF", "PERIOD", "RATE", "RUNNING_SUM"})
_FILLINGS = frozenset({"LINEAR", "REPEAT"})
MOST_NODES = 500
"""How long an expression may be, in nodes of its syntax tree, so that its depth stays within Python's."""


class UnknownExpression(Exception):
    """The expression is not metric math, or uses a function that this cloud does not have; the message says what."""


class MathExpression(Struct, frozen=True):
    """A checked expression; `names` are the identifiers of the queries that it uses. `METRICS()` uses all metrics."""

    text: str
    tree: ast.expr
    names: frozenset[str]


def parse(text: str) -> MathExpression:
    """The expression that `text` writes; raises UnknownExpression."""
    try:
        tree = parse_tree(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnknownExpression(f"'{text}' is not an expression") from error
    if sum(1 for _ in ast.walk(tree)) > MOST_NODES:
        raise UnknownExpression("it is too long for this local cloud")
    return MathExpression(text, tree, frozenset(_names(tree)))


def evaluate(
    expression: MathExpression, resolve: Resolve, metrics: Sequence[str], *, length: int, period_s: float
) -> Series:
    """The series that an expression yields: `length` periods of `period_s` each.

    `resolve` gives each named series, and `metrics` are what METRICS() means.
    """
    return _series(_Evaluation(resolve, metrics, period_s).value(expression.tree), length)


def is_series(expression: MathExpression, of: Callable[[str], bool]) -> bool:
    """Whether it yields a number for each period, and not one number; `of` says so of each name that it uses."""
    return _is_series(expression.tree, of)


class _Evaluation:
    def __init__(self, resolve: Resolve, metrics: Sequence[str], period_s: float) -> None:
        self._resolve = resolve
        self._metrics = metrics
        self._period_s = period_s

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=number):
                return float(number)  # type: ignore[arg-type]  # _names has let numbers through alone
            case ast.Name(id=name):
                return self._resolve(name)
            case ast.UnaryOp(operand=operand):
                return _pairwise(operator.mul, -1.0, self.value(operand))
            case ast.BinOp(left=left, op=sign, right=right):
                return _pairwise(_BINARY[type(sign)], self.value(left), self.value(right))
            case ast.Compare(left=left, ops=[sign], comparators=[right]):
                return _pairwise(_BINARY[type(sign)], self.value(left), self.value(right))
            case ast.BoolOp(op=sign, values=operands):
                values = map(self.value, operands)
                return reduce(lambda left, right: _pairwise(_BINARY[type(sign)], left, right), values)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments)
        raise AssertionError(node)

    def _call(self, name: str, arguments: list[ast.expr]) -> Value:
        if name == "IF":
            return _choose(*(self.value(argument) for argument in arguments))
        if name == "FILL":
            return _fill(self.value(arguments[0]), arguments[1], self.value)
        if name in _EACH:
            return _pairwise(lambda number, _: _EACH[name](number), self.value(arguments[0]), 0.0)
        if name in _OVER_TIME:
            return self._over_time(name, self.value(arguments[0]))
        return self._together(_TOGETHER[name], arguments[0])

    def _over_time(self, name: str, value: Value) -> Value:
        if name == "PERIOD":
            return float(self._period_s)
        if not isinstance(value, list):
            return math.nan
        if name == "RUNNING_SUM":
            return _running_sum(value)
        return _changes(value, self._period_s if name == "RATE" else None)

    def _together(self, function: Callable[[Sequence[float]], float], node: ast.expr) -> Value:
        if isinstance(node, ast.List):
            return _rows(function, [self.value(element) for element in node.elts])
        if isinstance(node, ast.Call) and _is_of_metrics(node):
            return _rows(function, [self._resolve(name) for name in self._metrics if _filter_of(node) in name])
        value = self.value(node)
        known = _known(value) if isinstance(value, list) else [value]
        return function(known) if known else math.nan


def _names(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=int() | float() as number) if abs(number) <= sys.float_info.max:
            return
        case ast.Name(id=name):
            yield name
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            for argument in _checked_arguments(name, arguments):
                yield from _names(argument)
        case _:
            for operand in _operands(node):
                yield from _names(operand)


def _operands(node: ast.expr) -> Sequence[ast.expr]:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return (operand,)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _BINARY:
            return left, right
        case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in _BINARY:
            return left, right
        case ast.BoolOp(values=operands):
            return operands
    raise UnknownExpression(f"'{ast.unparse(node)}' is not part of this local cloud's metric math")


def _checked_arguments(name: str, arguments: list[ast.expr]) -> list[ast.expr]:
    """The arguments that hold identifiers; raises UnknownExpression for a function that is not here."""
    if name in _TOGETHER and len(arguments) == 1:
        return _gathered(arguments[0])
    match name, arguments:
        case "IF", [_, _] | [_, _, _]:
            return arguments
        case "FILL", [filled, ast.Name(id=filling)] if filling in _FILLINGS:
            return [filled]
        case "FILL", [_, _]:
            return arguments
        case _, [_] if name in _EACH or name in _OVER_TIME:
            return arguments
        case "ANOMALY_DETECTION_BAND", _:
            raise UnknownExpression("ANOMALY_DETECTION_BAND is not part of this local cloud, which learns no bands")
    raise UnknownExpression(f"{name} with {len(arguments)} arguments is not part of this local cloud's metric math")


def _gathered(argument: ast.expr) -> list[ast.expr]:
    """What a function such as SUM takes together: a list of series, all of METRICS(), or one series over time."""
    match argument:
        case ast.List(elts=elements):
            return elements
        case ast.Call(func=ast.Name(id="METRICS"), args=[] | [ast.Constant(value=str())], keywords=[]):
            return []
    return [argument]


def _is_series(node: ast.expr, of: Callable[[str], bool]) -> bool:
    """By the user guide's table of functions, which calls one number a scalar."""
    match node:
        case ast.Name(id=name):
            return of(name)
        case ast.Call(func=ast.Name(id="PERIOD")):
            return False
        case ast.Call(func=ast.Name(id=name), args=[argument]) if name in _TOGETHER:
            return _is_of_metrics(argument) or (isinstance(argument, ast.List) and _has_series(argument, of))
    return _has_series(node, of)


def _has_series(node: ast.expr, of: Callable[[str], bool]) -> bool:
    parts = node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node)
    return any(_is_series(part, of) for part in parts if isinstance(part, ast.expr))


def _is_of_metrics(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "METRICS"


def _series(value: Value, length: int) -> Series:
    if isinstance(value, list):
        return value
    return [None if math.isnan(value) else value] * length


def _pairwise(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Applies `function` period by period; without data on either side, or without a result, there is none."""
    if not isinstance(left, list) and not isinstance(right, list):
        result = _applied(function, left, right)
        return math.nan if result is None else result
    length = len(left) if isinstance(left, list) else len(right) if isinstance(right, list) else 0
    pairs = zip(_series(left, length), _series(right, length), strict=True)
    return [_applied(function, one, other) for one, other in pairs]


def _applied(function: Callable[[float, float], float], left: float | None, right: float | None) -> float | None:
    if left is None or right is None:
        return None
    try:
        return float(function(left, right))
    except (ArithmeticError, TypeError):
        return None


def _choose(condition: Value, then: Value, otherwise: Value = math.nan) -> Value:
    lengths = [len(value) for value in (condition, then, otherwise) if isinstance(value, list)]
    if not lengths:
        return then if condition else otherwise
    rows = zip(*(_series(value, lengths[0]) for value in (condition, then, otherwise)), strict=True)
    return [None if test is None else yes if test else no for test, yes, no in rows]


def _fill(value: Value, filling: ast.expr, evaluated: Callable[[ast.expr], Value]) -> Value:
    if not isinstance(value, list):
        return value
    if isinstance(filling, ast.Name) and filling.id in _FILLINGS:
        return _repeated(value) if filling.id == "REPEAT" else _interpolated(value)
    fill_ins = _series(evaluated(filling), len(value))
    return [fill_in if number is None else number for number, fill_in in zip(value, fill_ins, strict=True)]


def _repeated(series: Series) -> Series:
    filled: Series = []
    for number in series:
        filled.append(filled[-1] if number is None and filled else number)
    return filled


def _interpolated(series: Series) -> Series:
    """Gaps between two points lie on the line between them; those at the ends stay gaps."""
    filled = list(series)
    known = [index for index, number in enumerate(series) if number is not None]
    for left, right in pairwise(known):
        first, last = series[left] or 0.0, series[right] or 0.0
        for index in range(left + 1, right):
            filled[index] = first + (last - first) * (index - left) / (right - left)
    return filled


def _running_sum(series: Series) -> Series:
    """At each point the sum of all until then."""
    sums = itertools.accumulate(number or 0.0 for number in series)
    return [None if number is None else total for number, total in zip(series, sums, strict=True)]


def _changes(series: Series, period_s: float | None) -> Series:
    """At each point its difference from the point before, with `period_s` by the second; the first has none.

    Gaps are passed over, as AWS says of RATE: from data point to data point.
    """
    changes: Series = []
    before: tuple[int, float] | None = None
    for index, number in enumerate(series):
        periods = index - before[0] if before else 0
        change = None if number is None or before is None else number - before[1]
        changes.append(change if change is None or period_s is None else change / (periods * period_s))
        before = before if number is None else (index, number)
    return changes


def _filter_of(call: ast.Call) -> str:
    """What METRICS("errors") asks for in an id; METRICS() asks for nothing."""
    return str(call.args[0].value) if call.args and isinstance(call.args[0], ast.Constant) else ""


def _rows(function: Callable[[Sequence[float]], float], values: Sequence[Value]) -> Value:
    """Several series as one, period by period, over those that have data."""
    length = max((len(value) for value in values if isinstance(value, list)), default=1)
    rows = zip(*(_series(value, length) for value in values), strict=True)
    return [function(known) if (known := _known(row)) else None for row in rows]


def _known(numbers: Iterable[float | None]) -> list[float]:
    return [number for number in numbers if number is not None]
