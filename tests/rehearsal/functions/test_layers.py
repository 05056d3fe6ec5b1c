"""Layers: what runs of a function find in them, and their versions."""

import pytest

from harness.rehearsal.functions import runtimes

ROLE = "arn:aws:iam::123456789012:role/service"


@pytest.fixture
def layer(client, zipped):
    """`layer(files)` publishes a version of the layer `shared`, and gives its ARN."""
    return lambda files: client.publish_layer_version(LayerName="shared", Content={"ZipFile": zipped(files)})[
        "LayerVersionArn"
    ]


@pytest.mark.parametrize("folder", ["python", "python/lib/python3.11/site-packages"])
def test_python_imports_from_layers_and_its_own_code_first(create, invoke, layer, folder):
    """Of two layers the later one goes first."""
    arns = [layer({f"{folder}/common.py": f"AT = {number}", "python/own.py": "AT = 'layer'"}) for number in (1, 2)]
    source = {
        "app.py": "import common, own\ndef handler(event, context): return [common.AT, own.AT]",
        "own.py": "AT = 0",
    }
    create(source, Layers=arns)
    assert invoke().payload == [2, 0]


@pytest.mark.skipif(not runtimes.nodes(), reason="no Node is installed")
def test_node_requires_from_layers(create, invoke, layer):
    """In nodejs/node_modules."""
    arn = layer({"nodejs/node_modules/common/index.js": "exports.at = 7;"})
    source = {"index.js": "exports.handler = async () => require('common').at;"}
    create(source, Runtime="nodejs20.x", Handler="index.handler", Layers=[arn])
    assert invoke().payload == 7


def test_a_version_keeps_its_layers(client, create, layer):
    """Told of each with its size, and gone once they are cleared."""
    arn = layer({"python/a.py": ""})
    create(Layers=[arn])
    version = client.publish_version(FunctionName="fn")["Version"]
    client.update_function_configuration(FunctionName="fn", Layers=[])
    kept = client.get_function_configuration(FunctionName="fn", Qualifier=version)
    assert [one["Arn"] for one in kept["Layers"]] == [arn]
    assert "Layers" not in client.get_function_configuration(FunctionName="fn")


def test_a_number_is_never_used_again(client, layer, fits_model):
    """Not even that of the newest version, once it is deleted."""
    layer({"a.py": ""})
    client.delete_layer_version(LayerName="shared", VersionNumber=1)
    assert layer({"a.py": "1"}).endswith(":layer:shared:2")
    told = client.get_layer_version(LayerName="shared", VersionNumber=2)
    fits_model(client, "GetLayerVersion", told)
    assert [one["Version"] for one in client.list_layer_versions(LayerName="shared")["LayerVersions"]] == [2]
    assert [one["LayerName"] for one in client.list_layers()["Layers"]] == ["shared"]


def test_a_layer_of_another_account_is_named(client, create, caplog):
    """The function is made, and runs without it."""
    create(Layers=["arn:aws:lambda:eu-north-1:580247275435:layer:LambdaInsightsExtension:21"])
    assert "LambdaInsightsExtension:21 is a layer of another account" in caplog.text
