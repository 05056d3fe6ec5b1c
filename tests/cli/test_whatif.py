"""`canary-harness whatif`: what other settings would have done with the committed sample, which was rolled back."""

import json
import shutil
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from harness.cli.main import main
from harness.core.odds.whatif import Other, recorded, replayed
from harness.core.timeline.events import AlarmDefined
from harness.core.timeline.presets import config_named
from harness.errors import ExitCode, UsageError
from harness.report.folder import RunFolder
from harness.report.judging import read

SAMPLE = Path("reports/sample")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command prints of the sample."""
    assert main(["whatif", str(SAMPLE), *words]) == ExitCode.AS_EXPECTED
    return capsys.readouterr().out


def test_under_its_own_settings_a_run_comes_out_as_it_was() -> None:
    """ALARM and stop to the second, the failed requests by then, and nothing extrapolated."""
    run = read(RunFolder.open(SAMPLE))
    found, seen = replayed(recorded(run.evidence), Other()), run.verdict.detection
    assert seen.alarm_s is not None
    assert seen.stopped_s is not None
    assert found.alarm_s == pytest.approx(seen.alarm_s[1], abs=1.0)
    assert found.stopped_s == pytest.approx(seen.stopped_s[1], abs=1.0)
    assert (found.came, found.extrapolated) == ("rolled_back", False)


def test_a_run_behind_an_http_api_comes_out_as_it_was(tmp_path: Path) -> None:
    """Its exceptions were answered 500, which CloudWatch counted as errors all the same."""
    folder = tmp_path / "run"
    shutil.copytree(SAMPLE, folder)
    timeline = folder / "timeline.jsonl"
    timeline.write_text(timeline.read_text().replace('"status":502', '"status":500'))
    of_rest, of_http = (replayed(recorded(read(RunFolder.open(one)).evidence), Other()) for one in (SAMPLE, folder))
    assert of_http == of_rest


def test_a_higher_threshold_never_stops_it_sooner() -> None:
    """And one that nothing reaches promotes it, by traffic that is extrapolated."""
    run = recorded(read(RunFolder.open(SAMPLE)).evidence)
    stops = [replayed(run, Other(threshold=float(level))).stopped_s or 1e9 for level in (1, 10, 40, 60, 100, 1000)]
    last = replayed(run, Other(threshold=1000.0))
    assert stops == sorted(stops)
    assert (last.came, last.extrapolated) == ("promoted", True)
    assert last.failed > 200


def test_a_slower_alarm_stops_it_later_by_as_much() -> None:
    """The delay is added to the end of the deciding minute."""
    run = recorded(read(RunFolder.open(SAMPLE)).evidence)
    quick, slow = (replayed(run, Other(alarm_delay_s=delay_s)).stopped_s for delay_s in (20.0, 75.0))
    assert quick is not None
    assert slow == pytest.approx(quick + 55.0)


def test_a_shorter_bake_is_over_before_the_alarm() -> None:
    """The rest of the traffic after the last shift is extrapolated."""
    run = recorded(read(RunFolder.open(SAMPLE)).evidence)
    found = replayed(run, Other(config=config_named("Canary10Percent1Minutes")))
    assert (found.came, found.last_shift_s) == ("promoted", run.first_shift_s + 60.0)


def test_a_version_on_trial_without_requests_has_a_breaching_alarm_on_at_the_creation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It had none before, so the deployment is stopped as it is created."""
    told = said(capsys, "--dimension", "version", "--missing", "breaching").splitlines()
    assert told[1] == "Otherwise:  Stopped as it was created, since the alarm was in ALARM by then."


def test_a_group_with_composites_alone_is_told_which_alarms_can_be_replayed() -> None:
    """Those that the composites hang on; by its own name none can."""
    run = read(RunFolder.open(SAMPLE))
    name = run.evidence.rollout.alarm_names[0]
    composite = AlarmDefined(at_s=0.0, asked_s=0.0, name="both", kind="composite", rule=f"ALARM({name})")
    known, release = run.evidence.rollout.alarms, run.evidence.rollout.release
    alarms = replace(known, definitions={**known.definitions, "both": composite})
    release = replace(release, forward=replace(release.forward, alarms=("both",)))
    evidence = replace(run.evidence, rollout=replace(run.evidence.rollout, alarms=alarms, release=release))
    for asked in (None, "both"):
        with pytest.raises(UsageError, match="composite"):
            recorded(evidence, asked)
    assert recorded(evidence, name).alarm.name == name


def test_json_has_both_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """As it was, and otherwise."""
    document = json.loads(said(capsys, "--threshold", "1000", "--json"))
    assert (document["as_it_was"]["came"], document["otherwise"]["came"]) == ("rolled_back", "promoted")


def test_a_sweep_is_a_table_of_all_combinations(capsys: pytest.CaptureFixture[str]) -> None:
    """The last name across, the others down; what is extrapolated has a mark."""
    told = said(capsys, "--sweep", "period=60,5m", "threshold=3,1000")
    rows = [line.split() for line in told.splitlines() if line.strip().startswith(("60 ", "5m "))]
    stopped = read(RunFolder.open(SAMPLE)).verdict.detection.stopped_s
    assert stopped
    assert rows[0] == ["60", f"{stopped[1]:.0f}", "-*"]
    assert "Extrapolated" in told


def test_two_thousand_cells_take_under_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """Of processor time."""
    began_s = time.process_time()
    document = json.loads(said(capsys, "--sweep", "threshold=1..500", "evaluation-periods=1..4", "--json"))
    assert len(document["sweep"]["cells"]) == 2000
    assert time.process_time() - began_s < 10.0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--sweep", "threshold=1..1000000"), "1,000,000 cells are too many"),
        (("--sweep", "threshold"), "must be like threshold=1..10"),
        (("--sweep", "colour=1"), "colour cannot be otherwise"),
        (("--threshold", "many"), "threshold=many"),
        (("--period", "90s"), "must be whole minutes"),
        (("--datapoints", "3"), "3 of 1 datapoints cannot breach"),
        (("--config", "Canry10Percent5Minutes"), "did you mean"),
        (("--metric", "Duration"), "counts no failures"),
        (("--alarm", "nobody"), "the run saw no such alarm"),
    ],
)
def test_bad_input_gets_one_sentence(words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and no traceback."""
    assert main(["whatif", str(SAMPLE), *words]) == ExitCode.USAGE
    assert sentence in capsys.readouterr().err


def test_a_timeline_without_requests_gets_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to replay."""
    folder = tmp_path / "run"
    shutil.copytree(SAMPLE, folder)
    lines = (SAMPLE / "timeline.jsonl").read_bytes().splitlines(keepends=True)
    kept = (line for line in lines if not line.startswith(b'{"type":"requests"'))
    (folder / "timeline.jsonl").write_bytes(b"".join(kept))
    assert main(["whatif", str(folder)]) == ExitCode.USAGE
    assert "has no requests" in capsys.readouterr().err


def test_a_sweep_is_drawn(tmp_path: Path) -> None:
    """As a picture with a cell a setting."""
    words = ["reports/sample", "--sweep", "period=60,300", "threshold=1..4", "--chart", str(tmp_path / "heat.svg")]
    assert main(["whatif", *words]) == ExitCode.AS_EXPECTED
    assert (tmp_path / "heat.svg").read_text().count(">300</text>") == 1


def test_a_picture_without_a_sweep_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One setting is one sentence."""
    assert main(["whatif", "reports/sample", "--chart", str(tmp_path / "heat.svg")]) == ExitCode.USAGE
    assert "--chart draws a --sweep" in capsys.readouterr().err
