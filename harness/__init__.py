"""Proves the safety net of canary releases on AWS Lambda: traffic, faults, a watcher, and a verdict."""

__version__ = "0.1.0"
