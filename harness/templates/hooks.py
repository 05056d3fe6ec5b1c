"""Whether the hooks of a release can report to CodeDeploy: by what their role allows, and by what their code says.

A hook that does not report is waited for an hour, and fails the deployment. What cannot be read here is not judged.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from harness.errors import TemplateError
from harness.templates.cloudformation import bare_function
from harness.templates.layers import local_path
from harness.templates.names import names_in
from harness.templates.release import Problem, ReleasedFunction
from harness.templates.resolver import Resolver
from harness.templates.sam import FUNCTION, merged
from harness.templates.sections import Properties
from harness.templates.values import Value

REPORT = "codedeploy:PutLifecycleEventHookExecutionStatus"
_ENOUGH = ("AdministratorAccess", "AWSCodeDeployFullAccess", "PowerUserAccess")
"""Managed policies of AWS that allow a hook to report."""
_OF_AWS = re.compile(r"arn:(?:\$\{[^}]*\}|[^:]+):iam::aws:policy/(?:.*/)?([^/]+)")
_PLAIN_POLICY = re.compile(r"[A-Za-z0-9_+=,.@-]+")
_ATTACHED = ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::RolePolicy")
_REPORTS = re.compile(r"put_?lifecycle_?event_?hook_?execution_?status", re.IGNORECASE)
_SUFFIXES = (".py", ".js", ".mjs", ".cjs", ".ts", ".mts")
_MOST_FILES, _MOST_BYTES = 200, 2_000_000
_NOT_ALLOWED = (
    "The role of the hook {} does not allow it to report: CodeDeploy waits an hour, and fails the deployment."
)
_SAYS_NOTHING = (
    "{} reports nothing, as far as its own code says: it speaks nowhere of PutLifecycleEventHookExecutionStatus. "
    "CodeDeploy waits an hour for a hook, and fails the deployment."
)


def silent_hooks(
    resolver: Resolver, released: Iterable[ReleasedFunction], common: Value | None, template: Path
) -> Iterator[Problem]:
    """One problem for each hook that may not report, or does not, as far as that can be read here."""
    folder = template if template.is_dir() else template.parent
    by_name = {resolver.reference(key, one.line).text(): one for key, one in resolver.resources.items() if _runs(one)}
    for one in released:
        for fact in {fact.value: fact for fact in one.hooks.values()}.values():
            resource = by_name.get(bare_function(fact.value))
            if resource is None:
                continue
            properties = _properties(resolver, resource, common)
            if _may_report(resolver, resource, properties) is False:
                advice = f"Allow {REPORT}."
                yield Problem("hooks", "error", _NOT_ALLOWED.format(fact.value), advice, resource.line, one.logical)
            if _says_it_reports(properties, resource, folder) is False:
                advice = "Have it report Succeeded or Failed."
                yield Problem("hooks", "warning", _SAYS_NOTHING.format(fact.value), advice, resource.line, one.logical)


def _runs(resource: Value) -> bool:
    kind = resource.get("Type")
    return kind is not None and kind.text() in (FUNCTION, "AWS::Lambda::Function")


def _properties(resolver: Resolver, resource: Value, common: Value | None) -> Properties:
    own = resource.get("Properties") or Value({}, resource.line)
    is_of_sam = (resource.get("Type") or own).text() == FUNCTION
    return Properties(resolver, merged(common, own) if common and is_of_sam else own)


# What its role allows


def _may_report(resolver: Resolver, resource: Value, properties: Properties) -> bool | None:
    """Whether the hook's role allows it to report; None where the template does not say all of it."""
    kind = resource.get("Type")
    try:
        if properties.has("Role"):
            return _allows(resolver, [*_of_role(resolver, properties.text("Role").value)])
        if kind is None or kind.text() != FUNCTION:
            return None
        return _allows(resolver, [*_each(_read(resolver, properties.value, "Policies"))])
    except TemplateError:
        return None


