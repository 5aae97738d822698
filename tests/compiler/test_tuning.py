"""Tuning: contenders timed in their places, the fastest stored; what is compiled afterwards computes the same."""

import numpy as np
import pytest

from spcompile.compiler import tuning
from spcompile.compiler.tuning import WORTH, tune
from spcompile.ir.session import run
from spcompile.kernels.cpu.border import Border
from spcompile.lowering.lower import lower
from spcompile.lowering.tuning_store import TuningStore
from spcompile.passes import prepare
from spcompile.progress import Silent
from spcompile.runtime.build import build_library
from spcompile.runtime.executor import Executor
from spcompile.runtime.host import runs_here
from spcompile.runtime.verify import inputs_for
from spcompile.targets import load_target

TARGET = load_target("x86-avx2")


@pytest.fixture
def network(build):
    """Two convolutions of one shape and one of another; the second is three quarters zeros, four rows together."""
    if not (verdict := runs_here(TARGET.triple, TARGET.lanes_fp32)):
        pytest.skip(verdict.reason)
    rng = np.random.default_rng(0)
    dense, sparse, last = (rng.standard_normal(shape).astype(np.float32) for shape in ((16, 16, 3, 3), (16, 16, 3, 3), (24, 16, 1, 1)))
    sparse *= np.repeat(rng.random((4, 16, 3, 3)) < 0.25, 4, axis=0)
    return prepare(
        build(
            """g (float[1,16,12,12] x) => (float[1,24,12,12] y) {
                a = Conv<pads=[1,1,1,1]>(x, u)
                b = Relu(a)
                c = Conv<pads=[1,1,1,1]>(b, v)
                d = Add(c, x)
                y = Conv(d, w)
            }""",
            u=dense,
            v=sparse,
            w=last,
        )
    )


@pytest.fixture
def batch(build):
    """Four inputs: of two products whose weights are read once for all of them, and of a convolution that takes one after the other."""
    rng = np.random.default_rng(0)
    first, second, filters = (rng.standard_normal(shape).astype(np.float32) for shape in ((256, 512), (512, 128), (16, 8, 3, 3)))
    products = build("g (float[4,256] x) => (float[4,128] y) { a = Gemm(x, u)\n b = Relu(a)\n y = Gemm(b, v) }", u=first, v=second)
    images = build("g (float[4,8,24,24] x) => (float[4,16,22,22] y) { y = Conv(x, w) }", w=filters)
    return {True: prepare(products), False: prepare(images)}


def test_a_tuned_network_takes_the_stored_kernels_and_computes_the_same(network, tmp_path, monkeypatch):
    _tuned(network, 3, tmp_path, monkeypatch)


@pytest.mark.parametrize(("at_once", "layers"), [(True, 2), (False, 1)])
def test_a_batch_is_tuned_as_it_is_compiled(batch, at_once, layers, tmp_path, monkeypatch):
    """A kernel for all inputs at once is none for one after the other."""
    model = batch[at_once]
    assert (lower(model, TARGET).model is model) == at_once
    _tuned(model, layers, tmp_path, monkeypatch)


def _tuned(model, layers, tmp_path, monkeypatch):
    """Where a clock says that the second contender takes half the time."""
    monkeypatch.setattr(tuning, "_by_layer", _clock_of_the_second_contender())
    store = TuningStore(tmp_path / "tuning.jsonl")
    entries = tune(model, TARGET, 1, store, Silent())
    assert len(entries) == layers and all(e.variant != e.predicted_variant and e.seconds == e.predicted_seconds / 2 for e in entries)
    program = lower(model, TARGET, pick=store.pick(TARGET, 1)).program
    products = {step.layer: step.kernel for step in program.steps if step.layer and not isinstance(step.kernel, Border)}
    assert [kernel.variant for kernel in products.values()] == [e.variant for e in entries]
    build_library(program, TARGET, 1, tmp_path / "tuned.so")
    executor = Executor.of_program(program, tmp_path / "tuned.so")
    for feed in inputs_for(program, None, 0):
        expected = run(model, feed)
        for name, array in executor.run(**feed).items():
            np.testing.assert_allclose(array, expected[name], rtol=0, atol=2e-5 * np.abs(expected[name]).max())


def _clock_of_the_second_contender():
    order = []

    def clock(network):
        if network not in order:
            order.append(network)
        return {step.layer: 1.0 if order.index(network) == 1 else 2.0 for step in network.program.steps}

    return clock


def test_the_real_clock_stores_only_what_is_worth_it(network, tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "ROUNDS", 3)
    store = TuningStore(tmp_path / "tuning.jsonl")
    entries = tune(network, TARGET, 1, store, Silent())
    assert store.variants() == {e.key: e.variant for e in entries} and len(entries) == 3
    for e in entries:
        assert 0 < e.seconds <= e.predicted_seconds and (e.variant == e.predicted_variant or e.seconds < (1 - WORTH) * e.predicted_seconds)
    assert tune(network, TARGET, 1, store, Silent()) == ()  # all of it is known now
