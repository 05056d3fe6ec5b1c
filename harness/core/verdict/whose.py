"""Which deployment group of a run answered a request.

Two functions may both have a version 2. So where a run watches several groups, the number of a version names nobody. A
request is a group's if that group alone claims it (`requests`), if its answer names the group's function (`orders:7`),
or if only this one of all groups that claim it ever had the version that the answer names. Of any other request it is
unclear: it proves neither harm nor health of anybody.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from harness.core.experiment.group_names import name_of
from harness.core.experiment.types import Deployment, Experiment
from harness.core.timeline.events import AliasSeen, Beside, Event, TargetSeen

LOOK_AGE_S = 15.0
"""A look is made each 5 s: for so long after the last one, an alias still has the versions that it showed."""
Belongs = Literal["own", "unclear", "other"]
"""Whether a group answered a request: it did, it may have, or another one did."""


class Claim(Struct, frozen=True):
    """What is known of a deployment group: the requests that it answers, its functions, and their versions so far.

    A group that names no requests claims all but those that other groups name (`left_out`). `seen_s` is when the last
    look at its versions was asked for.
    """

    requests: frozenset[str]
    left_out: frozenset[str]
    functions: frozenset[str]
    versions: frozenset[str]
    seen_s: float = -math.inf

    def covers(self, endpoint: str) -> bool:
        """Whether the group may answer a request of this name."""
        return endpoint in self.requests if self.requests else endpoint not in self.left_out

    def may_run(self, function: str) -> bool:
        """Whether a function may be the group's: no other one may be, once its own is known."""
        return not self.functions or function in self.functions


class Whose(Struct, frozen=True):
    """One group's claim beside those of the other groups of the run."""

    mine: Claim
    others: tuple[Claim, ...] = ()

    @property
    def known_s(self) -> float:
        """Until when the versions of all groups are known: any may have deployed since the last look at it."""
        return min(one.seen_s for one in (self.mine, *self.others)) + LOOK_AGE_S if self.others else math.inf

    def of(self, endpoint: str, version: str | None, *, late: bool = False) -> tuple[Belongs, str | None]:
        """Whether the group answered such a request, and with which version; None where that is not known.

        `late` is a request after `known_s`.
        """
        function, number = _named(version)
        if not self.others:
            is_own = function in self.mine.functions
            return ("own" if self.mine.covers(endpoint) else "other"), number if is_own else version
        able = [one for one in (self.mine, *self.others) if one.covers(endpoint)]
        if function:
            able = [one for one in able if one.may_run(function)]
        if not any(one is self.mine for one in able):
            return "other", None
        return ("own", number) if len(able) == 1 else self._by_version([] if late else able, number)

    def contested(self, endpoint: str) -> bool:
        """Whether another group may answer requests of this name, too."""
        return self.mine.covers(endpoint) and any(one.covers(endpoint) for one in self.others)

    def _by_version(self, able: Sequence[Claim], number: str | None) -> tuple[Belongs, str | None]:
        # A group whose versions nobody saw, or saw long ago, may have any.
        holders = [one for one in able if number in one.versions] if all(one.versions for one in able) else []
        if len(holders) == 1 and holders[0] is self.mine:
            return "own", number
        is_others = holders and not any(one is self.mine for one in holders)
        return ("other" if is_others else "unclear"), None


def whose_of(experiment: Experiment, events: Iterable[Event]) -> tuple[Whose, ...]:
    """Whose requests are, as each group of the run sees it, the first group first."""
    looks: defaultdict[str | None, list[AliasSeen | TargetSeen]] = defaultdict(list)
    for event in events:
        group, seen = (event.group, event.seen) if isinstance(event, Beside) else (None, event)
        if isinstance(seen, AliasSeen | TargetSeen):
            looks[group].append(seen)
    further = ((name_of(also, index), also) for index, also in enumerate(experiment.also))
    groups: list[tuple[str | None, Deployment]] = [(None, experiment.deployment), *further]
    named = frozenset(request for _, deployment in groups for request in deployment.requests)
    claims = [_claim(deployment, named, looks[name]) for name, deployment in groups]
    return tuple(Whose(mine, tuple(one for one in claims if one is not mine)) for mine in claims)


def _claim(deployment: Deployment, named: frozenset[str], looks: Sequence[AliasSeen | TargetSeen]) -> Claim:
    functions = {deployment.function, *(seen.function for seen in looks)}
    return Claim(
        requests=frozenset(deployment.requests),
        left_out=named,
        functions=frozenset(bare(function) for function in functions if function),
        versions=frozenset(version for seen in looks for version in _versions(seen)),
        seen_s=max((seen.asked_s for seen in looks), default=-math.inf),
    )


def _versions(seen: AliasSeen | TargetSeen) -> Iterator[str]:
    if isinstance(seen, AliasSeen):
        yield from (seen.version, *seen.weights)
    else:
        yield from (version for version in (seen.current_version, seen.target_version) if version)


def _named(version: str | None) -> tuple[str | None, str | None]:
    """The function that an answer names, if it does, and the number of the version."""
    head, colon, number = (version or "").rpartition(":")
    if not colon:
        return None, version
    is_version = number.isdecimal() or number == "$LATEST"
    return bare(head), number if is_version else None  # an ARN may end with an alias, which is any of its versions


def bare(name: str) -> str:
    """The name of a function or an alarm, of which an ARN may be known."""
    return name.rpartition(":")[2] if name.startswith("arn:") else name
