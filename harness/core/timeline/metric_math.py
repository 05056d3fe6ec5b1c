"""CloudWatch's metric math, as alarms of teams use it: `100 * errors / MAX([errors, invocations])`.

An expression is read by Python's own parser, since its shape is the same, and only what is listed here is let through.
It is evaluated over series: one number, or None where there is no datapoint, for each evaluation instant, oldest first.

Assumptions, which AWS does not document: a division by zero gives no datapoint, and an operator gives none where either
side has none.
"""

import ast
import keyword
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce

from msgspec import Struct

Series = Sequence[float | None]

LONGEST = 2_048
"""Characters of an expression; CloudWatch itself takes no longer ones."""
DEEPEST = 50
"""How deep an expression may nest; recursion over it stays far within Python's own limit."""

_PART = re.compile(
    r"""\s*(?P<part>
        (\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(?![\w.])   # a number
        | [A-Za-z]\w*(?!["'])                          # an id, a function or a word
        | "[^"\\\n]*" | '[^'\\\n]*'                    # what a function is told
        | && | \|\| | [<>=!]= | [-+*/^<>(),\[\]]       # a sign
    )\s*""",
    re.VERBOSE | re.ASCII,
)
_AN_ID = "Ω"
"""Marks an id that is a word of Python's while its parser reads; no id of AWS's has such a letter."""
_IN_PYTHON = {"&&": "and", "AND": "and", "||": "or", "OR": "or", "^": "**"}
_OPERATORS: Mapping[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.And: lambda left, right: bool(left) and bool(right),
    ast.Or: lambda left, right: bool(left) or bool(right),
}
_ONE_BY_ONE: Mapping[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
_TOGETHER: Mapping[str, Callable[[Sequence[float]], float]] = {
    "MAX": max,
    "MIN": min,
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
}
_ALL_METRICS = "METRICS"


class NotEvaluated(Exception):
    """An expression that is no metric math, or uses a part of it that is not evaluated here; the message says which."""


class Expression(Struct, frozen=True):
    """An expression that can be evaluated; `names` are the ids that it refers to.

    `METRICS()` refers to every metric of the alarm, and is in `names` as itself.
    """

    text: str
    tree: ast.expr
    names: frozenset[str]


def read_expression(text: str) -> Expression:
    """The expression that `text` writes; raises NotEvaluated."""
    if len(text) > LONGEST:
        raise NotEvaluated(f"it is longer than {LONGEST} characters")
    try:
        tree = parse_tree(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotEvaluated(f"{text!r} is no metric math") from error
    return Expression(text, tree, frozenset(_names(tree, DEEPEST)))


def parse_tree(text: str) -> ast.expr:
    """The syntax tree of an expression; raises what Python's parser raises, and ValueError for what AWS does not know.

    Python's own further words and signs (`**`, `//`, `#`, `0x10`, `1_000`, a comma at the end) are not let through. An
    id may be a word of Python's, such as `in`.
    """
    tree = ast.parse(_in_python(text), mode="eval").body
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = node.id.removesuffix(_AN_ID)
    return tree


def _in_python(text: str) -> str:
    """The expression as Python writes it, on one line."""
    parts, at = [""], 0
    while at < len(text):
        found = _PART.match(text, at)
        part = found["part"] if found else ""
        if not found or part in ("True", "False", "None") or (parts[-1] == "," and part in ("]", ")")):
            raise ValueError(f"{text[at:].strip()[:20]!r} is not metric math")
        parts.append(f"{part}{_AN_ID}" if keyword.iskeyword(part) else _IN_PYTHON.get(part, part))
        at = found.end()
    return " ".join(parts).strip()


def evaluate_expression(expression: Expression, series: Mapping[str, Series], *, step_s: float = 60.0) -> Series:
    """The series that an expression yields over series of equal length, `step_s` apart."""
    length = len(next(iter(series.values()), (None,)))
    return _Evaluation(series, length, step_s).series(expression.tree)


def _names(node: ast.AST, depth: int) -> set[str]:
    """The ids in an expression; raises NotEvaluated at the first part that is not known here."""
    if depth == 0:
        raise NotEvaluated("it nests too deep")
    match node:
        case ast.Constant(value=bool()):
            raise NotEvaluated(f"{node.value!r} is no number")
        case ast.Constant(value=int() | float()):
            return set()
        case ast.Name(id=name):
            return {name}
        case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
            return _names_of_call(function, arguments, depth - 1)
    return _union(_operands(node), depth - 1)


def _operands(node: ast.AST) -> Sequence[ast.expr]:
    match node:
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return (operand,)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return left, right
        case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in _OPERATORS:
            return left, right
        case ast.BoolOp(values=values) | ast.List(elts=values):
            return values
    raise NotEvaluated(f"{type(node).__name__} is not evaluated")


def _union(nodes: Sequence[ast.expr], depth: int) -> set[str]:
    return set[str]().union(*(_names(node, depth) for node in nodes))


def _names_of_call(function: str, arguments: Sequence[ast.expr], depth: int) -> set[str]:
    names = _union(_ids_in(function, arguments), depth)
    match function, len(arguments):
        case "METRICS", 0 | 1:
            return {_ALL_METRICS}
        case "IF", 2 | 3:
            return names
        case "FILL", 2:
            return names
        case (("ABS" | "CEIL" | "FLOOR" | "RATE" | "DIFF" | "PERIOD" | "RUNNING_SUM"), 1):
            return names
        case (("MAX" | "MIN" | "SUM" | "AVG"), 1):
            return names
    raise NotEvaluated(f"the function {function} with {len(arguments)} arguments is not evaluated")


def _ids_in(function: str, arguments: Sequence[ast.expr]) -> Sequence[ast.expr]:
    if function == _ALL_METRICS:
        return ()
    filling = function == "FILL" and len(arguments) == 2 and isinstance(arguments[1], ast.Name)
    return arguments[:1] if filling else arguments


class _Evaluation:
    def __init__(self, series: Mapping[str, Series], length: int, step_s: float) -> None:
        self._named = series
        self._length = length
        self._step_s = step_s

    def series(self, node: ast.expr) -> Series:
        match node:
            case ast.Constant(value=number):
                return [float(number)] * self._length  # type: ignore[arg-type]  # only numbers were let through
            case ast.Name(id=name):
                return self._named.get(name) or [None] * self._length
            case ast.UnaryOp(op=sign, operand=operand):
                factor = -1.0 if isinstance(sign, ast.USub) else 1.0
                return _paired(operator.mul, [factor] * self._length, self.series(operand))
            case ast.Call(func=ast.Name(id=function), args=arguments):
                return self._called(function, arguments)
        return self._combined(node)

    def _combined(self, node: ast.expr) -> Series:
        match node:
            case ast.BinOp(op=sign) | ast.BoolOp(op=sign) | ast.Compare(ops=[sign]):
                values = map(self.series, _operands(node))
                return reduce(lambda left, right: _paired(_OPERATORS[type(sign)], left, right), values)
        raise AssertionError(node)

    def _called(self, function: str, arguments: list[ast.expr]) -> Series:
        if function in _TOGETHER:
            return self._together(_TOGETHER[function], arguments[0])
        if function in _ONE_BY_ONE:
            return [_number(_ONE_BY_ONE[function], value) for value in self.series(arguments[0])]
        if function == "IF":
            return self._chosen(*arguments)
        if function == "FILL":
            return self._filled(*arguments)
        if function == "PERIOD":
            return [self._step_s] * self._length
        return self._running(function, self.series(arguments[0]))

    def _together(self, function: Callable[[Sequence[float]], float], node: ast.expr) -> Series:
        if isinstance(node, ast.List):
            members = [self.series(element) for element in node.elts]
        elif isinstance(node, ast.Call):
            members = list(self._named.values())
        else:  # over time: one number for the whole series
            known = [value for value in self.series(node) if value is not None]
            return [function(known) if known else None] * self._length
        rows = ([value for value in row if value is not None] for row in zip(*members, strict=True))
        return [function(row) if row else None for row in rows]

    def _chosen(self, condition: ast.expr, then: ast.expr, otherwise: ast.expr | None = None) -> Series:
        no = self.series(otherwise) if otherwise else [None] * self._length
        rows = zip(self.series(condition), self.series(then), no, strict=True)
        return [None if test is None else yes if test else other for test, yes, other in rows]

    def _filled(self, filled: ast.expr, filling: ast.expr) -> Series:
        values = self.series(filled)
        if isinstance(filling, ast.Name) and filling.id == "REPEAT":
            return _repeated(values)
        if isinstance(filling, ast.Name) and filling.id == "LINEAR":
            return _repeated(values)  # between two points; the newest, which decides, has none after it
        fill_ins = self.series(filling)
        return [other if value is None else value for value, other in zip(values, fill_ins, strict=True)]

    def _running(self, function: str, values: Series) -> Series:
        if function == "RUNNING_SUM":
            total, sums = 0.0, []
            for value in values:
                total += value or 0.0
                sums.append(total)
            return sums
        return _changes(values, self._step_s if function == "RATE" else None)


def _changes(values: Series, step_s: float | None) -> Series:
    """Each datapoint's difference from the one before, however far back that is; with `step_s` by the second."""
    changes: list[float | None] = []
    before: tuple[int, float] | None = None
    for at, value in enumerate(values):
        if value is None or before is None:
            changes.append(None)
        else:
            taken_s = (at - before[0]) * step_s if step_s else 1.0
            changes.append((value - before[1]) / taken_s)
        before = before if value is None else (at, value)
    return changes


def _paired(function: Callable[[float, float], float], left: Series, right: Series) -> Series:
    return [
        None if one is None or other is None else _number(lambda value, other=other: function(value, other), one)  # type: ignore[misc]
        for one, other in zip(left, right, strict=True)
    ]


def _number(function: Callable[[float], float], value: float | None) -> float | None:
    """The result as a number; None if there is none, such as of a division by zero."""
    if value is None:
        return None
    try:
        result = float(function(value))
    except (ArithmeticError, TypeError, ValueError):
        return None
    return result if math.isfinite(result) else None


def _repeated(values: Series) -> Series:
    filled: list[float | None] = []
    for value in values:
        filled.append(filled[-1] if value is None and filled else value)
    return filled
