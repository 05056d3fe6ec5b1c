"""What of a template a rehearsal plays, and what it refuses to play as something else."""

from pathlib import Path

import pytest

from harness.core.experiment.contradictions import contradictions
from harness.core.experiment.parse import rehearsable
from harness.core.experiment.types import Deployment, Experiment
from harness.errors import UsageError
from harness.templates import as_released, read_release
from tests.templates.conftest import PLAIN, SAM
from tests.templates.test_serverless import SERVERLESS
from tests.templates.test_terraform import HCL

OWN = Experiment(name="own")


def released(tmp_path: Path, text: str, *changes: tuple[str, str], function: str | None = None) -> Experiment:
    """An experiment with the release of a text, after some replacements."""
    for old, new in changes:
        assert old in text, f"the template has no {old!r}"
        text = text.replace(old, new)
    path = tmp_path / ("main.tf" if text.startswith("variable") else "template.yaml")
    path.write_text(text)
    return as_released(read_release(path, {}), function, OWN)


@pytest.mark.parametrize(
    ("text", "config", "threshold", "dimensions"),
    [
        (SAM, "Canary10Percent5Minutes", 3, "alias"),
        (SERVERLESS, "Canary10Percent5Minutes", 3, "function"),
        (HCL, "Canary10Percent7Minutes", 3, "version"),
    ],
    ids=["sam", "serverless", "terraform"],
)
def test_the_release_of_a_template_is_played(
    tmp_path: Path, text: str, config: str, threshold: float, dimensions: str
) -> None:
    """With its preference, alarm and rollback events, and nothing that an experiment would refuse."""
    experiment = released(tmp_path, text)
    assert (experiment.deployment.config, experiment.alarm.threshold, experiment.alarm.dimensions) == (
        config,
        threshold,
        dimensions,
    )
    assert experiment.alarm.missing == "notBreaching"
    assert ("DEPLOYMENT_STOP_ON_REQUEST" in experiment.rollback) == (text is not HCL)
    assert not [*contradictions(experiment)]
    rehearsable(experiment)


def test_hooks_report_success_unless_the_experiment_says_else(tmp_path: Path) -> None:
    """Their own code is not run."""
    hooks = ("        Alarms:", "        Hooks: {PreTraffic: CodeDeployHook_pre}\n        Alarms:")
    assert released(tmp_path, SAM, hooks).deployment.hooks == {"BeforeAllowTraffic": "Succeeded"}
    wanted = Experiment(name="own", deployment=Deployment(hooks={"BeforeAllowTraffic": "Failed"}))
    played = as_released(read_release(tmp_path / "template.yaml", {}), "Api", wanted)
    assert played.deployment.hooks == {"BeforeAllowTraffic": "Failed"}


REFUSED = {
    "no alarm": (SAM, ("        Alarms:\n          - !Ref ApiErrors\n", ""), "no alarm guards Api"),
    "an open threshold": (SAM, ("Threshold: 3", "Threshold: !Ref Owner"), "--parameter Owner="),
    "an open preference": (SAM, ("Type: Canary10Percent5Minutes", "Type: !Ref Owner"), "--parameter Owner="),
    "an alarm elsewhere": (SAM, ("- !Ref ApiErrors", "- shop-errors"), "the template does not define"),
    "an alarm on another function": (SAM, ("Value: !Ref Api}", "Value: other}"), "and [$]{ApiErrors} is none"),
    "metric math": (
        PLAIN,
        (
            '"ReturnData": true\n     }',
            '"ReturnData": false}, {"Id": "e", "Expression": "m1 * 2", "ReturnData": true}',
        ),
        "is none",
    ),
    "a unit": (SAM, ("Statistic: Sum", "Statistic: Sum\n      Unit: Count"), "is none"),
    "no release": (SAM, ("Canary10Percent5Minutes", "X\n        Enabled: false"), "no function that is released"),
}


@pytest.mark.parametrize(("text", "change", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_played_as_written_is_refused(
    tmp_path: Path, text: str, change: tuple[str, str], words: str
) -> None:
    """It would prove another release than the team's."""
    with pytest.raises(UsageError, match=words):
        released(tmp_path, text, change)


def test_one_of_several_functions_is_chosen(tmp_path: Path) -> None:
    """By its name; none is taken by chance."""
    head, _, rest = SAM.partition("  Api:\n")
    body = "  Api:\n" + rest
    both = head + body + body.replace("Api", "Other")
    with pytest.raises(UsageError, match="releases Api, Other: choose one by --function"):
        released(tmp_path, both)
    assert released(tmp_path, both, function="Other").alarm.dimensions == "alias"
    with pytest.raises(UsageError, match="has no function Nobody that is released by CodeDeploy; it has Api, Other"):
        released(tmp_path, both, function="Nobody")
