"""What the page knows of a run."""

from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from msgspec.structs import replace

from harness.core.timeline.events import AlarmDefined, AlarmSeen, Arrivals, Requests, Shadow
from harness.core.timeline.rollout import Rollout
from harness.core.verdict.judge import judge
from harness.plugin.panel.chronicle import MOST_BUCKETS, Chronicle
from harness.plugin.panel.state import (
    alarms_of,
    faults_of,
    headline_of,
    shadows_of,
    watcher_of,
)
from harness.plugin.panel.view import hindrance
from harness.report.folder import RunFolder

SAMPLE = RunFolder(Path(__file__).parents[3] / "reports" / "sample")
EXPERIMENT, EVENTS = SAMPLE.read_experiment(), SAMPLE.read_events()


def heard(share: float = 1.0) -> Chronicle:
    """A chronicle of the first part of a rollback."""
    chronicle, rollout = Chronicle(EXPERIMENT), Rollout()
    for event in EVENTS[: int(len(EVENTS) * share)]:
        rollout = rollout.step(event)
        chronicle.hear(event, rollout)
    return chronicle


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_the_verdict_so_far_is_the_one_way_of_judging(share: float) -> None:
    """The page cannot say anything else than the report would."""
    seen = EVENTS[: int(len(EVENTS) * share)]
    assert heard(share).so_far().judged().verdict == judge(EXPERIMENT, seen)


def test_the_chart_counts_every_request() -> None:
    """Rates by bucket add up to the recorder's rows."""
    chart = heard().chart()
    rows = [row for row in EVENTS if isinstance(row, Requests)]
    planned = sum(row.planned for row in EVENTS if isinstance(row, Arrivals))
    assert sum(rate * chart.bucket_s for rate in chart.planned if rate) == pytest.approx(planned)
    assert sum(rate * chart.bucket_s for rate in chart.answered if rate) == pytest.approx(sum(r.count for r in rows))
    failed = sum(row.count for row in rows if row.outcome == "failed")
    assert sum(rate * chart.bucket_s for rate in chart.failed if rate) == pytest.approx(failed)
    assert [weight for _, weight in chart.weight] == [0.0, 0.1, 0.0]


@pytest.mark.parametrize("seconds", [1, 300, 20_000])
def test_the_chart_stays_small(seconds: int) -> None:
    """A run of hours is drawn in as many buckets as one of minutes."""
    chronicle = Chronicle(EXPERIMENT)
    for second in range(seconds):
        chronicle.hear(Arrivals(at_s=float(second), planned=20, started=20), Rollout())
    chart = chronicle.chart()
    assert len(chart.planned) <= MOST_BUCKETS
    assert chart.planned[0] == 20


def test_nothing_recorded_is_an_empty_chart() -> None:
    """Before the first second is over."""
    assert Chronicle(EXPERIMENT).chart().planned == ()


def test_an_alarm_has_state_rule_and_both_kinds_of_datapoints() -> None:
    """What CloudWatch published, and what clients saw before that."""
    chronicle = heard()
    (alarm,) = alarms_of(chronicle, chronicle.so_far().judged())
    assert (alarm.state, alarm.threshold, alarm.period_s) == ("ALARM", 3.0, 60)
    assert alarm.stops_deployment
    assert alarm.rule == "Errors Sum >= 3 in 60 s, 1 of 1; missing data: missing"
    published, seen = dict(alarm.published), dict(alarm.seen)
    breached = max(published, key=lambda start: published[start])
    assert published[breached] >= 3
    assert seen[breached] == pytest.approx(published[breached], abs=3)


def test_faults_last_until_they_are_healed() -> None:
    """What is in effect is what the page shows."""
    assert [fault.kind for fault in faults_of(heard(0.6))] == ["error_share"]
    assert faults_of(heard()) == ()


def test_the_watcher_ages() -> None:
    """Until the next good look."""
    chronicle = heard(0.6)
    last = chronicle.rollout.run.last_look_s
    assert last is not None
    seen = watcher_of(chronicle, last + 30.0, watching=True)
    assert (seen.age_s, seen.wall_age_s) == (30.0, pytest.approx(30.0 / chronicle.rollout.run.speed))
    assert watcher_of(Chronicle(EXPERIMENT), 5.0, watching=True).age_s is None


def test_the_headline_is_the_phase_until_the_verdict_is_reached() -> None:
    """Nobody should read a verdict before it is one."""
    verdict = judge(EXPERIMENT, EVENTS)
    assert headline_of(heard(0.6).rollout, verdict, "running") == "the canary takes its share of the traffic"
    assert headline_of(heard().rollout, verdict, "over").startswith("ROLLED BACK · caught")


def test_a_master_without_workers_says_so() -> None:
    """Locust itself says that the test began."""
    assert "no worker is connected" in str(hindrance(SimpleNamespace(worker_count=0)))
    assert hindrance(SimpleNamespace(worker_count=1)) is None
    assert hindrance(SimpleNamespace()) is None


def test_what_the_page_gets_has_a_schema() -> None:
    """A script may rely on it."""
    from harness.plugin.panel.state import State

    assert msgspec.json.decode(msgspec.json.encode(State(test="ready")))["schema"] == 1
    assert "RunNow" in msgspec.json.schema(State)["$defs"]


def test_shadow_alarms_are_shown_apart_from_the_real_ones() -> None:
    """With the state that they would be in; no tone and no control of the page goes by them."""
    chronicle = heard()
    real = alarms_of(chronicle, None)
    seen = AlarmSeen(at_s=200.0, asked_s=200.0, name="strict", state="ALARM", since_s=120.0, reason="2 is >= 1")
    for one in (replace(defined(chronicle), name="strict", threshold=1.0), seen):
        chronicle.hear(event := Shadow(at_s=200.0, seen=one), chronicle.rollout.step(event))
    assert alarms_of(chronicle, None) == real
    (shadow,) = shadows_of(chronicle)
    assert (shadow.name, shadow.state, shadow.since_s, shadow.reason) == ("strict", "ALARM", 120.0, "2 is >= 1")
    assert shadow.rule
    assert ">= 1" in shadow.rule
    assert not shadow.stops_deployment


def defined(chronicle: Chronicle) -> AlarmDefined:
    """The definition of the sample's alarm."""
    return next(iter(chronicle.rollout.alarms.definitions.values()))
