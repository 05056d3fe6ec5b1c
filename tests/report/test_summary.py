import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from harness.core.experiment.types import Call, Outcome
from harness.core.timeline.bounds import Shift
from harness.core.verdict.types import Criterion, DeploymentFacts, Detection, Finding, GroupFacts, LatencyFacts, Verdict
from harness.report import facts
from harness.report.junit import cases, junit
from harness.report.markdown import markdown
from harness.report.picture import picture

Show = Callable[..., str]
HOSTILE = "\x1b[2J[red]boo[/red] | <script>alert(1)</script> `x` [a](http://evil)\nsecond line # not a heading"


def hostile(verdict: Verdict) -> Verdict:
    """The same verdict with text that tries to be more than text."""
    return replace(
        verdict,
        because=(HOSTILE,),
        deployment=replace(verdict.deployment, config=HOSTILE, error_code=HOSTILE),
        findings=(Finding(id="x", severity="error", text=HOSTILE),),
        criteria=(Criterion(name=HOSTILE, limit=1.0, value=2.0, met=False),),
    )


def crowded(verdict: Verdict) -> Verdict:
    """The same verdict with more reasons, findings and criteria than a page holds."""
    return replace(
        verdict,
        because=tuple(f"Reason {index}." for index in range(40)),
        findings=tuple(Finding(id=f"f{index}", severity="note", text="Text.") for index in range(40)),
        criteria=tuple(Criterion(name=f"c{index}", limit=1.0, value=0.0, met=index != 39) for index in range(40)),
    )


def test_outcome_is_the_first_thing_printed(caught: Verdict, shown: Show) -> None:
    """At three in the morning one line is enough."""
    assert shown(caught).strip().splitlines()[0].strip() == "ROLLED BACK · caught · as expected (exit 0)"


def test_result_contrary_says_what_was_expected(caught: Verdict) -> None:
    """A contrary outcome names the other one."""
    verdict = replace(caught, expected=Outcome.PROMOTED, result="contrary", exit_code=3)
    assert facts.headline(verdict) == "ROLLED BACK · caught · contrary, promoted was expected (exit 3)"


def test_no_expectation_is_not_called_fulfilled(caught: Verdict, shown: Show) -> None:
    """Where nothing was expected, nothing is as expected."""
    verdict = replace(caught, expected=None, expected_call=None, has_expectation=False)
    told = (facts.headline(verdict), " ".join(facts.run(verdict)), markdown(verdict), shown(verdict))
    assert all("nothing expected" in text and "as expected" not in text for text in told)
    assert "as_expected" not in junit(verdict)


def test_group_of_which_nothing_was_expected_says_so(caught: Verdict) -> None:
    """In its row of the table, and as a test case."""
    group = GroupFacts(outcome=caught.outcome, call=caught.call, result="as_expected", exit_code=0)
    verdict = replace(caught, groups={"group": replace(group, has_expectation=False)})
    assert "nothing expected" in facts.groups(verdict)[0]
    assert "as expected" not in " ".join(case.said for case in cases(verdict)[1:])


def test_persona_is_no_person(caught: Verdict, shown: Show) -> None:
    """A persona, or a row of a feed, is a simulated user, and every report says so."""
    assert "1 simulated user," in " ".join(shown(caught).split())
    assert "1 simulated user," in markdown(caught)
    assert "not people" in facts.USERS_HIT


def test_stopped_without_rollback_is_not_taken_for_one(caught: Verdict) -> None:
    """A stopped deployment that left the alias split says so in the headline."""
    assert "NOT ROLLED BACK" in facts.headline(replace(caught, outcome=Outcome.STOPPED))


@pytest.mark.parametrize(
    "said",
    [
        "d-ABCDEFGHI",
        "ALARM_ACTIVE",
        "rolled back by d-JKLMNOPQR",
        "All traffic was back on version 1 after 129 s.",
        "118.0 s",
        "124.0–129.0 s",
        "6.0–11.0 s",
        "time to roll back 125.5–130.5 s",
        "12,200",
        "143",
        "5 % (4.1–6 %)",
        "8.02",
        "blast radius 1.2 %",
        "13 from the canary (10 %)",
        "version by response header",
        "schedule_lag_p99_s",
        "The alarm counts errors of all versions",
        "alarm-covers-all-versions",
    ],
)
def test_terminal_and_markdown_tell_the_same_facts(said: str, caught: Verdict, shown: Show) -> None:
    """Both reports hold every fact."""
    assert said in " ".join(shown(caught, verbose=True).split())
    assert said in markdown(caught).replace("\\", "")


def test_path_of_the_run_folder_is_printed(caught: Verdict, shown: Show) -> None:
    """The summary ends with where the rest is."""
    assert shown(caught).strip().endswith("Report: reports/erroruser/20260131T235959Z/report.html")


