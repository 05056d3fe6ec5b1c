import contextlib
import json
from importlib import resources
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness import experiments
from harness.core.experiment.parse import parse, rehearsable, schema
from harness.core.experiment.types import Experiment
from harness.core.verdict.schema import verdict_schema
from harness.errors import ExperimentError

REGENERATE = "write json.dumps(..., indent=2) of schema() in core.experiment.parse, or of verdict_schema(), to the file"

ONE_KIND = "needs exactly one of error_share, force_alarm, concurrency and fis_template"
FIELD_ERRORS = {
    "traffic: {error_share: 1.5}": "traffic.error_share: must be between 0 and 1, got 1.5",
    "traffic: {error_share: .nan}": "traffic.error_share: must be a finite number, got nan",
    "traffic: {arrival_rate: -1}": "traffic.arrival_rate: must be between 0 and 1,000,000, got -1",
    "traffic: {arrival_rate: fast}": "traffic.arrival_rate: must be a number, a list or a map, got 'fast'",
    "traffic: {arrival_rate: []}": "traffic.arrival_rate: needs at least one step, such as {at_s: 0, rate: 20}",
    "traffic: {arrival_rate: [20]}": "traffic.arrival_rate[0]: must be a map of keys, got 20",
    "traffic: {arrival_rate: [{at_s: 5, rate: 1}]}": (
        "traffic.arrival_rate[0].at_s: must be 0, when the run begins, got 5"
    ),
    "traffic: {arrival_rate: [{at_s: 0, rate: -1}]}": (
        "traffic.arrival_rate[0].rate: must be between 0 and 1,000,000, got -1"
    ),
    "traffic: {arrival_rate: [{at_s: 0, rat: 1}]}": "traffic.arrival_rate[0].rat: unknown key; did you mean rate?",
    "traffic: {arrival_rate: [{at_s: 0}]}": "traffic.arrival_rate[0]: needs exactly one of rate and ramp_to",
    "traffic: {arrival_rate: [{at_s: 0, ramp_to: 1}]}": (
        "traffic.arrival_rate[0].for_s: is missing: how long the ramp takes"
    ),
    "traffic: {arrival_rate: [{at_s: 0, for_s: 60, ramp_to: 1}, {at_s: 30, rate: 1}]}": (
        "traffic.arrival_rate[1].at_s: must be at least 60, where the step before it ends, got 30"
    ),
    "traffic: {users: 0}": "traffic.users: must be between 1 and 1,000,000, got 0",
    "traffic: {users: 3, arrival_rate: 2}": (
        "traffic: give arrival_rate (open arrivals) or users (closed loop), not both"
    ),
    "traffic: {errorshare: 0.1}": "traffic.errorshare: unknown key; did you mean error_share?",
    "traffic: {pattern: odd}": "traffic.pattern: must be bernoulli, burst or even, got 'odd'",
    "traffic: {personas: {standard: 6}}": (
        "traffic.personas: is gone: give the customers as rows of traffic.feed, and use them in traffic.requests as "
        "{{column}}"
    ),
    "traffic: {endpoints: {home: 1}}": (
        "traffic.endpoints: is gone: say in traffic.requests what is sent, each request with its weight"
    ),
    "traffic: {client_versions: {1: 1}}": (
        "traffic.client_versions: is gone: give them in the headers of traffic.requests, or as a column of traffic.feed"
    ),
    "deployment: {endpoints: [home]}": (
        "deployment.endpoints: is now called requests, and lists names of traffic.requests"
    ),
    "stop_on: evidence\nalso: [{group: a}]": (
        "stop_on: two functions may have the same version numbers, so their requests must tell them apart: name those "
        "of the first group in deployment.requests, and none of them in also, or give each group a run of its own"
    ),
    "also: [{group: a, endpoints: [home]}]": (
        "also[0].endpoints: is now called requests, and lists names of traffic.requests"
    ),
    "traffic: 3": "traffic: must be a map of keys, got 3",
    "traffic:": "traffic: must be a map of keys, got nothing",
    "trafic: {}": "trafic: unknown key; did you mean traffic?",
    "steady_s: .inf": "steady_s: must be a finite number, got inf",
    "give_up_s: 0": "give_up_s: must be more than 0 and at most 604,800, got 0",
    "seed: 1.5": "seed: must be a whole number, got 1.5",
    "seed: yes": "seed: must be a whole number, got true",
    "target: {host: example.com}": "target.host: must be a URL such as https://example.com/stage, got 'example.com'",
    "target: {host: 'http://ex..ample'}": "target.host: must be a URL such as https://example.com/stage, got 'http://ex..ample'",
    "target: {host: 'http://x:port'}": "target.host: must be a URL such as https://example.com/stage, got 'http://x:port'",
    "rollback: [NEVER]": (
        "rollback[0]: must be DEPLOYMENT_FAILURE, DEPLOYMENT_STOP_ON_ALARM or DEPLOYMENT_STOP_ON_REQUEST, got 'NEVER'"
    ),
    "rollback: NEVER": "rollback: must be a list, got 'NEVER'",
    "expect: {outcome: great}": (
        "expect.outcome: must be failed, not_started, promoted, rolled_back, stopped or unknown, got 'great'"
    ),
    "deployment: {config: Canary0Percent5Minutes}": (
        "deployment.config: must shift between 1 and 99 percent, got 0 in Canary0Percent5Minutes"
    ),
    "deployment: {config: CodeDeployDefault.LambdaCanary100Percent5Minutes}": (
        "deployment.config: must shift between 1 and 99 percent, got 100 in Canary100Percent5Minutes"
    ),
    "deployment: {config: Linear10PercentEvery0Minutes}": (
        "deployment.config: must wait between 1 and 2880 minutes, got 0 in Linear10PercentEvery0Minutes"
    ),
    "deployment: {config: CodeDeployDefault.LambdaCanary20Percent5Minutes}": (
        "deployment.config: AWS has no CodeDeployDefault.LambdaCanary20Percent5Minutes;"
        " a configuration of your own has no CodeDeployDefault prefix"
    ),
    "deployment: {hooks: {BeforeInstall: Failed}}": (
        "deployment.hooks.BeforeInstall: unknown key; known are AfterAllowTraffic, BeforeAllowTraffic"
    ),
    "alarm: {period_s: 45}": "alarm.period_s: must be 10, 20, 30 or a multiple of 60, got 45",
    "alarm: {period_s: 5}": "alarm.period_s: must be at least 10, got 5",
    "alarm: {datapoints: 2}": "alarm.datapoints: must be at most evaluation_periods (1), got 2",
    "alarm: {period_s: 3600, evaluation_periods: 25}": (
        "alarm.evaluation_periods: must cover at most one day together with period_s"
    ),
    "alarm: {dimensions: versions}": (
        "alarm.dimensions: must be alias, api, function, stage or version or a map, got 'versions'"
    ),
    "alarm: {metric: 5XXError, dimensions: alias}": (
        "alarm.dimensions: must be one of api, stage, a map for a metric of AWS/ApiGateway, got alias"
    ),
    "alarm: {dimensions: stage}": (
        "alarm.dimensions: must be one of function, alias, version, a map for a metric of AWS/Lambda, got stage"
    ),
    "alarm: {statistic: p200}": (
        "alarm.statistic: must be one of Average, Maximum, Minimum, SampleCount, Sum, or one such as p99, tm90, IQM or "
        "PR(:300), got 'p200'"
    ),
    "alarm: {dimensions: {Resource: 3}}": 'alarm.dimensions.Resource: must be text, got 3; write "3"',
    "deployment: {target_version: $LATEST}": (
        "deployment.target_version: must be the number of a published version such as 42, got '$LATEST'"
    ),
    "alarm: {dimensions: {Resource: '{arn}'}}": (
        "alarm.dimensions.Resource: unknown placeholder {arn}; known are {alias}, {alias_arn}, {api}, {api_id}, "
        "{function}, {stage}, {version}"
    ),
    "alarm: {dimensions: {Resource: '{alias'}}": (
        "alarm.dimensions.Resource: has a brace without its partner: expected '}' before end of string"
    ),
    "faults: [{at_s: 3}]": f"faults[0]: {ONE_KIND}",
    "faults: [{at_s: 3, error_share: 1, force_alarm: OK}]": (f"faults[0]: {ONE_KIND}, got error_share and force_alarm"),
    "faults: [{at_s: 3, client_version_share: 0.2}]": (
        "faults[0].client_version_share: is gone: ask for an error_share, and say in traffic.fault what makes a "
        "request fail"
    ),
    "faults: [{at_s: 3, concurrency: -1}]": "faults[0].concurrency: must be at least 0, got -1",
    "faults: [{at_s: 3, concurrency: 0.5}]": "faults[0].concurrency: must be a whole number, got 0.5",
    "faults: [{at_s: 3, concurrency: 0}, {at_s: 9, concurrency: 5}]": (
        "faults[1].concurrency: overlaps faults[0]: end that one before by for_s"
    ),
    "faults: [{at_s: 9, force_alarm: OK}, {at_s: 3, for_s: 7, force_alarm: ALARM}]": (
        "faults[1].force_alarm: overlaps faults[0]: end that one before by for_s"
    ),
    "faults: [{at_s: 3, fis_template: '; rm'}]": (
        "faults[0].fis_template: must be the id of an experiment template such as EXT1a2b3c4d5e6f7, got '; rm'"
    ),
    "rails: {error_shares: 1}": "rails.error_shares: unknown key; did you mean error_share?",
    "rails: {arrival_rate: -1}": "rails.arrival_rate: must be between 0 and 1,000,000, got -1",
    "rails: {wall_time_s: 0}": "rails.wall_time_s: must be more than 0 and at most 604,800, got 0",
    "rails: {hosts: ['https://api.example.com']}": (
        "rails.hosts[0]: must be the name of a host such as api.example.com or *.example.com, "
        "got 'https://api.example.com'"
    ),
    "allow_writes: maybe": "allow_writes: must be true or false, got 'maybe'",
    "faults: [{error_share: 1}]": "faults[0].at_s: is missing",
    "faults: [{at_s: -61, error_share: 1}]": "faults[0].at_s: must be at least -steady_s (-60), got -61",
    "faults: [{at_s: 0, for_s: 0, error_share: 1}]": "faults[0].for_s: must be more than 0 and at most 604,800, got 0",
    "canary: {handler: app.handler}": "canary.handler: must be module:function, got 'app.handler'",
    "canary: {url: 'ftp://x'}": "canary.url: must be a URL such as http://127.0.0.1:3000, got 'ftp://x'",
    "canary: {url: 'http://127.0.0.1:1', handler: 'a:b'}": "canary: give handler or url, not both",
    "canary: {url: 'http://127.0.0.1:1', env: {A: 1}}": (
        "canary.env: cannot reach a service that runs elsewhere; set it where url is served"
    ),
    "canary: {env: {FAIL_RATIO: 2}}": "canary.env.FAIL_RATIO: must be between 0 and 1, got 2",
    "canary: {env: {LATENCY_MS: slow}}": "canary.env.LATENCY_MS: must be at least 0, got 'slow'",
    "canary: {env: {LATENCY_MS: [1]}}": "canary.env.LATENCY_MS: must be text or a number, got a list",
    "criteria: {schedule_lag_p99_s: .nan}": "criteria.schedule_lag_p99_s: must be a finite number, got nan",
}

