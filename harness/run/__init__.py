"""Directs one run from its first request to its verdict."""
