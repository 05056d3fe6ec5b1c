"""What the doctor says of a locustfile of one's own, and when it leaves the sending to a run."""

import pytest

from harness.core.arming.locustfile import Locustfile, about_locustfile, why_not_probed
from harness.core.experiment.requests import FaultWhen, Request
from harness.core.experiment.types import Experiment, Traffic

PLAIN = Experiment(name="mine")
TELLS_FAULTS = Experiment(name="mine", traffic=Traffic(fault_when=FaultWhen(name="bad")))


@pytest.mark.parametrize(
    ("file", "experiment", "severity", "seen"),
    [
        (Locustfile(name="m.py", users=("A", "B"), names_intent=True), PLAIN, "ok", "the user classes A, B"),
        (Locustfile(name="m.py", users=("A",)), TELLS_FAULTS, "ok", "the user class A, and its fault requests"),
        (Locustfile(name="m.py", users=("A",)), PLAIN, "note", "none of its requests is known as meant to fail"),
        (Locustfile(name="m.py"), PLAIN, "error", "has no user class"),
        (Locustfile(name="m.py", trouble="SyntaxError"), PLAIN, "error", "cannot load m.py: SyntaxError"),
    ],
)
def test_its_users_and_its_fault_requests_are_told(
    file: Locustfile, experiment: Experiment, severity: str, seen: str
) -> None:
    """Without users a run would judge nothing; without an intent each failure is harm."""
    check = about_locustfile(file, experiment)
    assert check.severity == severity
    assert seen in check.seen


def test_what_a_locustfile_sends_is_left_to_a_run() -> None:
    """The bundled service's requests are not sent in its place; those of the experiment itself are."""
    file = Locustfile(name="m.py", users=("A",))
    own = Experiment(name="mine", traffic=Traffic(requests={"a": Request(get="/a")}))
    assert "the users of m.py send what it says" in (why_not_probed(file, PLAIN) or "")
    assert why_not_probed(file, own) is None
