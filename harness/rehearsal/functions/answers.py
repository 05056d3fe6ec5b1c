"""Answers in AWS's own shapes, and the pages that lists come in."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from harness.rehearsal.functions.names import Address
from harness.rehearsal.functions.records import Alias, Configuration, Package, Settling
from harness.rehearsal.functions.settings import check_range
from harness.rehearsal.operations import Answer
from harness.rehearsal.refusal import Refusal

_PAGE = 50
MOST_ITEMS = 10_000
"""What a page may be asked to have, whatever it then has (service model)."""


def configuration(version: Configuration, now_s: float, *, arn: str | None = None) -> Answer:
    """A FunctionConfiguration; `arn` is the one asked by, where it is not the version's own."""
    return {**listed(version, now_s, arn=arn), **_state(version.change, now_s), **_runtime(version)}


def listed(version: Configuration, now_s: float, *, arn: str | None = None) -> Answer:
    """The same in a list, where AWS says nothing of states."""
    code, package = version.code, version.code.package
    answer = {
        "FunctionName": code.function,
        "FunctionArn": arn or code.arn,
        "Runtime": version.runtime,
        "Role": version.role,
        "Handler": version.handler,
        "CodeSize": package.size,
        "Description": version.description,
        "Timeout": code.timeout_s,
        "MemorySize": code.memory_mb,
        "LastModified": timestamp(version.last_modified_s),
        "CodeSha256": package.sha256,
        "Version": code.version,
        "Environment": {"Variables": dict(code.environment)} if code.environment else None,
        "RevisionId": version.change.revision(now_s),
        "PackageType": package_type(package),
        **version.echoed,
    }
    return {key: value for key, value in answer.items() if value is not None}


def _state(change: Settling, now_s: float) -> Answer:
    """What is under way; AWS gives an update the reason of a creation, too."""
    if now_s >= change.settles_s:
        return {"State": "Active", "LastUpdateStatus": "Successful"}
    reason, code = "The function is being created.", "Creating"
    if change.created:
        return {"State": "Pending", "StateReason": reason, "StateReasonCode": code}
    status = {"LastUpdateStatus": "InProgress", "LastUpdateStatusReason": reason, "LastUpdateStatusReasonCode": code}
    return {"State": "Active", **status}


def _runtime(version: Configuration) -> Answer:
    """The version of the runtime, which an image has none of; its ARN is of AWS's form, and the same for all."""
    if version.runtime is None:
        return {}
    region = version.code.arn.split(":")[3]
    identity = hashlib.sha256(version.runtime.encode()).hexdigest()
    return {"RuntimeVersionConfig": {"RuntimeVersionArn": f"arn:aws:lambda:{region}::runtime:{identity}"}}


def package_type(package: Package) -> str:
    """AWS's name for the kind of package."""
    return "Zip" if package.root else "Image"


def location(package: Package, address: Address) -> Answer:
    """A FunctionCodeLocation; the address of a zip is of AWS's form, but nothing is there."""
    if package.root is None:
        return {"RepositoryType": "ECR", "ImageUri": package.image_uri, "ResolvedImageUri": package.image_uri}
    bucket = f"awslambda-{address.region}-tasks.s3.{address.region}.amazonaws.com"
    return {"RepositoryType": "S3", "Location": f"https://{bucket}/snapshots/{address.account}/{package.root.name}"}


def alias(known: Alias, arn: str) -> Answer:
    """An AliasConfiguration; RoutingConfig is left out where there are no weights, as AWS does."""
    answer: Answer = {
        "AliasArn": arn,
        "Name": known.name,
        "FunctionVersion": known.version,
        "Description": known.description,
        "RevisionId": known.revision_id,
    }
    if known.weights:
        answer["RoutingConfig"] = {"AdditionalVersionWeights": dict(known.weights)}
    return answer


def page(key: str, items: Sequence[Answer], params: Mapping[str, Any]) -> Answer:
    """The page of `items` that `Marker` and `MaxItems` ask for; a marker is where the next page begins."""
    check_range("MaxItems", params.get("MaxItems"), 1, MOST_ITEMS)
    marker = params.get("Marker") or "0"
    if not marker.isdecimal():
        raise Refusal("InvalidParameterValueException", f"Invalid pagination token: {marker}")
    start = int(marker)
    end = start + min(int(params.get("MaxItems") or _PAGE), _PAGE)
    answer: Answer = {key: list(items[start:end])}
    if end < len(items):
        answer["NextMarker"] = str(end)
    return answer


def instant(at_s: float) -> str:
    """An instant as function URLs have it: to the microsecond and with a Z."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def timestamp(at_s: float) -> str:
    """An instant as Lambda writes it, to the millisecond in UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
