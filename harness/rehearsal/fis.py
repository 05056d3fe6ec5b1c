"""AWS Fault Injection Service of the local cloud: templates, experiments, and the one action that it plays.

`aws:lambda:invocation-error` makes a share of a function's invocations fail, of all versions alike, without running
them. Assumption: it begins and ends at once, where AWS takes up to a minute. A template with another action is refused:
it would run and do nothing, as on AWS where the function lacks the layer of FIS.
"""

import random
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.rehearsal.clock import Schedule
from harness.rehearsal.operations import Answer, AwsService, Params, operation
from harness.rehearsal.refusal import Refusal

ERROR = "aws:lambda:invocation-error"
LONGEST_S = 43_200.0
"""The most that a duration may be (12 hours, FIS quotas)."""
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
_KEPT = ("description", "targets", "actions", "stopConditions")
_ENDED = ("completed", "stopped")


@dataclass
class _StartedExperiment:
    id: str
    template: Params
    token: str
    tags: dict[str, str]
    began_s: float
    stopped_s: float | None = None
    shares: Mapping[str, float] = field(default_factory=dict)

    def ends_s(self) -> float:
        """When it is over by itself."""
        return self.began_s + max((_duration_s(action) for action in self.template["actions"].values()), default=0.0)

    def status(self, now_s: float) -> str:
        """AWS's word for how far it is."""
        if self.stopped_s is not None:
            return "stopped"
        return "completed" if now_s >= self.ends_s() else "running"


class Fis(AwsService):
    """Fault Injection Service; operations are methods in snake case with AWS's parameters."""

    def __init__(self, schedule: Schedule, *, rng: random.Random, account: str, region: str) -> None:
        super().__init__(schedule)
        self._rng = rng
        self._home = f"arn:aws:fis:{region}:{account}"
        self._lambda = f"arn:aws:lambda:{region}:{account}:function"
        self._templates: dict[str, Params] = {}
        self._experiments: dict[str, _StartedExperiment] = {}

    def provide(self, template: str, function: str) -> None:
        """Makes a template of this id, under which every invocation of the function fails."""
        self._templates[template] = {
            "id": template,
            "arn": f"{self._home}:experiment-template/{template}",
            "description": "every invocation fails",
            "targets": {"fn": {"resourceType": "aws:lambda:function", "resourceArns": [f"{self._lambda}:{function}"]}},
            "actions": {
                "errors": {
                    "actionId": ERROR,
                    "parameters": {"duration": "PT1H", "invocationPercentage": "100"},
                    "targets": {"Functions": "fn"},
                }
            },
            "stopConditions": [{"source": "none"}],
        }

    def error_share(self, function: str) -> float:
        """The share of the function's invocations that fail at this instant, 0..1; takes no lock."""
        if not self._experiments:
            return 0.0
        now_s = self._now()
        running = (each for each in [*self._experiments.values()] if each.status(now_s) == "running")
        return max((each.shares.get(function, 0.0) for each in running), default=0.0)

    @operation
    def create_experiment_template(self, params: Params) -> Answer:
        """CreateExperimentTemplate."""
        template_id = f"EXT{self._drawn()}"
        kept: Params = {"targets": {}, "id": template_id, "arn": f"{self._home}:experiment-template/{template_id}"}
        kept |= {name: given for name, given in params.items() if name in _KEPT}
        for action in kept["actions"].values():
            _check_played(action["actionId"])
            _duration_s(action)
        self._templates[template_id] = kept
        return {"experimentTemplate": kept}

    @operation
    def get_experiment_template(self, params: Params) -> Answer:
        """GetExperimentTemplate."""
        return {"experimentTemplate": self._template(params["id"])}

    @operation
    def start_experiment(self, params: Params) -> Answer:
        """StartExperiment: the same client token starts no second one."""
        template = self._template(params["experimentTemplateId"])
        token = params["clientToken"]
        known = next((each for each in self._experiments.values() if each.token == token), None)
        if known is None:
            known = _StartedExperiment(
                f"EXP{self._drawn()}", template, token, dict(params.get("tags") or {}), self._now()
            )
            known.shares = self._shares(template)
            self._experiments[known.id] = known
        return {"experiment": self._told(known)}

    @operation
    def get_experiment(self, params: Params) -> Answer:
        """GetExperiment."""
        return {"experiment": self._told(self._experiment(params["id"]))}

    @operation
    def list_experiments(self, params: Params) -> Answer:
        """ListExperiments."""
        wanted = params.get("experimentTemplateId")
        told = [each for each in self._experiments.values() if wanted in (None, each.template["id"])]
        return {"experiments": [self._told(each) for each in told]}

    @operation
    def stop_experiment(self, params: Params) -> Answer:
        """StopExperiment: refuses one that has ended."""
        known = self._experiment(params["id"])
        if known.status(self._now()) in _ENDED:
            raise Refusal("ValidationException", f"Experiment {known.id} has ended and cannot be stopped.")
        known.stopped_s = self._now()
        return {"experiment": self._told(known)}

    def _told(self, known: _StartedExperiment) -> Answer:
        status = known.status(self._now())
        told = {
            "id": known.id,
            "arn": f"{self._home}:experiment/{known.id}",
            "experimentTemplateId": known.template["id"],
            "state": {"status": status, "reason": f"Experiment {status}."},
            "creationTime": known.began_s,
            "startTime": known.began_s,
            "tags": known.tags,
        }
        return told | ({"endTime": known.stopped_s or known.ends_s()} if status in _ENDED else {})

    def _shares(self, template: Params) -> Mapping[str, float]:
        """The share of invocations that fail, by function."""
        shares: dict[str, float] = {}
        for action in template["actions"].values():
            target = template["targets"].get((action.get("targets") or {}).get("Functions"), {})
            share = float(action.get("parameters", {}).get("invocationPercentage", "100")) / 100
            for arn in target.get("resourceArns", ()):
                shares[arn.removeprefix(f"{self._lambda}:").partition(":")[0]] = share
        return shares

    def _template(self, template: str) -> Params:
        if template not in self._templates:
            raise Refusal("ResourceNotFoundException", f"Experiment template {template} not found.")
        return self._templates[template]

    def _experiment(self, experiment: str) -> _StartedExperiment:
        if experiment not in self._experiments:
            raise Refusal("ResourceNotFoundException", f"Experiment {experiment} not found.")
        return self._experiments[experiment]

    def _drawn(self) -> str:
        return "".join(self._rng.choices(string.ascii_uppercase + string.digits, k=15))


def _check_played(action_id: str) -> None:
    """Refuses what would have no effect here, in AWS's word for an action that it does not know."""
    if action_id != ERROR:
        raise Refusal("ValidationException", f"The local cloud plays {ERROR} alone, and not {action_id}.")


def _duration_s(action: Params) -> float:
    """The seconds of an action's ISO 8601 duration; a Refusal where it has none, or too long a one."""
    text = (action.get("parameters") or {}).get("duration", "")
    found = _DURATION.fullmatch(text)
    seconds = (
        sum(int(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True)) if found else 0
    )
    if not 60 <= seconds <= LONGEST_S:
        raise Refusal("ValidationException", f"The duration {text!r} must be between PT1M and PT12H.")
    return float(seconds)
