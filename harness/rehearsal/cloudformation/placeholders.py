"""Types of resources that this cloud does not play: only their names exist, which the events of the stack say."""

from typing import Any

from harness.rehearsal.cloudformation.kinds import ResourceKind, Say, at_once
from harness.rehearsal.cloudformation.records import MadeResource, WantedResource

_SILENT = ("AWS::CDK::Metadata", "AWS::CloudFormation::WaitConditionHandle")
_BY_NAME = {
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::Rule": "Name",
    "AWS::KMS::Alias": "AliasName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
_REF_IS_ARN = ("AWS::SNS::Topic", "AWS::StepFunctions::StateMachine", "AWS::IAM::ManagedPolicy")


class _Anything(dict[str, Any]):
    """What Fn::GetAtt gives of a placeholder: any attribute has a name."""

    def __init__(self, name: str, arn: str) -> None:
        super().__init__(Arn=arn)
        self._name = name

    def __contains__(self, attribute: object) -> bool:
        return True

    def __missing__(self, attribute: str) -> str:
        return f"{self._name}.{attribute}" if not attribute.endswith("Arn") else str(self["Arn"])


class PlaceholderKind(ResourceKind):
    """A resource that is a name and nothing else."""

    longest = 64

    def __init__(self, account: str, region: str) -> None:
        self._home = f"{region}:{account}"

    @at_once
    def create(self, wanted: WantedResource, name: str, say: Say) -> MadeResource:
        """Gives it a name."""
        if wanted.kind not in _SILENT:
            say(f"{wanted.kind} is a placeholder in this local cloud: it has a name and does nothing.")
        own = str(wanted.properties.get(_BY_NAME.get(wanted.kind, ""), name))
        service = wanted.kind.split("::")[1].lower() if "::" in wanted.kind else "custom"
        arn = f"arn:aws:{service}:{self._home}:{own}"
        return MadeResource(arn if wanted.kind in _REF_IS_ARN else own, _Anything(own, arn))

    @at_once
    def update(self, made: MadeResource, was: WantedResource, wanted: WantedResource, say: Say) -> MadeResource:  # noqa: ARG002
        """Changes nothing."""
        return made

    @at_once
    def delete(self, made: MadeResource, was: WantedResource) -> None:
        """Forgets it."""
