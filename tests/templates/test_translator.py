"""Our reader of SAM against SAM's own translator: the template that it makes says the same of a release."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.rehearsal.cloudformation.template import as_sent
from harness.rehearsal.cloudformation.transforms import transformed
from harness.templates import read_release
from tests.templates.conftest import SAM, answers, facts

STORED = ("CodeUri: src/", "CodeUri: s3://bucket/key\n      Handler: app.handler\n      Runtime: python3.13")
HOOK = (
    "  Pre:\n    Type: AWS::Serverless::Function\n    Properties: {InlineCode: x, Handler: i.h, Runtime: python3.13}\n"
)
ALARMS = "          - !Ref ApiErrors\n"
TEMPLATES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "as it is": (),
    "linear": (("Canary10Percent5Minutes", "Linear10PercentEvery1Minute"),),
    "all at once": (("Canary10Percent5Minutes", "AllAtOnce"),),
    "a configuration of the team": (("Canary10Percent5Minutes", "Canary10Percent7Minutes"),),
    "no alarms": ((f"        Alarms:\n{ALARMS}", ""),),
    "two alarms": ((ALARMS, f"{ALARMS}          - elsewhere\n"),),
    "hooks": (("        Alarms:", "        Hooks: {PreTraffic: !Ref Pre, PostTraffic: literal}\n        Alarms:"),),
    "alarms by a condition": ((f"Alarms:\n{ALARMS}", "Alarms: !If [IsProd, [!Ref ApiErrors], [elsewhere]]\n"),),
    "switched off": (("Canary10Percent5Minutes", "Canary10Percent5Minutes\n        Enabled: false"),),
    **{
        f"enabled by {value}": (("Canary10Percent5Minutes", f"Canary10Percent5Minutes\n        Enabled: {value}"),)
        for value in (
            "!Equals [!Ref Stage, prod]",
            "!Equals [!Ref Stage, dev]",
            "!If [IsProd, true, false]",
            "{Condition: IsProd}",
            "!Ref Stage",
            "'true'",
            "'no'",
            "'FALSE'",
            "'False'",
            "0",
            "''",
        )
    },
    "a name": ((STORED[0], f"FunctionName: shop-api\n      {STORED[0]}"),),
    "globals": (
        ("    AutoPublishAlias: live\n", "    AutoPublishAlias: live\n    DeploymentPreference: {Type: AllAtOnce}\n"),
        ("        Type: Canary10Percent5Minutes\n", ""),
    ),
}


@pytest.mark.parametrize("changes", TEMPLATES.values(), ids=TEMPLATES)
def test_the_translation_of_sam_says_the_same(tmp_path: Path, changes: tuple[tuple[str, str], ...]) -> None:
    """Group, configuration, alarms, rollback events, hooks, and doctor's answers to them."""
    text = SAM + HOOK
    for old, new in (*changes, STORED):
        assert old in text, f"the template has no {old!r}"
        text = text.replace(old, new)
    ours, theirs = tmp_path / "template.yaml", tmp_path / "translated.json"
    ours.write_text(text)
    parameters = {"Stage": "dev", "Owner": "us"}
    made = transformed(text, parameters, "eu-north-1").values
    theirs.write_text(json.dumps(as_sent(made)))
    read = [read_release(path, parameters) for path in (ours, theirs)]
    assert facts(read[0]) == facts(read[1])
    assert bool(facts(read[0])) is not any(f"Enabled: {no}\n" in text for no in ("false", "'False'", "0", "''"))
    assert answers(read[0]) == answers(read[1])


EXTENDED = ("Transform: AWS::Serverless-2016-10-31", "Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]")
LATE = (EXTENDED[0], "Transform: [AWS::Serverless-2016-10-31, AWS::LanguageExtensions]")
MAPPED = ("Resources:\n", "Mappings: {Canary: {prod: {Canary: true}}}\nResources:\n")


@pytest.mark.parametrize(
    ("order", "enabled", "released_in"),
    [
        (EXTENDED, "!If [IsProd, true, false]", ["prod"]),
        (EXTENDED, "!If [IsProd, !Ref AWS::NoValue, false]", ["prod"]),
        (EXTENDED, "!If [IsProd, false, !Sub 'yes-${Stage}']", ["dev"]),
        (EXTENDED, "!FindInMap [Canary, !Ref Stage, Canary, DefaultValue: false]", ["prod"]),
        (LATE, "!If [IsProd, true, false]", ["dev", "prod"]),
    ],
)
def test_language_extensions_are_carried_out_before_sam_if_they_come_first(
    tmp_path: Path, order: tuple[str, str], enabled: str, released_in: list[str]
) -> None:
    """By the local cloud as by the reader: a preference is on in the same stages."""
    text = SAM
    for old, new in (order, STORED, MAPPED, ("Type: Canary", f"Enabled: {enabled}\n        Type: Canary")):
        text = text.replace(old, new, 1)
    ours, theirs = tmp_path / "template.yaml", tmp_path / "translated.json"
    ours.write_text(text)
    found = []
    for stage in ("dev", "prod"):
        parameters = {"Stage": stage, "Owner": "us"}
        theirs.write_text(json.dumps(as_sent(transformed(text, parameters, "eu-north-1").values)))
        read = [read_release(path, parameters) for path in (ours, theirs)]
        assert facts(read[0]) == facts(read[1])
        found += [stage] if facts(read[0]) else []
    assert found == released_in
