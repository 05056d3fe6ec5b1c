"""Options go before the file, and a value that cannot be names its option."""

import pytest

from harness.core.experiment.contradictions import about_making
from harness.core.experiment.overlay import OPTIONS, overlaid
from harness.core.experiment.types import Deployment, Experiment, Outcome, Rails, RateStep, Traffic
from harness.errors import UsageError

FILE = Experiment(name="mine", seed=5, traffic=Traffic(arrival_rate=7.0, error_share=0.25))


def test_nothing_given_changes_nothing() -> None:
    """Whether it is absent, emptied in a web form, or a switch that is off."""
    for nothing in (None, "", False):
        assert overlaid(FILE, dict.fromkeys(OPTIONS, nothing)) == FILE


def test_what_is_given_goes_before_the_file() -> None:
    """The rest stays as in the file."""
    given = {"error_share": "0", "seed": "9", "host": "http://x", "expect": "promoted", "max_blind": "5m"}
    experiment = overlaid(FILE, {**given, "hosts": "a.com, *.b.com", "redeploy": True, "allow_writes": True})
    assert experiment.traffic == Traffic(arrival_rate=7.0, error_share=0.0)
    assert (experiment.seed, experiment.target.host, experiment.expect.outcome) == (9, "http://x", Outcome.PROMOTED)
    assert experiment.rails == Rails(hosts=("a.com", "*.b.com"), blind_s=300.0)
    assert (experiment.deployment, experiment.allow_writes) == (Deployment(redeploy=True), True)


def test_users_and_a_rate_replace_each_other() -> None:
    """What is given decides whether the loop is closed."""
    closed = overlaid(FILE, {"users": "3"})
    assert (closed.traffic.users, closed.traffic.arrival_rate) == (3, 20.0)
    opened = overlaid(closed, {"arrival_rate": "5 for 30s, 9"})
    assert opened.traffic.users is None
    assert opened.traffic.arrival_rate == (RateStep(at_s=0, rate=5), RateStep(at_s=30, rate=9))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("error_share", "2", "--canary-error-share: must be between 0 and 1, not '2'"),
        ("error_share", "nan", "--canary-error-share: must be a number, not 'nan'"),
        ("arrival_rate", "fast", "--canary-arrival-rate: must be a rate such as '20' or"),
        ("users", "0", "--canary-users: must be at least 1 and at most 1,000,000, not '0'"),
        ("seed", "1.5", "--canary-seed: must be a whole number, not '1.5'"),
        ("pattern", "odd", "--canary-pattern: must be one of even, bernoulli, burst, not 'odd'"),
        ("expect", "luck", "--canary-expect: must be one of promoted, "),
        ("hosts", "a b", "--canary-hosts: must be names of hosts such as"),
        ("max_fault_requests", "-1", "--canary-max-fault-requests: must not be negative, not '-1'"),
        ("max_wall_time", "soon", "--canary-max-wall-time: a duration is like 30s, 5m or 1h30m, not 'soon'"),
    ],
)
def test_a_value_that_cannot_be_is_refused(name: str, text: str, told: str) -> None:
    """In one sentence."""
    with pytest.raises(UsageError) as refused:
        overlaid(FILE, {name: text})
    assert str(refused.value).startswith(told)


def test_a_way_to_deploy_that_is_given_takes_the_place_of_the_files() -> None:
    """As an option does; two that are given contradict each other all the same."""
    planned = overlaid(FILE, {"target_version": "2"})
    again = overlaid(planned, {"redeploy": True})
    assert (again.deployment.target_version, again.deployment.redeploy) == (None, True)
    both = overlaid(FILE, {"target_version": "2", "redeploy": True})
    assert any("each says what deploys" in str(problem) for problem in about_making(both.deployment))
