"""What the doctor says of a locustfile: whether Locust can load it, and how its fault requests are known."""

from msgspec import Struct

from harness.core.arming.diagnosis import Assessment, Check, error, note, ok
from harness.core.experiment.types import Experiment


class Locustfile(Struct, frozen=True, kw_only=True):
    """A locustfile as Locust loads it: its user classes, or the `trouble` that it has with it.

    `names_intent` says whether it speaks of an intent anywhere, as requests do that are meant to fail.
    """

    name: str
    users: tuple[str, ...] = ()
    trouble: str = ""
    names_intent: bool = False


def why_not_probed(file: Locustfile, experiment: Experiment) -> str | None:
    """Why the doctor sends nothing for a locustfile; None where the experiment says itself what is sent."""
    return (
        None if experiment.traffic.requests else f"the users of {file.name} send what it says, and only a run plays it"
    )


def about_locustfile(file: Locustfile, experiment: Experiment) -> Check:
    """The doctor's check of it."""
    found = _assessment(file, experiment)
    matters = "Its users send the traffic of the run; without them nothing is judged."
    return Check(id="locustfile", severity=found.severity, seen=found.seen, matters=matters, advice=found.advice)


def _assessment(file: Locustfile, experiment: Experiment) -> Assessment:
    if file.trouble:
        return error(f"Locust cannot load {file.name}: {file.trouble}", "Correct it; locust --list -f loads it, too.")
    if not file.users:
        return error(f"{file.name} has no user class that Locust would start.", "Add one with a task.")
    seen = f"{file.name} has the user class{'' if len(file.users) == 1 else 'es'} {', '.join(file.users)}"
    if not (file.names_intent or experiment.traffic.fault_when):
        advice = 'Give them context={"intent": "fault"}, or say traffic.fault_when in the experiment.'
        return note(f"{seen}; none of its requests is known as meant to fail, so each failure counts as harm.", advice)
    return ok(f"{seen}, and its fault requests are known.")
