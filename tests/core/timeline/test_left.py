"""What the journal of a run says is left on AWS."""

from typing import Any, get_args, get_type_hints

import pytest

from harness.core.timeline.events import Write
from harness.core.timeline.left import CREATION, creation_of, unhealed

STEPS = get_args(get_type_hints(Write)["step"])


def writes(*steps: str, call: str = "cloudwatch:SetAlarmState", **given: Any) -> list[Write]:
    """One change, a step a second."""
    fields = {"subject": "errors", "before": "OK", "after": "ALARM", **given}
    return [Write(at_s=float(at), call=call, step=step, detail=step, **fields) for at, step in enumerate(steps)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("steps", "answered"),
    [
        (["intended"], False),
        (["intended", "done"], True),
        (["intended", "unanswered"], False),
        (["intended", "done", "failed"], True),
        (["intended", "failed"], False),
        (["intended", "done", "intended"], False),
        (["intended", "done", "intended", "refused"], True),
        (["intended", "done", "intended", "unanswered"], False),
    ],
)
def test_what_may_be_there_is_left(steps: list[str], answered: bool) -> None:
    """With whether AWS confirmed it, and as it was first intended."""
    (left,) = unhealed(writes(*steps))
    assert (left.write.at_s, left.answered) == (0.0, answered)


@pytest.mark.parametrize(
    "steps",
    [["intended", "refused"], ["intended", "done", "undone"], ["intended", "unanswered", "failed", "undone"], ["done"]],
)
def test_what_is_surely_not_there_is_not_left(steps: list[str]) -> None:
    """Refused before it ever held, or undone; a line that lost its beginning says nothing that could be undone."""
    assert unhealed(writes(*steps)) == []


def test_a_deployment_is_followed_and_not_undone() -> None:
    """It is known by its mark, and by its id once AWS told it."""
    named = {"call": CREATION, "subject": "shop/live", "before": None, "after": "canary-harness x 1a"}
    assert unhealed(writes("intended", "done", **named)) == []
    assert [step for step in STEPS if creation_of(writes("intended", step, **named)) is None] == [
        "refused",
        "failed",
        "undone",
    ]
    created = creation_of(writes("intended", "done", **named))
    assert created
    assert (created.told, created.write.after) == ("done", "canary-harness x 1a")
