"""Composite alarms: their rules, their children, and when they change."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from harness.rehearsal.cloudwatch.rule import (
    AtLeast,
    Both,
    CompositeRule,
    Constant,
    Either,
    InState,
    Not,
    children,
    holds,
    parse,
)
from harness.rehearsal.refusal import Refusal

STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")

names = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"], exclude_characters='"'), min_size=1)
counts = st.builds(
    lambda negated, state, listed: AtLeast(len(listed), False, state, negated, tuple(listed)),
    st.booleans(),
    st.sampled_from(STATES),
    st.lists(names, min_size=1, max_size=3),
)
shares = st.builds(
    lambda share, state, listed: AtLeast(share, True, state, False, tuple(listed)),
    st.integers(1, 100),
    st.sampled_from(STATES),
    st.lists(names, min_size=1, max_size=3),
)
leaves = st.one_of(
    st.builds(Constant, st.booleans()), st.builds(InState, st.sampled_from(STATES), names), counts, shares
)
rules = st.recursive(
    leaves,
    lambda inner: st.one_of(st.builds(Not, inner), st.builds(Both, inner, inner), st.builds(Either, inner, inner)),
    max_leaves=20,
)


def written(rule: CompositeRule) -> str:
    """A rule as text, with more parentheses than it needs."""
    match rule:
        case Constant(value=value):
            return str(value).upper()
        case InState(state=state, name=name):
            return f'{state}("{name}")'
        case AtLeast():
            least = f"{rule.number}{'%' if rule.percent else ''}"
            listed = ", ".join(f'"{name}"' for name in rule.names)
            return f"AT_LEAST({least}, {'NOT ' if rule.negated else ''}{rule.state}, ({listed}))"
        case Not(operand=operand):
            return f"NOT ({written(operand)})"
        case Both(left=left, right=right):
            return f"({written(left)}) AND ({written(right)})"
        case Either(left=left, right=right):
            return f"({written(left)}) OR ({written(right)})"


def two_alarms(aws: Any, rule: str) -> None:
    """Metric alarms `a` and `b`, and a composite alarm `both` over them, evaluated."""
    for name in ("a", "b"):
        aws.put_alarm(AlarmName=name)
    aws.client.put_composite_alarm(AlarmName="both", AlarmRule=rule)
    aws.advance(1)


def force(aws: Any, name: str, state: str) -> None:
    """Sets a state by hand and lets composite alarms follow."""
    aws.client.set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")
    aws.advance(1)


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """Code and message with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


@given(rules)
def test_a_written_rule_reads_as_itself(rule: CompositeRule) -> None:
    """Writing and parsing are inverse, names with blanks and parentheses included."""
    named = [name for name in children(rule) if name.startswith("arn:")]
    if not named:
        assert parse(written(rule)) == rule


@given(rules, st.data())
def test_negation_is_the_opposite(rule: CompositeRule, data: st.DataObject) -> None:
    """For any states of the children, NOT says the opposite."""
    states = {name: data.draw(st.sampled_from(STATES)) for name in children(rule)}
    assert holds(Not(rule), states) is not holds(rule, states)


def test_operators_bind_as_usual() -> None:
    """NOT binds tighter than AND, AND tighter than OR."""
    a, b, c = (InState("ALARM", name) for name in "abc")
    assert parse("ALARM(a) OR NOT ALARM(b) AND ALARM(c)") == Either(a, Both(Not(b), c))


@pytest.mark.parametrize("text", ["ALARM(a-b.c/d)", 'ALARM("a-b.c/d")', "ALARM ( a-b.c/d )"])
def test_names_need_no_quotes(text: str) -> None:
    """A name is bare or quoted, with or without blanks around it."""
    assert parse(text) == InState("ALARM", "a-b.c/d")


