"""A picture that stands alone: as .svg or .png, or on a page that needs neither network nor scripts."""

from pathlib import Path

from markupsafe import Markup

from harness.report.drawing import save_pictures, svg
from harness.report.panels import Spec
from harness.report.templating import render


def save_picture(spec: Spec, path: Path, title: str) -> None:
    """Saves a chart as the end of the name says: .svg, .png or .html."""
    if path.suffix != ".html":
        save_pictures(spec, [path])
        return
    drawn = svg({**spec, "title": ""}, background="transparent")
    caption = str(spec["title"]["text"])
    # What Vega draws has every text escaped.
    page = render("picture.html", title=title, caption=caption if caption != title else "", drawn=Markup(drawn))  # noqa: S704
    path.write_text(page, encoding="utf-8")
