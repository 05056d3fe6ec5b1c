"""What the failures that clients saw would have done to an alarm."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.core.timeline.alarm_rules import Rule, read_rule
from harness.core.verdict.breach import Weighed, breach_s, weigh
from harness.core.verdict.evidence import server_failed
from tests.core.alarms import defined

EPOCH_S = 1_800_000_000.0


def with_(**changes: Any) -> Rule:
    """The rule of such an alarm."""
    return read_rule(defined(**changes))


RULE = with_()


def test_three_failures_in_a_minute_breach(sent: Any) -> None:
    """The breach is dated to the end of its period."""
    failures = [sent(at_s, ok=False) for at_s in (61.0, 80.0, 119.0)]
    assert breach_s(RULE, failures, EPOCH_S, server_failed) == 120.0


def test_two_failures_in_each_of_two_minutes_do_not_breach(sent: Any) -> None:
    """What lies in two periods is not added up."""
    failures = [sent(at_s, ok=False) for at_s in (100.0, 119.0, 120.0, 121.0)]
    assert breach_s(RULE, failures, EPOCH_S, server_failed) is None


def test_periods_are_aligned_to_the_full_minute_of_the_clock(sent: Any) -> None:
    """A run that begins 40 s into a minute has its first period end after 20 s."""
    failures = [sent(at_s, ok=False) for at_s in (1.0, 10.0, 19.0)]
    assert breach_s(RULE, failures, EPOCH_S + 40, server_failed) == 20.0
    assert breach_s(RULE, failures, EPOCH_S + 50, server_failed) is None


def test_greater_than_needs_one_more(sent: Any) -> None:
    """The comparison decides about the threshold itself."""
    rule = with_(comparison="GreaterThanThreshold")
    assert breach_s(rule, [sent(1.0, count=3, ok=False)], EPOCH_S, server_failed) is None
    assert breach_s(rule, [sent(1.0, count=4, ok=False)], EPOCH_S, server_failed) == 60.0


def test_two_of_three_periods_breach(sent: Any) -> None:
    """The second breaching period within three completes it, the gap between them does not matter."""
    rule = with_(evaluation_periods=3, datapoints=2)
    failures = [sent(at_s, count=3, ok=False) for at_s in (0.0, 130.0)]
    assert breach_s(rule, failures, EPOCH_S, server_failed) == 180.0


def test_two_of_two_periods_with_a_gap_do_not_breach(sent: Any) -> None:
    """A period without failures breaks the row."""
    rule = with_(evaluation_periods=2, datapoints=2)
    failures = [sent(at_s, count=3, ok=False) for at_s in (0.0, 130.0)]
    assert breach_s(rule, [*failures, sent(70.0)], EPOCH_S, server_failed) is None


def test_two_of_two_periods_judge_the_newest_that_had_requests(sent: Any) -> None:
    """A period without any request is a gap, over which CloudWatch looks back."""
    rule = with_(evaluation_periods=2, datapoints=2)
    failures = [sent(at_s, count=3, ok=False) for at_s in (0.0, 130.0)]
    assert breach_s(rule, failures, EPOCH_S, server_failed) == 180.0


def test_average_is_the_share_of_failures(sent: Any) -> None:
    """An error rate needs the good requests too."""
    rule = with_(statistic="Average", threshold=0.5)
    traffic = [sent(1.0, count=4, ok=False), sent(2.0, count=5)]
    assert breach_s(rule, traffic, EPOCH_S, server_failed) is None
    assert breach_s(rule, [*traffic, sent(3.0, ok=False)], EPOCH_S, server_failed) == 60.0


def test_no_period_breaches_before_its_first_failure(sent: Any) -> None:
    """Traffic begins within a minute, and all that fails does so in the next: one breach, dated to the end of that."""
    traffic = [sent(float(at_s), ok=not 121 <= at_s < 130) for at_s in range(86, 300)]
    rate = with_(statistic="Average", threshold=0.1)
    assert breach_s(rate, traffic, EPOCH_S, server_failed) == 180.0
    twice = with_(statistic="Average", threshold=0.1, evaluation_periods=2, datapoints=2)
    assert breach_s(twice, traffic, EPOCH_S, server_failed) is None


@given(seconds=st.lists(st.tuples(st.integers(0, 300), st.booleans()), max_size=40), extra=st.integers(0, 300))
def test_one_more_failure_never_delays_a_breach(seconds: list[tuple[int, bool]], extra: int, sent: Any) -> None:
    """Adding a failure breaches at the same time or earlier."""
    traffic = [sent(float(at_s), ok=ok) for at_s, ok in seconds]
    before = breach_s(RULE, traffic, EPOCH_S, server_failed)
    after = breach_s(RULE, [*traffic, sent(float(extra), ok=False)], EPOCH_S, server_failed)
    assert before is None or (after is not None and after <= before)


def test_period_of_five_minutes_slides(sent: Any) -> None:
    """It is judged each minute over the five that end then, and not over those of the hour."""
    rule = with_(period_s=300)
    failures = [sent(at_s, ok=False) for at_s in (250.0, 310.0, 340.0)]
    assert breach_s(rule, failures, EPOCH_S, server_failed) == 360.0


def test_failures_that_breach_whichever_way_minutes_fall(sent: Any) -> None:
    """Three in each half minute breach in every phase."""
    failures = [sent(float(at_s), ok=False) for at_s in range(0, 240, 10)]
    assert weigh(RULE, failures, server_failed) == Weighed(end_s=21.0, certain=True)


def test_failures_that_breach_only_if_minutes_fall_well(sent: Any) -> None:
    """Three within half a minute are more than two in a minute only where no boundary lies between them."""
    failures = [sent(at_s, ok=False) for at_s in (100.0, 115.0, 130.0)]
    traffic = [*failures, *(sent(float(at_s)) for at_s in range(300))]
    weighed = weigh(RULE, traffic, server_failed)
    assert weighed
    assert not weighed.certain


def test_few_failures_breach_in_no_phase(sent: Any) -> None:
    """One each half minute is two in a minute, however it falls."""
    failures = [sent(float(at_s), ok=False) for at_s in range(0, 600, 30)]
    assert weigh(RULE, failures, server_failed) is None


@given(seconds=st.lists(st.tuples(st.integers(0, 300), st.booleans()), max_size=30), shift=st.integers(0, 700))
def test_weight_does_not_depend_on_the_second_of_the_start(
    seconds: list[tuple[int, bool]], shift: int, sent: Any
) -> None:
    """A run that begins so many seconds later is weighed alike."""
    rule = with_(period_s=120, evaluation_periods=3, datapoints=2)
    now = weigh(rule, [sent(float(at_s), ok=ok) for at_s, ok in seconds], server_failed)
    later = weigh(rule, [sent(float(at_s + shift), ok=ok) for at_s, ok in seconds], server_failed)
    assert (now and now.certain) == (later and later.certain)
    assert (now and now.end_s + shift) == (later and later.end_s)
