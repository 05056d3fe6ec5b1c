"""What teams complain of, as the README has it: each with a test, or a reason why no template answers it."""

import re
from pathlib import Path

import pytest

from harness.core.experiment.types import Experiment, Traffic
from harness.errors import TemplateError
from harness.templates import examine_template, read_release
from tests.templates.conftest import SAM, Read, asked, examined
from tests.templates.test_cells import README
from tests.templates.test_terraform import HCL

HERE = Path(__file__).parent
ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]]
    for line in README.read_text().partition("## What teams complain of\n")[2].partition("\n## ")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| complaint")
]
TESTS = {
    name for path in HERE.glob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
}
SOURCES = (README.parent, README.parent.parent / "core" / "arming")
QUESTIONS = {
    name
    for folder in SOURCES
    for path in folder.glob("*.py")
    for name in re.findall(r'(?:Problem|Question)\(\s*"([\w-]+)"', path.read_text())
}


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:40] for row in ROWS])
def test_each_complaint_has_a_test_or_a_reason(row: list[str]) -> None:
    """A test that is renamed is renamed there, too; without a test there is a sentence."""
    _, question, last = row
    named = re.findall(r"`(test_\w+)`", last)
    assert {*named} <= TESTS
    assert {*re.findall(r"`([\w-]+)`", question)} <= QUESTIONS
    assert bool(named) is bool(question)
    assert named or len(last.split()) > 4


@pytest.mark.parametrize(("arrival_rate", "severity"), [(0.02, "warning"), (50.0, "ok")])
def test_too_little_traffic_is_told_where_an_experiment_says_it(
    tmp_path: Path, arrival_rate: float, severity: str
) -> None:
    """A template says how many failures the alarm needs, and an experiment how many requests there are."""
    (tmp_path / "template.yaml").write_text(SAM)
    experiment = Experiment(name="doctor", traffic=Traffic(arrival_rate=arrival_rate))
    diagnosis = examine_template(read_release(tmp_path / "template.yaml", {}), experiment)
    assert asked(diagnosis, "enough-traffic").severity == severity


def test_terraform_without_alarms_guards_nothing(tmp_path: Path) -> None:
    """The group has no alarm_configuration."""
    block = HCL[HCL.index("  alarm_configuration {") : HCL.index("  auto_rollback_configuration {")]
    (tmp_path / "main.tf").write_text(HCL.replace(block, ""))
    assert asked(examined(read_release(tmp_path / "main.tf", {})), "alarm-configured").severity == "error"


def test_without_alerts_the_plugin_makes_no_alarm(read: Read) -> None:
    """`alarms` of a function do nothing where `custom.alerts` is not there; not even an empty one."""
    with pytest.raises(TemplateError, match="no alarm of the stack has the logical id ApiCanaryAlarm"):
        read(("custom:\n  alerts: {}\n", ""))
