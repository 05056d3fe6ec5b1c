"""Charts drawn without a browser, and the JavaScript that draws them in one."""

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from harness.report.folder import replace_file

PNG_SCALE = 2.0
VEGA_LITE = "6.4"
UNDER_POINTER = "under pointer"
"""The layer of what is never seen and only hit, which pictures do without."""


def save_pictures(spec: dict[str, Any], paths: Iterable[Path]) -> None:
    """Saves a chart as the end of each name says, .svg or .png, which is drawn once for all."""
    drawn = svg(spec)
    for path in paths:
        path.write_bytes(_png(drawn) if path.suffix == ".png" else drawn.encode())


def svg(spec: dict[str, Any], background: str = "white") -> str:
    """A chart as SVG text."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(_drawn_on(background, spec), vl_version=VEGA_LITE))


def inline_svg(spec: dict[str, Any]) -> str:
    """A chart of a single panel as SVG text without a background, to stand in a page."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE))


def _png(drawn: str) -> bytes:
    """SVG text as PNG, at twice its size in pixels."""
    import vl_convert

    return bytes(vl_convert.svg_to_png(drawn, scale=PNG_SCALE))


def javascript() -> str:
    """Vega, Vega-Lite and Vega-Embed in one piece that needs no network.

    Bundling takes seconds, so it is kept in the user's cache for the next run; where that cannot be written, it is made
    each time.
    """
    kept = _cache() / f"vega-{metadata.version('vl-convert-python')}-{VEGA_LITE}.js"
    try:
        return kept.read_text(encoding="utf-8")
    except OSError:
        return _bundled(kept)


@contextlib.contextmanager
def bundling() -> Iterator[None]:
    """Sees to it meanwhile that `javascript` is in the cache when somebody waits for it."""
    thread = threading.Thread(target=javascript, name="bundling", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _bundled(kept: Path) -> str:
    import vl_convert

    text = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE))
    # A cache is a comfort: without it the next report takes as long as this one.
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        replace_file(kept, text.encode())
    return text


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(home) if home else Path.home() / ".cache") / "canary-harness"


def _drawn_on(background: str, spec: dict[str, Any]) -> str:
    """A chart that nobody points at: without tooltips, what is only hit, and words for each of thousands of bars."""
    config = {**spec.get("config", {}), "background": background, "padding": 8, "mark": {"aria": False}}
    panels = [{**panel, "layer": list(_still(panel))} for panel in spec["vconcat"]]
    return msgspec.json.encode({**spec, "vconcat": panels, "config": config, "params": []}).decode()


def _still(panel: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The layers of a panel that nobody zooms: slices lie in what is shown, and to clip each would take its time."""
    for layer in panel["layer"]:
        if layer.get("name") == UNDER_POINTER:
            continue
        encoding = {name: told for name, told in layer["encoding"].items() if name != "tooltip"}
        clip = layer.get("data", panel["data"])["name"] != "slices"
        yield {**layer, "encoding": encoding, "mark": {**layer["mark"], "tooltip": None, "clip": clip}}
