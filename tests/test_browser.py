"""The browser that page tests share."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_browser_opens_a_file_and_runs_its_script(page: "Page", tmp_path: Path) -> None:
    """A page from the disk comes alive."""
    file = tmp_path / "page.html"
    file.write_text("<h1></h1><script>document.querySelector('h1').textContent = 1 + 1</script>")
    page.goto(file.as_uri())
    assert page.inner_text("h1") == "2"
