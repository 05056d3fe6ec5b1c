"""Resources that need each other in a circle, which CloudFormation refuses."""

from collections.abc import Iterator, Mapping

from harness.templates.intrinsics import references
from harness.templates.values import Value

_OF_OTHERS = ("DeploymentPreference", "Events")


def circles(resources: Mapping[str, Value]) -> Iterator[tuple[str, ...]]:
    """One circle for each set of resources that need each other, with its first resource at both ends."""
    needed = {key: [name for name in dict.fromkeys(_needs(one)) if name in resources] for key, one in resources.items()}
    done: set[str] = set()
    for logical in resources:
        found = _circle_from(logical, needed, done)
        if found:
            yield found


def _circle_from(start: str, needed: Mapping[str, list[str]], done: set[str]) -> tuple[str, ...] | None:
    """The first circle that is met on the way from a resource; all that was visited is done."""
    if start in done:
        return None
    path, ways = [start], [iter(needed[start])]
    while path:
        following = next(ways[-1], None)
        if following is None:
            done.add(path.pop())
            ways.pop()
        elif following in path:
            done.update(path)
            return (*path[path.index(following) :], following)
        elif following not in done:
            path.append(following)
            ways.append(iter(needed[following]))
    return None


def _needs(resource: Value) -> Iterator[str]:
    """What a resource refers to. What SAM gives to resources that it makes itself is left out."""
    for key, value in resource.items():
        if key == "DependsOn":
            yield from (part.text() for part in value.parts() or (value,))
        elif key == "Properties":
            own = {name: part for name, part in value.items() if name not in _OF_OTHERS}
            yield from references(Value(own, value.line))
