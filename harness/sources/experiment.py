"""Drafts of requests as the text of an experiment: complete, with comments, and such as our own parser takes."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml
from msgspec import Struct
from msgspec.structs import replace

from harness.core.experiment.hosts import is_url
from harness.core.experiment.parse import parse
from harness.core.experiment.rails import RAILS
from harness.core.experiment.rates import peak_rate
from harness.core.experiment.sendable import variables_of
from harness.core.experiment.types import Experiment, Replay, Traffic
from harness.errors import UsageError
from harness.sources.drafts import Described, Draft, on_one_line

_WIDTH = 116
_FAULT = """\
# What makes a request fail is not known from {source}. Name it here, and the share of requests that are to fail:
# what throws in your function, so that it counts as an error. fault may also have an entry for each request.
# error_share: 0.05
# fault: {{all: {{headers: {{Authorization: erroruser@company.com}}}}}}
"""
_ON_AWS = """\
# AWS: what is watched; any of stack, application, group and function, the rest is found.
# deployment: {stack: my-stack}
"""
_NO_TARGET = "# target: {host: 'https://api.example.com/prod'}\n"
_ALARM = """\
# The alarm of a rehearsal, as it guards your release; on AWS the alarms of the deployment group are found.
alarm: {metric: Errors, statistic: Sum, period_s: 60, evaluation_periods: 1, threshold: 3, dimensions: function}
"""
_EXPECT = """\
# What must come out: promoted, or rolled_back with a fault that is to be caught.
expect: {outcome: promoted}
seed: 1
"""


class Choices(Struct, frozen=True, kw_only=True):
    """What a person asks for beside the source itself.

    `baseline` and `canary` are what a rehearsal plays: a URL on this machine or module:function. `host` is where the
    service is, `stack` the CloudFormation stack to watch, `rate` a rate of production that goes with it.
    `released` are the keys of the experiment that say how the service is released, by `template`, where there is one.
    """

    source: str
    name: str | None = None
    host: str | None = None
    stack: str | None = None
    baseline: str | None = None
    canary: str | None = None
    include_writes: bool = False
    rate: Replay | None = None
    released: Mapping[str, Any] | None = None
    template: str | None = None


class Written(Struct, frozen=True):
    """The text of an experiment, what it says, and what a person still has to fill in."""

    text: str
    experiment: Experiment
    unknown: tuple[str, ...]


def written(described: Described, choices: Choices) -> Written:
    """The experiment of a source; raises UsageError where no request could be sent."""
    if not choices.include_writes and all(draft.changes_things or not draft.weight for draft in described.drafts):
        problem = "every request in it may change something (POST, PUT, PATCH, DELETE), so none would be sent"
        raise UsageError(f"{choices.source}: {problem}; give --include-writes if that is meant")
    choices = replace(choices, source=on_one_line(choices.source))
    described = replace(described, host=described.host if is_url(described.host or "") else None)
    name = choices.name or _named(described.title) or _named(choices.source) or "my-api"
    body = "\n".join(
        part.rstrip() + "\n"
        for part in (
            _line("name", name) + _line("description", f"The requests of {choices.source}."),
            _where(described, choices),
            _traffic(described, choices),
            *(_released(choices.released) if choices.released else (_deployment(choices), _ALARM)),
            _EXPECT,
        )
    )
    experiment = parse(body, source=name, steps=lambda replay: choices.rate.steps if choices.rate else replay.steps)
    unknown = tuple(map(on_one_line, (*_unknown(described, choices, experiment), *described.unknown)))
    text = _head(described, choices, unknown) + body + _left_out(described)
    return Written(text, experiment, unknown)


# The parts of the file


def _head(described: Described, choices: Choices, unknown: Iterable[str]) -> str:
    kept, lost = len(described.drafts), len(described.left_out)
    of = f" ({on_one_line(described.title)})" if described.title else ""
    left = f"; {lost} {'is' if lost == 1 else 'are'} left out, named at the end" if lost else ""
    requests = f"{kept} request{'' if kept == 1 else 's'}"
    lines = [f"Written by canary-harness init from {choices.source}{of}: {requests}{left}."]
    lines += ["What could not be known, and is yours to fill in:", *(f"- {sentence}" for sentence in unknown)]
    return _comment(lines) + "\n"


def _where(described: Described, choices: Choices) -> str:
    host = choices.host or described.host
    if choices.baseline:
        arms = {"baseline": _arm(choices.baseline), "canary": _arm(choices.canary or choices.baseline)}
        said = "# A rehearsal plays these two versions of the service: the one in service, and the one on trial.\n"
        on_aws = _later(host, "in the place of both") if host else ""
        return said + "".join(_line(name, arm) for name, arm in arms.items()) + on_aws
    if choices.template:
        said = f"# A rehearsal by --template {on_one_line(choices.template)} runs its code, and has no target.\n"
        return said + (_later(host, "here") if host else _NO_TARGET)
    said = (
        "# A rehearsal has no target: name there the two versions of the service on this machine instead.\n"
        "# baseline: {url: 'http://127.0.0.1:3000'}\n"
        "# canary: {url: 'http://127.0.0.1:3001'}\n"
    )
    return said + (_line("target", {"host": host}) if host else _NO_TARGET)


def _later(host: str, place: str) -> str:
    return f"# For a run on AWS: --host {on_one_line(host)}, or target: {{host: …}} {place}.\n"


def _arm(word: str) -> dict[str, str]:
    return {"url" if word.startswith(("http://", "https://")) else "handler": word}


def _traffic(described: Described, choices: Choices) -> str:
    lines = [*(_replay(choices.rate) if choices.rate else _steady(described, choices))]
    if described.feed:
        lines.append(
            "# A row of values for each request; a file with more of them may stand here instead: feed: rows.csv"
        )
        lines += [_yaml({"feed": [*described.feed]}).rstrip()]
    lines += [_FAULT.format(source=choices.source).rstrip(), "requests:"]
    lines += [textwrap.indent(_request(draft, choices).rstrip(), "  ") for draft in described.drafts]
    return "traffic:\n" + textwrap.indent("\n".join(lines), "  ") + "\n"


def _replay(rate: Replay) -> Iterator[str]:
    yield '# The rate of production; scale: 0.1 sends a tenth of it, window: "2026-11-20T18:00/30m" a part of its time.'
    yield _line("arrival_rate", {"from": rate.source}).rstrip()
    if (peak := peak_rate(rate)) > (limit := RAILS["arrival_rate"].default):
        yield _beyond(limit, peak)


def _steady(described: Described, choices: Choices) -> Iterator[str]:
    rate, limit = _rate(described, choices), RAILS["arrival_rate"].default
    as_there = f" that are sent, as in {choices.source}"
    yield f"# Requests per second{'; not known, so put in what production has' if rate is None else as_there}."
    yield f"arrival_rate: {Traffic().arrival_rate if rate is None else rate:g}"
    if rate is not None and rate > limit:
        yield _beyond(limit, rate)


def _beyond(limit: float, rate: float) -> str:
    return f"# More than {limit:g} a second to another machine needs rails: {{arrival_rate: {rate:g}}}, too."


def _rate(described: Described, choices: Choices) -> float | None:
    """The rate of the requests that are sent, in four digits."""
    if described.arrival_rate is None:
        return None
    weights = [(draft.weight, choices.include_writes or not draft.changes_things) for draft in described.drafts]
    share = sum(weight for weight, is_sent in weights if is_sent) / sum(weight for weight, _ in weights)
    return float(f"{described.arrival_rate * share:.4g}")


def _request(draft: Draft, choices: Choices) -> str:
    said = [draft.label] if draft.label != draft.key else []
    said += [f"Made up: {', '.join(draft.notes)}."] if draft.notes else []
    request, weight = draft.request(), draft.weight
    if draft.changes_things and not choices.include_writes:
        said.append(f"It may change something, so it is not sent; its weight would be {weight:g}.")
        weight = 0
    if weight != 1:
        request["weight"] = int(weight) if weight == int(weight) else weight
    return _comment(said) + _yaml({draft.key: request})


def _deployment(choices: Choices) -> str:
    config = "# How the traffic is shifted; left out, the group's own way, in a rehearsal Canary10Percent5Minutes.\n"
    if choices.stack and not choices.baseline:
        return config + _line("deployment", {"stack": choices.stack})
    named = _ON_AWS.replace("my-stack", on_one_line(choices.stack)) if choices.stack else _ON_AWS
    return config + "# deployment: {config: Canary10Percent5Minutes}\n" + named


def _released(keys: Mapping[str, Any]) -> Iterator[str]:
    """The release as a template has it."""
    yield "# The release as the template has it; rehearse --template reads it anew each time.\n"
    yield from (_line(key, value) for key, value in keys.items())


def _left_out(described: Described) -> str:
    if not described.left_out:
        return ""
    return "\n" + _comment(["Left out:", *(f"- {one.label}: {one.why}" for one in described.left_out)])


def _unknown(described: Described, choices: Choices, experiment: Experiment) -> Iterator[str]:
    if not (choices.baseline or choices.host or described.host):
        yield f"where the service is: give --host for a run{'' if choices.released else ', --baseline for a rehearsal'}"
    if described.arrival_rate is None and choices.rate is None:
        yield "how much traffic production has: traffic.arrival_rate"
    yield "what makes a request fail: traffic.fault and traffic.error_share"
    if variables := variables_of(experiment.traffic):
        yield f"credentials and other values that are read from the environment: {', '.join(variables)}"
    writes = [draft for draft in described.drafts if draft.changes_things]
    if writes and not choices.include_writes:
        some = "1 request, which" if len(writes) == 1 else f"{len(writes)} requests, which"
        yield f"whether {some} may change something, should be sent: weight 0 now, --include-writes sends them"


# Text


class _Dumper(yaml.SafeDumper):
    """Writes what our own reader takes for the same values: it reads more texts as numbers than YAML 1.1 does."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's own
        """Every value is written where it stands."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """A text, in double quotes where it holds what no line can: there YAML writes it as an escape."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"')


_Dumper.add_representer(str, _text)
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def _yaml(value: Mapping[str, Any]) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=None
    )
    return text


def _line(key: str, value: Any) -> str:
    """One key with its value in one line."""
    text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, width=10**6, default_flow_style=True)
    value_alone = text.removesuffix("...\n").rstrip()  # YAML ends a plain text that stands alone so
    return f"{key}: {value_alone}\n"


def _comment(lines: Iterable[str]) -> str:
    wrapped = [
        part for line in lines for part in textwrap.wrap(on_one_line(line), _WIDTH, subsequent_indent="  ") or [""]
    ]
    return "".join(f"# {line}".rstrip() + "\n" for line in wrapped)


def _named(title: str) -> str:
    """A name for the experiment; empty where a text gives none."""
    stem = re.sub(r"(\.(gz|ya?ml|json|har|log|txt|tsv|csv|postman_collection))+$", "", title.rsplit("/", 1)[-1])
    words = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:48].strip("-")
    return words if words not in ("latest", "index-html") else ""
