"""Functions of Node: what runs them, and what they answer, fail with and log."""

import pytest

from harness.rehearsal.functions import runtimes
from harness.rehearsal.functions.runtimes import Node

pytestmark = pytest.mark.skipif(not runtimes.nodes(), reason="no Node is installed")
NODE20 = {"Runtime": "nodejs20.x", "Handler": "index.handler"}


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("exports.handler = async (event, context) => [event.a, context.functionVersion];", [1, "$LATEST"]),
        ("exports.handler = (event, context, callback) => callback(null, event.a);", 1),
        ("exports.handler = (event, context, callback) => { setTimeout(() => callback(null, 'later'), 5); };", "later"),
        ("exports.handler = (event, context) => { context.callbackWaitsForEmptyEventLoop = false; };", None),
        ("exports.handler = async (event, context) => context.getRemainingTimeInMillis() > 0;", True),
        ("exports.handler = async () => process.env.AWS_EXECUTION_ENV;", "AWS_Lambda_nodejs20.x"),
    ],
)
def test_a_function_answers_by_promise_or_callback(create, invoke, source, answer):
    """Or with nothing, when nothing is left to wait for; a second run of the same process, too."""
    create({"index.js": source}, **NODE20)
    assert [invoke({"a": 1}).payload, invoke({"a": 1}).payload] == [answer, answer]


@pytest.mark.parametrize(
    ("files", "entry"),
    [
        (
            {"index.mjs": "const here = await Promise.resolve(7);\nexport const handler = async () => here;"},
            "index.handler",
        ),
        ({"src/app.js": "export const main = async () => 7;", "package.json": '{"type": "module"}'}, "src/app.main"),
        ({"a/b.cjs": "exports.main = async () => require('./c.json').of;", "a/c.json": '{"of": 7}'}, "a/b.main"),
    ],
)
def test_both_kinds_of_modules_are_imported(create, invoke, files, entry):
    """By their extension, else by what package.json says."""
    create(files, Runtime="nodejs20.x", Handler=entry)
    assert invoke().payload == 7


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("throw new TypeError('no')", "TypeError", "no"),
        ("await Promise.reject('only text')", "string", "only text"),
        ("process.exit(3)", "Runtime.ExitError", "exit status 3"),
        (
            "setTimeout(() => { throw new Error('late') }); await new Promise(() => 0)",
            "Runtime.ExitError",
            "status 129",
        ),
        ("Promise.reject(new Error('lost')); await new Promise(() => 0)", "Runtime.ExitError", "exit status 128"),
        ("const kept = []; for (;;) kept.push(Array(9999).fill({}))", "Runtime.ExitError", "signal: aborted"),
    ],
)
def test_a_failure_is_reported_as_lambda_does(create, invoke, body, kind, message, counted):
    """What it throws, and how its process ended: too much memory ends it, too."""
    create({"index.js": f"exports.handler = async () => {{ {body} }};"}, **NODE20, Timeout=30)
    answer = invoke()
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", kind)
    assert message in answer.payload["errorMessage"]
    assert counted.runs[0]["failed"] is True


@pytest.mark.parametrize(
    ("entry", "source", "kind"),
    [
        ("other.handler", "", "Runtime.ImportModuleError"),
        ("index.other", "exports.handler = 7", "Runtime.HandlerNotFound"),
        ("index.handler", "exports.handler = (", "Runtime.UserCodeSyntaxError"),
        ("index.handler", "require('nowhere')", "Runtime.ImportModuleError"),
        ("index.handler", "throw new RangeError('while it starts')", "RangeError"),
    ],
)
def test_what_cannot_be_imported_fails_each_run(create, invoke, entry, source, kind):
    """In AWS's words."""
    create({"index.js": source}, Runtime="nodejs20.x", Handler=entry)
    assert [invoke().payload["errorType"], invoke().payload["errorType"]] == [kind, kind]


