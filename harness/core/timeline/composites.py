"""Composite alarms: what the rule of one says, as a tree over the states of its children.

NOT is moved down to the children as a rule is read, so the tree has counts alone: AND is "all of", OR is "one of".
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from harness.core.timeline.events import AlarmDefined

_STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")
_TOKEN = re.compile(
    r"""\s*(?:(?P<sign>[(),])|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<word>[^\s(),"']+))"""
)
_LEAST = re.compile(r"(?P<number>\d+)(?P<percent>%)?")
_ARN = re.compile(r"^arn:[^:]*:cloudwatch:[^:]*:[^:]*:alarm:")
DEEPEST = 100
"""How deep a rule may nest to be read."""


class ChildIs(Struct, frozen=True):
    """Whether an alarm is in a state or, `negated`, in another one."""

    state: str
    name: str
    negated: bool = False

    @property
    def guards(self) -> bool:
        """Whether the alarm's going to ALARM makes this true; one under NOT or OK holds the composite back."""
        return (self.state, self.negated) in (("ALARM", False), ("OK", True))

    def holds_in(self, state: str) -> bool:
        """Whether it is true while the alarm is in this state."""
        return (state == self.state) != self.negated


class SomeOf(Struct, frozen=True):
    """Whether at least `needed` of these are true; none of none is TRUE, one of none is FALSE."""

    needed: int
    of: "tuple[StateRule, ...]"


StateRule = ChildIs | SomeOf
Told = Callable[[ChildIs], bool | None]
"""Whether one leaf of a rule is true; None where nobody knows."""

NEVER = SomeOf(1, ())


class NotRead(Exception):
    """The rule of a composite alarm that is none of those that are understood here."""


def holds(rule: StateRule, told: Told) -> bool | None:
    """Whether a rule is true; None where that depends on what is not known."""
    if isinstance(rule, ChildIs):
        return told(rule)
    values = [holds(one, told) for one in rule.of]
    if values.count(True) >= rule.needed:
        return True
    return None if values.count(True) + values.count(None) >= rule.needed else False


def leaves(rule: StateRule) -> Iterator[ChildIs]:
    """All that a rule asks of single alarms, in order."""
    if isinstance(rule, ChildIs):
        yield rule
    else:
        for one in rule.of:
            yield from leaves(one)


def expanded(name: str, definitions: Mapping[str, AlarmDefined]) -> StateRule:
    """When an alarm is in ALARM, by alarms that are no composites.

    A composite that cannot be read, or is composed of itself, stays a leaf.
    """
    return _expanded(ChildIs("ALARM", name), definitions, ())


def below_composites(names: Sequence[str], definitions: Mapping[str, AlarmDefined]) -> tuple[str, ...]:
    """These alarms, with their children in the place of composites, each once; a composite may hold composites."""
    return tuple(dict.fromkeys(leaf.name for name in names for leaf in leaves(expanded(name, definitions))))


def children_of(rule: str | None) -> tuple[str, ...]:
    """The names of the alarms that a composite's rule mentions, in order and each once; none where it is not read."""
    try:
        return tuple(dict.fromkeys(leaf.name for leaf in leaves(read_composite(rule or ""))))
    except NotRead:
        return ()


def can_be_read(rule: str | None) -> bool:
    """Whether the rule of a composite is one that is understood here."""
    try:
        read_composite(rule or "")
    except NotRead:
        return False
    return True


def read_composite(text: str) -> StateRule:
    """The rule that `text` writes, ARNs cut to names; raises NotRead."""
    return _Reader(text).whole()


def negation(rule: StateRule) -> StateRule:
    """The rule that is true when this one is not."""
    if isinstance(rule, ChildIs):
        return ChildIs(rule.state, rule.name, not rule.negated)
    return SomeOf(len(rule.of) - rule.needed + 1, tuple(negation(one) for one in rule.of))


def _expanded(rule: StateRule, definitions: Mapping[str, AlarmDefined], within: tuple[str, ...]) -> StateRule:
    if isinstance(rule, SomeOf):
        return SomeOf(rule.needed, tuple(_expanded(one, definitions, within) for one in rule.of))
    defined = definitions.get(rule.name)
    if defined is None or defined.kind != "composite" or rule.name in within:
        return rule
    try:
        inner = read_composite(defined.rule or "")
    except NotRead:
        return rule
    in_state = _in_state(_expanded(inner, definitions, (*within, rule.name)), rule.state)
    return negation(in_state) if rule.negated else in_state


def _in_state(rule: StateRule, state: str) -> StateRule:
    """When a composite of this rule is in a state: in ALARM or else OK, since it has no data of its own to lack."""
    if state == "INSUFFICIENT_DATA":
        return NEVER
    return rule if state == "ALARM" else negation(rule)


class _Reader:
    """Recursive descent over the tokens of a rule; NOT binds tighter than AND, and AND than OR."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._depth = 0

    def whole(self) -> StateRule:
        rule = self._either()
        if self._tokens:
            raise NotRead(f"nothing is known of {self._tokens[0][1]}")
        return rule

    def _either(self) -> StateRule:
        rules = [self._both()]
        while self._took("OR"):
            rules.append(self._both())
        return SomeOf(1, tuple(rules)) if len(rules) > 1 else rules[0]

    def _both(self) -> StateRule:
        rules = [self._one()]
        while self._took("AND"):
            rules.append(self._one())
        return SomeOf(len(rules), tuple(rules)) if len(rules) > 1 else rules[0]

    def _one(self) -> StateRule:
        self._depth += 1
        if self._depth > DEEPEST:
            raise NotRead(f"it nests deeper than {DEEPEST}")
        rule = self._operand()
        self._depth -= 1
        return rule

    def _operand(self) -> StateRule:
        if self._took("NOT"):
            return negation(self._one())
        if self._took("("):
            rule = self._either()
            self._expect(")")
            return rule
        word = self._next()
        if word in ("TRUE", "FALSE"):
            return SomeOf(0 if word == "TRUE" else 1, ())
        if word == "AT_LEAST":
            return self._at_least()
        if word not in _STATES:
            raise NotRead(f"nothing is known of {word}")
        return ChildIs(word, self._names()[0])

    def _at_least(self) -> StateRule:
        self._expect("(")
        least = _LEAST.fullmatch(self._next())
        self._expect(",")
        negated, state = self._took("NOT"), self._next()
        self._expect(",")
        names = self._names()
        self._expect(")")
        if least is None or state not in _STATES:
            raise NotRead("its AT_LEAST counts nothing that is known")
        number = int(least["number"])
        needed = -(-number * len(names) // 100) if least["percent"] else number
        return SomeOf(needed, tuple(ChildIs(state, name, negated) for name in names))

    def _names(self) -> tuple[str, ...]:
        self._expect("(")
        names = [self._next()]
        while self._took(","):
            names.append(self._next())
        self._expect(")")
        return tuple(_ARN.sub("", name) for name in names)

    def _next(self) -> str:
        if not self._tokens or self._tokens[0][0] == "sign":
            raise NotRead("it ends too early, or lacks a name")
        return self._tokens.pop(0)[1]

    def _took(self, text: str) -> bool:
        took = bool(self._tokens) and self._tokens[0][1] == text and self._tokens[0][0] in ("sign", "word")
        if took:
            self._tokens.pop(0)
        return took

    def _expect(self, text: str) -> None:
        if not self._took(text):
            raise NotRead(f"a {text} is missing")


def _tokens(text: str) -> list[tuple[str, str]]:
    """Kind and text of each token, escapes undone."""
    tokens, at = list[tuple[str, str]](), 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotRead(f"nothing is known of {text[at:].strip()}")
        kind = str(match.lastgroup)
        tokens.append((kind, re.sub(r"\\(.)", r"\1", match[kind]) if kind in ("double", "single") else match[kind]))
        at = match.end()
    return tokens
