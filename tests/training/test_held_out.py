"""Judging samples are whole, apart, and the same every time."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from spcompile.errors import DataError
from spcompile.pruning import Calibration, calibration_from
from spcompile.training import held_out
from tests.pruning.samples import images, network


@pytest.mark.parametrize(("count", "judging"), [(20, 8), (96, 9), (300, 30), (4000, 256)])
def test_every_sample_is_in_one_part(count, judging):
    numbered = images(count)
    numbered[:, 0, 0, 0] = np.arange(count)
    learned, judged = (part.feeds["image"] for part in held_out(calibration_from(numbered, network()), network(), 0))
    assert (len(learned), len(judged)) == (count - judging, judging)
    assert sorted([*learned[:, 0, 0, 0], *judged[:, 0, 0, 0]]) == list(range(count))


@pytest.mark.parametrize(("columns", "judging"), [(1, 40), (10_000_000, 24), (50_000_000, 8)])
def test_judges_fit_into_memory(columns, judging):
    """1 GB of inputs and outputs; never fewer than eight."""
    text = f"""<ir_version: 10, opset_import: ["" : 18]> g (float[1, 1] x) => (float[1, {columns}] y)
        <int64[2] shape = {{1, {columns}}}> {{ y = Expand (x, shape) }}"""
    model = ir.from_proto(onnx.parser.parse_model(text))
    learned, judged = held_out(calibration_from(np.zeros((400, 1), np.float32), model), model, 0)
    assert (len(learned.feeds["x"]), len(judged.feeds["x"])) == (400 - judging, judging)


def test_the_seed_decides():
    calibration = calibration_from(images(40), network())
    one, again, other = (held_out(calibration, network(), seed)[1].digest for seed in (1, 1, 2))
    assert one == again != other


def test_a_batch_stays_together_and_inputs_stay_in_step():
    text = '<ir_version: 10, opset_import: ["" : 18]> g (float[2, 3] a, float[1] b) => (float[2, 3] y) { y = Add (a, b) }'
    model = ir.from_proto(onnx.parser.parse_model(text))
    numbers = np.arange(40, dtype=np.float32)
    feeds = {"a": np.repeat(numbers, 2)[:, None] * np.ones((1, 3), np.float32), "b": numbers}
    for part in held_out(Calibration(feeds, "numbers"), model, 0):
        assert np.array_equal(part.feeds["a"][:, 0], np.repeat(part.feeds["b"], 2))


def test_too_few_samples_are_refused():
    with pytest.raises(DataError, match="12 samples; recovery needs at least 20"):
        held_out(calibration_from(images(12), network()), network(), 0)
