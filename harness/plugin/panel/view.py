"""Makes the state of the director's latest run, and judges that run again and again at little cost."""

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gevent
import msgspec

from harness.core.experiment.types import Experiment
from harness.core.verdict.so_far import so_far
from harness.plugin.lifecycle import DirectorState
from harness.plugin.panel.chronicle import Chronicle, Judged, RunSoFar
from harness.plugin.panel.state import (
    Control,
    RunNow,
    Stage,
    State,
    TrafficNow,
    alarms_of,
    counted_of,
    faults_of,
    headline_of,
    shadows_of,
    told,
    watcher_of,
)
from harness.plugin.starting import hindrance
from harness.run.run import Run
from harness.traffic.fleet import Fleet

if TYPE_CHECKING:
    from harness.plugin.director import Director

FRESH_S = 0.5
"""Wall time that one encoded state serves all viewers."""
JUDGED_AGAIN_S = 0.8
JUDGING_SHARE = 0.01
"""The share of a processor that judging may take; after a transition the run is judged at once."""
CONTROLLED = (
    "error_share",
    "arrival_rate",
    "pattern",
    "force_alarm",
    "release_alarm",
    "stop_faults",
    "roll_back",
    "note",
    "end",
)


STAGES: Mapping[DirectorState, Stage] = {DirectorState.TESTING: "running", DirectorState.ENDING: "ending"}
"""Of the director's latest run; in any other state it is over."""


class PanelView:
    """Makes the state; without viewers it costs nothing."""

    def __init__(self, director: "Director", environment: Any) -> None:
        self._director = director
        self._environment = environment
        self._encoded = b""
        self._encoded_s = 0.0
        self._chronicle: Chronicle | None = None
        self._judged: Judged | None = None
        self._judged_s: float | None = None
        self._judging = False
        self._changes = -1
        self._next_s = 0.0

    def encoded(self, token: str) -> bytes:
        """The state as JSON, at most a moment old."""
        now_s = time.monotonic()
        if now_s - self._encoded_s > FRESH_S:
            self._encoded = msgspec.json.encode(self.state(token))
            self._encoded_s = now_s
        return self._encoded

    def expire(self) -> None:
        """Makes the next answer a new one, because somebody changed something."""
        self._encoded_s = 0.0

    def state(self, token: str = "") -> State:
        """The state now."""
        run, chronicle = self._director.last, self._director.chronicle
        return State(
            token=token,
            test=str(self._environment.runner.state),
            run=self._run_now(run, chronicle) if run and chronicle else None,
            refused=self._director.refused,
            hindrance=None if self._director.run else hindrance(self._environment.runner),
            controls=self._controls(self._director.run),
        )

    @staticmethod
    def _controls(run: Run | None) -> dict[str, Control]:
        if run is None or run.ended_s is not None:
            why = "no test is running" if run is None else "the run is over"
            return dict.fromkeys(CONTROLLED, Control(allowed=False, why=why))
        by_hand = run.by_hand
        return {
            "error_share": _control(by_hand.share_refusal(0.0), most=by_hand.limits.error_share),
            "arrival_rate": _control(by_hand.rate_refusal(0.0), most=by_hand.limits.arrival_rate),
            "pattern": _control(),
            "force_alarm": _control(by_hand.write_refusal(), writes=True),
            "release_alarm": _control(by_hand.release_refusal(), writes=True),
            "stop_faults": _control(),
            "roll_back": _control(by_hand.roll_back_refusal(), writes=True),
            "note": _control(),
            "end": _control(),
        }

    def _run_now(self, run: Run, chronicle: Chronicle) -> RunNow:
        stage = STAGES.get(self._director.state, "over")
        self._judge(run, chronicle, stage)
        now_s = run.ended_s if run.ended_s is not None else run.base.now_s()
        rollout, judged = chronicle.rollout, self._judged
        verdict = run.verdict or (so_far(judged.verdict) if judged else None)
        return RunNow(
            stage=stage,
            name="/".join(run.folder.path.parts[-2:]),
            experiment=run.experiment.name,
            expected=run.experiment.expect.outcome,
            speed=run.base.speed,
            now_s=now_s,
            created_s=rollout.release.created_s,
            phase=rollout.release.phase,
            headline=headline_of(rollout, verdict, stage),
            weight=rollout.release.weight,
            bake_ends_s=rollout.release.bake_ends_s,
            baseline=rollout.release.baseline,
            canary=rollout.release.canary,
            deployment=rollout.release.forward.deployment_id if rollout.release.forward else None,
            config=rollout.release.config.name if rollout.release.config else None,
            alarms=alarms_of(chronicle, judged),
            shadows=shadows_of(chronicle),
            watcher=watcher_of(chronicle, now_s, watching=run.watching),
            traffic=_traffic(run.experiment, run.fleet),
            counted=counted_of(chronicle),
            faults=faults_of(chronicle),
            chart=chronicle.chart(),
            story=tuple(chronicle.lines),
            verdict=verdict,
            told=told(verdict) if verdict else None,
            judged_s=self._judged_s,
            files=run.folder.files() if stage == "over" else (),
        )

    def _judge(self, run: Run, chronicle: Chronicle, stage: Stage) -> None:
        if chronicle is not self._chronicle:
            self._chronicle, self._judged, self._judged_s, self._changes = chronicle, None, None, -1
        due = chronicle.changes != self._changes or (stage != "over" and time.monotonic() >= self._next_s)
        if due and not self._judging:
            self._judging, self._changes = True, chronicle.changes
            gevent.spawn(self._judge_now, run, chronicle)

    def _judge_now(self, run: Run, chronicle: Chronicle) -> None:
        """Judges in a thread of its own, so that it delays no request of the test."""
        at_s = run.base.now_s()
        try:
            judged, cost_s = gevent.get_hub().threadpool.apply(_timed, (chronicle.so_far(),))
        finally:
            self._judging = False
        self._next_s = time.monotonic() + max(JUDGED_AGAIN_S, cost_s / JUDGING_SHARE)
        if chronicle is self._chronicle:
            self._judged, self._judged_s = judged, at_s


def _control(why: str | None = None, *, most: float = math.inf, writes: bool = False) -> Control:
    return Control(allowed=why is None, why=why, most=most if math.isfinite(most) else None, writes=writes)


def _timed(so_far: RunSoFar) -> tuple[Judged, float]:
    began_s = time.thread_time()
    return so_far.judged(), time.thread_time() - began_s


def _traffic(experiment: Experiment, fleet: Fleet) -> TrafficNow:
    return TrafficNow(
        arrival_rate=None if experiment.traffic.users else fleet.rate,
        users=experiment.traffic.users,
        planned_share=experiment.traffic.error_share,
        error_share=fleet.error_share,
        pattern=fleet.pattern,
        workers=len(fleet.workers),
    )
