import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.core.experiment.types import Arm, Experiment
from harness.core.timeline.events import RunStarted, encode
from harness.core.verdict.types import Verdict
from harness.errors import HarnessError, TimelineError, UsageError
from harness.report.folder import RunFolder
from harness.report.masking import MASK

STARTED_S = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC).timestamp()


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A fresh run folder."""
    return RunFolder.create(tmp_path / "reports", "erroruser", STARTED_S)


def test_folder_is_named_by_experiment_and_utc_start(folder: RunFolder, tmp_path: Path) -> None:
    """A person finds a run by what was played and when."""
    assert folder.path == tmp_path / "reports" / "erroruser" / "20260131T235959Z"
    assert folder.path.is_dir()


def test_two_runs_in_one_second_do_not_share_a_folder(folder: RunFolder, tmp_path: Path) -> None:
    """The later one gets a suffix."""
    second = RunFolder.create(tmp_path / "reports", "erroruser", STARTED_S)
    assert second.path.name == "20260131T235959Z-2"


def test_latest_points_at_the_newest_run(folder: RunFolder, tmp_path: Path) -> None:
    """`reports/latest` is the run that started last, of whatever experiment."""
    newest = RunFolder.create(tmp_path / "reports", "healthy", STARTED_S)
    latest = tmp_path / "reports" / "latest"
    assert latest.is_symlink()
    assert latest.resolve() == newest.path.resolve()
    assert not latest.readlink().is_absolute()


def test_reports_that_cannot_be_written_are_a_usage_error(tmp_path: Path) -> None:
    """A file where the folder should be is told with the option that helps."""
    (tmp_path / "reports").write_text("")
    with pytest.raises(UsageError, match="--reports: cannot write to"):
        RunFolder.create(tmp_path / "reports", "x", STARTED_S)


def test_manifest_says_what_was_run_with_what(folder: RunFolder) -> None:
    """Experiment, seed, versions and command are there to run it again."""
    folder.write_manifest(Experiment(name="erroruser", seed=7), ["canary-harness", "rehearse", "erroruser"])
    manifest = json.loads(folder.manifest.read_text())
    assert manifest["experiment"]["name"] == "erroruser"
    assert manifest["seed"] == 7
    assert manifest["command"] == ["canary-harness", "rehearse", "erroruser"]
    assert set(manifest["versions"]) == {"harness", "python", "locust", "boto3"}
    assert "git_commit" in manifest


def test_experiment_is_read_back_as_it_was(folder: RunFolder) -> None:
    """The resolved experiment survives."""
    experiment = Experiment(name="erroruser", seed=7, canary=Arm(env={"FAIL_RATIO": 0.5}))
    folder.write_manifest(experiment, [])
    assert folder.read_experiment() == experiment


def test_secret_environment_of_a_version_is_masked(folder: RunFolder) -> None:
    """Neither the manifest nor the resolved experiment holds a text that may be one."""
    folder.write_manifest(
        Experiment(name="x", canary=Arm(env={"DB_PASSWORD": "hunter2", "A": "b", "FAIL_RATIO": "0.5"})), []
    )
    assert "hunter2" not in folder.manifest.read_text() + folder.experiment.read_text()
    assert folder.read_experiment().canary.env == {"DB_PASSWORD": MASK, "A": MASK, "FAIL_RATIO": "0.5"}


def test_timeline_is_read_in_order(folder: RunFolder) -> None:
    """Events come back as they were appended."""
    first, second = (RunStarted(at_s=at_s, experiment="x", epoch_s=0.0) for at_s in (0.0, 1.0))
    folder.timeline.write_bytes(encode(first) + encode(second))
    assert folder.read_events() == [first, second]


def test_timeline_that_is_not_there_is_told_by_name(folder: RunFolder) -> None:
    """The message names the file."""
    with pytest.raises(TimelineError, match=r"timeline\.jsonl cannot be read"):
        folder.read_events()


def test_broken_timeline_is_told_by_name_and_line(folder: RunFolder) -> None:
    """The message names the file and the line."""
    folder.timeline.write_bytes(b'{"type": "nonsense"}\n{}\n')
    with pytest.raises(TimelineError, match=r"timeline\.jsonl: timeline line 1"):
        folder.read_events()


def test_verdict_is_read_back_as_it_was(folder: RunFolder, caught: Verdict) -> None:
    """verdict.json holds the whole verdict."""
    folder.write_verdict(caught)
    assert folder.read_verdict() == caught


def test_run_without_a_verdict_has_none(folder: RunFolder) -> None:
    """A run that was cut off is not an error to read."""
    assert folder.read_verdict() is None


def test_broken_verdict_is_told_by_name(folder: RunFolder) -> None:
    """The message names the file."""
    folder.verdict.write_text("{")
    with pytest.raises(HarnessError, match=r"verdict\.json cannot be read"):
        folder.read_verdict()


def test_writing_leaves_nothing_but_the_file(folder: RunFolder, caught: Verdict) -> None:
    """Files appear whole, and no half of one stays behind."""
    folder.write_verdict(caught)
    folder.write_verdict(caught)
    assert [path.name for path in folder.path.iterdir()] == ["verdict.json"]


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_what_is_no_run_folder_is_a_usage_error(name: str, tmp_path: Path) -> None:
    """Neither nothing nor a file is a run."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is not a run folder"):
        RunFolder.open(tmp_path / name)


def test_folder_without_manifest_is_no_run(tmp_path: Path) -> None:
    """An experiment cannot be read from just any folder."""
    with pytest.raises(UsageError, match=r"neither manifest\.json nor timeline\.jsonl"):
        RunFolder.open(tmp_path).read_experiment()


@pytest.mark.parametrize(
    ("environment", "by"),
    [({"GITHUB_ACTOR": "ann"}, "ann (GitHub Actions)"), ({"GITLAB_USER_LOGIN": "bob"}, "bob (GitLab CI)")],
)
def test_manifest_says_who_ran_it(
    folder: RunFolder, environment: dict[str, str], by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom CI names; an earlier manifest without a name can be read."""
    monkeypatch.delenv("GITHUB_ACTOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    folder.write_manifest(Experiment(name="erroruser"), [])
    assert folder.read_manifest().by == by
    told = json.loads(folder.manifest.read_text())
    del told["by"]
    folder.manifest.write_text(json.dumps(told))
    assert folder.read_manifest().by == ""
