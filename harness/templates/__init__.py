"""What a template says of a release, read without AWS, and the doctor's questions that it can answer."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.templates.examine import TemplateDiagnosis, examine_template, snapshots_of
    from harness.templates.reading import read_release
    from harness.templates.rehearsal import ALARMS_UNPLAYED, as_released, released_keys, routes_of
    from harness.templates.release import TemplateRelease

__all__ = [
    "ALARMS_UNPLAYED",
    "TemplateDiagnosis",
    "TemplateRelease",
    "as_released",
    "examine_template",
    "read_release",
    "released_keys",
    "routes_of",
    "snapshots_of",
]

_HOMES = {
    "ALARMS_UNPLAYED": "rehearsal",
    "TemplateDiagnosis": "examine",
    "TemplateRelease": "release",
    "as_released": "rehearsal",
    "examine_template": "examine",
    "read_release": "reading",
    "released_keys": "rehearsal",
    "routes_of": "rehearsal",
    "snapshots_of": "examine",
}


def __getattr__(name: str) -> Any:
    """A public name, loaded when it is asked for: the local cloud reads templates and asks no questions."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
