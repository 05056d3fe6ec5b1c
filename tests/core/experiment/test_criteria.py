"""The names that criteria of an experiment may have."""

import pytest

from harness.core.experiment.criteria import check_criteria
from harness.errors import ExperimentError


def test_unknown_name_is_refused_with_the_nearest_known_one() -> None:
    """The message names the field and the fix."""
    with pytest.raises(ExperimentError, match=r"criteria\.time_to_detct_s: .*did you mean time_to_detect_s\?") as error:
        check_criteria({"time_to_detct_s": 1.0})
    assert error.value.path == "criteria.time_to_detct_s"


def test_name_like_no_other_is_refused_with_all_known_ones() -> None:
    """Where nothing is near, all are listed."""
    with pytest.raises(ExperimentError, match="known are schedule_lag_p99_s"):
        check_criteria({"xyzzy": 1.0})
