"""What every rehearsal has by these names: its account and region, and its two versions."""

ACCOUNT = "123456789012"
REGION = "eu-north-1"
BASELINE = "1"
CANARY = "2"
CREATED_WITHIN_S = (0.0, 10.0)
"""The seconds of a minute in which a rehearsal creates its deployment."""
