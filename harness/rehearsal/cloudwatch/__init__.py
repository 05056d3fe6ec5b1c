"""CloudWatch of the local cloud: metrics that arrive late, alarms that are evaluated each minute, and their history."""

from harness.rehearsal.cloudwatch.invocations import InvocationMetrics
from harness.rehearsal.cloudwatch.service import CloudWatch

__all__ = ["CloudWatch", "InvocationMetrics"]
