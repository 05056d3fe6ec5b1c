"""Secrets planted wherever a person may write one, and every artifact of a run searched for them."""

import json
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import main as cli
from harness.core.experiment.parse import parse
from harness.core.experiment.requests import FaultWhen, Overlay, Request
from harness.core.experiment.types import Also, Arm, Deployment, Experiment, Target, Traffic
from harness.core.timeline.events import (
    Asked,
    Beside,
    CommandStarted,
    Exemplar,
    LookFailed,
    Note,
    RunEnded,
    RunStarted,
    Trouble,
)
from harness.report.actions import announce, announce_exit_code, announce_refusal
from harness.report.finish import finish
from harness.report.folder import RunFolder
from harness.report.masked_experiment import without_secrets
from harness.report.masking import MASK, masked, masked_prose, masked_text
from harness.run.recording import Recording

PLANTED = "s3cr3t"
"""Part of every secret here; a number behind it tells which one was found."""
KNOWN_USER = "Authorization: erroruser@company.com"


def numbered(text: str) -> str:
    """A text in which each `§` is a secret of its own."""
    *parts, last = text.split("§")
    return "".join(f"{part}{PLANTED}{number:02}" for number, part in enumerate(parts)) + last


COMMAND = shlex.split(
    numbered(
        "env DEPLOY_KEY=§ sh --password § --token=§ --api-key '§ §' --db.password=§;§ -u me:§ --user=me:§ -ume:§ -p § "
        "--parameter-overrides ParameterKey=Db,ParameterValue=§ Db=§ 'Pepper=§ §' --stage prod "
        "-H 'X-Api-Key: §' -H 'Authorization: Bearer §' --header='Cookie: a=§; b=§' "
        "aws_secret_access_key § //registry.example.com/:_authToken § "
        "'Server=db;User Id=me;Password=§ §;Database=x' 'DefaultEndpointsProtocol=https;AccountKey=§==' "
        "postgres://me:§@db/x https://§@example.com/x 'https://example.com/x?a=§&b=§' https://example.com/#§ "
        "me:§@db:80 "
        'https://me:§/§@example.com --environment \'Variables={A=§,B=§}\' \'{"password": "§ §", "stage": "prod"}\' '
        '\'[{"ParameterKey": "Db", "ParameterValue": "§"}]\' sh -c \'deploy --password § && curl -u me:§ x\' '
        "sk_live_§ --build-arg A=§ -e B=§ --secret-file=§ "
        "--name /db/password --value § secret set X --body § --from-literal=a=§ --from-literal b=§ "
        "-p§ -P§ -P § sh -c 'mysql -uroot -p§ x' sh -c 'mysql -p§ \"x' -eFOO=§ --pat § --creds § --creds=me:§ "
        '--sas § --login § --variables \'{"a":"§"}\' \'--environment={"Variables":{"A":"§=§"}}\' scp://x//me:§@h '
        "--set-env-vars a=§,b=§ --update-env-vars=a=§ --parameter a=§ --variable a=§ --variables a=§ b=§ --stage prod "
        "//me:§@db/x 'https:\\/\\/me:§@db\\/x' "
        "'{\"url\":\"https:\\/\\/me:§@db\"}' 'http://x/a;jsessionid=§' 'localhost:1/x?code=§&b=§' "
        '\'{"Variables":{"FOO":"§","BAR":"a=§}"}}\' --environment \'{"Variables":{"FOO":"§=§"}}\' '
        '--cli-input-json=\'{"environment":{"FOO":{"x":["§"]}},"Env":["A=§"]}\' '
        '\'{\\"Variables\\":{\\"FOO\\":\\"§\\"}}\' '
        'sh -c "aws --environment \'{\\"Variables\\":{\\"FOO\\":\\"§ §\\"}}\'"'
    )
)
URL = numbered("https://me:§@localhost/shared?key=§")
SENTENCE = numbered(
    "POST https://me:§@example.com/x?token=§ with X-Api-Key: §\n--password § or me:§@host, api_token=§, Bearer § failed"
    '; //me:§@host/x, https:\\/\\/me:§@host, {"Variables":{"FOO":"§"}}, --pat §, --login §, '
    "/x;jsessionid=§, GET /x?a=§&code=§, x"
)
EXPERIMENT = Experiment(
    name="planted",
    description=SENTENCE,
    target=Target(host=URL),
    baseline=Arm(env={"DB_PASSWORD": f"{PLANTED}70", "PLAIN": f"{PLANTED}71", "DSN": f"postgres://a:{PLANTED}72@b"}),
    canary=Arm(url=numbered("http://me:§@127.0.0.1:3000/?key=§")),
    deployment=Deployment(group="shop", command=shlex.join(COMMAND)),
    also=(Also(group="cart"),),
)
EVENTS = (
    RunStarted(at_s=0.0, experiment="planted", epoch_s=0.0),
    CommandStarted(at_s=1.0, command=shlex.join(COMMAND)),
    Trouble(at_s=2.0, what="deployment", message=SENTENCE),
    Asked(at_s=3.0, what="host", value=URL, by="me", refused=SENTENCE),
    Note(at_s=4.0, text=SENTENCE, by="me"),
    LookFailed(at_s=5.0, asked_s=5.0, call="codedeploy:GetDeployment", code="Unreachable", message=SENTENCE),
    Beside(
        at_s=6.0,
        group="cart",
        seen=LookFailed(at_s=6.0, asked_s=6.0, call="lambda:GetAlias", code="Unreachable", message=SENTENCE),
    ),
    Exemplar(
        at_s=7.0,
        intent="good",
        persona="standard",
        endpoint="fakeUser",
        version=None,
        status=0,
        reason=SENTENCE,
        latency_s=0.1,
    ),
    RunEnded(at_s=8.0, why="failed", detail=SENTENCE),
)


