"""Aliases and their weights, through boto3, and the draw by weight."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.rehearsal.functions.records import Alias
from harness.rehearsal.functions.routing import check_weights, route
from harness.rehearsal.refusal import Refusal

ARN = "arn:aws:lambda:eu-north-1:123456789012:function:fn"
LIVE = {"FunctionName": "fn", "Name": "Live"}


@pytest.fixture
def live(create, publish, client):
    """The alias Live on version 1 of a function with versions 1 to 3."""
    create()
    for mode in ("a1", "b1", "c1"):
        publish(MODE=mode)
    return client.create_alias(**LIVE, FunctionVersion="1", Description="in service")


def test_an_alias_answers_in_the_shape_of_the_model(live, client, fits_model):
    """Create, Get, Update and List fit botocore's model."""
    fits_model(client, "CreateAlias", live)
    fits_model(client, "GetAlias", client.get_alias(**LIVE))
    routing = {"AdditionalVersionWeights": {"2": 0.1}}
    fits_model(client, "UpdateAlias", client.update_alias(**LIVE, RoutingConfig=routing))
    fits_model(client, "ListAliases", client.list_aliases(FunctionName="fn"))


def test_creating_an_alias_is_201_and_updating_it_200(live, client):
    """The statuses are AWS's."""
    assert live["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert client.update_alias(**LIVE, Description="x")["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_an_alias_without_weights_has_no_routing_config(live, client):
    """RoutingConfig is left out, and not empty, where nothing is shifted."""
    assert live["AliasArn"] == f"{ARN}:Live"
    assert "RoutingConfig" not in client.get_alias(**LIVE)


def test_weights_are_shown_beside_the_version_in_service(live, client):
    """While traffic shifts FunctionVersion is still the old one."""
    client.update_alias(**LIVE, FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}})
    alias = client.get_alias(**LIVE)
    assert (alias["FunctionVersion"], alias["RoutingConfig"]) == ("1", {"AdditionalVersionWeights": {"2": 0.1}})


@pytest.mark.parametrize("empty", [{}, {"AdditionalVersionWeights": {}}])
def test_an_empty_routing_config_clears_the_weights(live, client, empty):
    """Both ways to say nothing clear them."""
    client.update_alias(**LIVE, RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}})
    client.update_alias(**LIVE, FunctionVersion="2", RoutingConfig=empty)
    alias = client.get_alias(**LIVE)
    assert (alias["FunctionVersion"], "RoutingConfig" in alias) == ("2", False)


def test_an_update_without_routing_config_keeps_the_weights(live, client):
    """What is not named stays, the description too."""
    client.update_alias(**LIVE, RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}})
    kept = client.update_alias(**LIVE, FunctionVersion="3")
    assert kept["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.1}}
    assert kept["Description"] == "in service"


def test_new_weights_replace_the_old_ones(live, client):
    """Weights are not merged."""
    client.update_alias(**LIVE, RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}})
    changed = client.update_alias(**LIVE, RoutingConfig={"AdditionalVersionWeights": {"3": 0.5}})
    assert changed["RoutingConfig"] == {"AdditionalVersionWeights": {"3": 0.5}}


def test_every_update_gives_a_new_revision(live, client):
    """An update that changes nothing does so too."""
    first = client.update_alias(**LIVE)["RevisionId"]
    assert len({live["RevisionId"], first, client.update_alias(**LIVE)["RevisionId"]}) == 3


def test_an_update_for_another_revision_is_refused(live, client, refused):
    """A stale RevisionId is a failed precondition, and the alias stays."""
    client.update_alias(**LIVE, Description="newer")
    stale = live["RevisionId"]
    refused("UpdateAlias", "PreconditionFailedException", **LIVE, FunctionVersion="2", RevisionId=stale)
    assert client.get_alias(**LIVE)["FunctionVersion"] == "1"


BAD_WEIGHTS = {
    "two versions": ({"2": 0.1, "3": 0.1}, "cannot be greater than 1", "InvalidParameterValueException"),
    "its own version": (
        {"1": 0.1},
        "Invalid function version 1. Function version 1 is already included in routing configuration.",
        "InvalidParameterValueException",
    ),
    "an unknown version": ({"9": 0.1}, f"Function not found: {ARN}:9", "ResourceNotFoundException"),
    "$LATEST": ({"$LATEST": 0.1}, "Member must satisfy regular expression pattern: [0-9]+", "ValidationException"),
    "an alias": ({"Live": 0.1}, "Member must satisfy regular expression pattern: [0-9]+", "ValidationException"),
    "more than everything": ({"2": 1.1}, "less than or equal to 1.0", "ValidationException"),
    "less than nothing": ({"2": -0.1}, "greater than or equal to 0.0", "ValidationException"),
}


@pytest.mark.parametrize(("weights", "words", "code"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS.keys())
def test_weights_that_cannot_be_are_refused(live, client, refused, weights, words, code):
    """The refusal is AWS's, and the alias stays as it was."""
    message = refused("UpdateAlias", code, **LIVE, RoutingConfig={"AdditionalVersionWeights": weights})
    assert words in message
    assert client.get_alias(**LIVE)["RevisionId"] == live["RevisionId"]


def test_an_alias_of_latest_takes_no_weights(create, publish, refused):
    """Both sides of a split are published versions."""
    create()
    publish(MODE="a1")
    routing = {"AdditionalVersionWeights": {"1": 0.1}}
    params = {**LIVE, "FunctionVersion": "$LATEST", "RoutingConfig": routing}
    message = refused("CreateAlias", "InvalidParameterValueException", **params)
    assert message == "$LATEST is not supported for an alias pointing to more than 1 version"


def test_moving_an_alias_onto_the_version_with_weight_is_refused(live, client, refused):
    """The weights that stay are checked against the new version."""
    client.update_alias(**LIVE, RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}})
    refused("UpdateAlias", "InvalidParameterValueException", **LIVE, FunctionVersion="2")


