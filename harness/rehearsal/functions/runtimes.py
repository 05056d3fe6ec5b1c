"""What runs a function's code: this Python, or the Node that is installed and nearest to what its runtime asks for."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from msgspec import Struct

from harness.rehearsal.functions.records import NODE, Code

_HERE = Path(__file__)
_NODE_RUNTIME = re.compile(rf"{NODE}(\d+)\.x")
_PYTHON_RUNTIME = re.compile(r"python3\.\d+")
_VERSION = re.compile(r"v(\d+)\.\d+\.\d+")
_MANAGED = ("~/.nvm/versions/node/*/bin/node", "~/.local/share/fnm/node-versions/*/installation/bin/node")
"""Where version managers of Node put what they install."""
OF_AWS = "@aws-sdk"
"""The packages that AWS's Node brings, from nodejs18.x on (Lambda's developer guide, runtimes of Node)."""
_OF_AWS = re.compile(rf"Cannot find (?:module|package) '({OF_AWS}/[\w.-]+)")
_LOOK_S = 10.0


class Node(Struct, frozen=True):
    """A Node that is installed."""

    program: str
    version: str
    major: int


def unknown(runtime: str) -> str | None:
    """Why nothing here runs a runtime; None where something does."""
    if _PYTHON_RUNTIME.fullmatch(runtime):
        return None
    if not _NODE_RUNTIME.fullmatch(runtime):
        return f"this local cloud runs python3.x and nodejs20.x, and not {runtime}: give the service by its URL"
    if not nodes():
        return f"{runtime} needs Node, which is not installed here: install it, or give the service by its URL"
    return None


def not_as_asked(code: Code) -> str | None:
    """What to say of code that runs on another major of Node than its runtime asks for; None where it does not."""
    major = _major(code)
    if major is None or (node := _nearest(major)).major == major:
        return None
    return (
        f"{code.function} asks for {code.runtime} and runs on Node {node.version}, the nearest that is installed: what "
        f"it does there need not be what it does on AWS. Install Node {major} to rehearse it."
    )


def command(code: Code) -> Sequence[str]:
    """What starts an execution environment, before the number of its socket."""
    major = _major(code)
    if major is None:
        return (sys.executable, "-I", str(_HERE.with_name("runtime.py")))
    memory = f"--max-old-space-size={code.memory_mb}"
    return (_nearest(major).program, memory, str(_HERE.with_name("runtime.mjs")))


def execution_name(code: Code) -> str:
    """AWS_EXECUTION_ENV."""
    if _major(code) is not None:
        return f"AWS_Lambda_{code.runtime}"
    return f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}"


def library_path(code: Code) -> Mapping[str, str]:
    """Where Node looks for modules besides the function's own: in its layers, and for those that AWS's Node brings."""
    major = _major(code)
    if major is None:
        return {}
    folders = (root / "nodejs" / part for root in code.layers for part in ("node_modules", f"node{major}/node_modules"))
    layered = {"NODE_PATH": os.pathsep.join(map(str, folders))} if code.layers else {}
    brought = next((at for at in (Path.cwd(), *Path.cwd().parents) if (at / "node_modules" / OF_AWS).is_dir()), None)
    return {**layered, **({"CANARY_HARNESS_SDK": str(brought)} if brought else {})}


def how_to_bring(message: str) -> str:
    """What to do where code asks for a module that AWS's Node brings with it, and that is not here; else nothing."""
    missing = _OF_AWS.search(message)
    if missing is None:
        return ""
    return (
        f" AWS's Node brings {missing[1]} with it. Here it is taken from node_modules of the working directory, or of "
        f"a folder above: npm install {missing[1]}."
    )


def python_path(root: Path) -> Sequence[str]:
    """Where Python looks in a layer."""
    return [str(root / "python"), *map(str, root.glob("python/lib/python3.*/site-packages"))]


@cache
def nodes() -> Sequence[Node]:
    """Every Node that is installed, that of the PATH first."""
    found = (_asked(program) for program in dict.fromkeys(_programs()))
    return [node for node in found if node]


def _programs() -> Iterator[str]:
    for name in ("node", "nodejs", *(f"node{major}" for major in range(16, 31))):
        if program := shutil.which(name):
            yield program
    for pattern in _MANAGED:
        anchor = Path(pattern).expanduser()
        yield from map(str, Path(anchor.anchor).glob(str(anchor.relative_to(anchor.anchor))))


def _asked(program: str) -> Node | None:
    try:
        command = [program, "--version"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=_LOOK_S, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    version = _VERSION.fullmatch(told.stdout.strip())
    return Node(program, version[0].removeprefix("v"), int(version[1])) if version else None


def _nearest(major: int) -> Node:
    """The Node of a major, else the nearest, of two the newer."""
    return min(nodes(), key=lambda node: (abs(node.major - major), -node.major))


def _major(code: Code) -> int | None:
    asked = _NODE_RUNTIME.fullmatch(code.runtime or "")
    return int(asked[1]) if asked else None