def clean(texts: Iterator[tuple[str, str]]) -> None:
    """Fails with each artifact that has a secret, and the words around it."""
    found = {
        name: [text[max(0, at - 60) : at + 20] for at in range(len(text)) if text.startswith(PLANTED, at)]
        for name, text in texts
    }
    assert {name: places for name, places in found.items() if places} == {}


@pytest.fixture
def played(tmp_path: Path) -> RunFolder:
    """The folder of a run in which a secret stood in every place there is."""
    folder = RunFolder.create(tmp_path / "reports", EXPERIMENT.name, time.time())
    folder.write_manifest(
        EXPERIMENT, ["canary-harness", "run", "--locust", f"--tag a --login-password {PLANTED}80", *COMMAND]
    )
    recording = Recording(folder.timeline, pytest.fail)
    recording.record(*EVENTS)
    recording.close()
    finish(folder, EXPERIMENT)
    return folder


def test_there_are_many_secrets() -> None:
    """Sixty in the command alone."""
    assert " ".join(COMMAND).count(PLANTED) > 60


def test_no_file_of_a_run_has_a_secret(played: RunFolder) -> None:
    """Neither manifest, experiment, timeline and verdict nor any report; also not those of each group."""
    root = played.path.parent.parent
    files = [path for path in root.rglob("*") if path.is_file()]
    assert {"manifest.json", "experiment.yaml", "timeline.jsonl", "verdict.json", "report.html", "report.md"} <= {
        path.name for path in files
    }
    clean((str(path.relative_to(root)), path.read_text()) for path in files)
    assert MASK in played.timeline.read_text()


def test_reports_that_are_made_again_have_no_secret_either(played: RunFolder) -> None:
    """The masked experiment can be read back."""
    assert parse(played.experiment.read_text(), source="x").deployment.group == "shop"
    assert cli.main(["report", str(played.path)]) == 0
    clean((path.name, path.read_text()) for path in played.path.iterdir() if path.is_file())


