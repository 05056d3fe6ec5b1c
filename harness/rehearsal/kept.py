"""The services that moto keeps for this cloud, as its own server does that answers for them."""

import sys
from typing import Any

from harness.rehearsal.refusal import Refusal

_NO = "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}"


SERVICES = ("s3", "iam", "ssm", "logs", "ecr")
"""What stacks make there."""


class Kept:
    """What moto keeps of one account and region: its backends, by service."""

    def __init__(self, account: str, region: str) -> None:
        self.account = account
        self.region = region

    def of(self, service: str) -> Any:
        """The backend of a service."""
        from moto.backends import get_backend

        backends: Any = get_backend(service)
        own = backends[self.account]
        return own["aws"] if service in ("s3", "iam") else own[self.region]

    @staticmethod
    def is_asked_for(service: str) -> bool:
        """Whether anybody asked for a service yet; what was never asked for is not loaded, which takes long."""
        return f"moto.{service}.models" in sys.modules

    def empty(self) -> None:
        """Forgets all that an earlier cloud of this process left behind."""
        for service in filter(self.is_asked_for, SERVICES):
            self.of(service).reset()

    def parameter(self, name: str) -> str:
        """The value of a name in the Parameter Store; raises Refusal."""
        found = self.of("ssm").get_parameter(name)
        if found is None:
            raise Refusal(
                "ValidationError", f"Unable to fetch parameters [{name}] from parameter store for this account."
            )
        return str(found.value)

    def content(self, bucket: str, key: str, version: str | None = None) -> bytes:
        """What is in an object of S3; raises Refusal."""
        s3 = self.of("s3")
        if bucket not in s3.buckets:
            raise Refusal(
                "NoSuchBucket", "S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist"
            )
        found = s3.get_object(bucket, key, version_id=version)
        if found is None:
            raise Refusal("NoSuchKey", _NO.format("NoSuchKey", "The specified key does not exist."))
        return bytes(found.value)
