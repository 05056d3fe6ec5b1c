"""A verdict made readable: terminal, Markdown, JSON."""