TEXT_ERRORS = {
    "": "f.yaml: must be a map of keys, got nothing",
    "- 1": "f.yaml: must be a map of keys, got a list",
    "traffic: {}": "name: is missing",
    "name: ''": "name: must be 1 to 64 letters, digits, dots, dashes and underscores, got ''",
    "name: ../../etc": "name: must be 1 to 64 letters, digits, dots, dashes and underscores, got '../../etc'",
    'name: "x\\n"': "name: must be 1 to 64 letters, digits, dots, dashes and underscores, got 'x\\n'",
    "name: latest": "name: must be another one: latest is taken beside the folders of runs",
    "name: x\ndescription: |\n  a line\n": (
        "description: must not end with a line break; in YAML write >- or |- instead of > or |"
    ),
    'name: x\ndescription: "a \\ud800"': r"description: must be text that can be written down, got 'a \ud800'",
    'name: x\ncriteria: {"\\udfff": 1}': r"criteria: a key must be text that can be written down, got '\udfff'",
    'name: x\n"\\udfff": 1': r"f.yaml: a key must be text that can be written down, got '\udfff'",
    "name: 3": 'name: must be text, got 3; write "3"',
    "name: x\ntraffic: {a: [1": "f.yaml: line 2, column 16: expected ',' or ']', but got '<stream end>'",
    "name: x\nname: y": "f.yaml: line 2, column 1: the key name is given twice",
    "name: x\n? [a]\n: 1": "f.yaml: line 2, column 3: a key must be plain text",
    "name: !!python/object:os.system x": ("f.yaml: line 1, column 7: could not determine a constructor for the tag"),
    "name: \x00": "f.yaml: is not YAML: unacceptable character #x0000: special characters are not allowed",
    "name: " + "[" * 3000: "f.yaml: is not YAML: maximum recursion depth exceeded",
}