def test_an_alias_cannot_be_made_twice(live, refused):
    """A second alias of the name is a conflict."""
    message = refused("CreateAlias", "ResourceConflictException", **LIVE, FunctionVersion="2")
    assert message == f"Alias already exists: {ARN}:Live"


def test_an_alias_cannot_be_a_number(create, refused):
    """A number would be a version."""
    create(Publish=True)
    refused("CreateAlias", "ValidationException", FunctionName="fn", Name="12", FunctionVersion="1")


def test_an_alias_of_an_unknown_version_is_refused(create, refused):
    """The version must have been published."""
    create()
    refused("CreateAlias", "ResourceNotFoundException", **LIVE, FunctionVersion="1")


def test_an_unknown_alias_is_named_in_the_refusal(create, refused):
    """Get and Update say which alias is missing, each in AWS's words."""
    create()
    assert refused("GetAlias", "ResourceNotFoundException", **LIVE) == f"Cannot find alias arn: {ARN}:Live"
    assert refused("UpdateAlias", "ResourceNotFoundException", **LIVE) == f"Alias not found: {ARN}:Live"


def test_a_deleted_alias_is_gone(live, client, refused):
    """DeleteAlias removes it from lookups and from routing; a second time is no error."""
    client.delete_alias(**LIVE)
    assert client.delete_alias(**LIVE)["ResponseMetadata"]["HTTPStatusCode"] == 204
    refused("GetAlias", "ResourceNotFoundException", **LIVE)
    refused("Invoke", "ResourceNotFoundException", FunctionName="fn:Live")


def test_aliases_can_be_listed_by_version(live, client):
    """FunctionVersion keeps the aliases that send traffic to it."""
    client.create_alias(FunctionName="fn", Name="Next", FunctionVersion="2")
    names = {
        version: [alias["Name"] for alias in client.list_aliases(FunctionName="fn", FunctionVersion=version)["Aliases"]]
        for version in ("1", "2", "3")
    }
    assert names == {"1": ["Live"], "2": ["Next"], "3": []}


def test_what_codedeploy_shifts_is_seen_on_the_alias(live, client, functions):
    """`shift` does what UpdateAlias does, and `alias_state` reads it back."""
    functions.shift("fn", "Live", "1", {"2": 0.1})
    alias = client.get_alias(**LIVE)
    assert alias["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.1}}
    assert alias["RevisionId"] != live["RevisionId"]
    state = functions.alias_state("fn", "Live")
    assert (state.version, state.weights) == ("1", {"2": 0.1})


def test_a_shift_to_an_unknown_version_is_refused(live, functions):
    """CodeDeploy gets the same refusals as everybody."""
    with pytest.raises(Refusal, match="Function not found") as caught:
        functions.shift("fn", "Live", "9", {})
    assert caught.value.code == "ResourceNotFoundException"


@pytest.mark.parametrize("missing", [("none", "Live"), ("fn", "None")])
def test_an_alias_that_does_not_exist_has_no_state_and_no_draw(live, functions, missing):
    """Both raise ResourceNotFoundException."""
    for ask in (functions.alias_state, functions.draw):
        with pytest.raises(Refusal) as caught:
            ask(*missing)
        assert caught.value.code == "ResourceNotFoundException"


def test_a_version_is_known_or_not(live, functions):
    """`has_version` knows published versions and $LATEST."""
    known = [functions.has_version("fn", version) for version in ("1", "3", "$LATEST", "4", "Live")]
    assert known == [True, True, True, False, False]
    assert not functions.has_version("none", "1")


def test_draws_follow_the_weight(live, functions):
    """Of 10,000 draws at 10 % the canary gets a thousand, within four standard deviations."""
    functions.shift("fn", "Live", "1", {"2": 0.1})
    drawn = Counter(functions.draw("fn", "Live") for _ in range(10_000))
    assert set(drawn) == {"1", "2"}
    assert drawn["2"] == pytest.approx(1000, abs=4 * 30)


@pytest.mark.parametrize(("weight", "version"), [(0.0, "1"), (1.0, "2")])
def test_the_ends_of_the_range_are_exact(live, functions, weight, version):
    """Weight 0 gives the canary nothing, weight 1 everything."""
    functions.shift("fn", "Live", "1", {"2": weight})
    assert {functions.draw("fn", "Live") for _ in range(1000)} == {version}


def test_draws_repeat_with_the_seed():
    """The same seed gives the same sequence."""
    split = route(Alias(name="Live", version="1", weights={"2": 0.5}, description="", revision_id=""))
    first, second = ([split.draw(rng.random()) for _ in range(50)] for rng in (random.Random(3), random.Random(3)))
    assert first == second


@given(weight=st.floats(0, 1), seed=st.integers())
def test_a_draw_is_always_one_of_the_two(weight, seed):
    """Whatever the weight, no third version comes out."""
    split = route(Alias(name="Live", version="1", weights={"2": weight}, description="", revision_id=""))
    assert split.draw(random.Random(seed).random()) in {"1", "2"}


@given(weight=st.floats(allow_nan=True).filter(lambda weight: not 0 <= weight <= 1))
def test_no_weight_outside_of_the_range_gets_through(weight):
    """Neither infinite, nor negative, nor not-a-number."""
    with pytest.raises(Refusal):
        check_weights("1", {"2": weight})
