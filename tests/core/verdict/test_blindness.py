"""What the verdict comes to where looks at the control plane fail: right where the fact was seen, else inconclusive."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import pytest

from harness.core.timeline.events import (
    AlarmChanged,
    AlarmDefined,
    AlarmSeen,
    AliasSeen,
    ConfigSeen,
    DeploymentSeen,
    Event,
    GroupSeen,
    Look,
    LookFailed,
    MetricSeen,
    NoDeployment,
    RunEnded,
    TargetSeen,
)
from harness.core.verdict.judge import judge
from harness.core.verdict.types import Verdict

CALLS: dict[type, str] = {
    GroupSeen: "codedeploy:GetDeploymentGroup",
    ConfigSeen: "codedeploy:GetDeploymentConfig",
    DeploymentSeen: "codedeploy:GetDeployment",
    TargetSeen: "codedeploy:GetDeploymentTarget",
    AliasSeen: "lambda:GetAlias",
    AlarmDefined: "cloudwatch:DescribeAlarms",
    AlarmSeen: "cloudwatch:DescribeAlarms",
    AlarmChanged: "cloudwatch:DescribeAlarmHistory",
    MetricSeen: "cloudwatch:GetMetricData",
}
EVERY_CALL = sorted(set(CALLS.values()))
DENIED = ("AccessDeniedException", "User is not authorized. Allow {call} in the policy of these credentials.")
EXPIRED = ("ExpiredTokenException", "The security token is expired. The credentials have expired: renew them.")


def blinded(
    events: Sequence[Event], refusal: tuple[str, str], *calls: str, since_s: float = 0.0, until_s: float = math.inf
) -> Iterator[Event]:
    """The timeline where some calls, or all without any, were refused for a while."""
    for event in events:
        call = CALLS.get(type(event), "")
        hit = isinstance(event, Look) and since_s <= event.at_s < until_s and call in (calls or EVERY_CALL)
        yield refused(event, call, refusal) if hit else event


def refused(event: Any, call: str, refusal: tuple[str, str]) -> LookFailed:
    """What is recorded in place of a sighting."""
    code, message = refusal
    told = f"{call} failed with {code}: {message.format(call=call)}"
    return LookFailed(at_s=event.at_s, asked_s=event.asked_s, call=call, code=code, message=told)


def found(verdict: Verdict) -> dict[str, str]:
    """The findings by their ids."""
    return {finding.id: finding.text for finding in verdict.findings}


@pytest.fixture(scope="module")
def whole(row: Callable[..., list[Event]], experiment: Any) -> Callable[[str], Verdict]:
    """The verdict on a packaged experiment of which everything was seen."""
    return cache(lambda name: judge(experiment(), row(name)))


@pytest.mark.parametrize("call", EVERY_CALL)
def test_one_call_that_is_not_allowed_hides_only_what_it_tells(
    call: str, row: Callable[..., list[Event]], rows: Sequence[str], experiment: Any, whole: Callable[[str], Verdict]
) -> None:
    """The outcome needs the deployment itself; it never becomes another one, and the missing permission is named."""
    for name in rows:
        events = list(blinded(row(name), DENIED, call))
        verdict = judge(experiment(), events)
        wanted = "unknown" if call == "codedeploy:GetDeployment" else whole(name).outcome
        assert (name, verdict.outcome) == (name, wanted)
        assert verdict.call in (whole(name).call, "inconclusive")
        if any(isinstance(event, LookFailed) for event in events):
            assert call in found(verdict)["permission-missing"]


def test_the_end_that_was_not_seen_is_explained(row: Any, experiment: Any) -> None:
    """The reason has the call, the code, and the permission that is missing."""
    verdict = judge(experiment(), list(blinded(row("erroruser"), DENIED, "codedeploy:GetDeployment")))
    assert (verdict.outcome, verdict.result, verdict.exit_code) == ("unknown", "inconclusive", 4)
    (reason,) = [because for because in verdict.because if "AccessDenied" in because]
    assert "Allow codedeploy:GetDeployment in the policy" in reason


@pytest.mark.parametrize("name", ["healthy", "erroruser", "broken-canary", "forced-alarm", "no-rollback", "linear"])
def test_credentials_that_expire_for_some_minutes_change_no_verdict(name: str, row: Any, experiment: Any) -> None:
    """CodeDeploy and CloudWatch date what happened meanwhile."""
    whole = judge(experiment(), row(name, after_s=300.0))
    verdict = judge(experiment(), list(blinded(row(name, after_s=300.0), EXPIRED, since_s=150.0, until_s=330.0)))
    assert (verdict.outcome, verdict.call, verdict.result) == (whole.outcome, whole.call, whole.result)
    assert "until" in found(verdict)["credentials-refused"]


def test_credentials_that_expire_for_good_leave_the_outcome_unknown(row: Any, experiment: Any) -> None:
    """The last sighting is no verdict, and the reason says what to do."""
    verdict = judge(experiment(), list(blinded(row("erroruser"), EXPIRED, since_s=100.0)))
    assert (verdict.outcome, verdict.call, verdict.exit_code) == ("unknown", "inconclusive", 4)
    assert "renew" in " ".join(verdict.because)
    assert "to the end" in found(verdict)["credentials-refused"]


def test_credentials_that_expire_after_the_end_change_nothing(row: Any, experiment: Any) -> None:
    """What was seen was seen."""
    whole = judge(experiment(), row("erroruser"))
    verdict = judge(experiment(), list(blinded(row("erroruser"), EXPIRED, since_s=230.0)))
    assert (verdict.outcome, verdict.call, verdict.exit_code) == (whole.outcome, whole.call, whole.exit_code)


def test_a_search_that_failed_does_not_prove_that_nothing_was_deployed(row: Any, experiment: Any) -> None:
    """Only a listing that was read does."""
    idle = [event for event in row("healthy") if event.at_s < 59]
    failed = refused(
        AliasSeen(at_s=30, asked_s=29, function="f", alias="a", version="1"), "codedeploy:ListDeployments", DENIED
    )
    wanted = experiment(expect={"outcome": "not_started"})
    given_up = RunEnded(at_s=60.0, why="given_up")
    verdict = judge(wanted, [*idle, failed, given_up])
    assert (verdict.outcome, verdict.exit_code) == ("unknown", 4)
    assert "codedeploy:ListDeployments" in " ".join(verdict.because)
    listed = NoDeployment(at_s=40.0, asked_s=39.0)
    assert judge(wanted, [*idle, failed, listed, given_up]).outcome == "not_started"


@pytest.mark.parametrize("seed", range(20))
def test_looks_that_fail_at_random_never_make_another_outcome(
    seed: int, row: Callable[..., list[Event]], rows: Sequence[str], experiment: Any, whole: Callable[[str], Verdict]
) -> None:
    """Seeing less leads to the same outcome or to none, whatever is missing."""
    rng = random.Random(seed)
    lost = ("Unreachable", "no answer")
    for name in rows:
        events = row(name)
        share = rng.random()
        seen = [
            refused(event, CALLS[type(event)], lost) if isinstance(event, Look) and rng.random() < share else event
            for event in events
        ]
        assert judge(experiment(), seen).outcome in (whole(name).outcome, "unknown")


@pytest.mark.parametrize("headers", [True, False])
def test_last_fifth_of_the_bake_without_an_answer_is_no_health(build: Any, judged: Any, headers: bool) -> None:
    """Nor is there one after the promotion; CloudWatch's minute tells nothing of the seconds without traffic."""
    verdict = judged(build(traffic_ends_s=244.0, headers=headers))
    assert verdict.call == "inconclusive"
    assert any("there was no traffic from 244 to 306 s after the creation" in said for said in verdict.because)
    assert judged(build(traffic_ends_s=300.0, headers=headers)).call == "cleared"
