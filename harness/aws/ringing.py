"""Whether an alarm would stop a deployment as soon as it is created."""

from harness.aws.clients import Aws
from harness.aws.discovery import find
from harness.aws.looks import BOTH_KINDS
from harness.aws.parsing import UNDATED, alarms_of, group_seen
from harness.core.experiment.types import Deployment
from harness.core.foreign import text
from harness.core.timeline.events import GroupSeen
from harness.errors import HarnessError, NotAllowed


def check_no_alarm_rings(aws: Aws, wanted: Deployment) -> None:
    """Raises NotAllowed if an alarm of the group is in ALARM; where AWS does not tell, it may be as it is."""
    try:
        on = _ringing(aws, wanted)
    except HarnessError:
        return  # the run asks again, and says what is wrong
    if on:
        one = len(on) == 1
        raise NotAllowed(
            f"{'the alarm' if one else 'the alarms'} {', '.join(on)} {'is' if one else 'are'} in ALARM, and CodeDeploy "
            f"would stop a deployment at once: start again when {'it is' if one else 'they are'} OK. "
            "A test without a version to deploy sends the good traffic that some alarms need for that"
        )


def _ringing(aws: Aws, wanted: Deployment) -> list[str]:
    """The group's alarms in ALARM; the children of composite alarms stop nothing by themselves."""
    found = find(aws, wanted)
    named = {"applicationName": found.application, "deploymentGroupName": found.group}
    seen = group_seen(aws.call("codedeploy", "get_deployment_group", **named).get("deploymentGroupInfo"), UNDATED)
    if not isinstance(seen, GroupSeen) or not seen.alarms_enabled or not seen.alarms:
        return []
    asked = {"AlarmNames": [*seen.alarms], "AlarmTypes": BOTH_KINDS, "StateValue": "ALARM"}
    answer = aws.call("cloudwatch", "describe_alarms", **asked)
    return [name for alarm in alarms_of(answer) if (name := text(alarm.get("AlarmName")))]
