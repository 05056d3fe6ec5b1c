"""What `canary-harness scale` prints is what Kubernetes, its operators, Compose, CloudFormation and Locust take."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from cfnlint import lint
from cfnlint.config import ManualArgs

from harness.cli.main import main
from harness.templates.scaled.printed import printed
from harness.templates.scaled.run import HOME

IMAGE = ("--image", "registry.example.com/canary:1")
LOCUSTS = ("kubernetes", *IMAGE)
WIDESPREAD = (*LOCUSTS, "--operator", "locust-k8s-operator")
FARGATE = ("fargate", *IMAGE)
ENGINES = {"locust": LOCUSTS, "locust-k8s-operator": WIDESPREAD, "compose": ("compose",), "fargate": FARGATE}
OPERATORS = {"locust": "locust.io_locusttest.yaml", "locust-k8s-operator": "abdelrhmanhamouda_locusttests.yaml"}
CRDS = Path(os.environ.get("CANARY_CRDS") or Path(__file__).parents[3] / "shared" / "data" / "crds")
SHOP = """\
# Ours
name: Shop & Co_1
target: {host: "https://shop.example.com/prod"}
traffic:
  requests: {search: {get: "/search?q={{term}}", headers: {Authorization: "Bearer {{env.SHOP_TOKEN}}"}}}
  feed: terms.csv
