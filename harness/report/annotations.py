"""The doctor's findings in a template as annotations of a pull request: what GitHub, SARIF readers and GitLab take.

Sources: GitHub's workflow commands; the OASIS standard SARIF 2.1.0; GitLab's code quality report format.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from harness.core.arming import Check, CheckSeverity
from harness.core.arming.diagnosis import SEVERITIES
from harness.core.version import __version__
from harness.errors import TemplateError
from harness.report import facts
from harness.templates import TemplateDiagnosis

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_GITHUB: Mapping[CheckSeverity, str] = {
    "error": "error",
    "unknown": "warning",
    "warning": "warning",
    "note": "notice",
}
_SARIF: Mapping[CheckSeverity, str] = {"error": "error", "unknown": "warning", "warning": "warning", "note": "note"}
_GITLAB: Mapping[CheckSeverity, str] = {"error": "critical", "unknown": "major", "warning": "minor", "note": "info"}


def github(diagnosis: TemplateDiagnosis) -> str:
    """Commands that a step prints, one a line; the worst first, since GitHub shows ten of a kind."""
    return "\n".join(_command(function, check) for function, check in _found(diagnosis))


def _command(function: str, check: Check) -> str:
    title = f"{check.id} of {function}" if function else check.id
    where = f"file={_property(_path(check))},line={_line(check)},title={_property(title)}"
    return f"::{_GITHUB[check.severity]} {where}::{_escaped(_text(check))}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def sarif(diagnosis: TemplateDiagnosis) -> str:
    """One document of SARIF 2.1.0, as GitHub's code scanning and editors read it."""
    found = [*_found(diagnosis)]
    rules = {check.id: check for _, check in found}
    driver = {
        "name": "canary-harness doctor",
        "version": __version__,
        "rules": [_rule(check) for check in rules.values()],
    }
    results = [_result(function, check, [*rules].index(check.id)) for function, check in found]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(check: Check) -> dict[str, object]:
    rule: dict[str, object] = {"id": check.id}
    return {**rule, "shortDescription": {"text": check.matters}} if check.matters else rule


def _result(function: str, check: Check, rule: int) -> dict[str, object]:
    place = {"artifactLocation": {"uri": _path(check)}, "region": {"startLine": _line(check)}}
    return {
        "ruleId": check.id,
        "ruleIndex": rule,
        "level": _SARIF[check.severity],
        "message": {"text": _text(check)},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"check/v1": _fingerprint(function, check)},
    }


def gitlab(diagnosis: TemplateDiagnosis) -> str:
    """One code quality report of GitLab."""
    return json.dumps([_quality(function, check) for function, check in _found(diagnosis)], indent=2)


def _quality(function: str, check: Check) -> dict[str, object]:
    return {
        "description": _text(check),
        "check_name": check.id,
        "fingerprint": _fingerprint(function, check),
        "severity": _GITLAB[check.severity],
        "location": {"path": _path(check), "lines": {"begin": _line(check)}},
    }


def refused(error: TemplateError) -> TemplateDiagnosis:
    """A template that cannot be read, as a finding on its line."""
    check = Check(id="template", severity="error", seen=str(error), matters="", file=error.file, line=error.line)
    return TemplateDiagnosis(template=error.file, exit_code=error.exit_code, checks=(check,), diagnoses=())


FORMATS: Mapping[str, Callable[[TemplateDiagnosis], str]] = {"github": github, "gitlab": gitlab, "sarif": sarif}
"""Each kind of annotations by its name on the command line."""


def _found(diagnosis: TemplateDiagnosis) -> Iterator[tuple[str, Check]]:
    """All that is not well, each with the function that it is about; the worst first."""
    every = [("", check) for check in diagnosis.checks]
    every += [(one.function or "", check) for one in diagnosis.diagnoses for check in one.checks]
    placed = [(function, check if check.file else replace(check, file=diagnosis.template)) for function, check in every]
    found = [(function, check) for function, check in placed if check.severity != "ok"]
    yield from sorted(found, key=lambda pair: -SEVERITIES.index(pair[1].severity))


def _text(check: Check) -> str:
    before = "Not known whether this is armed. " if check.severity == "unknown" else ""
    return facts.plain(" ".join(part for part in (before + check.seen, check.matters, check.advice) if part))


def _path(check: Check) -> str:
    """The file from the working directory, which is the repository's root in a pipeline."""
    path = Path(check.file or "")
    own = path.resolve()
    return own.relative_to(Path.cwd()).as_posix() if own.is_relative_to(Path.cwd()) else path.as_posix()


def _line(check: Check) -> int:
    return max(check.line or 1, 1)


def _fingerprint(function: str, check: Check) -> str:
    """What makes a finding the same one in the next commit: its line does not, which moves."""
    whole = "\0".join((function, check.id, check.seen, check.file or ""))
    return hashlib.sha256(whole.encode()).hexdigest()
