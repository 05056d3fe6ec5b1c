"""What was seen: the events of a run, the release and the alarms that they tell of, and how an alarm is evaluated."""
