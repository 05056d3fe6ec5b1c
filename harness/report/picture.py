"""The terminal summary as an SVG picture, for a README or a chat."""

import io
import re
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from harness.core.verdict.types import Verdict
from harness.report.terminal import summary

WIDTH = 96
_FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def picture(verdict: Verdict, run_dir: Path) -> str:
    """The summary as SVG text; it loads nothing from anywhere, so its font is the reader's own."""
    console = Console(width=WIDTH, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    summary(verdict, run_dir, console)
    return _FONT_FACES.sub("", console.export_svg(title="canary-harness rehearse", theme=MONOKAI))
