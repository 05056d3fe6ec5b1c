"""What every rehearsal has by these names: its account and region, and its two versions."""

ACCOUNT = "123456789012"
REGION = "eu-north-1"
BASELINE = "1"
CANARY = "2"
