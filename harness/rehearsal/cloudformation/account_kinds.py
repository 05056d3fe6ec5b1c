"""What deploy tools need around a release: buckets, roles, parameters, log groups and repositories, kept by moto."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from harness.rehearsal.cloudformation.kinds import ResourceKind, Say, at_once, tag_map
from harness.rehearsal.cloudformation.records import MadeResource, Properties, WantedResource
from harness.rehearsal.cloudformation.refusals import by_handler
from harness.rehearsal.kept import Kept

_NOT_EMPTY = "The bucket you tried to delete is not empty"


class KeptKind(ResourceKind):
    """A type that moto keeps: made and deleted by a call of its backend, changed by nothing but its name."""

    def __init__(
        self,
        *,
        name: str,
        longest: int,
        make: Callable[[str, Properties], Mapping[str, Any]],
        remove: Callable[[str], None],
        change: Callable[[str, Properties], None] | None = None,
        lower: bool = False,
    ) -> None:
        self.replaced_by = (name,)
        self.longest = longest
        self._name, self._make, self._remove, self._change, self._lower = name, make, remove, change, lower

    @at_once
    def create(self, wanted: WantedResource, name: str, say: Say) -> MadeResource:  # noqa: ARG002 - of the protocol
        """Makes it."""
        own = str(wanted.properties.get(self._name) or (name.lower() if self._lower else name))
        return MadeResource(own, _told(lambda: self._make(own, wanted.properties)))

    @at_once
    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> MadeResource:  # noqa: ARG002
        """Changes it, where it has anything that is looked at."""
        if self._change:
            change = self._change
            _told(lambda: change(made.physical, wanted.properties))
        return made

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:  # noqa: ARG002
        """Deletes it."""
        _told(lambda: self._remove(made.physical))


def _told(call: Callable[[], Any]) -> Any:
    """The answer of moto; what it refuses is a failure of the resource."""
    from moto.core.exceptions import ServiceException
    from werkzeug.exceptions import HTTPException

    try:
        return call()
    except (HTTPException, ServiceException) as error:
        text = getattr(error, "message", None) or str(error)
        code = "AlreadyExists" if "xist" in str(text) else "InvalidRequest"
        raise by_handler(str(text), code) from error


def kept_kinds(kept: Kept) -> Mapping[str, KeptKind]:
    """The types that moto keeps."""
    return {
        "AWS::S3::Bucket": _bucket(kept),
        "AWS::IAM::Role": _role(kept),
        "AWS::SSM::Parameter": _parameter(kept),
        "AWS::Logs::LogGroup": _log_group(kept),
        "AWS::Logs::MetricFilter": _metric_filter(kept),
        "AWS::ECR::Repository": _repository(kept),
    }


def _bucket(kept: Kept) -> KeptKind:
    def make(name: str, properties: Properties) -> Mapping[str, Any]:
        s3 = kept.of("s3")
        s3.create_bucket(name, kept.region)
        if (properties.get("VersioningConfiguration") or {}).get("Status") == "Enabled":
            s3.put_bucket_versioning(name, "Enabled")
        domain = f"{name}.s3.amazonaws.com"
        regional = f"{name}.s3.{kept.region}.amazonaws.com"
        return {"Arn": f"arn:aws:s3:::{name}", "DomainName": domain, "RegionalDomainName": regional}

    def remove(name: str) -> None:
        s3 = kept.of("s3")
        if name in s3.buckets and s3.delete_bucket(name) is None:
            raise by_handler(_NOT_EMPTY, "GeneralServiceException")

    return KeptKind(name="BucketName", longest=63, make=make, remove=remove, lower=True)


def _role(kept: Kept) -> KeptKind:
    def make(name: str, properties: Properties) -> Mapping[str, Any]:
        role = kept.of("iam").create_role(
            role_name=name,
            assume_role_policy_document=json.dumps(properties.get("AssumeRolePolicyDocument")),
            path=properties.get("Path") or "/",
            permissions_boundary=properties.get("PermissionsBoundary"),
            description=properties.get("Description") or "",
            tags=[{"Key": key, "Value": value} for key, value in tag_map(properties).items()],
            max_session_duration=properties.get("MaxSessionDuration"),
        )
        return {"Arn": role.arn, "RoleId": role.id}

    def remove(name: str) -> None:
        iam = kept.of("iam")
        for key, role in [*iam.roles.items()]:
            if role.name == name:
                del iam.roles[key]

    return KeptKind(name="RoleName", longest=64, make=make, remove=remove)


def _parameter(kept: Kept) -> KeptKind:
    def put(name: str, properties: Properties) -> Mapping[str, Any]:
        kept.of("ssm").put_parameter(
            name=name,
            description=properties.get("Description") or "",
            value=str(properties.get("Value")),
            parameter_type=properties.get("Type") or "String",
            allowed_pattern=properties.get("AllowedPattern") or "",
            keyid="",
            overwrite=True,
            tags=[],
            data_type=properties.get("DataType") or "text",
            tier=properties.get("Tier"),
            policies=properties.get("Policies"),
        )
        return {"Type": properties.get("Type") or "String", "Value": str(properties.get("Value"))}

    def change(name: str, properties: Properties) -> None:
        put(name, properties)

    def remove(name: str) -> None:
        kept.of("ssm").delete_parameter(name)

    return KeptKind(name="Name", longest=255, make=put, remove=remove, change=change)


def _log_group(kept: Kept) -> KeptKind:
    def make(name: str, properties: Properties) -> Mapping[str, Any]:
        kept.of("logs").create_log_group(name, tag_map(properties))
        return {"Arn": f"arn:aws:logs:{kept.region}:{kept.account}:log-group:{name}:*"}

    def remove(name: str) -> None:
        kept.of("logs").groups.pop(name, None)

    return KeptKind(name="LogGroupName", longest=512, make=make, remove=remove)


def _metric_filter(kept: Kept) -> KeptKind:
    def put(name: str, properties: Properties) -> Mapping[str, Any]:
        group = str(properties.get("LogGroupName"))
        made = [_transformation(one) for one in properties.get("MetricTransformations") or ()]
        kept.of("logs").put_metric_filter(name, properties.get("FilterPattern") or "", group, made)
        return {}

    def change(name: str, properties: Properties) -> None:
        put(name, properties)

    def remove(name: str) -> None:
        filters = kept.of("logs").filters.metric_filters
        filters[:] = [one for one in filters if one["filterName"] != name]

    return KeptKind(name="FilterName", longest=512, make=put, remove=remove, change=change)


def _transformation(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """A MetricTransformation of a template as the API spells it."""
    made = {name[0].lower() + name[1:]: value for name, value in given.items() if name != "Dimensions"}
    return {**made, "dimensions": {one["Key"]: one["Value"] for one in given.get("Dimensions") or ()}}


def _repository(kept: Kept) -> KeptKind:
    def make(name: str, properties: Properties) -> Mapping[str, Any]:
        made = kept.of("ecr").create_repository(
            repository_name=name,
            registry_id=None,
            encryption_config={},
            image_scan_config=None,
            image_tag_mutability=properties.get("ImageTagMutability") or "MUTABLE",
            tags=[],
            image_tag_mutability_exclusion_filters=None,
        )
        return {"Arn": made.arn, "RepositoryUri": made.uri}

    def remove(name: str) -> None:
        kept.of("ecr").repositories.pop(name, None)

    return KeptKind(name="RepositoryName", longest=256, make=make, remove=remove, lower=True)
