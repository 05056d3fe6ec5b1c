"""What it means: from evidence to a verdict."""
