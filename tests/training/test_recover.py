"""Distillation from the dense network, masks and all."""

import sys
import time

import numpy as np
import pytest
import torch

from spcompile.ir.layers import find_layers, weight
from spcompile.passes import prepare
from spcompile.patterns import parse_choice
from spcompile.progress import Lines
from spcompile.pruning import calibration_from, prune
from spcompile.training import Recipe, held_out, recover
from spcompile.training.distillation import Distillation
from tests.pruning.samples import images, network
from tests.pruning.test_sequential import choices, distance

LONG = 600  # seconds that no test takes: the steps end first


@pytest.fixture(autouse=True)
def one_thread():
    """With several, the order of sums depends on how busy the machine is."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def case():
    """A network pruned by magnitude, so that nothing has been made up for yet."""
    model = network()
    chosen = choices(model, parse_choice("unstructured@0.6"))
    learned, judged = held_out(calibration_from(images(96), model), model, 0)
    return model, prune(model, chosen), chosen, learned, judged


def weights(model):
    return {layer.name: weight(model, layer) for layer in find_layers(model)}


def same(one, other) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one | other)


@pytest.mark.parametrize("text", ["unstructured@0.6", "block4x1@0.5", "2:4", "channel@0.3"])
def test_training_brings_the_output_closer_and_keeps_the_masks(case, text):
    model, _, _, learned, judged = case
    chosen = choices(model, parse_choice(text))
    pruned = prune(model, chosen)
    recovered = recover(model, pruned, chosen, learned, judged, LONG, recipe=Recipe(most_steps=60))
    fresh = images(64, seed=9)
    assert distance(model, recovered.model, fresh) < 0.85 * distance(model, pruned.model, fresh)
    assert recovered.masks is pruned.masks
    for name, matrix in weights(recovered.model).items():
        assert not matrix[weights(pruned.model)[name] == 0].any()
    assert "recovered without labels: 60 steps" in recovered.notes[-1]


def test_a_transformer_is_recovered(build):
    """A block with two heads of attention, normalisation and a wide layer; names as the distance reads them."""
    text = """g (float[1,6,16] image) => (float[1,6,16] scores) {
        q = MatMul(image,wq) k = MatMul(image,wk) v = MatMul(image,wv) qr = Reshape(q,split) kr = Reshape(k,split) vr = Reshape(v,split)
        qt = Transpose<perm=[0,2,1,3]>(qr) kt = Transpose<perm=[0,2,3,1]>(kr) vt = Transpose<perm=[0,2,1,3]>(vr)
        a = MatMul(qt,kt) p = Softmax<axis=-1>(a) o = MatMul(p,vt) ot = Transpose<perm=[0,2,1,3]>(o) j = Reshape(ot,join)
        u = MatMul(j,wo) r = Add(u,image) n = LayerNormalization<axis=-1>(r,scale,shift) h = MatMul(n,w1) g = Relu(h) f = MatMul(g,w2) scores = Add(f,r) }"""
    rng = np.random.default_rng(0)
    wide = {name: (rng.standard_normal((16, 16)) / 4).astype(np.float32) for name in ("wq", "wk", "wv", "wo")}
    deep = {"w1": (rng.standard_normal((16, 32)) / 4).astype(np.float32), "w2": (rng.standard_normal((32, 16)) / 6).astype(np.float32)}
    shapes = {"split": np.array([1, 6, 2, 8]), "join": np.array([1, 6, 16])}
    model = prepare(build(text, **wide, **deep, **shapes, scale=np.ones(16, np.float32), shift=np.zeros(16, np.float32)))
    sequences = rng.standard_normal((160, 6, 16)).astype(np.float32)
    chosen = choices(model, parse_choice("unstructured@0.6"))
    learned, judged = held_out(calibration_from(sequences[:96], model), model, 0)
    pruned = prune(model, chosen)
    recovered = recover(model, pruned, chosen, learned, judged, LONG, recipe=Recipe(most_steps=60))
    assert len(chosen) == 6 and distance(model, recovered.model, sequences[96:]) < 0.85 * distance(model, pruned.model, sequences[96:])


def test_a_training_that_explodes_gives_back_the_best_state(case):
    model, pruned, chosen, learned, judged = case
    recovered = recover(model, pruned, chosen, learned, judged, LONG, recipe=Recipe(first_gain=1e30, most_steps=50))
    assert same(weights(recovered.model), weights(pruned.model))
    assert "the loss was not finite after" in recovered.notes[-1]


def test_a_training_that_gets_nowhere_ends_early_with_what_it_was_given(case):
    model, pruned, chosen, learned, judged = case
    recovered = recover(model, pruned, chosen, learned, judged, LONG, recipe=Recipe(first_gain=1e4, most_steps=100))
    assert same(weights(recovered.model), weights(pruned.model))
    assert "it ended early, having gone back 7 times" in recovered.notes[-1]


def test_the_seed_decides(case):
    one, again, other = (recover(*case, LONG, seed=seed, recipe=Recipe(most_steps=5)).model for seed in (4, 4, 5))
    assert same(weights(one), weights(again)) and not same(weights(one), weights(other))


def test_the_time_is_kept(case):
    recover(*case, 0.2)
    started = time.monotonic()
    recover(*case, 1)
    assert time.monotonic() - started < 10, "one second of training, and what surrounds it on a busy machine"


def test_nothing_pruned_is_nothing_to_recover(case):
    model, pruned, _, learned, judged = case
    recovered = recover(model, pruned, {}, learned, judged, LONG)
    assert recovered.model is pruned.model and recovered.notes == (*pruned.notes, "nothing was pruned, so there was nothing to recover")


def interrupt_at(monkeypatch, step: int):
    """Control-C once, in the middle of a training."""
    original, taken = Distillation.step, []

    def stepping(self, share):
        taken.append(share)
        if len(taken) == step:
            raise KeyboardInterrupt
        return original(self, share)

    monkeypatch.setattr(Distillation, "step", stepping)


def test_an_interrupted_recovery_goes_on_where_it_was(case, monkeypatch, tmp_path, capsys):
    recipe = Recipe(most_steps=40)
    whole = recover(*case, LONG, recipe=recipe)
    interrupt_at(monkeypatch, 17)
    with pytest.raises(KeyboardInterrupt):
        recover(*case, LONG, progress=Lines(sys.stderr), folder=tmp_path, recipe=recipe)
    assert "the same command goes on from it" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 1
    resumed = recover(*case, LONG, progress=Lines(sys.stderr), folder=tmp_path, recipe=recipe)
    assert "recover, from " in capsys.readouterr().err and "before an interruption" in resumed.notes[-1] and "40 steps" in resumed.notes[-1]
    assert same(weights(resumed.model), weights(whole.model)), "step for step as if nothing had happened"
    assert not list(tmp_path.iterdir())


def test_a_state_of_something_else_or_torn_is_not_gone_on_from(case, monkeypatch, tmp_path):
    interrupt_at(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        recover(*case, LONG, folder=tmp_path, recipe=Recipe(most_steps=4))
    other_seed = recover(*case, LONG, seed=1, folder=tmp_path, recipe=Recipe(most_steps=4))
    (left,) = tmp_path.iterdir()
    left.write_bytes(left.read_bytes()[:100])
    torn = recover(*case, LONG, folder=tmp_path, recipe=Recipe(most_steps=4))
    assert not any("interruption" in recovered.notes[-1] for recovered in (other_seed, torn))


def test_a_state_that_cannot_be_kept_does_not_end_a_training(case, monkeypatch, tmp_path, capsys):
    nowhere, recipe = tmp_path / "file", Recipe(most_steps=8)
    nowhere.write_text("in the place of a folder")
    recovered = recover(*case, LONG, folder=nowhere, recipe=recipe)
    assert "8 steps" in recovered.notes[-1] and f"an interruption would have lost it: {nowhere} cannot be written to" in recovered.notes[-1]
    assert same(weights(recovered.model), weights(recover(*case, LONG, recipe=recipe).model))
    interrupt_at(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        recover(*case, LONG, progress=Lines(sys.stderr), folder=nowhere, recipe=recipe)
    assert "recovery so far is lost" in capsys.readouterr().err