def test_an_arn_names_its_alarm() -> None:
    """An alarm may be given by its ARN."""
    assert parse('OK("arn:aws:cloudwatch:eu-north-1:123456789012:alarm:a:b")') == InState("OK", "a:b")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("()", "Unsupported token ')' at char 1"),
        ("ALARM(SampleQueue Oldest Age)", "Unsupported token 'Oldest' at char 18, must be: ')'"),
        ("ALARM(a) ALARM(b)", "Unsupported token 'ALARM' at char 9"),
        ("ALARM(a) AND", "Unsupported token 'end of the rule' at char 12"),
        ("ALARM a", "Unsupported token 'a' at char 6, must be: '('"),
        ("ALARM()", "Unsupported token ')' at char 6"),
        ('ALARM("")', "Unsupported token '' at char 7"),
        ('ALARM("a)', "Unsupported token '\"a)' at char 6"),
        ("alarm(a)", "Unsupported token 'alarm' at char 0"),
        ("MAYBE(a)", "Unsupported token 'MAYBE' at char 0"),
        ('"TRUE"', "Unsupported token 'TRUE' at char 1"),
        (" TRUE", "leading or trailing whitespace"),
        ("(" * 400, "nest"),
        ("NOT " * 400 + "TRUE", "nest"),
        (" OR ".join(["TRUE"] * 501), "500 elements"),
        (" OR ".join(f"ALARM(a{number})" for number in range(101)), "100 alarms"),
    ],
)
def test_bad_rules(text: str, problem: str) -> None:
    """A rule that is none is refused with its place, as AWS words it."""
    with pytest.raises(Refusal) as caught:
        parse(text)
    assert caught.value.code == "ValidationError"
    assert problem in caught.value.message


def test_a_bad_rule_is_refused_over_the_wire(aws: Any) -> None:
    """PutCompositeAlarm answers with ValidationError."""
    code, message = refusal(aws.client.put_composite_alarm, AlarmName="both", AlarmRule="()")
    assert (code, message) == ("ValidationError", "Error in AlarmRule [Unsupported token ')' at char 1]")


def test_unknown_children_are_refused(aws: Any) -> None:
    """A rule may name existing alarms alone; all that are missing are told."""
    aws.put_alarm()
    rule = "ALARM(errors) OR OK(x) OR OK(y)"
    code, message = refusal(aws.client.put_composite_alarm, AlarmName="both", AlarmRule=rule)
    assert code == "ValidationError"
    assert message == "Could not save the composite alarm as alarms [x, y] in the alarm rule do not exist"


def test_a_new_composite_alarm_is_evaluated_at_once(aws: Any, fits_model: Callable[..., None]) -> None:
    """It begins in INSUFFICIENT_DATA and goes to what its rule says within a second."""
    aws.client.put_composite_alarm(AlarmName="always", AlarmRule="TRUE")
    assert aws.state("always") == "INSUFFICIENT_DATA"
    aws.advance(1)
    alarm = aws.alarm("always")
    assert (alarm["StateValue"], alarm["AlarmRule"]) == ("ALARM", "TRUE")
    assert alarm["StateReason"] == f"{alarm['AlarmArn']} was created and its alarm rule evaluates to ALARM"
    fits_model(aws.client, "DescribeAlarms", {"CompositeAlarms": [alarm], "MetricAlarms": []})


def test_it_follows_its_children(aws: Any) -> None:
    """A change of a child changes the composite alarm, and its reason names the child."""
    two_alarms(aws, "ALARM(a) AND NOT OK(b)")
    force(aws, "b", "OK")
    force(aws, "a", "ALARM")
    assert aws.state("both") == "OK"
    force(aws, "b", "INSUFFICIENT_DATA")
    alarm = aws.alarm("both")
    assert alarm["StateValue"] == "ALARM"
    arn = aws.alarm("b")["AlarmArn"]
    assert alarm["StateReason"] == (f"{arn} transitioned to INSUFFICIENT_DATA at Saturday 22 August, 2026 12:00:03 UTC")
    (trigger,) = json.loads(alarm["StateReasonData"])["triggeringAlarms"]
    assert trigger == {"arn": arn, "state": {"value": "INSUFFICIENT_DATA", "timestamp": "2026-08-22T12:00:03.000+0000"}}


def test_composite_alarms_follow_each_other(aws: Any) -> None:
    """A composite alarm may be a child, and a change goes all the way up."""
    two_alarms(aws, "ALARM(a) OR ALARM(b)")
    aws.client.put_composite_alarm(AlarmName="top", AlarmRule="ALARM(both)")
    force(aws, "a", "ALARM")
    aws.advance(1)
    assert (aws.state("both"), aws.state("top")) == ("ALARM", "ALARM")


