"""What a template says of a release, as one type, whatever tool wrote it; each value with its line.

Names that are only known when the stack is deployed stand in the texts as `${Name}`; see `names`.
"""

from collections.abc import Mapping
from typing import Generic, Literal, TypeVar

from msgspec import Struct

from harness.core.arming.diagnosis import CheckSeverity
from harness.core.experiment.types import FunctionCode
from harness.core.timeline.events import AlarmDefined, ConfigSeen
from harness.templates.missing import MissingName
from harness.templates.places import Places

Said = TypeVar("Said")


class Fact(Struct, Generic[Said], frozen=True):
    """One value, and the line that says it."""

    value: Said
    line: int


class TemplateAlarm(Struct, frozen=True, kw_only=True):
    """An alarm of the template; `lines` are those of its properties, by CloudFormation's names."""

    logical: str
    line: int
    defined: AlarmDefined
    lines: Mapping[str, int] = {}

    def line_of(self, prop: str) -> int:
        """The line of a property; the alarm's own where it has not got it."""
        return self.lines.get(prop, self.line)


class ReleasedFunction(Struct, frozen=True, kw_only=True):
    """A function whose alias CodeDeploy shifts, and the deployment group that guards it.

    `group` is None where the template has no such group. `version` is what a new version is called. `hooks` are
    functions by the event. `unclear` are the properties of the group that are not known here, with the reason.
    """

    logical: str
    line: int
    by: Literal["sam", "cloudformation"]
    function: str
    alias: Fact[str]
    version: str
    application: str
    group: Fact[str] | None
    config: Fact[str]
    alarms: tuple[Fact[str], ...] = ()
    alarms_line: int
    alarms_enabled: bool = True
    ignore_poll_failure: bool = False
    rollback_events: tuple[str, ...] = ()
    rollback_line: int
    hooks: Mapping[str, Fact[str]] = {}
    has_own_role: bool = False
    unclear: tuple[Fact[str], ...] = ()


class RunFunction(Struct, frozen=True, kw_only=True):
    """How one function of a template runs.

    `routes` are the methods and paths that it answers, `guarded` those whose requests something admits. `apis` are the
    dimensions, name and value, by which metrics count one of SAM's APIs that invoke it; `is_handed_2_0` says whether
    one of them hands it events of payload format 2.0. `code` is None where it cannot run here, for the reason
    `why_not`; `layers_elsewhere` are those of its layers that it would run without. A value may hold names that are
    not known yet.
    """

    logical: str
    line: int
    environment: Mapping[str, Fact[str]]
    timeout: Fact[str]
    memory: Fact[str]
    routes: tuple[Fact[tuple[str, str]], ...] = ()
    guarded: frozenset[tuple[str, str]] = frozenset()
    apis: frozenset[tuple[str, str]] = frozenset()
    is_handed_2_0: bool = False
    code: FunctionCode | None = None
    layers_elsewhere: tuple[Fact[str], ...] = ()
    why_not: str = ""


class Problem(Struct, frozen=True):
    """Something of the template itself that is to be told: an `id` as checks have, and one sentence.

    `function` is the logical id of the function that it is about, if of one alone.
    """

    id: str
    severity: CheckSeverity
    text: str
    advice: str
    line: int
    function: str = ""

    @property
    def disarms(self) -> bool:
        """Whether no function is armed of which this is said."""
        return self.severity in ("error", "unknown")


class TemplateRelease(Struct, frozen=True, kw_only=True):
    """All that a template says of releases.

    `unguarded` are the functions without a gradual release, but for those of which that is not known. `functions` are
    the names of all, and `called` their logical ids by what their tool calls them. `runs` is how they run, by their
    names, where that was asked for. `open_names` are those that may turn out as anything, `asked` why. `places` has the
    files.
    """

    file: str
    places: Places
    released: tuple[ReleasedFunction, ...]
    unguarded: Mapping[str, Fact[str]] = {}
    functions: tuple[str, ...] = ()
    called: Mapping[str, str] = {}
    alarms: tuple[TemplateAlarm, ...] = ()
    configs: Mapping[str, ConfigSeen] = {}
    problems: tuple[Problem, ...] = ()
    defaults: Mapping[str, Fact[str]] = {}
    runs: Mapping[str, RunFunction] = {}
    open_names: frozenset[str] = frozenset()
    asked: Mapping[str, MissingName] = {}

    def meant(self, word: str | None) -> str | None:
        """The logical id of the function that its tool calls so; any other word is itself."""
        return self.called.get(word, word) if word else word

    def place(self, line: int) -> str:
        """File and line, as a person reads them."""
        file, own = self.places.of(line)
        return f"{file}:{own}"
