import json

from spcompile.report.inspection_view import to_json

ARM = ("--target", "arm")


def test_the_summary(cli, compiler, model):
    outcome = cli("inspect", model, *ARM)
    assert (outcome.code, outcome.err) == (0, "")
    assert compiler.calls == [(model, {"target": "arm", "threads": 1, "dtype": None, "patterns": None, "input_shapes": None})]
    assert "nothing is pruned" in outcome.out
    assert "/layer1/layer1.0/conv1/Conv" in outcome.out


def test_one_layer(cli, compiler, model):
    out = cli("inspect", model, *ARM, "--layer", "/conv1/*").out
    assert "unstructured@0.5" in out
    assert "3 in-channels are not a multiple of 4" in out
    assert "layer1.0" not in out


def test_an_unknown_layer_is_a_mistake_that_names_the_known(cli, compiler, model):
    outcome = cli("inspect", model, *ARM, "--layer", "nothing")
    assert (outcome.code, outcome.out) == (2, "")
    assert "no layer is called 'nothing'; there are /conv1/Conv, /layer1" in outcome.err


def test_json(cli, compiler, model):
    assert json.loads(cli("inspect", model, *ARM, "--json").out) == json.loads(json.dumps(to_json(compiler.inspection)))


def test_json_of_one_layer(cli, compiler, model):
    (layer,) = json.loads(cli("inspect", model, *ARM, "--json", "--layer", "/conv1/*").out)["layers"]
    assert layer in json.loads(json.dumps(to_json(compiler.inspection)))["layers"]
    assert "no layer is called 'nothing'" in cli("inspect", model, *ARM, "--json", "--layer", "nothing").err


def test_what_is_missing(cli, model):
    assert "no model given" in cli("inspect").err
    assert "no target given" in cli("inspect", model).err
