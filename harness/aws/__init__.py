"""The room that speaks to AWS, and the only one that imports boto3."""