def _of_role(resolver: Resolver, role: str) -> Iterator[Value | None]:
    """All policies of a role of the template; None for what is not said here."""
    logical = next((name.removesuffix(".Arn") for name in names_in(role)), "")
    resource = resolver.resources.get(logical)
    if resource is None:
        yield None
        return
    says = resource.get("Properties") or Value({}, 0)
    yield from _each(_read(resolver, says, "Policies"))
    yield from _each(_read(resolver, says, "ManagedPolicyArns"))
    for other in resolver.resources.values():
        kind, own = other.get("Type"), other.get("Properties") or Value({}, 0)
        if kind and kind.text() in _ATTACHED:
            named = (_read(resolver, own, key) for key in ("Roles", "RoleName"))
            if any(logical in names_in(text) for value in named for text in _texts(value)):
                yield resolver.value(own)


def _read(resolver: Resolver, says: Value, key: str) -> Value:
    return resolver.value(says.get(key) or Value((), 0))


def _each(value: Value) -> Iterator[Value]:
    yield from value.parts() if isinstance(value.content, tuple) else (value,)


def _texts(value: Value) -> Iterator[str]:
    for part in (*(part for _, part in value.items()), *value.parts()):
        yield from _texts(part)
    if isinstance(value.content, str):
        yield value.content


def _allows(resolver: Resolver, policies: Iterable[Value | None]) -> bool | None:
    """Whether one of the policies allows it; None where none does, and one of them cannot be read."""
    answers = [_policy_allows(resolver, policy) if policy else None for policy in policies]
    return True if True in answers else None if None in answers else False


def _policy_allows(resolver: Resolver, policy: Value) -> bool | None:
    if isinstance(policy.content, str):
        return _managed_allows(resolver, policy.content)
    document = policy.get("PolicyDocument") or policy
    if document.get("Statement") is None:
        return None if names_in(document.text()) else False  # a policy template of SAM: none of them is for this
    answers = [_statement_allows(one) for one in _each(document.get("Statement") or Value((), 0))]
    return True if True in answers else None if None in answers else False


def _managed_allows(resolver: Resolver, text: str) -> bool | None:
    named = _OF_AWS.fullmatch(text)
    name = named[1] if named else text
    if named or _PLAIN_POLICY.fullmatch(text):
        return name in _ENOUGH
    resource = resolver.resources.get(next(iter(names_in(text)), ""))
    document = (resource.get("Properties") or resource).get("PolicyDocument") if resource else None
    return _policy_allows(resolver, resolver.value(document)) if document else None


def _statement_allows(statement: Value) -> bool | None:
    if (statement.get("Effect") or statement).text() != "Allow":
        return False
    if statement.get("NotAction"):
        return None
    actions = [part.text() for part in _each(statement.get("Action") or Value((), 0))]
    if any(fnmatchcase(REPORT.lower(), action.lower()) for action in actions):
        return True
    return None if any(map(names_in, actions)) else False


# What its code says


def _says_it_reports(properties: Properties, resource: Value, folder: Path) -> bool | None:
    """Whether the handler's file, or one beside it that it names, speaks of reporting; None where that is not here."""
    inline = properties.text("InlineCode").value or properties.part("Code").text("ZipFile").value
    if inline:
        return _REPORTS.search(inline) is not None
    path = local_path(properties, resource)
    if path is None or names_in(path) or not (folder / path).is_dir():
        return None
    module = properties.text("Handler").value.rpartition(".")[0]
    texts = _sources(folder / path)
    own = next((texts[name] for name in _files_of(module) if name in texts), None)
    if own is None:
        return None
    named = (text for name, text in texts.items() if Path(name).stem in own)
    return _REPORTS.search(own) is not None or any(map(_REPORTS.search, named))


def _files_of(module: str) -> Iterator[str]:
    yield from (f"{stem}{suffix}" for stem in (module, module.replace(".", "/")) for suffix in _SUFFIXES)


def _sources(folder: Path) -> Mapping[str, str]:
    """The files of code in a folder, but for packages; none where there are more than anybody writes."""
    found: dict[str, str] = {}
    left = _MOST_BYTES
    for path in sorted(folder.rglob("*")):
        if path.suffix not in _SUFFIXES or "node_modules" in path.parts or not path.is_file():
            continue
        left -= path.stat().st_size
        if len(found) == _MOST_FILES or left < 0:
            return {}
        found[str(path.relative_to(folder))] = path.read_text(encoding="utf-8", errors="replace")
    return found