def test_unmeasured_value_is_a_dash_and_never_zero(caught: Verdict, shown: Show) -> None:
    """What nobody measured is not shown as nought."""
    (row,) = [line for line in shown(caught, verbose=True).splitlines() if line.startswith("canary")]
    assert row.split()[-2:] == ["–", "–"]


def test_run_without_numbers_has_no_tables(unmeasured: Verdict, shown: Show) -> None:
    """In sentences, not in tables of dashes, and in each way to print it."""
    for text in (shown(unmeasured), shown(unmeasured, verbose=True)):
        assert "–" not in text
        assert "No step of a detection was seen: no deployment was seen." in text
        assert "Nobody can say who got hurt" in text


def test_summary_is_the_verdict_and_what_is_wrong(caught: Verdict, shown: Show) -> None:
    """Requests, arms and a criterion that is met are told by `-v` alone; one that is not met always is."""
    missed = Criterion(name="error_share", limit=0.05, value=0.07, met=False)
    verdict = replace(caught, criteria=(*caught.criteria, missed))
    short, whole = shown(verdict), shown(verdict, verbose=True)
    for told in ("Requests", "Arms over the same time", "Attribution", "Second opinion", "schedule_lag_p99_s"):
        assert told not in short
        assert told in whole
    for told in ("error_share", "143 failed requests", "alarm-covers-all-versions", "time to roll back 125.5–130.5 s"):
        assert told in " ".join(short.split())


@pytest.mark.parametrize("variant", [hostile, crowded, lambda verdict: verdict], ids=["hostile", "crowded", "plain"])
def test_summary_fits_80_columns(variant: Callable[[Verdict], Verdict], caught: Verdict, shown: Show) -> None:
    """No line is longer than a terminal, whatever is in it."""
    assert max(map(len, shown(variant(caught), verbose=True).splitlines())) <= 80


def test_foreign_text_cannot_rewrite_the_terminal(caught: Verdict, shown: Show) -> None:
    """Control characters and markup of others are shown as text or not at all."""
    text = shown(hostile(caught))
    assert "\x1b" not in text
    assert "[red]boo[/red]" in text


