"""The version of the harness, in a leaf of the house so that every room may name it."""

__version__ = "0.1.0"
