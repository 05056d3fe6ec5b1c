"""CloudWatch of the local cloud: metrics that arrive late, alarms that are evaluated each minute, and their history."""
