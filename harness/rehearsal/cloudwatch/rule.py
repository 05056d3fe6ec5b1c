"""The rule of a composite alarm: `ALARM("a") AND NOT (OK(b) OR FALSE)`; NOT binds tighter than AND, AND than OR.

`AT_LEAST(2, ALARM, (a, b, c))` counts alarms in a state, `AT_LEAST(50%, NOT OK, (a, b))` a share of those that are not.
"""

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from harness.rehearsal.cloudwatch.requests import invalid
from harness.rehearsal.refusal import Refusal

STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")
CONSTANTS = {"TRUE": True, "FALSE": False}
MOST_CHILDREN = 100
MOST_ELEMENTS = 500
DEEPEST = 100
"""How deep a rule may nest. Assumption: AWS states none."""

AT_LEAST = "AT_LEAST"
_TOKEN = re.compile(r'\s*(?:(?P<sign>[(),])|"(?P<quoted>[^"]*)"|(?P<word>[^\s(),"]+))')
_WORDS = frozenset({*STATES, "AND", "OR", "NOT", AT_LEAST, ","})
_LEAST = re.compile(r"(?P<number>\d{1,3})(?P<percent>%)?")


class Constant(Struct, frozen=True):
    """TRUE or FALSE."""

    value: bool


class InState(Struct, frozen=True):
    """Whether an alarm, by its name, is in a state."""

    state: str
    name: str


class Not(Struct, frozen=True):
    """True when its operand is not."""

    operand: "CompositeRule"


class Both(Struct, frozen=True):
    """`left AND right`."""

    left: "CompositeRule"
    right: "CompositeRule"


class Either(Struct, frozen=True):
    """`left OR right`."""

    left: "CompositeRule"
    right: "CompositeRule"


class AtLeast(Struct, frozen=True):
    """Whether so many of the named alarms, or so many percent of them, are in a state, or are not."""

    number: int
    percent: bool
    state: str
    negated: bool
    names: tuple[str, ...]

    def holds(self, states: Mapping[str, str]) -> bool:
        """Whether it is true, given the state of each alarm that exists."""
        met = sum((states.get(name) == self.state) != self.negated for name in self.names)
        return met * 100 >= self.number * len(self.names) if self.percent else met >= self.number


CompositeRule = Constant | InState | Not | Both | Either | AtLeast


class _Token(Struct, frozen=True):
    kind: str
    text: str
    position: int


def parse(text: str) -> CompositeRule:
    """The rule that `text` writes; raises ValidationError as AWS words it."""
    if text != text.strip():
        raise invalid("AlarmRule must not contain leading or trailing whitespace or be null")
    tokens = [*_tokens(text), _Token("end", "end of the rule", len(text))]
    if sum(token.text not in _WORDS for token in tokens[:-1]) > MOST_ELEMENTS:
        raise invalid(f"AlarmRule must not have more than {MOST_ELEMENTS} elements")
    rule = _RuleParser(tokens).whole()
    if len(children(rule)) > MOST_CHILDREN:
        raise invalid(f"AlarmRule must not name more than {MOST_CHILDREN} alarms")
    return rule


def holds(rule: CompositeRule, states: Mapping[str, str]) -> bool:
    """Whether the rule is true, given the state of each alarm that exists."""
    match rule:
        case Constant(value=value):
            return value
        case InState(state=state, name=name):
            return states.get(name) == state
        case AtLeast():
            return rule.holds(states)
        case Not(operand=operand):
            return not holds(operand, states)
        case Both(left=left, right=right):
            return holds(left, states) and holds(right, states)
        case Either(left=left, right=right):
            return holds(left, states) or holds(right, states)


def children(rule: CompositeRule) -> tuple[str, ...]:
    """The names of the alarms in a rule, each once, in the order in which they appear."""
    return tuple(dict.fromkeys(_names(rule)))


def _names(rule: CompositeRule) -> Iterator[str]:
    match rule:
        case InState(name=name):
            yield name
        case AtLeast(names=names):
            yield from names
        case Not(operand=operand):
            yield from _names(operand)
        case Both(left=left, right=right) | Either(left=left, right=right):
            yield from (*_names(left), *_names(right))


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            raise _unsupported(_Token("word", text[position:].strip(), position))
        kind = str(match.lastgroup)
        yield _Token(kind, match[kind], match.start(kind))
        position = match.end()


def _unsupported(token: _Token, wanted: str = "") -> Refusal:
    must_be = f", must be: '{wanted}'" if wanted else ""
    return invalid(f"Error in AlarmRule [Unsupported token '{token.text}' at char {token.position}{must_be}]")


class _RuleParser:
    """Recursive descent over the tokens, the last of which is the end."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def whole(self) -> CompositeRule:
        rule = self._either()
        if self._token.kind != "end":
            raise _unsupported(self._token)
        return rule

    def _either(self) -> CompositeRule:
        rule = self._both()
        while self._took("OR"):
            rule = Either(rule, self._both())
        return rule

    def _both(self) -> CompositeRule:
        rule = self._operand()
        while self._took("AND"):
            rule = Both(rule, self._operand())
        return rule

    def _operand(self) -> CompositeRule:
        self._depth += 1
        if self._depth > DEEPEST:
            raise invalid(f"AlarmRule must not nest deeper than {DEEPEST}")
        rule = self._negated_grouped_or_single()
        self._depth -= 1
        return rule

    def _negated_grouped_or_single(self) -> CompositeRule:
        if self._took("NOT"):
            return Not(self._operand())
        if self._took("("):
            rule = self._either()
            self._expect(")")
            return rule
        for word, value in CONSTANTS.items():
            if self._took(word):
                return Constant(value)
        if self._took(AT_LEAST):
            return self._at_least()
        return self._in_state(self._state())

    def _in_state(self, state: str) -> CompositeRule:
        self._expect("(")
        name = self._name()
        self._expect(")")
        return InState(state, name)

    def _at_least(self) -> CompositeRule:
        self._expect("(")
        token = self._token
        least = _LEAST.fullmatch(token.text)
        if least is None:
            raise _unsupported(token)
        self._next += 1
        self._expect(",")
        negated, state = self._took("NOT"), self._state()
        self._expect(",")
        names = self._list_of_names()
        self._expect(")")
        if not 1 <= int(least["number"]) <= (100 if least["percent"] else len(names)):
            raise _unsupported(token)
        return AtLeast(int(least["number"]), bool(least["percent"]), state, negated, names)

    def _list_of_names(self) -> tuple[str, ...]:
        self._expect("(")
        names = [self._name()]
        while self._took(","):
            names.append(self._name())
        self._expect(")")
        return tuple(names)

    def _state(self) -> str:
        state = next((state for state in STATES if self._took(state)), None)
        if state is None:
            raise _unsupported(self._token)
        return state

    def _name(self) -> str:
        token = self._token
        if token.kind not in ("word", "quoted") or not token.text:
            raise _unsupported(token)
        self._next += 1
        return name_of(token.text)

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _took(self, text: str) -> bool:
        took = self._token.text == text and self._token.kind in ("word", "sign")
        self._next += took
        return took

    def _expect(self, text: str) -> None:
        if not self._took(text):
            raise _unsupported(self._token, text)


def name_of(name_or_arn: str) -> str:
    """The name of an alarm that is given by name or by ARN."""
    if name_or_arn.startswith("arn:"):
        return name_or_arn.partition(":alarm:")[2] or name_or_arn
    return name_or_arn
