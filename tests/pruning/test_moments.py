"""Windows and second moments against the convolution they stand for."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spcompile.errors import DataError
from spcompile.ir.layer import Layer
from spcompile.pruning import moments
from spcompile.pruning.moments import Moments, windows


@st.composite
def convolutions(draw):
    """A convolution's layer, its input [n, channels, h, w] and its weight."""
    groups, in_channels, out_of_group = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    kernel, strides, dilations = (draw(st.tuples(*[st.integers(1, top)] * 2)) for top in (3, 3, 2))
    pads = draw(st.tuples(*[st.integers(0, 2)] * 4))
    size = tuple(draw(st.integers(0, 4)) + (k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, groups * in_channels, *size)).astype(np.float32))
    weight = torch.from_numpy(np.random.default_rng(1).standard_normal((groups * out_of_group, in_channels, *kernel)).astype(np.float32))
    padded = torch.nn.functional.pad(x, (pads[1], pads[3], pads[0], pads[2]))
    y = torch.nn.functional.conv2d(padded, weight, None, strides, 0, dilations, groups)
    rows, columns = groups * out_of_group, in_channels * kernel[0] * kernel[1]
    places = y.shape[2] * y.shape[3]
    return Layer("c", "Conv", "w", None, "x", "y", rows, columns, places, groups, kernel, strides, dilations, pads), x, weight, y


@given(convolutions())
@settings(max_examples=60, deadline=None)
def test_matrix_times_windows_is_the_convolution(case):
    layer, x, weight, y = case
    matrix = torch.from_numpy(np.ascontiguousarray(layer.to_matrix(weight.numpy()))).reshape(layer.groups, -1, layer.columns)
    product = (matrix @ windows(layer, x, None)).reshape(layer.rows, len(x), -1)
    torch.testing.assert_close(product.transpose(0, 1), y.flatten(2), rtol=1e-4, atol=1e-4)
    some = torch.stack([torch.arange(y[0, 0].numel()), torch.arange(y[0, 0].numel()).flip(0)])[:, ::2]  # others of each image
    every = windows(layer, x, None).unflatten(2, (len(x), -1))
    assert torch.equal(windows(layer, x, some), torch.cat([every[:, :, image, places] for image, places in enumerate(some)], 2))


def _linear(bias: str | None) -> Layer:
    return Layer("l", "MatMul", "w", bias, "x", "y", 5, 4, 6, transposed=True)


