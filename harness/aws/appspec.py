"""The hooks in the AppSpec of a deployment; only GetApplicationRevision returns its content."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from harness.aws.eyes import Eyes
from harness.core.foreign import mapping, sequence, text

_PLACES = ("appSpecContent", "string")


def hooks_of(eyes: Eyes, application: str | None, revision: object) -> dict[str, str]:
    """The hook functions of a revision by lifecycle event; empty if it has none or is stored elsewhere, as in S3.

    Raises Blind.
    """
    location = mapping(revision)
    if not any(place in location for place in _PLACES):
        return {}
    answer, _ = eyes.ask("codedeploy", "get_application_revision", applicationName=application, revision=location)
    found = mapping(answer.get("revision"))
    content = next((text(mapping(found.get(place)).get("content")) for place in _PLACES if place in found), None)
    return dict(_hooks(content or ""))


def _hooks(content: str) -> Iterator[tuple[str, str]]:
    for event, function in (
        pair for hook in sequence(_member(_read(content), "hooks")) for pair in mapping(hook).items()
    ):
        named = text(function)
        if named:
            yield str(event), named.rpartition(":function:")[2]


def _read(content: str) -> Mapping[str, Any]:
    try:
        return mapping(yaml.safe_load(content))
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}


def _member(document: Mapping[str, Any], name: str) -> object:
    # Keys may be written in any case.
    return next((value for key, value in document.items() if str(key).lower() == name), None)
