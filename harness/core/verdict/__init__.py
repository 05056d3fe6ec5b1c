"""What it means: measures, harm and findings, and the verdict (`judge.py`) with its call, such as caught or missed."""
