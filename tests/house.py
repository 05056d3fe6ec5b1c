"""Prints the numbers of the house: `python -m tests.house [TREE]`, another checkout's to hold them against.

The modules on the way are those that a request passes from the user who sends it to the report that shows it.
Imports cannot tell them, because a record goes through queues and a file: WAY is written by hand, and a test checks
that each module of it exists. In another tree the same modules may have other places; those missing there are named.
"""

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parent.parent
WAY = (
    "plugin/users.py",  # a user's turn
    "plugin/crew.py",  # the users of one process share its traffic
    "traffic/engine.py",  # when to send
    "traffic/choosing.py",  # what, and as whom
    "traffic/sender.py",  # waits for the answer, and counts it
    "traffic/client/client.py",  # a connection for it
    "traffic/client/connection.py",  # bytes out, bytes in
    "traffic/recorder.py",  # added up by the second
    "plugin/worker.py",  # sent to the master
    "plugin/master.py",
    "run/recording.py",  # a line of the timeline
    "core/timeline/events.py",  # written and read again
    "core/timeline/condense.py",
    "core/verdict/evidence.py",
    "core/verdict/measure.py",
    "core/verdict/judge.py",
    "report/judging.py",
    "report/page.py",
    "report/finish.py",
)
Modules = Mapping[Path, ast.Module]


def main(tree: Path) -> None:
    """Prints all numbers of a tree."""
    house = tree / "harness"
    sources = {path.relative_to(house): path.read_text() for path in sorted(house.rglob("*.py"))}
    modules = {path: ast.parse(source) for path, source in sources.items()}
    lines = Counter[str]()
    for path, source in sources.items():
        lines[path.parts[0] if len(path.parts) > 1 else "(top)"] += source.count("\n")
    imports = imports_of(tree)
    chain = longest_chain(imports)
    length, longest = max(classes(modules))
    doubles = doubled_names(modules)
    print(f"modules               {len(modules)}")  # noqa: T201 - it is what the script is for
    print(f"lines in harness      {lines.total()}")  # noqa: T201
    for package, count in sorted(lines.items()):
        print(f"  {package:<19} {count}")  # noqa: T201
    print(f"class names doubled   {len(doubles)}")  # noqa: T201
    for name, places in doubles.items():
        print(f"  {name:<19} {', '.join(places)}")  # noqa: T201
    print(f"import cycles         {len(cycles(imports))}")  # noqa: T201
    for ring in cycles(imports):
        print(f"  {' '.join(ring)}")  # noqa: T201
    print(f"longest import chain  {len(chain)}: {' > '.join(chain)}")  # noqa: T201
    print(f"longest class         {length} lines: {longest}")  # noqa: T201
    print(f"modules on the way    {way(modules)}")  # noqa: T201


def classes(modules: Modules) -> Iterator[tuple[int, str]]:
    """The lines of each class, and its name with its module's."""
    for path, module in modules.items():
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                yield (node.end_lineno or 0) - node.lineno + 1, f"{path.with_suffix('')}.{node.name}"


def doubled_names(modules: Modules) -> dict[str, list[str]]:
    """Public names of classes that more than one module defines, and these."""
    homes: dict[str, set[str]] = defaultdict(set)
    for _, full_name in classes(modules):
        module, _, name = full_name.rpartition(".")
        homes[name].add(module)
    return {name: sorted(places) for name, places in sorted(homes.items()) if len(places) > 1 and name[0] != "_"}


Imports = Mapping[str, Collection[str]]


def imports_of(tree: Path) -> Imports:
    """The modules that each module imports; imports for types alone do not count."""
    sys.path.insert(0, str(tree))
    graph = grimp.build_graph("harness", exclude_type_checking_imports=True, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in sorted(graph.modules)}


def cycles(imports: Imports) -> list[tuple[str, ...]]:
    """Modules that import one another, however far round; each ring once."""
    below = {module: _below(module, imports) for module in imports}
    rings = {tuple(sorted(each for each in below[module] if module in below[each])) for module in imports}
    return sorted(ring for ring in rings if ring)


def _below(module: str, imports: Imports) -> set[str]:
    found, waiting = set[str](), [module]
    while waiting:
        new = set(imports[waiting.pop()]) - found
        found |= new
        waiting += new
    return found


def longest_chain(imports: Imports) -> list[str]:
    """The longest chain of modules that import one another, from the top; what is in a cycle is left out."""
    tangled = {module for ring in cycles(imports) for module in ring}

    @cache
    def chain(module: str) -> tuple[str, ...]:
        return module, *max(
            (chain(each) for each in sorted(imports[module]) if each not in tangled), key=len, default=()
        )

    return [name.removeprefix("harness.") for name in max(map(chain, imports), key=len)]


def way(modules: Modules) -> str:
    """How many modules are on the way, and those that this tree does not have."""
    missing = [place for place in WAY if Path(place) not in modules]
    return f"{len(WAY)}{', but not here: ' if missing else ''}{', '.join(missing)}"


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
