"""What Prometheus reads is what the page shows, in text that its own parser takes."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

import harness.plugin
from harness.core.experiment.types import Also, Deployment
from harness.core.timeline.events import Requests
from harness.core.timeline.rollout import Rollout
from harness.core.verdict.judge import judge
from harness.plugin.panel.chronicle import Chronicle
from harness.plugin.panel.exposition import exposition
from harness.plugin.panel.state import RunNow, State, TrafficNow, alarms_of, counted_of, faults_of, watcher_of
from tests.plugin.panel.test_chronicle import EVENTS, EXPERIMENT, heard

DASHBOARD = Path(str(harness.plugin.__file__)).parent / "grafana.json"


def shown(share: float = 1.0, **changed: Any) -> State:
    """The state of the committed sample, or of its first part."""
    chronicle = heard(share)
    release = chronicle.rollout.release
    run = RunNow(
        stage="running",
        name="sample/1",
        experiment="sample",
        expected=None,
        speed=60.0,
        now_s=300.0,
        created_s=release.created_s,
        phase=release.phase,
        headline="",
        weight=release.weight,
        bake_ends_s=None,
        baseline=release.baseline,
        canary=release.canary,
        deployment="d-1",
        config=None,
        alarms=alarms_of(chronicle, None),
        watcher=watcher_of(chronicle, 300.0, watching=True),
        traffic=TrafficNow(
            arrival_rate=20.0, users=None, planned_share=0.05, error_share=0.05, pattern="even", workers=2
        ),
        counted=counted_of(chronicle),
        faults=faults_of(chronicle),
        chart=chronicle.chart(),
        story=(),
        verdict=None,
        told=None,
        judged_s=None,
    )
    return State(test="running", run=msgspec.structs.replace(run, **changed))


def samples(state: State) -> dict[str, dict[tuple[str, ...], float]]:
    """By name, then by the values of the labels in the order of their names, as Prometheus's own parser reads them."""
    read: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(exposition(state).decode()):
        for sample in family.samples:
            read.setdefault(sample.name, {})[tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
    return read


def test_before_a_test_there_is_only_that_the_page_answers() -> None:
    """No zero that could be taken for a measure."""
    assert samples(State(test="ready")) == {"canary_up": {(): 1.0}}


def test_requests_are_those_of_the_timeline() -> None:
    """By intent, version and result, all of them."""
    rows = [event for event in EVENTS if isinstance(event, Requests)]
    counted = samples(shown())["canary_requests_total"]
    assert sum(counted.values()) == sum(row.count for row in rows)
    faults = sum(row.count for row in rows if row.version == "2" and row.intent == "fault")
    assert faults > 0
    told = ((intent, version, value) for (_, intent, _, version), value in counted.items())
    assert sum(value for intent, version, value in told if (intent, version) == ("fault", "2")) == faults


def test_answers_of_several_groups_are_told_apart_where_their_names_do() -> None:
    """Two functions may both have a version 2."""
    experiment = replace(
        EXPERIMENT, deployment=Deployment(group="a", requests=("/a",)), also=(Also(group="b", requests=("/b",)),)
    )
    rows = [event for event in EVENTS if isinstance(event, Requests) and event.version == "2"]
    chronicle = Chronicle(experiment)
    for endpoint in ("/a", "/b"):
        chronicle.hear(replace(rows[0], endpoint=endpoint), Rollout())
    assert {(one.group, one.version) for one in counted_of(chronicle)} == {("a", "2"), ("b", "2")}
    both = Chronicle(replace(EXPERIMENT, also=(Also(group="b"),)))
    both.hear(rows[0], Rollout())
    assert [(one.group, one.version) for one in counted_of(both)] == [(None, "2")]


def test_alarm_weight_and_phase_are_those_of_the_page() -> None:
    """One sample a choice, 1 for the one that is."""
    state = shown()
    assert state.run is not None
    read = samples(state)
    states = {alarm: one for (alarm, one), is_so in read["canary_alarm_state"].items() if is_so}
    assert states == {alarm.name: alarm.state for alarm in state.run.alarms}
    assert read["canary_weight_ratio"] == {(): state.run.weight}
    assert [phase for (phase,), is_so in read["canary_phase"].items() if is_so] == [state.run.phase]


@pytest.mark.parametrize("stage", ["running", "ending"])
def test_nothing_is_said_of_an_outcome_before_the_verdict(stage: str) -> None:
    """A verdict so far is none."""
    read = samples(shown(stage=stage, verdict=judge(EXPERIMENT, EVENTS)))
    assert "canary_outcome" not in read
    assert "canary_call" not in read


def test_the_verdict_is_told_once_it_is_one() -> None:
    """Outcome and call."""
    read = samples(shown(stage="over", verdict=judge(EXPERIMENT, EVENTS)))
    assert read["canary_outcome"][("rolled_back",)] == 1.0
    assert read["canary_call"][("caught",)] == 1.0
    assert sum(read["canary_call"].values()) == 1.0


def test_an_unknown_weight_has_no_sample() -> None:
    """It is not zero."""
    assert "canary_weight_ratio" not in samples(shown(weight=None))


def test_the_dashboard_asks_only_for_what_there_is() -> None:
    """Each metric that a panel names is told by a run that is over."""
    told = {*samples(shown(stage="over", verdict=judge(EXPERIMENT, EVENTS)))} | {"canary_fault_active"}
    dashboard = json.loads(DASHBOARD.read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
        for name in re.findall(r"canary_\w+", target["expr"])
    }
    assert len(asked) > 6
    assert asked <= told
