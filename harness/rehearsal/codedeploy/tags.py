"""Operations on the tags of applications and deployment groups."""

import re

from harness.rehearsal.codedeploy import inputs
from harness.rehearsal.codedeploy.account import Account
from harness.rehearsal.operations import Answer, Params, operation
from harness.rehearsal.refusal import Refusal

_ARN = re.compile(r"arn:[\w-]+:codedeploy:[\w-]*:\d*:(?P<resource>(?P<kind>\w+):.+)")


class TagOperations(Account):
    """Tags, by the ARN of what they are on."""

    @operation
    def list_tags_for_resource(self, params: Params) -> Answer:
        """ListTagsForResource, all on one page; what does not exist has no tags."""
        tags = self._store.tags.get(self._resource(params), {})
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    @operation
    def tag_resource(self, params: Params) -> Answer:
        """TagResource."""
        resource = self._existing(params)
        if not params.get("Tags"):
            raise Refusal("TagRequiredException", "Tags must have at least one tag")
        merged = {**self._store.tags[resource], **inputs.tags(params["Tags"])}
        if len(merged) > inputs.MAX_TAGS:
            raise Refusal("InvalidTagsToAddException", f"A resource has at most {inputs.MAX_TAGS} tags.")
        self._store.tags[resource] = merged
        return {}

    @operation
    def untag_resource(self, params: Params) -> Answer:
        """UntagResource; a key that is not there is no error."""
        resource = self._existing(params)
        if not params.get("TagKeys"):
            raise Refusal("TagRequiredException", "TagKeys must have at least one key")
        kept = {key: value for key, value in self._store.tags[resource].items() if key not in params["TagKeys"]}
        self._store.tags[resource] = kept
        return {}

    def _resource(self, params: Params) -> str:
        arn = params.get("ResourceArn")
        if not arn:
            raise Refusal("ResourceArnRequiredException", "ResourceArn must be specified")
        match = _ARN.fullmatch(arn)
        if not match:
            raise Refusal("InvalidArnException", f"The ARN is not in a valid format: {arn}")
        if match["kind"] not in ("application", "deploymentgroup"):
            raise Refusal("ArnNotSupportedException", f"Only applications and deployment groups have tags, got {arn}")
        return match["resource"]

    def _existing(self, params: Params) -> str:
        resource = self._resource(params)
        if resource not in self._store.tags:
            kind = "DeploymentGroup" if resource.startswith("deploymentgroup:") else "Application"
            raise Refusal(f"{kind}DoesNotExistException", f"There is nothing with the ARN {params['ResourceArn']}")
        return resource