def refused(text: str) -> str:
    """What `parse` says against a text."""
    with pytest.raises(ExperimentError) as refusal:
        parse(text, source="f.yaml")
    return str(refusal.value)


@pytest.mark.parametrize(("keys", "sentence"), FIELD_ERRORS.items(), ids=str)
def test_wrong_value_is_named_with_its_path(keys: str, sentence: str) -> None:
    """One sentence says which field is wrong, what it must be, and what it was."""
    assert refused(f"name: x\n{keys}") == sentence


@pytest.mark.parametrize(("text", "sentence"), TEXT_ERRORS.items(), ids=lambda text: text[:20])
def test_text_that_is_no_experiment_is_named_with_its_place(text: str, sentence: str) -> None:
    """What is not YAML, or not a map with a name, is told with line and column where there are any."""
    assert refused(text).startswith(sentence)


def test_unknown_criterion_is_named() -> None:
    """A criterion must be a number that the verdict has."""
    assert refused("name: x\ncriteria: {bogus: 1}").startswith("criteria.bogus: ")


def test_error_knows_the_path() -> None:
    """The path is there for machines, too."""
    with pytest.raises(ExperimentError) as refusal:
        parse("name: x\nfaults: [{at_s: 1, error_share: 0}, {at_s: a}]", source="f.yaml")
    assert refusal.value.path == "faults[1].at_s"