def test_pipelines_are_told_no_secret(played: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Step summary, outputs and annotations, of a verdict and of a refusal."""
    files = {name: tmp_path / name for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    told = {"GITHUB_ACTIONS": "true", **{name: str(path) for name, path in files.items()}}
    verdict = played.read_verdict()
    assert verdict
    announce(verdict, played, told)
    announce_refusal(SENTENCE, 2, told)
    announce_exit_code(1, SENTENCE, told)
    said = capsys.readouterr()
    assert "::error" in said.err
    clean(
        iter(
            {**{name: path.read_text() for name, path in files.items()}, "stderr": said.err, "stdout": said.out}.items()
        )
    )


@pytest.mark.parametrize("as_json", [False, True])
def test_a_plan_prints_no_secret(
    as_json: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that deploys, options for Locust and the environments of the versions."""
    monkeypatch.setattr("harness.cli.plan._found", lambda experiment: (experiment, SENTENCE))
    file = tmp_path / "planted.yaml"
    env = {"PLAIN": PLANTED, "DB_PASSWORD": PLANTED, "FAIL_RATIO": 0.25}
    file.write_text(json.dumps({"name": "planted", "description": "d", "canary": {"env": env}}))
    words = ["plan", str(file), "--host", "http://localhost:1", "--group", "g", f"--locust=--login-password {PLANTED}"]
    assert cli.main([*words, *(["--json"] if as_json else []), "--", *COMMAND]) == 0
    said = capsys.readouterr()
    assert "0.25" in said.out
    clean(iter({"stdout": said.out, "stderr": said.err}.items()))


def test_a_plan_tells_what_is_sent_without_secrets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The queries of own requests are masked one by one, and the sentence around them stays."""
    file = tmp_path / "planted.yaml"
    asked = {"a": {"get": numbered("/fakeUser?api_key=§&code=§&id={{uuid}}")}, "b": {"get": numbered("/b?api_key=§")}}
    file.write_text(json.dumps({"name": "planted", "description": "d", "traffic": {"requests": asked}}))
    assert cli.main(["plan", str(file), "--host", "http://127.0.0.1:1"]) == 0
    said = capsys.readouterr()
    masked_a = f"/fakeUser?api_key={MASK}&code={MASK}&id={{{{uuid}}}}"
    assert f"Sends: a (GET {masked_a}, weight 1), b (GET /b?api_key={MASK}, weight 1)" in said.out
    clean(iter({"stdout": said.out, "stderr": said.err}.items()))


@pytest.mark.parametrize(
    "words",
    [
        ["--host", URL],
        ["--host", numbered("me:§@example.com")],
        ["--host", "http://x", numbered("--locust=--login-password § '")],
        ["--host", "http://localhost:1", "--group", "g", "--", f"API_TOKEN={PLANTED}", "deploy"],
        ["--password", PLANTED, "--host", "http://x"],
    ],
)
def test_a_refusal_repeats_no_secret(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, in an annotation and in the step summary."""
    summary = tmp_path / "summary"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert cli.main(["plan", *words]) == 2
    said = capsys.readouterr()
    assert "canary-harness: " in said.err
    clean(iter({"stderr": said.err, "summary": summary.read_text()}.items()))


def test_known_test_users_may_be_seen(tmp_path: Path) -> None:
    """They are no people, and their requests are what a report is about."""
    folder = RunFolder.create(tmp_path, "x", time.time())
    folder.write_manifest(Experiment(name="x"), ["curl", "-H", KNOWN_USER])
    assert folder.read_manifest().command == ("curl", "-H", KNOWN_USER)


def test_commands_of_further_groups_are_masked() -> None:
    """A deployment of each group may have one."""
    also = Also(group="cart", command=shlex.join(COMMAND))
    assert PLANTED not in str(without_secrets(Experiment(name="x", also=(also,))))


@given(text=st.lists(st.sampled_from([*"ab=:-'\"@/?;, \n\\{}*[", "token", "://", "Bearer "]), max_size=40).map("".join))
def test_what_is_masked_stays_masked(text: str) -> None:
    """Any text can be masked, also one that was masked before."""
    assert isinstance(masked_prose(masked_prose(text)), str)
    assert len(masked([text, text])) == 2
    assert masked_text(text) is not None


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "a=b",
        "?a=,",
        '"env":{',
        "env:[{},",
        '"env":{"',
        "//",
        "-a ",
        "a:b",
        "://",
        "\"'",
        "token=x ",
        "-----BEGIN PRIVATE KEY-----",
        "eyJ",
        "a-",
        " ",
        "x=a ",
    ],
)
def test_a_long_text_is_masked_in_time(unit: str) -> None:
    """What a server answers may be long and mean."""
    began_s = time.monotonic()
    masked_prose(unit * (100_000 // len(unit)))
    masked([unit * (100_000 // len(unit))])
    assert time.monotonic() - began_s < 5


SENT = Traffic(
    requests={
        "a": Request(
            post=f"/a;jsessionid={PLANTED}?token={PLANTED}&code={PLANTED}&q={{{{word}}}}&{PLANTED}&page=2",
            headers={
                "Authorization": f"Bearer {PLANTED}",
                "X-Api-Key": "{{env.KEY}}",
                "Cookie": f"{PLANTED}{{{{id}}}}",
            },
            query={"signature": PLANTED, "code": PLANTED, "q": "{{word}}", "page": 2},
            json={"user": {"password": PLANTED}, "pins": [{"pin": 1234}]},
        ),
        "b": Request(post="/b", form={"client_secret": PLANTED}, headers={"Authorization": "Bearer {{token}}"}),
        "c": Request(post="/c", body=f"password={PLANTED}"),
    },
    fault={"all": Overlay(path=f"/x?api_key={PLANTED}", headers={"Authorization": PLANTED})},
    feed=({"id": "1", "password": PLANTED},),
    fault_when=FaultWhen(header={"Authorization": PLANTED}),
)


def test_secrets_of_requests_are_masked_wherever_they_stand() -> None:
    """In paths, headers, parameters, bodies, faults and rows; what is no secret stays, and so do placeholders."""
    safe = without_secrets(Experiment(name="x", traffic=SENT)).traffic
    assert PLANTED not in str(safe)
    assert "1234" not in str(safe)
    assert safe.requests["a"].path == f"/a;jsessionid={MASK}?token={MASK}&code={MASK}&q={{{{word}}}}&{MASK}&page=2"
    assert safe.requests["a"].query == {"signature": MASK, "code": MASK, "q": "{{word}}", "page": 2}
    assert safe.requests["a"].headers == {"Authorization": MASK, "X-Api-Key": "{{env.KEY}}", "Cookie": MASK}
    assert safe.requests["b"].headers == {"Authorization": "Bearer {{token}}"}
    assert isinstance(safe.feed, tuple)
    assert safe.feed[0]["id"] == "1"


def test_a_known_test_user_may_be_seen_in_a_request() -> None:
    """Those of the bundled service."""
    fault = {"all": Overlay(headers={"Authorization": "erroruser@company.com"})}
    assert without_secrets(Experiment(name="x", traffic=Traffic(fault=fault))).traffic.fault == fault
