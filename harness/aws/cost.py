"""What reading metrics costs: GetMetricData is the one call of ours that AWS charges for by what is asked."""

from harness.aws.clients import Aws

DOLLARS_A_METRIC = 0.01 / 1000
"""Assumption: the price in most regions, as AWS listed it in 2025. A call costs it for each metric that it asks for."""
WORTH_TELLING = 0.01


def cost_told(aws: Aws) -> str | None:
    """What was spent on metrics, in a sentence; None for a cent or less, and where calls stay on this machine."""
    dollars = aws.metrics_asked * DOLLARS_A_METRIC
    if dollars <= WORTH_TELLING or aws.is_local("cloudwatch"):
        return None
    price = "assumed: $0.01 for 1,000 metrics, as listed in 2025"
    return f"CloudWatch was asked for {aws.metrics_asked:,} metrics by GetMetricData: about ${dollars:.2f} ({price})"
