"""What a command spent on AWS, told on stderr where it is more than a cent."""

from typing import TYPE_CHECKING

from harness.streams import tell

if TYPE_CHECKING:
    from harness.aws.clients import Aws


def tell_cost(aws: "Aws") -> None:
    """Says what the metrics cost that were asked for so far."""
    from harness.aws.cost import cost_told

    if told := cost_told(aws):
        tell(told)
