"""What a start form asks: each field with its choices, what it is set to, and what holds where it is left empty."""

from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

from harness.core.experiment.rates import worded
from harness.core.experiment.types import Experiment
from harness.errors import UsageError
from harness.plugin import options

Read = Callable[[Experiment], Any]


class Field(Struct, frozen=True, kw_only=True):
    """One field: `name` is its key in the body of a start, `value` what it is set to, empty where it is not.

    `default` is what holds where it is left empty; empty itself where nothing does.
    """

    name: str
    label: str
    kind: Literal["text", "choice", "switch"]
    choices: tuple[str, ...] = ()
    value: str | bool = ""
    default: str = ""


class StartForm(Struct, frozen=True, kw_only=True):
    """The whole form; `why` says why nothing can be started now.

    `asks_users` is false where arrivals are open: then the rate says what is sent, and users only stand by.
    """

    why: str | None
    host: str
    users: int | None
    asks_users: bool
    fields: tuple[Field, ...]
    schema: int = 1


def form_of(environment: Any, why: str | None) -> StartForm:
    """The form of a Locust process as it would be shown now."""
    given = environment.parsed_options
    base = experiment_of(given)
    canary = all(getattr(user, "sends_canary_traffic", False) for user in environment.user_classes)
    return StartForm(
        why=why,
        host=environment.host or "",
        users=given.num_users,
        asks_users=not canary or base is None or base.traffic.users is not None,
        fields=tuple(_field(name, given, base) for name in _FIELDS),
    )


def experiment_of(given: Any) -> Experiment | None:
    """The experiment where the form is left empty; None where it cannot be read."""
    try:
        return options.settings_of(Namespace(**{**vars(given), **dict.fromkeys(options.in_form(), "")})).experiment
    except UsageError:
        return None


def told_to_locust(form: StartForm) -> dict[str, dict[str, Any]]:
    """The fields as Locust's own form takes them."""
    return {
        f"canary_{field.name}": {
            "choices": ["", *field.choices] if field.kind == "choice" else None,
            "default_value": field.value,
            "help_text": _help(field),
            "is_secret": False,
            "is_required": False,
            "is_multiple": False,
        }
        for field in form.fields
    }


def _help(field: Field) -> str | None:
    """What stands beside a field's name in Locust's form, which has little room for it on a phone."""
    if field.kind == "switch":
        return field.label
    return f"else {field.default}" if field.default else None


def _field(name: str, given: Any, base: Experiment | None) -> Field:
    label, read = _FIELDS[name]
    value = getattr(given, f"canary_{name}", None)
    flag = name.replace("_", "-")
    default = "" if base is None else str(read(base) or "")
    if name in options.SWITCHED:
        return Field(name=name, label=label, kind="switch", value=bool(value), default=default)
    choices = options.CHOICES.get(flag, ())
    kind: Literal["text", "choice"] = "choice" if choices else "text"
    return Field(name=name, label=label, kind=kind, choices=choices, value=value or "", default=default)


def _found(named: str | None, experiment: Experiment) -> str | None:
    """What is watched, by its own name or by what it is found by."""
    found_by = {"stack": experiment.deployment.stack, "function": experiment.deployment.function}
    of = next((f"{kind} {name}" for kind, name in found_by.items() if name), None)
    return named or (f"found by the {of}" if of else None)


def _rate(experiment: Experiment) -> str:
    traffic = experiment.traffic
    return worded(traffic.arrival_rate) if traffic.users is None else f"a closed loop of {traffic.users} users"


_FIELDS: Mapping[str, tuple[str, Read]] = {
    "arrival_rate": ("Requests per second", _rate),
    "error_share": ("Share meant to fail, 0 to 1", lambda asked: f"{asked.traffic.error_share:g}"),
    "pattern": ("How fault requests are spread", lambda asked: asked.traffic.pattern),
    "arrivals": ("How starts are spread", lambda asked: asked.traffic.arrivals),
    "application": ("CodeDeploy application", lambda asked: _found(asked.deployment.application, asked)),
    "group": ("Deployment group", lambda asked: _found(asked.deployment.group, asked)),
    "deployment": ("Deployment that is under way", lambda asked: asked.deployment.id),
    "target_version": ("Version to deploy", lambda asked: asked.deployment.target_version),
    "redeploy": ("Deploy the code in service once more", lambda asked: asked.deployment.redeploy),
    "expect": ("Outcome that must come out", lambda asked: asked.expect.outcome),
    "allow_writes": ("Permission to change things on AWS", lambda asked: asked.allow_writes),
}
