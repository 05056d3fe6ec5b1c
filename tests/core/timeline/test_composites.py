"""What the rule of a composite alarm says of its children."""

import pytest

from harness.core.timeline.composites import (
    NotRead,
    below_composites,
    children_of,
    expanded,
    holds,
    leaves,
    read_composite,
)
from harness.core.timeline.events import AlarmDefined
from harness.rehearsal.cloudwatch import rule as clouds


def composite(name: str, rule: str) -> AlarmDefined:
    """A composite alarm."""
    return AlarmDefined(at_s=0.1, asked_s=0.0, name=name, kind="composite", rule=rule)


RULES = (
    'ALARM("a") AND ALARM(b)',
    "ALARM(a) OR ALARM(b) AND ALARM(c)",
    "ALARM(a) AND NOT ALARM(b)",
    "NOT (ALARM(a) AND NOT OK(b)) OR INSUFFICIENT_DATA(c)",
    "AT_LEAST(2, ALARM, (a, b, c))",
    "AT_LEAST(50%, NOT OK, (a, b, c))",
    "NOT AT_LEAST(2, ALARM, (a, b, c)) AND TRUE",
    "ALARM(a) AND FALSE OR (TRUE AND OK(c))",
)


@pytest.mark.parametrize("text", RULES)
def test_a_rule_holds_where_the_cloud_says_so(text: str) -> None:
    """The local cloud has a reader of its own: both agree in all states of three children."""
    states = ("ALARM", "OK", "INSUFFICIENT_DATA")
    rule, reference = read_composite(text), clouds.parse(text)
    for given in [{"a": a, "b": b, "c": c} for a in states for b in states for c in states]:
        assert holds(rule, lambda leaf, given=given: leaf.holds_in(given[leaf.name])) is clouds.holds(reference, given)


@pytest.mark.parametrize(
    ("text", "a", "told"),
    [
        ("ALARM(a) AND ALARM(b)", True, None),
        ("ALARM(a) AND ALARM(b)", False, False),
        ("ALARM(a) OR ALARM(b)", True, True),
        ("ALARM(a) OR ALARM(b)", False, None),
        ("ALARM(a) AND NOT ALARM(b)", True, None),
        ("AT_LEAST(1, ALARM, (a, b))", True, True),
        ("AT_LEAST(2, ALARM, (a, b))", True, None),
    ],
)
def test_what_is_not_known_of_a_child_matters_only_where_it_decides(text: str, a: bool, told: bool | None) -> None:
    """Nothing is known of b."""
    assert holds(read_composite(text), lambda leaf: a if leaf.name == "a" else None) is told


def test_a_child_under_not_or_ok_is_no_guard() -> None:
    """And under two of them it is one."""
    rule = read_composite("ALARM(a) AND NOT ALARM(b) AND NOT OK(c) AND OK(d) AND NOT (NOT ALARM(e) OR ALARM(f))")
    assert {leaf.name for leaf in leaves(rule) if leaf.guards} == {"a", "c", "e"}


def test_a_composite_within_another_is_its_own_children() -> None:
    """Negated, they hold the outer one back."""
    known = {
        one.name: one
        for one in (composite("in", "ALARM(a) OR ALARM(b)"), composite("out", "ALARM(c) AND NOT ALARM(in)"))
    }
    rule = expanded("out", known)
    assert [(leaf.name, leaf.guards) for leaf in leaves(rule)] == [("c", True), ("a", False), ("b", False)]
    assert holds(rule, lambda leaf: leaf.holds_in("ALARM" if leaf.name == "c" else "OK")) is True
    assert below_composites(["out", "c"], known) == ("c", "a", "b")


def test_a_composite_of_itself_ends() -> None:
    """It stays what nobody can compute."""
    assert below_composites(["loop"], {"loop": composite("loop", "ALARM(loop) OR ALARM(a)")}) == ("loop", "a")


@pytest.mark.parametrize(
    "text",
    ["", "SOMETHING NEW", "ALARM(a", "ALARM(a) AND", "ALARM()", "AT_LEAST(x, ALARM, (a))", "(" * 300, 'ALARM("a'],
)
def test_a_rule_that_is_not_understood_is_not_read(text: str) -> None:
    """It names no children, and a composite of it stays a single alarm."""
    with pytest.raises(NotRead):
        read_composite(text)
    assert children_of(text) == ()
    assert below_composites(["odd"], {"odd": composite("odd", text)}) == ("odd",)
