"""The arithmetic of shifts, and the table of stages."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.delays import FORWARD
from harness.rehearsal.codedeploy.appspec import AppSpec, parse, render
from harness.rehearsal.codedeploy.routing import ALL_AT_ONCE, PRESETS, Canary, Linear, PlannedShift, landings, shifts
from harness.rehearsal.codedeploy.stages import EVENTS, RUNNING, STATUS, TRANSITIONS, DeploymentStage, StageSignal

percents = st.integers(1, 99)
minutes = st.integers(1, 2880)
routings = st.builds(Canary, percents, minutes) | st.builds(Linear, percents, minutes) | st.just(ALL_AT_ONCE)
names = st.text("abcXYZ019-_:", min_size=1)


@given(routings)
def test_weights_only_grow_and_end_with_everything(routing: Canary | Linear) -> None:
    """Never a step back, never the same weight twice, never more than all."""
    weights = [shift.weight for shift in shifts(routing)]
    assert weights == sorted(set(weights))
    assert weights[0] > 0
    assert weights[-1] == 1.0


@given(routings, st.integers())
def test_shifts_land_in_their_order(routing: Canary | Linear, seed: int) -> None:
    """However late each is, and none before its time."""
    planned = shifts(routing)
    landed = landings(planned, FORWARD, random.Random(seed))
    times = [shift.after_s for shift in landed]
    assert times == sorted(times)
    assert all(late.after_s >= shift.after_s for late, shift in zip(landed, planned, strict=True))
    assert [shift.weight for shift in landed] == [shift.weight for shift in planned]


@given(percents, minutes)
def test_linear_takes_as_many_intervals_as_the_rest_needs(percent: int, interval_min: int) -> None:
    """Nine of them at ten percent: the first shift needs no wait."""
    linear = Linear(percent, interval_min)
    assert (linear.intervals - 1) * percent < 100 - percent <= linear.intervals * percent
    assert shifts(linear)[-1].after_s == linear.intervals * interval_min * 60


def test_ten_percent_canary_of_five_minutes() -> None:
    """A tenth at once, the rest after 300 s."""
    preset = PRESETS["CodeDeployDefault.LambdaCanary10Percent5Minutes"]
    assert shifts(preset) == (PlannedShift(0.0, 0.1), PlannedShift(300.0, 1.0))


@given(names, names, names, names)
def test_appspec_survives_being_written(function: str, alias: str, current: str, target: str) -> None:
    """What a rollback deploys can be read again."""
    spec = AppSpec(function=function, alias=alias, current=current, target=target, hooks={"AfterAllowTraffic": "x"})
    assert parse(render(spec)) == spec


@pytest.mark.parametrize("stage", DeploymentStage)
def test_every_stage_has_a_row_and_a_status(stage: DeploymentStage) -> None:
    """A stage that runs can be done, fail and be stopped; one that is over cannot do anything."""
    assert stage in STATUS
    assert set(TRANSITIONS[stage]) == (set(StageSignal) if stage in RUNNING else set())


def test_stages_lead_from_created_to_succeeded() -> None:
    """By way of the three lifecycle events."""
    path = [DeploymentStage.CREATED]
    while path[-1] in RUNNING:
        path.append(TRANSITIONS[path[-1]][StageSignal.DONE])
    assert path == [
        DeploymentStage.CREATED,
        DeploymentStage.START,
        *EVENTS,
        DeploymentStage.END,
        DeploymentStage.SUCCEEDED,
    ]
