"""Locust's statistics: told by seconds, they say what they would say if told request by request."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

with pytest.MonkeyPatch.context() as environment_variables:
    environment_variables.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")  # other tests need sockets as they are
    from locust.env import Environment
    from locust.exception import RescheduleTask
    from locust.stats import RequestStats

    from harness.plugin.statistics import FirstHeard, LocustsCount, Statistics, others_listen

Request = tuple[str, str, str | None, float, int]
"""Method, name, reason of failure, milliseconds, bytes."""
requests = st.tuples(
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["/a", "/b"]),
    st.sampled_from([None, "HTTP 502", "timed out"]),
    st.floats(1, 20_000),
    st.integers(0, 900),
)


def told_at_once(told: list[Request]) -> RequestStats:
    """Statistics that were told now and then."""
    counted = RequestStats()
    statistics = Statistics(counted)
    for number, (method, name, reason, took_ms, length) in enumerate(told):
        statistics.log(request_type=method, name=name, response_time=took_ms, response_length=length, exception=reason)
        if number % 7 == 0:
            statistics.flush()
    statistics.flush()
    return counted


def told_one_by_one(told: list[Request]) -> RequestStats:
    """Statistics as Locust's own listener keeps them."""
    counted = RequestStats()
    for method, name, reason, took_ms, length in told:
        counted.log_request(method, name, took_ms, length)  # type: ignore[arg-type]
        if reason:
            counted.log_error(method, name, reason)
    return counted


@given(told=st.lists(requests, min_size=1, max_size=80))
def test_the_numbers_are_those_of_locust(told: list[Request]) -> None:
    """Counts, failures, sizes, extremes and errors are the same, for each name and in total."""
    ours, locusts = told_at_once(told), told_one_by_one(told)
    assert ours.entries.keys() == locusts.entries.keys()
    pairs = [(ours.entries[key], locusts.entries[key]) for key in ours.entries]
    for one, other in [(ours.total, locusts.total), *pairs]:
        assert (one.num_requests, one.num_failures) == (other.num_requests, other.num_failures)
        assert one.total_content_length == other.total_content_length
        assert one.min_response_time == pytest.approx(other.min_response_time)
        assert one.max_response_time == pytest.approx(other.max_response_time)
        assert one.total_response_time == pytest.approx(other.total_response_time)
        assert sum(one.num_reqs_per_sec.values()) == one.num_requests
        assert sum(one.num_fail_per_sec.values()) == one.num_failures
    assert {key: error.occurrences for key, error in ours.errors.items()} == {
        key: error.occurrences for key, error in locusts.errors.items()
    }


@given(told=st.lists(requests, min_size=1, max_size=80), q=st.sampled_from([0.5, 0.95, 0.99]))
def test_percentiles_are_those_of_locust(told: list[Request], q: float) -> None:
    """They differ by no more than the rounding of both."""
    ours, locusts = told_at_once(told).total, told_one_by_one(told).total
    assert ours.get_response_time_percentile(q) == pytest.approx(
        locusts.get_response_time_percentile(q), rel=0.1, abs=1
    )


def test_nothing_is_told_twice() -> None:
    """After a flush there is nothing left to tell."""
    counted = RequestStats()
    statistics = Statistics(counted)
    statistics.log(request_type="GET", name="/a", response_time=1.0, response_length=1, exception=None)
    statistics.flush()
    statistics.flush()
    assert counted.total.num_requests == 1


def test_nobody_else_listens_to_a_plain_locust() -> None:
    """Its runner's own listener and ours are not somebody else."""
    environment = Environment()
    environment.create_local_runner()
    environment.events.request.add_listener(print)
    assert not others_listen(environment.events.request, print)


@pytest.mark.parametrize("listener", [lambda **_: None, partial(print, end="")])
def test_a_listener_of_a_locustfile_is_noticed(listener: object) -> None:
    """It wants to hear of each request, whatever kind of callable it is."""
    environment = Environment()
    environment.create_local_runner()
    environment.events.request.add_listener(listener)
    assert others_listen(environment.events.request, object())


def test_ours_is_heard_first_whatever_others_do() -> None:
    """A listener that raises what Locust passes on comes after it, wherever and whenever it was put there."""
    environment = Environment()
    heard: list[str] = []

    def theirs(**_: object) -> None:
        raise RescheduleTask

    def ours(**_: object) -> None:
        heard.append("ours")

    event = environment.events.request
    event.add_listener(theirs)
    grabbed_earlier = event.fire
    event._handlers = FirstHeard(ours, event._handlers)
    event._handlers.insert(0, theirs)
    for fire in (event.fire, grabbed_earlier):
        with pytest.raises(RescheduleTask):
            fire(name="/a")
    assert heard == ["ours", "ours"]
    event.remove_listener(theirs)
    event.remove_listener(theirs)
    event.add_listener(lambda **_: heard.append("theirs"))
    event.fire(name="/a", reverse=False)
    assert heard[2:] == ["ours", "theirs"]


def test_what_locust_counts_is_known_after_it_was_reset() -> None:
    """By `--reset-stats`, its web page, or a worker's report."""
    statistics = RequestStats()
    count = LocustsCount(statistics)
    for reset in (statistics.reset_all, statistics.clear_all, statistics.total.get_stripped_report):
        statistics.log_request("GET", "/a", 5, 1)
        reset()
    assert count.requests == 3


def test_names_that_are_no_text_do_not_end_locusts_tables() -> None:
    """They could not be sorted among others."""
    statistics = RequestStats()
    count = LocustsCount(statistics)
    for name in (None, "/a", 7):
        statistics.log_request(None, name, 5, 1)  # type: ignore[arg-type]
        statistics.log_error(None, name, "failed")  # type: ignore[arg-type]
    assert sorted(statistics.entries) == [("/a", "none"), ("7", "none"), ("none", "none")]
    assert count.requests == 3


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), None])
def test_numbers_that_are_none_do_not_end_locusts_tables(odd: float | None) -> None:
    """They could not be rounded, and Locust's own exit code would replace the verdict's."""
    statistics = RequestStats()
    count = LocustsCount(statistics)
    statistics.log_request("GET", "/a", odd, odd)  # type: ignore[arg-type]
    statistics.log_request("GET", "/a", 5, 1)
    assert "/a" in statistics.get("/a", "GET").to_string()
    assert statistics.total.to_string()
    assert statistics.total.total_content_length == 1
    assert count.requests == 2