@pytest.mark.slow
def test_a_loop_without_an_end_is_a_timeout(create, invoke):
    """Its process is ended, and the next run has a new one."""
    create({"index.js": "exports.handler = async (event) => { while (event.hang); return 7; };"}, **NODE20, Timeout=1)
    assert invoke({"hang": True}).payload["errorType"] == "Sandbox.Timedout"
    assert invoke({"hang": False}).payload == 7


def test_console_goes_to_the_log(create, invoke):
    """With the level, and the request that was running."""
    create({"index.js": "exports.handler = async () => console.warn('seen %d', 7, {a: 1});"}, **NODE20)
    assert "\tWARN\tseen 7 { a: 1 }\n" in invoke().log


def test_a_version_keeps_its_environment(create, publish, invoke):
    """Each version has processes of its own."""
    create({"index.js": "const at = process.env.MODE; exports.handler = async () => at;"}, **NODE20)
    versions = [publish(MODE="old"), publish(MODE="new")]
    assert [invoke(Qualifier=version).payload for version in versions] == ["old", "new"]


@pytest.mark.parametrize(
    ("installed", "asked", "program"),
    [((18, 20, 22), 20, 20), ((18, 22), 20, 22), ((18, 20), 22, 20), ((24,), 20, 24)],
)
def test_the_nearest_node_runs_it_and_is_named(monkeypatch, create, functions, installed, asked, program):
    """The major that the runtime asks for, else the nearest, of two the newer."""
    nodes = [Node(f"node{major}", f"{major}.1.0", major) for major in installed]
    monkeypatch.setattr(runtimes, "nodes", lambda: nodes)
    create({"index.js": ""}, Runtime=f"nodejs{asked}.x", Handler="index.handler")
    code = functions.code("fn", "$LATEST")
    assert runtimes.command(code)[0] == f"node{program}"
    said = runtimes.not_as_asked(code)
    assert said is None if program == asked else f"runs on Node {program}.1.0, the nearest" in str(said)


@pytest.mark.parametrize(
    ("runtime", "installed", "says"),
    [
        ("java21", True, "python3.x and nodejs20.x, and not java21: give the service by its URL"),
        ("nodejs20.x", False, "Node, which is not"),
    ],
)
def test_what_nothing_here_runs_is_named(monkeypatch, refused, zipped, runtime, installed, says):
    """With what to do instead."""
    if not installed:
        monkeypatch.setattr(runtimes, "nodes", list)
    params = {"FunctionName": "fn", "Role": "arn:aws:iam::123456789012:role/r", "Code": {"ZipFile": zipped("")}}
    message = refused("CreateFunction", "InvalidParameterValueException", **params, Runtime=runtime, Handler="a.b")
    assert says in message


@pytest.mark.parametrize(
    "files",
    [
        {"index.js": "const { Client } = require('@aws-sdk/client-x'); exports.handler = async () => Client;"},
        {"index.mjs": "import { Client } from '@aws-sdk/client-x'; export const handler = async () => Client;"},
    ],
)
def test_what_the_node_of_aws_brings_is_found_beside_the_project(create, invoke, tmp_path, monkeypatch, files):
    """In node_modules of the working directory, or above it; nothing else that lies there is."""
    package = tmp_path / "node_modules/@aws-sdk/client-x"
    package.mkdir(parents=True)
    (package / "index.js").write_text("exports.Client = 'brought';")
    (tmp_path / "node_modules/other.js").write_text("")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    create(files, **NODE20)
    assert invoke().payload == "brought"


def test_a_package_of_aws_that_is_not_here_is_named_with_the_way_to_get_it():
    """Nobody would guess it: on AWS the code runs."""
    told = runtimes.how_to_bring("Error: Cannot find module '@aws-sdk/client-codedeploy'")
    assert "npm install @aws-sdk/client-codedeploy" in told
    assert runtimes.how_to_bring("Error: Cannot find module 'axios'") == ""
