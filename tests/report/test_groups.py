"""Several deployment groups in one run: every report tells each of them, and one verdict for all."""

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.core.experiment.types import Also, Deployment, Expect, Experiment, Outcome
from harness.core.timeline.events import Beside, Event, Look, LookFailed, encode
from harness.core.verdict.types import Verdict
from harness.report.finish import finish
from harness.report.folder import RunFolder
from harness.report.progress import HEARTBEAT_S, Progress
from tests.report.test_progress import looks, rollout

FIRST, SECOND = "shop-api", "shop <toggles>"


def beside(events: list[Event]) -> list[Event]:
    """What was seen in one run, as another run saw it beside its own."""
    seen = [event for event in events if isinstance(event, Look | LookFailed)]
    return [Beside(at_s=event.at_s, group=SECOND, seen=event) for event in seen]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(build: Callable[..., list[Event]], tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run: the first group is promoted as expected, the second rolled back against the expectation."""
    undone = build(end="rolled_back", end_s=130.0, alarms=((120.0, 200.0),), canary_fails=0.5, shifts=((5.0, 0.1),))
    experiment = Experiment(
        name="both",
        deployment=Deployment(group=FIRST),
        expect=Expect(outcome=Outcome.PROMOTED),
        also=(Also(group=SECOND, expect=Expect(outcome=Outcome.PROMOTED)),),
    )
    folder = RunFolder.create(tmp_path_factory.mktemp("reports"), "both", 0.0)
    folder.timeline.write_bytes(b"".join(map(encode, [*build(), *beside(undone)])))
    finish(folder, experiment)
    return folder


@pytest.fixture(scope="module")
def verdict(folder: RunFolder) -> Verdict:
    """The verdict for all."""
    verdict = folder.read_verdict()
    assert verdict
    return verdict


def test_page_has_a_row_for_each_group_that_leads_to_its_own_page(folder: RunFolder) -> None:
    """Links are relative, so that the folder can be moved, and names are text."""
    text = folder.page.read_text()
    table = text[text.index('<table id="groups"') :]
    rows = re.findall(
        r'<tr role="row" class="(\w+)"><th[^>]*><a href="([^"]+)">([^<]+)</a>', table[: table.index("</table>")]
    )
    assert rows == [
        ("as_expected", "shop-api/report.html", "shop-api"),
        ("contrary", "shop__toggles_/report.html", "shop &lt;toggles&gt;"),
    ]
    assert all((folder.path / href).is_file() for _, href, _ in rows)


def test_page_of_one_group_has_no_such_table(folder: RunFolder) -> None:
    """Nor has that of each group alone."""
    assert 'id="groups"' not in (folder.path / "shop-api" / "report.html").read_text()


def test_markdown_tells_each_group(folder: RunFolder) -> None:
    """The verdict for all stands first."""
    lines = folder.markdown.read_text().splitlines()
    assert lines[0] == "# shop-api PROMOTED, shop \\<toggles\\> ROLLED BACK · contrary (exit 3)"
    (second,) = [line for line in lines if line.startswith("| shop \\<toggles\\> |")]
    assert "rolled back | promoted |" in second
    assert len(lines) < 60


def test_junit_has_a_case_for_each_group(folder: RunFolder) -> None:
    """One passes, the other one fails and says why."""
    cases = {case.get("name"): case for case in ElementTree.parse(folder.junit).iter("testcase")}
    assert cases[f"group {FIRST}"].find("failure") is None
    failure = cases[f"group {SECOND}"].find("failure")
    assert failure is not None
    assert "rolled back" in str(failure.get("message"))
    assert "promoted was expected" in str(failure.get("message"))
    assert cases["verdict"].find("failure") is not None


def test_summary_tells_each_group(verdict: Verdict, shown: Callable[[Verdict], str]) -> None:
    """On a terminal, too."""
    text = shown(verdict)
    assert re.search(r"shop-api +promoted +promoted", text)
    assert re.search(r"shop <toggles> +rolled back +promoted +caught +contrary", text)


def test_live_line_has_one_state_a_group(screen: Callable[..., Any]) -> None:
    """The first group's, then each further one by its name."""
    shown = screen(width=200)
    Progress(shown.console).show(rollout(), None, HEARTBEAT_S, {SECOND: rollout("ALARM", 0.1)})
    assert "0 % on the canary · Errors OK; shop <toggles>: " in shown.text
    assert "10 % on the canary · Errors ALARM" in shown.text


def test_panel_has_one_line_a_group(screen: Callable[..., Any]) -> None:
    """Below the first one's."""
    shown = screen(colour=True)
    with Progress(shown.console) as live:
        live.show(rollout(), None, 1.0, {SECOND: rollout("ALARM", 0.1)})
    assert "shop <toggles>: " in shown.text


def test_transitions_of_a_further_group_are_told_by_its_name(screen: Callable[..., Any]) -> None:
    """Each group by a teller of its own."""
    shown = screen()
    live = Progress(shown.console)
    for seen, known in looks("OK", "ALARM"):
        live.tell(seen, known)
        live.tell(seen, known, SECOND)
    assert shown.text.splitlines()[-2:] == ["1 s · Errors is ALARM", "1 s · shop <toggles>: Errors is ALARM"]