def test_a_forced_composite_state_lasts_until_a_child_changes(aws: Any) -> None:
    """Time alone takes nothing back."""
    two_alarms(aws, "ALARM(a)")
    force(aws, "both", "ALARM")
    aws.advance(600)
    assert aws.state("both") == "ALARM"
    force(aws, "a", "OK")
    assert aws.state("both") == "OK"


def test_a_forced_composite_state_ends_with_an_update(aws: Any) -> None:
    """A new rule is evaluated as it is put."""
    two_alarms(aws, "ALARM(a)")
    force(aws, "both", "ALARM")
    aws.client.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(a) AND ALARM(b)")
    aws.advance(1)
    assert aws.state("both") == "OK"
    assert "was updated and its alarm rule evaluates to OK" in aws.alarm("both")["StateReason"]


def test_changes_are_in_the_history(aws: Any, fits_model: Callable[..., None]) -> None:
    """A composite alarm's changes are items of its own type."""
    two_alarms(aws, "ALARM(a)")
    force(aws, "a", "ALARM")
    items = aws.history("both")
    fits_model(aws.client, "DescribeAlarmHistory", {"AlarmHistoryItems": items})
    assert [item["HistorySummary"] for item in items] == [
        'Alarm "both" created',
        "Alarm updated from INSUFFICIENT_DATA to OK",
        "Alarm updated from OK to ALARM",
    ]
    assert {item["AlarmType"] for item in items} == {"CompositeAlarm"}


def test_a_cycle_comes_to_rest(aws: Any) -> None:
    """Alarms that contradict each other in a circle do not chase each other for ever."""
    two_alarms(aws, "ALARM(a)")
    aws.client.put_composite_alarm(AlarmName="liar", AlarmRule="NOT ALARM(both)")
    aws.client.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(liar)")
    aws.advance(3600)
    assert len(aws.history("both")) + len(aws.history("liar")) < 12


def test_without_types_composite_alarms_are_hidden(aws: Any) -> None:
    """DescribeAlarms shows metric alarms alone, even where a composite alarm is named."""
    two_alarms(aws, "ALARM(a)")
    assert aws.client.describe_alarms(AlarmNames=["both"])["CompositeAlarms"] == []
    assert [alarm["AlarmName"] for alarm in aws.client.describe_alarms()["MetricAlarms"]] == ["a", "b"]


def test_children_are_found_with_their_states(aws: Any) -> None:
    """ChildrenOfAlarmName gives name, ARN, state and its time of each alarm in the rule, whatever its type."""
    two_alarms(aws, "ALARM(a)")
    aws.client.put_composite_alarm(AlarmName="top", AlarmRule="ALARM(both) OR ALARM(b)")
    answer = aws.client.describe_alarms(ChildrenOfAlarmName="top")
    found = answer["MetricAlarms"] + answer["CompositeAlarms"]
    assert [alarm["AlarmName"] for alarm in found] == ["b", "both"]
    assert set(found[0]) == {"AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp"}


def test_parents_are_found(aws: Any) -> None:
    """ParentsOfAlarmName gives name and ARN of the composite alarms that name it."""
    two_alarms(aws, "ALARM(a)")
    (parent,) = aws.client.describe_alarms(ParentsOfAlarmName="a")["CompositeAlarms"]
    assert parent == {"AlarmName": "both", "AlarmArn": aws.alarm("both")["AlarmArn"]}


def test_a_child_cannot_be_deleted(aws: Any) -> None:
    """An alarm that a composite alarm depends on stays, and so does all else in the call."""
    two_alarms(aws, "ALARM(a)")
    code, message = refusal(aws.client.delete_alarms, AlarmNames=["b", "a"])
    assert (code, message) == ("ValidationError", "Cannot delete a as there are composite alarm(s) depending on it.")
    assert aws.state("b") == "INSUFFICIENT_DATA"
    aws.client.delete_alarms(AlarmNames=["both", "a"])


