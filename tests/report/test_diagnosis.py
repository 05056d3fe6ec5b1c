"""The doctor's diagnosis as a person reads it."""

import io

import pytest
from msgspec.structs import replace
from rich.console import Console

from harness.core.arming import Check, CheckSeverity, Diagnosis
from harness.report.diagnosis import counts, show, subject


def check(name: str, severity: CheckSeverity, advice: str = "") -> Check:
    """A check."""
    return Check(id=name, severity=severity, seen=f"{name} was seen.", matters=f"{name} matters.", advice=advice)


def diagnosis(*checks: Check, exit_code: int = 0, alarms: tuple[str, ...] = ("errors",)) -> Diagnosis:
    """A diagnosis."""
    return Diagnosis(
        experiment="x",
        application="shop",
        group="live",
        function="fn",
        alias="Live",
        alarms=alarms,
        exit_code=exit_code,
        checks=checks,
    )


def printed(found: Diagnosis, width: int = 200, *, verbose: bool = True) -> str:
    """What stands on a terminal."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    show(found, console, verbose=verbose)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_the_worst_comes_first() -> None:
    """And the order of the questions is kept among equals."""
    text = printed(
        diagnosis(check("a", "ok"), check("b", "note"), check("c", "error"), check("d", "warning"), check("e", "error"))
    )
    places = [text.index(f"[{name}]") for name in "cedba"]
    assert places == sorted(places)


def test_what_is_wrong_says_why_it_matters_and_what_to_do() -> None:
    """What is well says neither."""
    text = printed(diagnosis(check("bad", "error", "Mend it."), check("good", "ok", "Leave it.")))
    assert "bad matters. Mend it." in text
    assert "good matters." not in text


def test_what_is_in_order_is_counted() -> None:
    """And named only for who asks; all that is not in order is told in any case."""
    found = diagnosis(check("a", "ok"), check("b", "note"), check("c", "ok"), check("d", "unknown"))
    text = printed(found, verbose=False)
    assert "2 checks are in order" in text
    assert "a was seen." not in text
    assert "b was seen." in text
    assert "d was seen." in text
    assert "in order" not in printed(found)
    assert "1 check is in order" in printed(diagnosis(check("a", "ok")), verbose=False)


def test_what_is_unknown_for_one_reason_is_told_once() -> None:
    """A missing alarm blinds a dozen questions; each is still named."""
    blind = [replace(check(name, "unknown"), seen="Not known: no alarm.") for name in ("a", "b")]
    text = printed(diagnosis(*blind, check("c", "unknown")))
    assert text.count("Not known: no alarm.") == 1
    assert "[a, b]" in text
    assert "c was seen. [c]" in text


@pytest.mark.parametrize(
    ("severities", "banner"),
    [
        ((), "ARMED"),
        (("ok", "note"), "ARMED"),
        (("note", "warning"), "ARMED, WITH WARNINGS"),
        (("warning", "unknown"), "NOT KNOWN WHETHER ARMED"),
        (("unknown", "error"), "NOT ARMED"),
    ],
)
def test_the_banner_says_whether_the_net_is_armed(severities: tuple[CheckSeverity, ...], banner: str) -> None:
    """By the worst of the checks."""
    text = printed(diagnosis(*(check(severity, severity) for severity in severities)))
    assert text.split("·")[0].strip() == banner


def test_checks_are_counted_from_the_worst() -> None:
    """Severities without any are left out."""
    found = diagnosis(check("a", "ok"), check("b", "ok"), check("c", "error"), check("d", "note"), check("e", "note"))
    assert counts(found) == "1 error, 2 notes, 2 ok"


def test_the_subject_is_one_line() -> None:
    """Application, group, function with alias, alarms."""
    assert subject(diagnosis()) == "shop · live · fn:Live · errors"


def test_foreign_names_cannot_rewrite_the_terminal() -> None:
    """Neither markup nor control characters."""
    text = printed(diagnosis(check("[red]x[/red]", "note"), alarms=("\x1b[2Jwiped",)))
    assert "[red]x[/red] was seen." in text
    assert "\x1b" not in text


def test_a_narrow_terminal_loses_nothing() -> None:
    """Long names are folded."""
    name = "n" * 100
    assert printed(diagnosis(check(name, "ok")), width=40).count("n") >= 200


def test_notes_of_one_kind_are_told_each_and_many_counted() -> None:
    """What differs is never hidden behind the first of its kind, but for the sixth note and those after it."""
    told = [replace(check("parameters", "note"), seen=f"{letter} is 1 here.") for letter in "abcdefg"]
    text = printed(diagnosis(*told), verbose=False)
    assert [letter for letter in "abcdefg" if f"{letter} is 1 here." in text] == [*"abcde"]
    assert "2 more of this kind; -v names them." in text
    assert "g is 1 here." in printed(diagnosis(*told))
    assert "b was wrong" in printed(diagnosis(check("a", "error"), replace(check("a", "error"), seen="b was wrong")))
