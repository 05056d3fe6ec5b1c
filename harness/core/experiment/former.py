"""Keys that experiments had before requests were data: what replaces each, and how run folders of then are read."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.core.experiment.shape import Problems
from harness.errors import ExperimentError

FORMER_SHARE = "client_version_share"
"""The second kind of fault that was a share of all requests; timelines of then still tell of it."""
_TRAFFIC = {
    "personas": "is gone: give the customers as rows of traffic.feed, and use them in traffic.requests as {{column}}",
    "client_versions": "is gone: give them in the headers of traffic.requests, or as a column of traffic.feed",
    "endpoints": "is gone: say in traffic.requests what is sent, each request with its weight",
}
_GROUP = "is now called requests, and lists names of traffic.requests"
_FAULT = "is gone: ask for an error_share, and say in traffic.fault what makes a request fail"


def about_former_keys(tree: Any) -> Problems:
    """A sentence for each key that is gone, with what replaces it."""
    for path, key, part in _parts(tree):
        for name, sentence in _sentences(key).items():
            if name in part:
                yield ExperimentError(f"{path}.{name}", sentence)


def upgraded(tree: Any) -> Any:
    """The experiment of an old run folder with the keys of now: who sent what was recorded, and is judged by that."""
    if not isinstance(tree, Mapping):
        return tree
    new = dict(tree)
    if isinstance(new.get("traffic"), Mapping):
        new["traffic"] = {name: value for name, value in new["traffic"].items() if name not in _TRAFFIC}
    if isinstance(new.get("deployment"), Mapping):
        new["deployment"] = _upgraded_group(new["deployment"])
    for name, change in (("also", _upgraded_group), ("faults", _upgraded_fault)):
        if isinstance(new.get(name), list):
            new[name] = [change(part) if isinstance(part, Mapping) else part for part in new[name]]
    return new


def _upgraded_group(group: Mapping[str, Any]) -> dict[str, Any]:
    return {"requests" if name == "endpoints" else name: value for name, value in group.items()}


def _upgraded_fault(fault: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in fault.items() if name != FORMER_SHARE}
    share = fault.get(FORMER_SHARE)
    return kept if share is None else {**kept, "error_share": share}


def _parts(tree: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Path, kind and content of the parts that had such keys."""
    if not isinstance(tree, Mapping):
        return
    for key in ("traffic", "deployment"):
        if isinstance(tree.get(key), Mapping):
            yield key, key, tree[key]
    for key in ("also", "faults"):
        parts = tree.get(key)
        for index, part in enumerate(parts if isinstance(parts, list) else ()):
            if isinstance(part, Mapping):
                yield f"{key}[{index}]", key, part


def _sentences(key: str) -> Mapping[str, str]:
    return {"traffic": _TRAFFIC, "faults": {FORMER_SHARE: _FAULT}}.get(key, {"endpoints": _GROUP})