def test_name_alone_is_an_experiment() -> None:
    """Every key but the name has a default."""
    assert parse("name: x", source="f.yaml") == Experiment(name="x")


def test_keys_may_look_like_numbers() -> None:
    """`1: …` in YAML is a number; names of requests are text all the same."""
    experiment = parse("name: x\ntraffic: {requests: {1: {get: /}}}", source="f.yaml")
    assert [*experiment.traffic.requests] == ["1"]


def test_merge_keys_are_understood() -> None:
    """YAML's `<<` takes a map over, and own keys win."""
    experiment = parse("<<: {name: x, seed: 3}\nseed: 4", source="f.yaml")
    assert (experiment.name, experiment.seed) == ("x", 4)


@pytest.mark.parametrize(
    "config",
    [
        "AllAtOnce",
        "CodeDeployDefault.LambdaAllAtOnce",
        "Canary1Percent1Minute",
        "Canary99Percent2880Minutes",
        "CodeDeployDefault.LambdaLinear10PercentEvery1Minute",
        "my-own-config",
    ],
)
def test_possible_config_is_accepted(config: str) -> None:
    """AWS's nine with or without prefix, the same form with other numbers, and any other name of one's own."""
    assert parse(f"name: x\ndeployment: {{config: {config}}}", source="f.yaml").deployment.config == config


