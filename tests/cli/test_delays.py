"""`doctor --learn-delays`: what it prints is an experiment's `cloud`."""

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest
import yaml

from harness.cli.delays import as_document, as_lines
from harness.core.experiment.parse import parse
from harness.core.experiment.types import CloudTimes
from harness.errors import ExperimentError
from harness.rehearsal.cloud import Cloud

BUILT_IN = {"alarm_delay_s": (10.0, 80.0), "stop_delay_s": (10.0, 29.0)}


def test_the_lines_are_a_part_of_an_experiment() -> None:
    """What was found is a key, with the built-in span beside it."""
    lines = as_lines({"alarm_delay_s": (32.0, 51.7, 61.74), "stop_delay_s": (11.2, 14.0)}, BUILT_IN)
    assert parse("\n".join(["name: ours", *lines]), source="ours.yaml").cloud == CloudTimes(
        alarm_delay_s=(32.0, 61.7), stop_delay_s=(11.2, 14.0)
    )
    assert lines[1].endswith("# 3 found, median 51.7; built in: 10 to 80")


def test_what_was_not_found_stays_built_in() -> None:
    """It is a comment."""
    lines = as_lines({"alarm_delay_s": (), "stop_delay_s": (11.2, 14.0)}, BUILT_IN)
    assert parse("\n".join(["name: ours", *lines]), source="ours.yaml").cloud == CloudTimes(stop_delay_s=(11.2, 14.0))
    none = as_lines({"alarm_delay_s": (), "stop_delay_s": ()}, BUILT_IN)
    assert yaml.safe_load("\n".join(none)) is None
    assert as_document({"alarm_delay_s": (), "stop_delay_s": ()}, BUILT_IN)["cloud"] == {}


@pytest.mark.parametrize("delays", [(11.2,), (11.2, 11.2)])
def test_one_delay_is_no_span(delays: tuple[float, ...]) -> None:
    """A rehearsal that always took just as long would be no truer than what is built in: it is told, as a comment."""
    found = {"alarm_delay_s": (), "stop_delay_s": delays}
    lines = as_lines(found, BUILT_IN)
    assert yaml.safe_load("\n".join(lines)) is None
    assert f"only 11.2 s was seen ({len(delays)} found)" in lines[2]
    assert as_document(found, BUILT_IN) == {"cloud": {}, "found": found, "built_in": BUILT_IN}


@pytest.mark.parametrize("span", ["[3, 2]", "[1]", "[1, 2, 3]", "-1", "soon", "0"])
def test_a_span_that_is_none_is_refused(span: str) -> None:
    """With the field named."""
    with pytest.raises(ExperimentError) as refused:
        parse(f"name: ours\ncloud: {{stop_delay_s: {span}}}\n", source="ours.yaml")
    assert "cloud.stop_delay_s" in str(refused.value)


@pytest.mark.slow
def test_doctor_prints_what_it_found(canary_cloud: Cloud, canary_aws: Mapping[str, str]) -> None:
    """In a fresh account nothing, and that is said; it ends well."""
    command = [sys.executable, "-m", "harness", "doctor", "--learn-delays", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["found"] == {"alarm_delay_s": [], "stop_delay_s": []}