def test_one_composite_alarm_at_a_time_is_deleted(aws: Any) -> None:
    """Two composite alarms in one call are refused."""
    two_alarms(aws, "ALARM(a)")
    aws.client.put_composite_alarm(AlarmName="other", AlarmRule="FALSE")
    assert refusal(aws.client.delete_alarms, AlarmNames=["both", "other"])[0] == "ValidationError"


def test_a_name_is_of_one_kind(aws: Any) -> None:
    """A metric alarm does not become a composite one, nor the other way."""
    two_alarms(aws, "ALARM(a)")
    assert refusal(aws.client.put_composite_alarm, AlarmName="a", AlarmRule="TRUE")[0] == "ValidationError"
    assert refusal(aws.put_alarm, AlarmName="both")[0] == "ValidationError"


def test_an_actions_suppressor_is_kept(aws: Any) -> None:
    """The suppressor's three parameters come back as they were put."""
    two_alarms(aws, "ALARM(a)")
    suppressor = {
        "ActionsSuppressor": "b",
        "ActionsSuppressorWaitPeriod": 60,
        "ActionsSuppressorExtensionPeriod": 120,
    }
    aws.client.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(a)", **suppressor)
    assert suppressor.items() <= aws.alarm("both").items()


@pytest.mark.parametrize(
    "suppressor",
    [
        {"ActionsSuppressorWaitPeriod": 60},
        {"ActionsSuppressor": "b"},
        {"ActionsSuppressor": "x", "ActionsSuppressorWaitPeriod": 1, "ActionsSuppressorExtensionPeriod": 1},
    ],
)
def test_half_a_suppressor_is_refused(aws: Any, suppressor: dict[str, Any]) -> None:
    """A suppressor exists and comes with both of its periods, or not at all."""
    two_alarms(aws, "ALARM(a)")
    params = {"AlarmName": "both", "AlarmRule": "ALARM(a)", **suppressor}
    assert refusal(aws.client.put_composite_alarm, **params)[0] == "ValidationError"


@pytest.mark.parametrize(
    ("rule", "ringing", "true"),
    [
        ("AT_LEAST(2, ALARM, (a, b, c))", "ab", True),
        ("AT_LEAST(2, ALARM, (a, b, c))", "a", False),
        ("AT_LEAST(2,NOT ALARM,(a,b,c))", "a", True),
        ("AT_LEAST(50%, OK, (a, b, c, d))", "ab", True),
        ("AT_LEAST(50%, OK, (a, b, c, d))", "abc", False),
        ("AT_LEAST(100%, NOT OK, (a, b, c))", "abc", True),
        ("AT_LEAST(34%, ALARM, (a, b, c))", "a", False),
        ("AT_LEAST(1, ALARM, (a)) AND NOT AT_LEAST(1, ALARM, (b))", "a", True),
    ],
)
def test_alarms_in_a_state_are_counted(rule: str, ringing: str, true: bool) -> None:
    """By number or by share, those that are in it or those that are not."""
    states = {name: "ALARM" if name in ringing else "OK" for name in "abcd"}
    assert holds(parse(rule), states) is true


@pytest.mark.parametrize(
    "rule",
    [
        "AT_LEAST(",
        "AT_LEAST(4, ALARM, (a, b, c))",
        "AT_LEAST(0, ALARM, (a))",
        "AT_LEAST(101%, ALARM, (a))",
        "AT_LEAST(two, ALARM, (a, b))",
        "AT_LEAST(1, RINGING, (a))",
        "AT_LEAST(1, ALARM, ())",
        "AT_LEAST(1, ALARM, (a b))",
        "AT_LEAST(1, ALARM, (ALARM(a)))",
        "AT_LEAST(1, ALARM)",
    ],
)
def test_a_count_that_cannot_be_is_refused(rule: str) -> None:
    """With the token that is wrong."""
    with pytest.raises(Refusal, match="Unsupported token"):
        parse(rule)


def test_a_composite_counts_its_alarms(aws: Any) -> None:
    """As CloudWatch would evaluate it, children told in the end."""
    two_alarms(aws, 'AT_LEAST(2, ALARM, ("a", "b"))')
    force(aws, "a", "ALARM")
    assert aws.state("both") == "OK"
    force(aws, "b", "ALARM")
    assert aws.state("both") == "ALARM"
