"""Revisions: what a caller sends to be deployed, and how it is known afterwards."""

import hashlib
from collections.abc import Mapping
from typing import Any

from harness.rehearsal.codedeploy.records import RegisteredRevision, Revision
from harness.rehearsal.refusal import Refusal

_MEMBERS = {"AppSpecContent": "appSpecContent", "String": "string"}

_ELSEWHERE = {"S3": "s3Location", "GitHub": "gitHubLocation"}


def of_content(content: str, kind: str = "AppSpecContent") -> Revision:
    """The revision with this AppSpec."""
    return Revision(kind=kind, content=content, sha256=hashlib.sha256(content.encode()).hexdigest())


def key(kind: str, sha256: str) -> str:
    """Under what an application knows a revision."""
    return f"{kind}:{sha256}"


def key_of(revision: Revision) -> str:
    """Under what an application knows `revision`."""
    return key(revision.kind, revision.sha256)


def sent(location: Mapping[str, Any] | None) -> Revision:
    """The revision in a RevisionLocation with content.

    Raises RevisionRequiredException, InvalidRevisionException.
    """
    kind, given = _given(location)
    content = given.get("content")
    if not content:
        raise _invalid(f"The content of the {kind} revision must be specified.")
    revision = of_content(content, kind)
    sha256 = given.get("sha256")
    if sha256 and sha256.lower() != revision.sha256:
        raise _invalid("The SHA256 hash of the revision content does not match the given sha256.")
    return revision


def key_sent(location: Mapping[str, Any] | None) -> str:
    """The key of the revision that a RevisionLocation names by its sha256, or by its content.

    Raises RevisionRequiredException, InvalidRevisionException.
    """
    kind, given = _given(location)
    if given.get("content"):
        return key_of(sent(location))
    if not given.get("sha256"):
        raise _invalid(f"The sha256 or the content of the {kind} revision must be specified.")
    return key(kind, given["sha256"].lower())


def located(revision: Revision, *, with_content: bool = False) -> dict[str, Any]:
    """The RevisionLocation of a revision; AWS gives the content away in GetApplicationRevision only."""
    content = {"content": revision.content} if with_content else {}
    return {"revisionType": revision.kind, _MEMBERS[revision.kind]: {**content, "sha256": revision.sha256}}


def used_at(known: RegisteredRevision | None, revision: Revision, at_s: float) -> RegisteredRevision:
    """The registration of a revision after a deployment used it at `at_s`."""
    known = known or RegisteredRevision(revision=revision, registered_s=at_s)
    return RegisteredRevision(
        revision=known.revision,
        registered_s=known.registered_s,
        description=known.description,
        used_s=(*known.used_s, at_s),
    )


def _given(location: Mapping[str, Any] | None) -> tuple[str, Mapping[str, Any]]:
    if not location:
        raise Refusal("RevisionRequiredException", "RevisionLocation must be specified")
    kind = str(location.get("revisionType"))
    if kind in _ELSEWHERE:
        raise _invalid(f"This local cloud reads no {kind} revisions; send the AppSpec as AppSpecContent.")
    if kind not in _MEMBERS:
        raise _invalid(f"The revision type {kind} is none of {', '.join([*_ELSEWHERE, *_MEMBERS])}.")
    given = location.get(_MEMBERS[kind])
    if not isinstance(given, Mapping):
        raise _invalid(f"A revision of the type {kind} needs the member {_MEMBERS[kind]}.")
    return kind, given


def _invalid(message: str) -> Refusal:
    return Refusal("InvalidRevisionException", message)
