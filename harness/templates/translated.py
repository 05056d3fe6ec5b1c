"""A release in another language than CloudFormation's, as the template of CloudFormation that its tool makes of it."""

from collections.abc import Mapping

from msgspec import Struct

from harness.templates.release import Fact, Problem
from harness.templates.values import Value


class Translated(Struct, frozen=True, kw_only=True):
    """The template, what is to be told besides, and the defaults and names that were used to make it.

    `called` are the logical ids of functions by what the file calls them. `invokes_aliases` is whether the tool has all
    events of a released function invoke its alias.
    """

    template: Value
    problems: tuple[Problem, ...] = ()
    defaults: Mapping[str, Fact[str]] = {}
    used: frozenset[str] = frozenset()
    called: Mapping[str, str] = {}
    invokes_aliases: bool = False