def test_foreign_text_stays_text_in_markdown(caught: Verdict) -> None:
    """No cell, tag, link or heading can be smuggled into the report."""
    text = markdown(hostile(caught))
    assert "\x1b" not in text
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert "[a](" not in text
    assert "\n# not" not in text
    rows = [line for line in text.splitlines() if "boo" in line and line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [5]


@pytest.mark.parametrize(
    ("foreign", "left"),
    [
        ("see www.evil.example/login", "www."),
        ("see WWW.evil.example", "WWW."),
        ("a@evil.example", "@evil"),
        ("http://evil.example", "://"),
        ("asked @everyone", "@everyone"),
        ("fixes #12", "#12"),
        ("GH-12", "GH-12"),
        ("&copy;", " &copy;"),
    ],
)
def test_foreign_text_links_nothing_by_itself(foreign: str, left: str, caught: Verdict) -> None:
    """Nothing that GitHub would link or decode is left in one piece, and it reads as before."""
    text = markdown(replace(caught, because=(foreign,)))
    assert left not in text
    assert foreign in text.replace("\u200b", "").replace("\\", "")


def test_markdown_of_an_empty_run_says_so(unmeasured: Verdict) -> None:
    """In sentences, not in tables of dashes."""
    text = markdown(unmeasured)
    assert "|" not in text
    assert "No step of a detection was seen: no deployment was seen." in text
    assert "No request was sent" in text
    assert "Nobody can say who got hurt" in text


@pytest.mark.parametrize("variant", [hostile, crowded, lambda verdict: verdict], ids=["hostile", "crowded", "plain"])
def test_markdown_stays_under_60_lines(variant: Callable[[Verdict], Verdict], caught: Verdict) -> None:
    """A pull request can hold the report whole."""
    assert len(markdown(variant(caught)).splitlines()) < 60


def test_markdown_begins_with_the_verdict(caught: Verdict) -> None:
    """The headline is the heading."""
    assert markdown(caught).startswith("# ROLLED BACK · caught · as expected (exit 0)\n")


def test_markdown_says_how_much_it_leaves_out(caught: Verdict) -> None:
    """What does not fit is counted, and the criterion that is not met is among those shown."""
    text = markdown(crowded(caught))
    assert "and 34 more in verdict.json" in text
    assert "| c39 | 1 | 0 | no |" in text


def test_timeline_is_in_the_order_of_time(caught: Verdict) -> None:
    """One line tells the story."""
    assert "0 s created → 0.5 s first fault request → 0.8 s first failed request" in markdown(caught)


def test_timeline_holds_only_what_happened(unmeasured: Verdict) -> None:
    """A run without steps has no line of them."""
    assert "→" not in markdown(unmeasured)


def test_several_runs_are_one_table(
    caught: Verdict, unmeasured: Verdict, overviewed: Callable[[list[Verdict]], str]
) -> None:
    """One row each, in 80 columns, with the longest names there are."""
    longest = replace(caught, experiment="alarm-already-on", call=unmeasured.call, result="inconclusive")
    text = overviewed([caught, unmeasured, longest])
    assert len(text.strip().splitlines()) == 5
    assert max(map(len, text.splitlines())) <= 80
    assert "126–130 s" in text
    assert "…" not in text


def test_colour_is_left_out_where_nobody_wants_it(
    caught: Verdict, screen: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR is honoured even on a terminal."""
    from pathlib import Path

    from harness.report.terminal import summary

    monkeypatch.setenv("NO_COLOR", "1")
    terminal = screen(colour=True)
    summary(caught, Path("reports"), terminal.console)  # type: ignore[attr-defined]
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|4[0-7])m", terminal.text)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("p_value", "text"), [(None, "not known"), (0.6512, "p = 0.65"), (1e-20, "p < 0.0001")])
def test_chance_is_never_nought(p_value: float | None, text: str, caught: Verdict) -> None:
    """However small a p-value is, it is not zero."""
    verdict = replace(caught, arms=replace(caught.arms, p_value=p_value))
    assert text in facts.arms_source(verdict)


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (0.0, "0 %"), (0.1, "10 %"), (0.0116, "1.2 %"), (0.00012, "0.012 %"), (1.0, "100 %")],
)
def test_share_is_printed_in_percent(share: float | None, text: str) -> None:
    """Small shares keep digits that mean something."""
    assert facts.percent(share) == text


def test_picture_is_an_svg_that_loads_nothing(caught: Verdict, tmp_path: Path) -> None:
    """A README can show it without a network."""
    svg = picture(caught, tmp_path)
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert "ROLLED" in svg
    assert not re.search(r"url\(['\"]?http|src=|@import", svg)


def test_markdown_tells_the_release_in_one_line_of_time(caught: Verdict) -> None:
    """Shifts and steps as they came, and the end of a promotion; nothing of a release that nobody saw."""
    shifts = (Shift(0.1, (3.5, 7.0)), Shift(0.2, (65.0, 65.0)))
    linear = replace(caught, deployment=replace(caught.deployment, shifts=shifts))
    line = next(line for line in markdown(linear).splitlines() if "→" in line)
    assert line.startswith("0 s created → 0.5 s first fault request → ")
    assert (
        "→ 3.2 s period that breached ended → 3.5–7.0 s 10 % on the canary → 65.0 s 20 % on the canary → 118.0 s alarm"
        in line
    )
    fine = replace(linear, outcome=Outcome.PROMOTED, detection=Detection())
    promoted = replace(fine, deployment=replace(fine.deployment, ended_s=(304.0, 304.0)))
    assert facts.course(promoted)[-1] == "304 s promoted"
    assert facts.course(replace(caught, deployment=DeploymentFacts(), detection=Detection())) == []


def test_latency_of_both_arms_is_told_with_its_ratio(caught: Verdict, shown: Show) -> None:
    """With intervals, on the terminal and in Markdown; what was not measured is said to be unknown."""
    assert "whether the canary was slower is not known" in markdown(caught)
    measured = LatencyFacts(canary_p99_ms=(700.4, 1210.0), baseline_p99_ms=(8.02, 8.02), ratio=(87.3, 150.9))
    verdict = replace(caught, arms=replace(caught.arms, latency=measured))
    told = "p99 of good requests 700 to 1210 ms on the canary, 8.02 ms on the baseline, 87.3 to 151 times"
    assert told in markdown(verdict)
    assert told in " ".join(shown(verdict, verbose=True).split())


def test_latency_without_an_upper_bound_is_told_as_at_least(caught: Verdict) -> None:
    """So few answers bound it from below alone, and no ratio to a baseline without an upper bound is told."""
    measured = LatencyFacts(canary_p99_ms=(700.4, None), baseline_p99_ms=(8.02, None), ratio=None)
    told = markdown(replace(caught, arms=replace(caught.arms, latency=measured)))
    assert "p99 of good requests at least 700 ms on the canary, at least 8.02 ms on the baseline (exact" in told


def test_a_false_alarm_that_was_expected_is_explained(caught: Verdict) -> None:
    """Where it is green, so that nobody takes it for trouble; nothing else is."""
    meant = replace(caught, call=Call.FALSE_ALARM, expected_call=Call.FALSE_ALARM)
    assert "it expects an alarm that rolls a healthy canary back" in markdown(meant)
    assert "This is what the experiment is for" not in markdown(replace(meant, result="contrary"))
    assert "This is what the experiment is for" not in markdown(caught)
