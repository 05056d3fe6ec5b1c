"""What `run` refuses, `plan` and `run --dry-run` refuse in the same sentence, with the same exit code."""

import os
from pathlib import Path

import pytest

from harness.cli import main as cli
from harness.cli.plan import traffic
from harness.core.experiment.types import Deployment, Experiment

HOST = ("--host", "http://localhost:1")
REFUSED = {
    "nothing to send to": (["erroruser"], "no host to send traffic to: give --host"),
    "no such experiment": (["erorruser", *HOST], "unknown experiment 'erorruser'; did you mean erroruser?"),
    "no such file": (["no.yaml", *HOST], "cannot read the experiment no.yaml"),
    "a field that cannot be": (["bad.yaml", *HOST], "bad.yaml: traffic.error_share: must be between 0 and 1"),
    "a host that is none": (["--host", "localhost"], "target.host: must be a URL such as"),
    "a host with a query": (["--host", "http://x?a=1"], "must be an http or https address"),
    "a host that is not allowed": (["--host", "http://x", "--locust=--canary-hosts y"], "x is not on the list of"),
    "a function that is a version": ([*HOST, "--function", "f:3"], "deployment.function: ends with the version 3"),
    "two ways to deploy": ([*HOST, "--deployment", "d-1", "--redeploy"], "deployment.id: cannot stand beside redeploy"),
    "a command and a version": ([*HOST, "--target-version", "2", "--", "make"], "cannot stand beside command"),
    "no version": ([*HOST, "--target-version", "two"], "deployment.target_version: must be the number"),
    "no outcome": ([*HOST, "--expect", "luck"], "argument --expect: invalid choice: 'luck'"),
    "an open quotation": ([*HOST, "--locust", "'"], "--locust: No closing quotation"),
    "an option without its value": (
        [*HOST, "--locust=--canary-seed"],
        "--locust: argument --canary-seed: expected one",
    ),
    "a share for Locust": ([*HOST, "--locust=--canary-error-share 2"], "--canary-error-share: must be between 0 and 1"),
    "a share beyond the rail": (
        ["--host", "http://x", "--locust=--canary-error-share 0.9"],
        "traffic.error_share: 0.9 is beyond the guard rail of 0.5",
    ),
    "a rail that is sure to trip": (
        [*HOST, "--group", "g", "--locust=--canary-max-wall-time 5m"],
        "rails.wall_time_s: 300 s are over before give_up_s is",
    ),
    "a clock that is none": ([*HOST, "--locust=--canary-clock soon"], "must be EPOCH:SPEED, not 'soon'"),
    "an option that nobody knows": ([*HOST, "--functon=f"], "unrecognized arguments: --functon=f"),
}


def test_plan_says_for_whose_users_the_traffic_is_planned(capsys: pytest.CaptureFixture[str]) -> None:
    """Users of a locustfile of one's own send no error share, unless they are CanaryUsers."""
    for words, told in (([], False), (["--locust=-f mine.py"], True)):
        assert cli.main(["plan", *HOST, *words]) == 0
        assert ("error share are for CanaryUsers" in capsys.readouterr().out) is told


@pytest.mark.parametrize(
    ("deployment", "steady_s", "told"),
    [
        (Deployment(), 60, []),
        (Deployment(command="deploy"), 60, ["Deploys after 60 s if the traffic is steady by then."]),
        (Deployment(redeploy=True), 0, ["Deploys at once: with steady_s 0 nothing is checked of the traffic before."]),
    ],
)
def test_plan_says_what_must_be_before_a_deployment(deployment: Deployment, steady_s: float, told: list[str]) -> None:
    """A deployment that others make waits for nothing."""
    assert traffic(Experiment(name="test", deployment=deployment, steady_s=steady_s), own_users=False) == told


@pytest.mark.parametrize(("words", "told"), REFUSED.values(), ids=REFUSED)
def test_plan_refuses_what_run_refuses(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is started, nothing is printed as a plan."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("Locust was started"))
    (tmp_path / "bad.yaml").write_text("name: bad\ntraffic: {error_share: 1.5}")
    seen = []
    for command in (["run"], ["run", "--dry-run"], ["plan"]):
        code = cli.main([*command, *words])
        said = capsys.readouterr()
        assert not said.out
        seen.append((code, said.err.replace("canary-harness plan", "canary-harness run")))
    assert seen == [(2, seen[0][1])] * 3
    assert told in seen[0][1]
