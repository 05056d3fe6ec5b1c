"""What the start form says of a field that is left empty."""

from argparse import Namespace
from types import SimpleNamespace

import pytest

from harness.plugin.start_form import form_of


@pytest.mark.parametrize(
    ("given", "holds"),
    [
        ({}, ""),
        ({"canary_stack": "shop"}, "found by the stack shop"),
        ({"canary_function": "basket"}, "found by the function basket"),
    ],
)
def test_a_field_says_what_is_watched_where_it_is_empty(given: dict[str, str], holds: str) -> None:
    """Not that nothing is, where a stack or a function leads to it."""
    parsed = Namespace(num_users=None, host=None, **given)
    environment = SimpleNamespace(parsed_options=parsed, user_classes=[], host="http://127.0.0.1:9")
    defaults = {field.name: field.default for field in form_of(environment, None).fields}
    assert (defaults["application"], defaults["group"]) == (holds, holds)
