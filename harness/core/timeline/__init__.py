"""What was seen: the events of a run, and what they say of the release and its alarms."""
