"""The comparison with ONNX Runtime finds what is wrong, and says where it was made."""

from dataclasses import replace

import numpy as np
import pytest

from spcompile.lowering.lower import lower
from spcompile.lowering.program import Tensor
from spcompile.runtime import emulator, host, verify
from spcompile.runtime.build import build_library
from spcompile.runtime.verify import LIMIT, RANDOM_INPUTS, REAL_INPUTS, Comparison, inputs_for, random_array
from spcompile.targets import load_target


def compared(network, program=None, real=None, library=None) -> Comparison:
    return verify.verify(program or network.program, library or network.library, network.model, network.target, 1, real, seed=0)


def places(network, name: str) -> np.ndarray:
    """Where the weights of one layer lie among the packed values."""
    step = next(step for step in network.program.steps if step.layer == name)
    buffer = step.arguments[1].buffer
    start = network.program.starts[buffer]
    size = network.program.buffers[buffer].elements
    return start + np.flatnonzero(network.program.values[start : start + size])


def test_the_right_network_is_right(network):
    found = compared(network)
    assert 0 < found.worst_relative_difference < LIMIT / 10
    assert (found.random_inputs, found.real_inputs, found.where) == (RANDOM_INPUTS, 0, "this host")
    assert found.reference.startswith("ONNX Runtime ")


@pytest.mark.parametrize("layer", ["conv", "fc"])
def test_any_one_wrong_weight_is_found(network, layer):
    """Turned, dropped, or a hundredth off: each alone is beyond the limit."""
    for place in places(network, layer)[::7]:
        for wrong in (lambda w: -w, lambda w: 0 * w, lambda w: w + 0.01):
            values = network.program.values.copy()
            values[place] = wrong(values[place])
            found = compared(network, replace(network.program, values=values))
            assert found.worst_relative_difference > LIMIT, (place, network.program.values[place], values[place])


def test_a_wrong_offset_is_found(network):
    step = next(step for step in network.program.steps if step.layer == "conv")
    at = network.program.starts[step.arguments[2].buffer]
    indices = network.program.indices.copy()
    indices[[at, at + 1]] = indices[[at + 1, at]]
    assert compared(network, replace(network.program, indices=indices)).worst_relative_difference > LIMIT


def test_a_result_that_is_not_a_number_is_beyond_any_limit(network):
    values = network.program.values.copy()
    values[places(network, "fc")[0]] = np.nan
    found = compared(network, replace(network.program, values=values))
    assert np.isfinite(found.worst_relative_difference) and found.worst_relative_difference > 1e20


@pytest.mark.parametrize(
    ("found", "expected", "difference"),
    [
        ([1.0, np.nan], [1.0, np.nan], 0.0),
        ([1.1, np.inf], [1.0, np.inf], 0.1),
        ([1.0, -np.inf], [1.0, np.inf], 1e30),
        ([1.0, 2.0], [1.0, np.nan], 1e30),
        ([np.nan, 2.0], [1.0, 2.0], 1e30),
        ([np.nan], [np.nan], 0.0),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
    ],
)
def test_what_the_reference_makes_no_number_must_be_none_either(found, expected, difference):
    worst = verify.worst_difference(lambda feed: {"y": np.array(found, np.float32)}, [{}], [{"y": np.array(expected, np.float32)}])
    assert worst == pytest.approx(difference, rel=1e-6)
    assert type(worst) is float, "it goes into JSON"


def test_real_inputs_come_in_whole_batches(network):
    rng = np.random.default_rng(0)
    real = {tensor.name: rng.standard_normal((7, *tensor.shape[1:])).astype(np.float32) for tensor in network.program.inputs}
    feeds = inputs_for(network.program, real, 0)
    assert len(feeds) == RANDOM_INPUTS + REAL_INPUTS
    np.testing.assert_array_equal(feeds[-1]["x"], real["x"][4:6])
    assert compared(network, real=real).real_inputs == REAL_INPUTS
    few = {name: array[:3] for name, array in real.items()}
    assert len(inputs_for(network.program, few, 0)) == RANDOM_INPUTS + 1


def test_random_inputs_differ_and_repeat(network):
    first, again, other = (inputs_for(network.program, None, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first[0]["x"], again[0]["x"])
    assert not np.array_equal(first[0]["x"], first[1]["x"]) and not np.array_equal(first[0]["x"], other[0]["x"])


@pytest.mark.parametrize("dtype", ["float32", "int64", "int32", "bool"])
def test_random_inputs_are_of_the_type_asked(dtype):
    array = random_array(Tensor("x", (50,), dtype), np.random.default_rng(0))
    assert array.dtype == dtype and len(np.unique(array)) > 1
    assert dtype == "float32" or set(np.unique(array)) <= {0, 1}


def test_code_that_nothing_here_can_run_is_said_to_be_unchecked(network, monkeypatch):
    monkeypatch.setattr(host, "cpu_flags", lambda: ("avx",))
    verdict = compared(network)
    assert not verdict and "this CPU lacks avx2, fma" in verdict.reason


def test_arm_code_without_the_emulator_is_said_to_be_unchecked(network, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(host.platform, "machine", lambda: "x86_64")
    assert not emulator.available()
    target = load_target("cortex-a72")
    verdict = verify.verify(network.program, network.library, network.model, target, 1, None, 0)
    assert not verdict and "compiled but not executed" in verdict.reason and emulator.SETUP in verdict.reason


@pytest.mark.needs_emulator
@pytest.mark.parametrize("name", ["cortex-a53", "cortex-a76"])
def test_arm_code_runs_in_the_emulator(network, tmp_path, name):
    target = load_target(name)
    program = lower(network.model, target).program
    library = tmp_path / "library.so"
    build_library(program, target, 1, library)
    found = verify.verify(program, library, network.model, target, 1, None, 0)
    assert 0 < found.worst_relative_difference < LIMIT / 10 and found.where == f"aarch64 emulator, core {name}"
    values = program.values.copy()
    values[values.argmax()] *= -1
    assert verify.verify(replace(program, values=values), library, network.model, target, 1, None, 0).worst_relative_difference > LIMIT
