"""The generated hardware, run on exported files: its numbers and its cycles are the simulator's."""

import re
import shutil
import subprocess
from dataclasses import replace
from itertools import pairwise

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from spcompile.accelerator.export import export
from spcompile.accelerator.host import HostOperators
from spcompile.accelerator.quantised import quantise
from spcompile.accelerator.simulator import Simulator
from spcompile.accelerator.verilog import array_source, bench_source, generates, shape_of
from spcompile.accelerator.verilog.run import available, compiled
from spcompile.costs.fpga.resources import estimate
from spcompile.errors import TargetError
from spcompile.passes import prepare
from spcompile.targets import load_target

SMALL = {
    "array_rows": 4,
    "array_lanes": 8,
    "window_columns": 32,
    "weight_load_cycles": 4,
    "pipeline_cycles": 8,
    "accumulate_cycles": 3,
    "output_buffer_bytes": 16384,
}
ARRAY = replace(load_target("sat-vcu1525"), **SMALL)
CHANNELS = (32, 16, 32, 24, 32, 64, 32, 16, 32)  # eight layers a chain, every second one 3x3
ALONE = {"memory_bytes_per_second": float("inf"), "memory_latency_cycles": 0, "layer_cycles": 0}  # cycles of the array itself
PACKINGS = [(1, 1), (2, 8), (1, 4)]
needs_verilator = pytest.mark.skipif(not available(), reason=available().reason)
needs_yosys = pytest.mark.skipif(shutil.which("yosys") is None, reason="yosys is not installed: `make hardware-tools`, or apt install yosys")


def chain(kept, of, size):
    """Eight convolutions in a row, weights kept `kept` of `of`."""
    rng, nodes, tensors = np.random.default_rng(of), [], []
    for at, (before, after) in enumerate(pairwise(CHANNELS)):
        kernel = 3 if at % 2 else 1
        weight = rng.standard_normal((after, before, kernel, kernel)) / np.sqrt(before * kernel**2)
        grouped = rng.random((after, before // of, of, kernel, kernel))
        mask = np.argsort(np.argsort(grouped, axis=2), axis=2) < kept
        weight = (weight * mask.reshape(weight.shape)).astype(np.float32)
        tensors += [onnx.numpy_helper.from_array(weight, f"w{at}"), onnx.numpy_helper.from_array(rng.standard_normal(after).astype(np.float32) / 10, f"b{at}")]
        strides = [2, 2] if at == 3 else [1, 1]
        nodes.append(onnx.helper.make_node("Conv", [f"x{at}", f"w{at}", f"b{at}"], [f"x{at + 1}"], f"conv{at}", pads=[kernel // 2] * 4, strides=strides))
    last = size // 2
    inputs = [onnx.helper.make_tensor_value_info("x0", onnx.TensorProto.FLOAT, [1, CHANNELS[0], size, size])]
    outputs = [onnx.helper.make_tensor_value_info("x8", onnx.TensorProto.FLOAT, [1, CHANNELS[-1], last, last])]
    graph = onnx.helper.make_graph(nodes, "chain", inputs, outputs, tensors)
    return prepare(ir.from_proto(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)))


@needs_verilator
@pytest.mark.parametrize(("kept", "of"), PACKINGS, ids=lambda number: str(number))
def test_eight_layers_have_the_simulators_numbers_and_cycles(kept, of, tmp_path):
    """Three packings: 24 layers. Small images too, where loading weights takes longer than streaming."""
    target = replace(ARRAY, decodes=(f"{kept}:{of}",) if of > 1 else (), **ALONE)
    size = 4 if of == 4 else 12
    model, feeds = chain(kept, of, size), {"x0": np.random.default_rng(1).standard_normal((2, CHANNELS[0], size, size)).astype(np.float32)}
    schedule = export(quantise(model, feeds, target), target, tmp_path)
    simulator = Simulator(tmp_path, target)
    values = simulator.numbers({"x0": feeds["x0"][:1]}, HostOperators(model))
    counted = {step.name: step.cycles for step in simulator.cycles()}
    files = {name: (tmp_path / f"{name}.bin").stat().st_size for name in ("weights", "places", "rows")}
    sizes = {
        "weight_bytes": files["weights"],
        "place_bytes": max(1, files["places"]),
        "row_bytes": files["rows"],
        "window_bytes": 1 << 18,
        "result_bytes": 1 << 16,
    }
    bench = compiled(shape_of(target, kept, of), tmp_path, **sizes)
    assert len(schedule.steps) == 8
    for step in schedule.steps:
        assert set(step.work.slots) == {kept} and step.work.of == of and step.tiling.positions == step.work.positions
        image = simulator.held(step.inputs[0], values[step.inputs[0]])
        numbers, cycles = bench.run(tmp_path, step, simulator.windows(step, image).astype(np.int8), schedule.tensor(step.outputs[0]).zero)
        expected = values[step.outputs[0]].transpose(1, 0, 2, 3).reshape(step.work.rows, -1)
        np.testing.assert_array_equal(numbers, expected, err_msg=step.name)
        assert cycles == counted[step.name], step.name


@needs_yosys
@pytest.mark.parametrize(("kept", "of"), PACKINGS, ids=lambda number: str(number))
def test_it_synthesises_to_the_multipliers_that_are_estimated(kept, of, tmp_path):
    target = replace(ARRAY, decodes=(f"{kept}:{of}",) if of > 1 else ())
    (tmp_path / "array.v").write_text(array_source(replace(shape_of(target, kept, of), positions=16)))
    script = "read_verilog array.v; hierarchy -check -top sparse_array; proc; flatten; opt; stat"
    said = subprocess.run(["yosys", "-p", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    multipliers = int(re.findall(r"\$mul\s+(\d+)", said)[-1])
    address = 1  # row number of the weights: loading * ROWS
    found = estimate(target)
    assert multipliers in (found.multipliers + found.requantisers, found.multipliers + found.requantisers + address)
    assert "ERROR" not in said and "Latch" not in said


def test_what_is_not_such_an_array_is_refused_with_the_field():
    assert generates(ARRAY) and generates(load_target("sat-vcu1525"))
    assert "dataflow = weight-stationary, s4 has output-stationary" in generates(load_target("s4")).reason
    assert "weight_load_cycles = 4" in generates(replace(ARRAY, weight_load_cycles=5)).reason
    with pytest.raises(TargetError, match="pipeline_cycles of at least 6"):
        shape_of(replace(ARRAY, pipeline_cycles=5), 2, 8)
    with pytest.raises(TargetError, match="9 weights of a group do not fit"):
        shape_of(ARRAY, 9, 32)


@pytest.mark.parametrize(("kept", "of"), PACKINGS, ids=lambda number: str(number))
def test_parameters_stand_in_the_source(kept, of):
    source = array_source(shape_of(ARRAY, kept, of))
    for name, number in (("ROWS", 4), ("LANES", 8), ("KEPT", kept), ("OF", of)):
        assert re.search(rf"parameter {name} = {number},", source), name
    bench = bench_source(shape_of(ARRAY, kept, of), weight_bytes=8, place_bytes=8, row_bytes=8, window_bytes=8, result_bytes=8)
    assert "sparse_array array" in bench and "$fread(weights" in bench