@pytest.mark.parametrize("name", experiments.NAMES)
def test_packaged_experiment_is_valid_and_can_be_rehearsed(name: str) -> None:
    """What comes with the package parses, plays in a rehearsal, says what it shows, and states what it expects."""
    experiment = parse(experiments.text(name), source=name)
    rehearsable(experiment)
    assert experiment.name == name
    assert experiment.expect.outcome is not None
    assert experiment.description.endswith(".")


def test_every_packaged_file_is_listed() -> None:
    """The list is the folder."""
    files = {entry.name for entry in resources.files(experiments).iterdir() if entry.name.endswith(".yaml")}
    assert files == {f"{name}.yaml" for name in (*experiments.NAMES, experiments.SERVICE)}


@pytest.mark.parametrize("name", experiments.NAMES)
def test_packaged_experiment_validates_by_the_schema(name: str) -> None:
    """An editor that knows the schema has nothing to complain about."""
    jsonschema.validate(yaml.safe_load(experiments.text(name)), schema(), jsonschema.Draft202012Validator)


@pytest.mark.parametrize(("file", "current"), [("experiment", schema()), ("verdict", verdict_schema())])
def test_shipped_schema_is_current(file: str, current: dict[str, Any]) -> None:
    """The schema in the package is the one of the types."""
    jsonschema.Draft202012Validator.check_schema(current)
    shipped = resources.files("harness.core").joinpath(file, f"{file}.schema.json").read_text(encoding="utf-8")
    assert json.loads(shipped) == json.loads(json.dumps(current)), REGENERATE


@pytest.mark.parametrize("name", experiments.NAMES)
def test_experiment_survives_being_written_and_read(name: str) -> None:
    """A resolved experiment, written as JSON, is the same experiment when it is read again."""
    experiment = parse(experiments.text(name), source=name)
    assert parse(msgspec.json.encode(experiment).decode(), source="again") == experiment


def test_closed_loop_survives_being_written_and_read() -> None:
    """Users beside the default arrival rate is what a resolved closed-loop experiment has."""
    experiment = parse("name: x\ntraffic: {users: 5}", source="f.yaml")
    assert parse(msgspec.json.encode(experiment).decode(), source="again") == experiment


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ("deployment: {config: my-own-config}", "deployment.config"),
        ("target: {host: 'https://example.com'}", "target.host"),
        ("deployment: {id: d-123456789}", "deployment.id"),
    ],
)
def test_what_only_aws_has_cannot_be_rehearsed(keys: str, path: str) -> None:
    """A rehearsal refuses what it would have to ignore."""
    with pytest.raises(ExperimentError) as refusal:
        rehearsable(parse(f"name: x\n{keys}", source="f.yaml"))
    assert refusal.value.path == path


_leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_trees = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([field.name for field in msgspec.structs.fields(Experiment)]), _trees))
def test_any_tree_is_parsed_or_refused(tree: dict[str, Any]) -> None:
    """Whatever the values are, nothing but ExperimentError comes out."""
    with contextlib.suppress(ExperimentError):
        assert parse(yaml.safe_dump({"name": "x", **tree}), source="f.yaml").name


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Whatever the text is, nothing but ExperimentError comes out."""
    with contextlib.suppress(ExperimentError):
        assert parse(text, source="f.yaml").name


@pytest.mark.parametrize(("written", "share"), [("1e-2", 0.01), ("5E-1", 0.5), ("1.0e-2", 0.01)])
def test_number_with_an_exponent_is_a_number(written: str, share: float) -> None:
    """YAML 1.1 would take some of them for text."""
    assert parse(f"name: x\ntraffic: {{error_share: {written}}}", source="x").traffic.error_share == share


def test_several_calls_may_be_expected() -> None:
    """What the draw of few requests allows."""
    assert parse("name: x\nexpect: {call: [missed, inconclusive]}", source="x").expect.calls == (
        "missed",
        "inconclusive",
    )