deployment: {application: shop, group: shop}
"""
OPEN = SHOP.replace(', headers: {Authorization: "Bearer {{env.SHOP_TOKEN}}"}', "").replace("Shop & Co_1", "shop")
LOCUSTFILE = "from harness import CanaryUser\n\n\nclass Mine(CanaryUser):\n    pass\n"
Printed = Callable[..., list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shop's files, with an experiment that needs a secret and one that needs none."""
    (tmp_path / "shop.yaml").write_text(SHOP.replace("Shop & Co_1", "Shop_Co.1"))
    (tmp_path / "open.yaml").write_text(OPEN)
    (tmp_path / "terms.csv").write_text("term\nhat\n$(HOME) coat\n")
    (tmp_path / "mine.py").write_text(LOCUSTFILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Printed:
    """The documents that the command prints."""

    def shown(*words: str) -> list[dict[str, Any]]:
        assert main(["scale", *words]) == 0
        return [*yaml.safe_load_all(capsys.readouterr().out)]

    return shown


def of_kind(documents: Sequence[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The one document of a kind."""
    (found,) = (document for document in documents if document["kind"] == kind)
    return found


@pytest.mark.parametrize("operator", OPERATORS)
def test_manifests_are_what_the_operator_takes(operator: str, shown: Printed) -> None:
    """By its own definition, which knows no further field."""
    if not CRDS.is_dir():
        pytest.skip(f"{CRDS} has no definitions of the operators; CANARY_CRDS may name a folder that has")
    documents = shown(*ENGINES[operator], "open.yaml", "-f", "mine.py", "--region", "eu-north-1", "--workers", "20")
    test = of_kind(documents, "LocustTest")
    (definition,) = yaml.safe_load_all((CRDS / OPERATORS[operator]).read_text())
    group, _, version = test["apiVersion"].partition("/")
    (schema,) = (one["schema"] for one in definition["spec"]["versions"] if one["name"] == version and one["served"])
    assert (group, test["kind"]) == (definition["spec"]["group"], definition["spec"]["names"]["kind"])
    jsonschema.validate(test["spec"], closed(schema["openAPIV3Schema"]["properties"]["spec"]))


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that refuses fields that it does not know, which Kubernetes would drop."""
    inner = {name: closed(part) for name, part in schema.get("properties", {}).items()}
    items = {"items": closed(schema["items"])} if "items" in schema else {}
    shut = {"additionalProperties": False} if inner and "additionalProperties" not in schema else {}
    return {**schema, **({"properties": inner} if inner else {}), **items, **shut}


@pytest.mark.parametrize("operator", OPERATORS)
def test_other_manifests_are_those_of_kubernetes(operator: str, shown: Printed) -> None:
    """ConfigMap and claim, by the schemas of the newest Kubernetes that the validator knows."""
    plain = [one for one in shown(*ENGINES[operator], "open.yaml") if one["kind"] != "LocustTest"]
    assert {one["kind"] for one in plain} >= {"ConfigMap"}
    for document in plain:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_the_compose_file_is_one(shown: Printed) -> None:
    """By Compose's own schema."""
    (document,) = shown("compose", "shop.yaml", "-f", "mine.py", "--workers", "3")
    schema = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(document, json.loads(schema.read_text()))
    assert document["services"]["worker"]["deploy"]["replicas"] == 3


def test_the_compose_file_hands_on_keys_and_no_profile(shown: Printed) -> None:
    """A profile is in files that the container does not have: there its name alone ends each call to AWS."""
    (document,) = shown("compose", "shop.yaml")
    handed = document["services"]["master"]["environment"]
    assert {"AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"} <= {*handed}
    assert "AWS_PROFILE" not in handed


@pytest.mark.parametrize("words", [["shop.yaml", "-f", "mine.py"], ["erroruser", "--host", "https://x.example.com"]])
def test_the_template_passes_cfn_lint(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Without a finding, with a secret and without one."""
    assert main(["scale", *FARGATE, *words]) == 0
    found = lint(capsys.readouterr().out, config=ManualArgs(regions=["eu-north-1", "us-east-1"]))
    assert [str(match) for match in found] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_files_are_brought_along_as_they_are(engine: str, shown: Printed, folder: Path) -> None:
    """The experiment, its feed and the locustfile: as text, or as places of the host."""
    told = json.dumps(shown(*ENGINES[engine], "open.yaml", "-f", "mine.py"))
    for name in ("open.yaml", "terms.csv", "mine.py"):
        assert name in told
        if engine != "compose":
            assert json.dumps((folder / name).read_text()) in told


@pytest.mark.parametrize("engine", ["locust-k8s-operator", "compose", "fargate"])
def test_secrets_are_named_and_never_told(
    engine: str, shown: Printed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even where this machine knows them; what holds them is the engine's own."""
    monkeypatch.setenv("SHOP_TOKEN", "very-secret-value")
    documents = shown(*ENGINES[engine], "shop.yaml")
    assert "very-secret-value" not in json.dumps(documents)
    holders = {
        "locust-k8s-operator": lambda: of_kind(documents, "LocustTest")["spec"]["env"]["secretRefs"],
        "compose": lambda: documents[0]["services"]["worker"]["environment"],
        "fargate": lambda: containers(documents[0])["worker"]["Secrets"],
    }
    assert {
        "locust-k8s-operator": [{"name": "shop-co-1-secrets"}],
        "compose": ["SHOP_TOKEN"],
        "fargate": [{"Name": "SHOP_TOKEN", "ValueFrom": {"Fn::Sub": "${Secrets}:SHOP_TOKEN::"}}],
    }[engine] == holders[engine]()


def containers(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The containers of a template by their names."""
    tasks = (one["Properties"] for one in template["Resources"].values() if "TaskDefinition" in one["Type"])
    return {one["Name"]: one for task in tasks for one in task["ContainerDefinitions"]}


def commands(engine: str, documents: list[dict[str, Any]]) -> Iterator[list[str]]:
    """The words that Locust gets on the master and on the workers."""
    if engine == "locust":
        words = shlex.split(of_kind(documents, "LocustTest")["spec"]["args"])
        yield from (["--master", *words], ["--worker", "--master-host", "shop-master", *words])
    elif engine == "locust-k8s-operator":
        spec = of_kind(documents, "LocustTest")["spec"]
        added = ["--master", "--master-port=5557", "--expect-workers=2", "--autostart", "--autoquit", "5"]
        yield [*spec["master"]["command"].split()[1:], *added]
        yield [*spec["worker"]["command"].split()[1:], "--worker", "--master-port=5557", "--master-host=shop-master"]
    elif engine == "compose":
        yield from (service["command"][1:] for service in documents[0]["services"].values())
    else:
        yield from (one["Command"][1:] for one in containers(documents[0]).values())


PARSES = """
import json, sys
from locust.argument_parser import get_parser
import harness.plugin.plugin
for words in json.load(sys.stdin):
    one = get_parser(default_config_files=[]).parse_args(words)
    print(json.dumps([one.master, one.worker, one.expect_workers, one.canary_experiment, one.locustfile, one.host]))
"""


def test_locust_takes_the_words_that_it_gets(shown: Printed) -> None:
    """Those that an operator adds included; a master knows what to play, and how many workers to wait for."""
    words = ("open.yaml", "-f", "mine.py", "--host", "https://x.example.com/$(A)$B")
    told = [pair for engine, asked in ENGINES.items() for pair in commands(engine, shown(*asked, *words))]
    parsed = subprocess.run([sys.executable, "-c", PARSES], input=json.dumps(told), capture_output=True, text=True)
    known = [json.loads(line) for line in parsed.stdout.splitlines()]
    assert len(known) == 2 * len(ENGINES), parsed.stderr
    for is_master, is_worker, expected, experiment, locustfile, host in known:
        assert is_master != is_worker
        assert Path(locustfile).name == "mine.py"
        if is_master:
            assert (expected, Path(experiment).name) == (2, "open.yaml")
            assert host.startswith("https://x.example.com/")


def test_an_operator_may_start_the_image_with_the_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Locust's does: all words are Locust's then."""
    played: list[list[str]] = []
    monkeypatch.setattr("os.execve", lambda _, command, __: played.append(command))
    assert main(["--master", "--expect-workers=2"]) == 0
    assert played[0][2:4] == ["-m", "harness.plugin"]
    assert played[0][-2:] == ["--master", "--expect-workers=2"]


def test_a_master_on_fargate_tests_once_however_often_it_is_started(shown: Printed, folder: Path) -> None:
    """A service starts it again after each end; its files are there before it is."""
    master = containers(shown(*FARGATE, "open.yaml")[0])["master"]
    (folder / "bin").mkdir()
    (folder / "work" / "reports").mkdir(parents=True)
    harness = folder / "bin" / "canary-harness"
    harness.write_text('#!/bin/sh\necho "$@"; cat files/terms.csv\n')
    harness.chmod(0o755)
    told = {one["Name"]: one["Value"] for one in master["Environment"] if isinstance(one["Value"], str)}
    shell, option, script, *rest = [word.replace(HOME, f"{folder}/work") for word in master["EntryPoint"]]
    environment = {**told, "PATH": f"{folder}/bin{os.pathsep}{os.environ['PATH']}"}
    starts = [
        subprocess.run(
            [shell, option, script, *rest, *master["Command"]], env=environment, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    ]
    assert ["--autostart" in start for start in starts] == [True, False]
    assert all(start.endswith((folder / "terms.csv").read_text()) for start in starts)


def test_workers_on_fargate_may_ask_aws_for_nothing(shown: Printed) -> None:
    """And the master for what the experiment does, and no more."""
    resources = shown(*FARGATE, "open.yaml")[0]["Resources"]
    assert "TaskRoleArn" not in resources["WorkerTask"]["Properties"]
    policies = resources["MasterRole"]["Properties"]["Policies"]
    allowed = {
        action for one in policies for said in one["PolicyDocument"]["Statement"] for action in [*said["Action"]]
    }
    assert "codedeploy:GetDeployment" in allowed
    assert "codedeploy:CreateDeployment" not in allowed


@pytest.mark.parametrize(
    ("name", "is_called"),
    [
        ("Shop_Co.1", "shop-co-1"),
        ("9lives", "lives"),
        ("x" * 60, "x" * 40),
        ("1_", "canary"),
        ("a-" * 30, "a-" * 19 + "a"),
    ],
)
def test_names_are_valid_in_dns(name: str, is_called: str, shown: Printed, folder: Path) -> None:
    """By DNS-1123, with room for what operators add."""
    (folder / "open.yaml").write_text(OPEN.replace("name: shop", f'name: "{name}"'))
    (called,) = {one["metadata"]["name"].removesuffix("-files") for one in shown(*LOCUSTS, "open.yaml")}
    assert called == is_called
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", called)
    assert len(f"{called}-worker-12345") <= 63


HOST = ("--host", "https://x.example.com")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([*LOCUSTS, "nowhere.yaml"], "nowhere.yaml"),
        ([*LOCUSTS, *HOST, "-f", "nowhere.py"], "nowhere.py: cannot be read"),
        (["kubernetes", "open.yaml"], "the following arguments are required: --image"),
        (["compose", "open.yaml", "--operator", "locust"], "unrecognized arguments: --operator"),
        ([*LOCUSTS, "open.yaml", "--workers", "0"], "must be from 1 to 500"),
        ([*LOCUSTS, "open.yaml", "--workers", "many"], "must be a whole number"),
        ([*LOCUSTS, "open.yaml", "--name", "My_Load"], "small letters"),
        ([*LOCUSTS, "open.yaml", "--region", "north"], "a region such as"),
        (["kubernetes", "open.yaml", "--image", "a b"], "the name of an image"),
        ([*LOCUSTS, "open.yaml", "--host", "shop.example.com"], "must be a URL such as"),
        ([*LOCUSTS, "open.yaml", "--host", "http://localhost:3000"], "the worker's own machine"),
        ([*LOCUSTS, "healthy"], "no host to send traffic to"),
        ([*LOCUSTS, "shop.yaml"], "--operator: Locust's own hands no Secret to its pods, and SHOP_TOKEN is one"),
        ([*LOCUSTS, "token.yaml"], "traffic.requests.search.headers.Authorization holds a secret"),
        ([*LOCUSTS, "column.yaml"], "the column password holds a secret"),
        ([*LOCUSTS, "open.yaml", "-f", "key.py"], "line 1 holds a secret"),
        ([*LOCUSTS, "deploys.yaml"], "allow_writes: the experiment would change AWS"),
        ([*LOCUSTS, "below.yaml"], "sub/terms.csv must stand beside the experiment"),
        ([*FARGATE, "big.yaml"], "task definition takes 32,768; give --in-image"),
        ([*LOCUSTS, *HOST, "-f", "my users.py"], "must be named of letters"),
        (["moon", "open.yaml"], "invalid choice"),
    ],
)
def test_bad_input_gets_one_sentence(
    words: list[str], says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And exit code 2, and nothing is printed that somebody could apply."""
    (folder / "token.yaml").write_text(SHOP.replace("Shop & Co_1", "x").replace("{{env.SHOP_TOKEN}}", "abc123"))
    (folder / "column.yaml").write_text(OPEN.replace("terms.csv", "people.csv"))
    (folder / "people.csv").write_text("term,password\nhat,hunter2\n")
    (folder / "key.py").write_text('KEY = "AKIAIOSFODNN7EXAMPLE"\n' + LOCUSTFILE)
    (folder / "deploys.yaml").write_text(OPEN.replace("group: shop}", 'group: shop, target_version: "7"}'))
    (folder / "sub").mkdir()
    (folder / "sub" / "terms.csv").write_text("term\nhat\n")
    (folder / "below.yaml").write_text(OPEN.replace("terms.csv", "sub/terms.csv"))
    (folder / "big.yaml").write_text(OPEN + "#" * 40_000)
    (folder / "my users.py").write_text(LOCUSTFILE)
    assert main(["scale", *words]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_an_image_may_hold_the_files(engine: str, shown: Printed) -> None:
    """Then nothing of them is printed, and their paths are those of the image."""
    words = ("/work/huge.yaml", "-f", "/work/mine.py", "--in-image", *HOST)
    documents = shown(*ENGINES[engine], *words)
    master, worker = commands(engine, documents)
    assert "/work/huge.yaml" in master
    assert {"/work/mine.py"} <= {*master} & {*worker}
    assert "ConfigMap" not in [one.get("kind") for one in documents]


README = Path(__file__).parents[2] / "harness" / "traffic" / "README.md"


@pytest.mark.parametrize("command", re.findall(r"^canary-harness scale .+", README.read_text(), re.MULTILINE))
def test_commands_of_the_readme_print_something(command: str, shown: Printed) -> None:
    """As they are written there."""
    words, _, _ = command.partition(" > ")
    assert shown(*shlex.split(words)[2:])


def test_texts_of_several_lines_stay_texts() -> None:
    """Whatever is in them; spaces at an end of a line, tabs, and what looks like YAML."""
    texts = [
        "a: 1\n- b\n",
        "tab\there\n",
        "end  \nnext\n\n",
        "no end",
        "---\nx\n...\n",
        "ümlaut\n\x85\n",
        "1000:10",
        "on",
    ]
    document = {"data": dict(enumerate(texts))}
    assert yaml.safe_load(printed(["told"], [document])) == document
