"""CloudFormation of the local cloud: stacks made of the cloud's own services, in compressed time.

`template` and `transforms` read what is sent, `evaluation` resolves it, `work` makes it, `types` says by what.
"""

from harness.rehearsal.cloudformation.change_sets import ChangeSetOperations
from harness.rehearsal.cloudformation.provided import provided
from harness.rehearsal.cloudformation.resources import ResourceOperations
from harness.rehearsal.cloudformation.stack_operations import StackOperations
from harness.rehearsal.stack import Stack

__all__ = ["CloudFormation"]


class CloudFormation(StackOperations, ChangeSetOperations, ResourceOperations):
    """boto3's service `cloudformation`: one method an operation, over the wire or in-process alike."""

    def provide(self, stack: Stack) -> None:
        """Adds a stack that was set up."""
        self._stacks[stack.name] = provided(stack, self._home, self._now())

    def is_at_work(self) -> bool:
        """Whether a stack is being made, changed or deleted."""
        return any(stack.is_busy for stack in list(self._stacks.values()))
