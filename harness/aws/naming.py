"""How tools name what belongs together, so that one name leads to another.

serverless-plugin-canary-deployments names a group `<stack>-<Key>LambdaFunctionDeploymentGroup`, cut to 100 characters,
for a function `<stack>-<key>`. CloudFormation generates `<stack>-<LogicalId>-<RANDOM>` for what a SAM template does not
name: there the group is `<Function>DeploymentGroup` and the alias `<Function>Alias<alias>`.
"""

import re
from collections.abc import Iterator

LONGEST_GROUP = 100
_GROUP = "DeploymentGroup"
_PLUGIN = "LambdaFunction"
_MADE_UP = re.compile(r"-[A-Z0-9]{10,16}$|-[A-Za-z0-9]{12}$")


def is_named_after(group: str, function: str) -> bool:
    """Whether a tool would give the group of this function this name."""
    own = _without_random(function)
    return (
        group in _plugin_groups(function)
        or group in (f"{function}{_GROUP}", f"{own}{_GROUP}")
        or (own != function and _without_random(group) == f"{own}{_GROUP}")
    )


def functions_for(group: str) -> tuple[str, ...]:
    """The names that the function of a group may have, the likeliest first; empty if no tool gives such a name."""
    stem, ending, _ = group.partition(_GROUP)
    if not ending:
        return ()
    stack, dash, key = stem.removesuffix(_PLUGIN).rpartition("-")
    plain = key.replace("Dash", "-").replace("Underscore", "_")
    names = [f"{stack}{dash}{word}" for word in (key, _lower_first(key), plain, _lower_first(plain))]
    return tuple(dict.fromkeys([*names, stem] if stem.endswith(_PLUGIN) else [stem, *names]))


def belong_together(group_id: str, alias_id: str) -> bool:
    """Whether these are the logical ids of a group and of the alias that it shifts, in one template."""
    function, ending, rest = group_id.partition(_GROUP)
    return bool(ending) and not rest and alias_id.startswith(f"{function}Alias")


def _plugin_groups(function: str) -> Iterator[str]:
    """The plugin's group names, for every place where the stack's name may end."""
    for dash in re.finditer("-", function):
        stack, key = function[: dash.start()], function[dash.end() :]
        normal = key.replace("-", "Dash").replace("_", "Underscore")
        yield f"{stack}-{normal[:1].upper()}{normal[1:]}{_PLUGIN}{_GROUP}"[:LONGEST_GROUP]


def _without_random(name: str) -> str:
    return _MADE_UP.sub("", name)


def _lower_first(word: str) -> str:
    return word[:1].lower() + word[1:]
