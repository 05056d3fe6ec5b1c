"""`canary-harness predict`: what it says, in which forms, and what bad input gets."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import main
from harness.errors import ExitCode
from harness.rehearsal.cloud import Cloud
from tests.templates.conftest import PLAIN, SAM

HOUR_S = 3600.0


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command prints."""
    assert main(["predict", *words]) == ExitCode.AS_EXPECTED
    return capsys.readouterr().out


def test_each_number_says_how_it_came_about(capsys: pytest.CaptureFixture[str]) -> None:
    """By formula, by playing it, or taken for granted."""
    lines = [line for line in said(capsys, "broken-canary").splitlines() if line.startswith("  ")]
    assert {line.split()[0] for line in lines if "Chance to catch" not in line} <= {"exact", "simulated", "assumed"}


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """With the chance and its interval, every number by its id, and the cause."""
    document = json.loads(said(capsys, "thin-traffic", "--json"))
    ids = {line["id"] for line in document["lines"]}
    assert {"rolled_back", "smallest_fault", "least_rate", "largest_threshold", "shortest_bake", "presets"} <= ids
    assert (document["cause"], document["outlook"]["rolled_back"]["by"]) == ("traffic", "simulated")


def test_quiet_says_the_question_the_chance_and_what_binds(capsys: pytest.CaptureFixture[str]) -> None:
    """Three sentences: a chance without its question would be taken for another one's."""
    told = said(capsys, "thin-traffic", "-q").splitlines()
    assert [line.split()[0] for line in told] == ["thin-traffic:", "Rolled", "Thin"]


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("broken-canary",), "none"),
        (("wrong-dimension",), "dimension"),
        (("no-rollback",), "rollback"),
        (("all-at-once",), "bake"),
        (("broken-canary", "--slow", "2s"), "dimension"),
        (("broken-canary", "--config", "Canary10Percent2Minutes"), "phase"),
        (("broken-canary", "--config", "Canary10Percent1Minutes"), "delay"),
        (("broken-canary", "--begins", "4m50s"), "bake"),
        (("broken-canary", "--fail", "0.02"), "threshold"),
        (("broken-canary", "--arrival-rate", "0.2"), "traffic"),
        (("broken-canary", "--arrival-rate", "0"), "traffic"),
    ],
)
def test_the_cause_that_binds_is_named(words: tuple[str, ...], cause: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In one word, and in a sentence."""
    document = json.loads(said(capsys, *words, "--json"))
    assert (document["cause"], document["binding"].count(". ")) == (cause, 0)


def test_a_rate_of_zero_still_gets_the_least_rate(capsys: pytest.CaptureFixture[str]) -> None:
    """What can still be said."""
    document = json.loads(said(capsys, "broken-canary", "--arrival-rate", "0", "--json"))
    told = {line["id"]: line["value"] for line in document["lines"]}
    assert told["rolled_back"] == 0.0
    assert 1.0 < told["least_rate"] < 2.0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "name an experiment, or what is released"),
        (("broken-canary", "--config", "Canary10Percent5Minute5"), "did you mean Canary10Percent5Minutes?"),
        (("broken-canary", "--fail", "2"), "must be a share from 0 to 1"),
        (("broken-canary", "--on", "5s"), "--on and --every go together"),
        (("broken-canary", "--slow", "5s", "--ramp", "9s"), "give one of them"),
        (("broken-canary", "--parameter", "a=b"), "goes with --template"),
        (("broken-canery",), "did you mean broken-canary?"),
    ],
)
def test_bad_input_gets_one_sentence(words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and no traceback."""
    assert main(["predict", *words]) == ExitCode.USAGE
    assert sentence in capsys.readouterr().err


def test_an_alarm_that_cannot_be_evaluated_gets_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no chance."""
    file = tmp_path / "own.yaml"
    file.write_text("name: own\nalarm: {metric: OrdersLost, namespace: Shop, dimensions: {Shop: a}}\n")
    document = json.loads(said(capsys, str(file), "--json"))
    assert (document["outlook"], document["lines"]) == (None, [])
    assert "OrdersLost is none that answers tell of" in document["unsaid"][0]


# From a template, and from AWS


@pytest.mark.parametrize("text", [SAM, PLAIN])
def test_a_template_is_predicted_at_the_rate_that_is_given(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its own alarm and its own configuration."""
    file = tmp_path / "template.yaml"
    file.write_text(text)
    document = json.loads(said(capsys, "--template", str(file), "--arrival-rate", "20", "--json"))
    assert document["outlook"]["rolled_back"]["value"] > 0.99
    assert document["unsaid"] == []


def test_a_template_without_a_rate_gets_the_least_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What does not depend on traffic, and one sentence on what does."""
    file = tmp_path / "template.yaml"
    file.write_text(SAM)
    document = json.loads(said(capsys, "--template", str(file), "--json"))
    assert [line["id"] for line in document["lines"]] == ["least_rate"]
    assert "--arrival-rate" in document["unsaid"][0]


def predicted(text: str, file: Path, capsys: pytest.CaptureFixture[str], *changes: tuple[str, str]) -> dict[str, Any]:
    """What is predicted of a template with some replacements."""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    found: dict[str, Any] = json.loads(said(capsys, "--template", str(file), "--arrival-rate", "20", "--json"))
    return found


def test_an_alarm_that_rings_without_the_fault_catches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stops every release; no other setting is held against that, and no smallest fault is said."""
    changes = ('"EvaluationPeriods": 1,', '"EvaluationPeriods": 1, "TreatMissingData": "breaching",')
    found = predicted(PLAIN, tmp_path / "template.yaml", capsys, changes)
    ids = {line["id"] for line in found["lines"]}
    assert found["cause"] == "early"
    assert "treats missing data as breaching" in found["binding"]
    assert not ids & {"smallest_fault", "least_rate", "shortest_bake", "presets"}


COMPOSITE = """\
  Sick:
    Type: AWS::CloudWatch::CompositeAlarm
    Properties: {AlarmName: sick, AlarmRule: !Sub 'ALARM("${ApiErrors}") RULE'}
"""


def with_composite(rule: str) -> tuple[tuple[str, str], ...]:
    """The replacements that put a composite in the place of the alarm."""
    composite = COMPOSITE.replace("RULE", rule)
    return ("          - !Ref ApiErrors\n", "          - sick\n"), ("  ApiErrors:\n", f"{composite}  ApiErrors:\n")


def test_what_only_holds_a_composite_back_is_taken_to_be_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And told."""
    changes = with_composite("AND NOT ALARM(maintenance)")
    found = predicted(SAM, tmp_path / "template.yaml", capsys, *changes)
    assert found["outlook"]["rolled_back"]["value"] > 0.99
    assert any("maintenance is taken to be OK" in sentence for sentence in found["assumed"])
    assert found["unsaid"] == []


def test_a_composite_that_cannot_be_reckoned_with_is_no_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No chance is said for it, and no cause."""
    changes = with_composite("AND ALARM(elsewhere)")
    found = predicted(SAM, tmp_path / "template.yaml", capsys, *changes)
    assert (found["lines"], found["cause"]) == ([], "unknown")
    assert "sick may roll the release back" in found["binding"]


def test_an_alarm_that_stops_and_rolls_nothing_back_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As doctor tells it: the alias stays split."""
    changes = (', "DEPLOYMENT_STOP_ON_ALARM"]', "]")
    found = predicted(PLAIN, tmp_path / "template.yaml", capsys, changes)
    assert (found["cause"], found["binding"]) == ("rollback", "No alarm rolls a deployment of this group back.")
    assert "leaves the alias split" in found["unsaid"][0]


def test_a_canary_without_requests_has_no_chance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where all that the template invokes is the function itself, with file and line."""
    url = '"Url": {"Type": "AWS::Lambda::Url", "Properties": {"TargetFunctionArn": {"Ref": "Fn"}}},'
    file = tmp_path / "template.yaml"
    found = predicted(PLAIN, file, capsys, ('"Errors": {\n', f'{url}\n  "Errors": {{\n'))
    assert found["outlook"] is None
    assert f"{file}:" in found["unsaid"][-1]
    assert "Url invokes Fn itself" in found["unsaid"][-1]


def test_further_alarms_of_an_experiment_are_reckoned_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One on latency sees a canary that is slow."""
    file = tmp_path / "own.yaml"
    slow = "{name: slow, metric: Duration, statistic: p99, threshold: 500, comparison: GreaterThanThreshold}"
    file.write_text(f"name: own\nfurther_alarms: [{slow}]\n")
    found = json.loads(said(capsys, str(file), "--slow", "2s", "--json"))
    assert found["outlook"]["rolled_back"]["value"] > 0.99


def live(cloud: Cloud, rates: Mapping[int, int], failing: int) -> tuple[str, ...]:
    """A history by the hour: so many hours with so many requests a minute, and failures of one hour; how to name it."""
    names, record = cloud.ready, cloud.cloudwatch.invocations.record
    cloud.advance(HOUR_S - names["now"] % HOUR_S)
    failed = failing
    for hours, requests in rates.items():
        for _ in range(hours * 60):
            for _ in range(requests):
                record(names["function"], names["alias"], "1", cloud.clock.now(), 5.0, failed=failed > 0)
                failed -= 1
            cloud.advance(60.0)
    cloud.advance(120.0)
    return "--application", names["application"], "--group", names["group"]


def test_aws_is_predicted_by_the_function_s_own_last_week(
    canary_cloud: Cloud, canary_aws: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its median hour, its quiet and its busy ones, and the share that usually fails; nothing is written."""
    named = live(canary_cloud, {6: 60, 3: 12, 2: 120}, failing=36)
    document = json.loads(said(capsys, *named, "--json"))
    told = {line["id"]: line for line in document["lines"]}
    assert "1 requests a second" in " ".join(document["assumed"])
    assert 0 < told["false_rollbacks"]["value"] < 1
    quiet, busy = told["the_quietest_tenth_of_the_hours"], told["the_busiest_tenth_of_the_hours"]
    assert quiet["value"] < told["rolled_back"]["value"] <= busy["value"]


def test_a_function_that_nobody_called_has_no_chance_and_a_least_rate(
    canary_cloud: Cloud, canary_aws: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A rate of zero is told as such."""
    document = json.loads(said(capsys, *live(canary_cloud, {}, 0), "--json"))
    told = {line["id"]: line["value"] for line in document["lines"]}
    assert (told["rolled_back"], document["cause"]) == (0.0, "traffic")
    assert told["least_rate"] > 0


@pytest.mark.parametrize(
    ("experiment", "name", "begins"),
    [("thin-traffic", "odds.svg", b"<svg"), ("broken-canary", "odds.png", b"\x89PNG")],
    ids=["played", "by formula"],
)
def test_chances_are_drawn(
    experiment: str, name: str, begins: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the end of the name says, without a browser."""
    said(capsys, experiment, "--chart", str(tmp_path / name))
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_picture_of_no_traffic_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one sentence."""
    assert (
        main(["predict", "broken-canary", "--arrival-rate", "0", "--chart", str(tmp_path / "a.svg")]) == ExitCode.USAGE
    )
    assert "nothing can be drawn" in capsys.readouterr().err


def test_a_rehearsal_that_begins_at_its_own_place_in_a_minute_is_told_apart(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Else a rehearsal would seem to contradict the chance, which is that of any second."""
    (tmp_path / "short.yaml").write_text(
        "name: short\ntraffic: {arrival_rate: 1.2}\ncanary: {env: {FAIL_RATIO: 0.8}}\n"
        "deployment: {config: Canary50Percent2Minutes}\nalarm: {threshold: 25}\n"
    )
    told = said(capsys, str(tmp_path / "short.yaml"), "-q").splitlines()
    assert told[2].startswith(
        "A rehearsal creates its deployment at second 0 to 10 of a minute, and is rolled back in "
    )
    assert "A rehearsal" not in said(capsys, "broken-canary")


@pytest.mark.parametrize(
    ("alarm", "why"),
    [
        ("{metric: Invocations, threshold: 3000, comparison: LessThanThreshold}", "failures do not put it in ALARM"),
        ("{metric: Duration, statistic: tm90, threshold: 500}", "tm90 of latencies is not computed"),
    ],
)
def test_an_alarm_that_failures_do_not_move_gets_no_chance(
    alarm: str, why: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It may be in ALARM all the time, so that 0 of 100 would be false."""
    (tmp_path / "few.yaml").write_text(f"name: few\nalarm: {alarm}\n")
    assert why in said(capsys, str(tmp_path / "few.yaml"))


def test_no_traffic_at_all_is_no_matter_of_chance(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is played for it."""
    lines = json.loads(said(capsys, "broken-canary", "--arrival-rate", "0", "--json"))["lines"]
    assert (lines[0]["value"], lines[0]["by"]) == (0.0, "exact")