@pytest.mark.parametrize("bias", [None, "b"])
def test_moments_of_a_linear_layer(bias):
    rng = np.random.default_rng(0)
    dense, pruned = (torch.from_numpy(rng.standard_normal((9, 1, 6, 4)).astype(np.float32) + shift) for shift in (1, 2))
    collected = Moments(_linear(bias))
    for part in (slice(0, 4), slice(4, 9)):
        collected.add(dense[part], pruned[part], rng)
    weight = rng.standard_normal((5, 4)).astype(np.float32)
    evidence = collected.evidence(weight)
    x, y = dense.reshape(-1, 4).numpy().T.astype(np.float64), pruned.reshape(-1, 4).numpy().T.astype(np.float64)
    if bias:
        np.testing.assert_allclose(evidence.mean_dense[0], x.mean(1), rtol=1e-5)
        x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    np.testing.assert_allclose(evidence.gram[0], y @ y.T / x.shape[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(evidence.cross[0], x @ y.T / x.shape[1], rtol=1e-4, atol=1e-5)


def test_the_bias_keeps_the_mean_output():
    rng = np.random.default_rng(0)
    dense, pruned = (torch.from_numpy(rng.standard_normal((9, 1, 6, 4)).astype(np.float32) + shift) for shift in (1, 2))
    collected = Moments(_linear("b"))
    collected.add(dense, pruned, rng)
    old, new = (rng.standard_normal((5, 4)).astype(np.float32) for _ in range(2))
    shift = collected.evidence(old).bias_shift(new)
    before, after = old @ dense.reshape(-1, 4).numpy().T, new @ pruned.reshape(-1, 4).numpy().T + shift[:, None]
    np.testing.assert_allclose(after.mean(1), before.mean(1), atol=1e-4)


def test_few_positions_stand_for_many(monkeypatch):
    """Sampled positions give nearly the moments of all."""
    layer = Layer("c", "Conv", "w", None, "x", "y", 4, 27, 30 * 30, 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1))
    x = torch.randn(16, 1, 3, 30, 30, generator=torch.Generator().manual_seed(0))
    collected = {}
    monkeypatch.setattr(moments, "POSITIONS_PER_COLUMN", 1)
    for least in (16 * 200, 10**9):
        monkeypatch.setattr(moments, "LEAST_POSITIONS", least)
        collected[least] = Moments(layer)
        collected[least].add(x, x, np.random.default_rng(0))
    few, every = collected.values()
    assert (few.count, every.count) == (16 * 200, 16 * 900)
    assert np.abs(few.evidence(np.ones((4, 27), np.float32)).gram - every.evidence(np.ones((4, 27), np.float32)).gram).max() < 0.1


@pytest.mark.parametrize("layer", [Layer("c", "Conv", "w", None, "x", "y", 4, 2, 30 * 30, 1, (1, 1)), Layer("l", "MatMul", "w", None, "x", "y", 5, 2, 900)])
def test_images_are_looked_at_in_different_places(monkeypatch, layer):
    """One position of every image: together they see the whole of it, here a ramp that is the same in all images."""
    monkeypatch.setattr(moments, "LEAST_POSITIONS", 1000)
    monkeypatch.setattr(moments, "POSITIONS_PER_COLUMN", 1)
    ramp = torch.linspace(0, 1, 900)
    image = torch.stack([ramp, torch.ones(900)]).reshape(2, 30, 30) if layer.op_type == "Conv" else torch.stack([ramp, torch.ones(900)], 1)
    x, collected = image.expand(1000, 1, *image.shape), Moments(layer)
    collected.add(x, x, np.random.default_rng(0))
    assert collected.count == 1000
    assert abs(collected.evidence(np.ones((layer.rows, 2), np.float32)).gram[0, 0, 1] - 0.5) < 0.05  # its mean


def test_constant_inputs_count_as_silent():
    """Behind a dropped channel an input is one large constant: what centring leaves of it is rounding, which must not look like a signal."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((64, 1, 6, 4)).astype(np.float32))
    x[..., 2] = 51.957
    collected = Moments(_linear("b"))
    collected.add(x, x, rng)
    gram = collected.evidence(np.ones((5, 4), np.float32)).gram
    assert not gram[0, 2].any() and not gram[0, :, 2].any()
    assert np.linalg.eigvalsh(gram[0]).min() >= -1e-12


@pytest.mark.parametrize("spread", [2e-2, 4e-3, 1e-4])
@pytest.mark.parametrize("counted", [None, torch.ones(64, 6, dtype=torch.bool)], ids=["all", "counted"])
def test_large_inputs_that_differ_little_keep_what_they_differ_by(spread, counted):
    """A temperature in kelvin, not normalised: as many digits are left as of inputs around zero."""
    rng = np.random.default_rng(0)
    dense, pruned = (torch.from_numpy((level * (1 + spread * rng.standard_normal((64, 1, 6, 4)))).astype(np.float32)) for level in (300, 290))
    collected = Moments(_linear("b"))
    collected.add(dense, pruned, rng, counted)
    evidence = collected.evidence(np.ones((5, 4), np.float32))
    x, y = (part.reshape(-1, 4).numpy().T.astype(np.float64) for part in (dense, pruned))
    scale = (300 * spread) ** 2
    np.testing.assert_allclose(evidence.mean_dense[0], x.mean(1), rtol=1e-6)
    np.testing.assert_allclose(evidence.mean_pruned[0], y.mean(1), rtol=1e-6)
    np.testing.assert_allclose(evidence.gram[0] / scale, np.cov(y, bias=True) / scale, atol=1e-5)
    np.testing.assert_allclose(evidence.cross[0] / scale, (x - x.mean(1, keepdims=True)) @ (y - y.mean(1, keepdims=True)).T / y.shape[1] / scale, atol=1e-5)


@pytest.mark.parametrize(("samples", "positions"), [(1, 6), (9, 6), (9, 1)])
@pytest.mark.parametrize("kind", ["Conv", "MatMul"])
def test_activations_are_left_alone(kind, samples, positions):
    layer = replace(_linear("b"), positions=positions) if kind == "MatMul" else Layer("c", "Conv", "w", "b", "x", "y", 5, 4, positions, 1, (1, 1))
    x = torch.randn(samples, 1, *((4, 1, positions) if kind == "Conv" else (positions, 4)), generator=torch.Generator().manual_seed(0)) + 7
    y, before = x + 1, x.clone()
    Moments(layer).add(x, x, np.random.default_rng(0))
    Moments(layer).add(x, y, np.random.default_rng(0))
    assert torch.equal(x, before) and torch.equal(y, before + 1)


def test_a_tensor_that_both_networks_share_after_others_that_they_do_not():
    """Each network's inputs have an origin of their own, so these are not the same numbers counted from there."""
    rng = np.random.default_rng(0)
    dense, pruned, both = (torch.from_numpy(rng.standard_normal((8, 1, 6, 4)).astype(np.float32) + shift) for shift in (1, 2, 3))
    collected = Moments(_linear("b"))
    collected.add(dense, pruned, rng)
    collected.add(both, both, rng)
    x, y = (torch.cat([part, both]).reshape(-1, 4).numpy().T.astype(np.float64) for part in (dense, pruned))
    cross = (x - x.mean(1, keepdims=True)) @ (y - y.mean(1, keepdims=True)).T / x.shape[1]
    np.testing.assert_allclose(collected.evidence(np.ones((5, 4), np.float32)).cross[0], cross, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bias", [None, "b"])
def test_inputs_that_overflow_are_refused_by_the_layer_s_name(bias):
    x = torch.full((8, 1, 6, 4), 1e30) * torch.arange(1, 9)[:, None, None, None]
    collected = Moments(_linear(bias))
    collected.add(x, x, np.random.default_rng(0))
    with pytest.raises(DataError, match="the inputs of layer 'l' overflow or are NaN"):
        collected.evidence(np.ones((5, 4), np.float32))


@pytest.mark.parametrize("parts", [(9,), (4, 5), (1, 1, 7)])
def test_halves_are_every_other_sample(parts):
    rng = np.random.default_rng(0)
    dense, pruned = (torch.from_numpy(rng.standard_normal((9, 1, 6, 4)).astype(np.float32)) for _ in range(2))
    collected, weight = Moments(_linear("b")), rng.standard_normal((5, 4)).astype(np.float32)
    for x, y in zip(dense.split(parts), pruned.split(parts), strict=True):
        collected.add(x, y, rng)
    for number, half in enumerate(collected.evidence_with_halves(weight).halves):
        alone = Moments(_linear("b"))
        alone.add(dense[number::2], pruned[number::2], rng)
        np.testing.assert_allclose(half.gram, alone.evidence(weight).gram, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(half.cross, alone.evidence(weight).cross, rtol=1e-4, atol=1e-5)


def test_one_sample_has_no_halves():
    collected = Moments(_linear("b"))
    collected.add(*[torch.ones(1, 1, 6, 4)] * 2, np.random.default_rng(0))
    assert collected.evidence_with_halves(np.ones((5, 4), np.float32)).halves is None
