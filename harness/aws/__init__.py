"""The room that talks to AWS, and the only one that imports boto3; see README.md."""
