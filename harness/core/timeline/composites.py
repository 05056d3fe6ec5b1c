"""Composite alarms: which alarms one is composed of."""

import re
from collections.abc import Iterable, Iterator, Mapping

from harness.core.timeline.events import AlarmDefined

_CHILD = re.compile(
    r"\b(?:ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*"
    r"""(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<bare>[^\s()"']+))\s*\)"""
)
_MANY = re.compile(r"""\bAT_LEAST\s*\([^()"']*,\s*\((?P<names>(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^()"'])*)\)""")
_NAME = re.compile(r"""\s*(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<bare>[^\s,"']+))\s*,?""")
_ARN = re.compile(r"^arn:[^:]*:cloudwatch:[^:]*:[^:]*:alarm:")


def below_composites(names: Iterable[str], definitions: Mapping[str, AlarmDefined]) -> tuple[str, ...]:
    """These alarms, with their children in the place of composites, each once; a composite may hold composites."""
    told: dict[str, None] = {}
    waiting, seen = [*names], set[str]()
    while waiting:
        name = waiting.pop(0)
        defined = definitions.get(name)
        if defined is None or defined.kind != "composite":
            told[name] = None
        elif name not in seen:
            seen.add(name)
            waiting = [*children_of(defined.rule), *waiting]
    return tuple(told)


def children_of(rule: str | None) -> tuple[str, ...]:
    """The names of the alarms that a composite's rule mentions, ARNs cut to names, in order and each once."""
    found = sorted(_mentioned(rule or ""), key=lambda match: match.start())
    told = (match["double"] or match["single"] or match["bare"] or "" for match in found)
    names = (_ARN.sub("", re.sub(r"\\(.)", r"\1", name)) for name in told)
    return tuple(dict.fromkeys(name for name in names if name))


def _mentioned(rule: str) -> Iterator[re.Match[str]]:
    """Each place where a rule names an alarm, in `ALARM(a)` and in the list of `AT_LEAST(2, ALARM, (a, b))`."""
    yield from _CHILD.finditer(rule)
    for many in _MANY.finditer(rule):
        yield from _NAME.finditer(rule, *many.span("names"))
