"""The command line: `canary-harness`, also `python -m harness`."""


def main() -> int:
    """Runs one command and returns its exit code."""
    return 0
