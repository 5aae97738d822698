"""What the exported files compute is what ONNX Runtime computes on the quantised network: to the bit."""

from dataclasses import replace

import numpy as np
import pytest

from spcompile.accelerator.export import export
from spcompile.accelerator.host import HostOperators
from spcompile.accelerator.partition import HOST
from spcompile.accelerator.quantised import quantise
from spcompile.accelerator.reference import reference
from spcompile.accelerator.schedule import SCHEDULE, read
from spcompile.accelerator.simulator import Simulator
from spcompile.costs.fpga.model import array_cost
from spcompile.errors import ArtifactError
from spcompile.ir.session import Session

ARRAYS = ("weights stay", "sums stay", "bf16", "bf16, weights stay", "zeros anywhere", "array alone")
ROWS_GONE = {"first rows gone": {"empty_rows": (0, 0.4)}, "last rows gone": {"empty_rows": (0.6, 1)}, "all rows gone": {"empty_rows": (0, 1)}}
ZEROS = {"dense": {}, "2:8": {"of": 8, "kept": 2}, "1:16": {"of": 16, "kept": 1}, "anywhere": {"scattered": 0.85}, **ROWS_GONE}


def images(count=3):
    return {"image": np.random.default_rng(0).standard_normal((count, 3, 18, 14)).astype(np.float32)}


def exported(model, target, folder):
    network = quantise(model, images(), target)
    return network, export(network, target, folder), Simulator(folder, target)


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("zeros", ZEROS)
def test_numbers_equal_the_reference_to_the_bit(networks, arrays, array, zeros, tmp_path):
    model = networks(**ZEROS[zeros])
    network, _, simulator = exported(model, arrays[array], tmp_path)
    session = Session(reference(network))
    for at in range(3):
        feed = {"image": images()["image"][at : at + 1]}
        found = simulator.numbers(feed, HostOperators(model))
        np.testing.assert_array_equal(simulator.real("scores", found["scores"]), session.run(feed)["scores"])


@pytest.mark.parametrize("array", ARRAYS)
def test_weights_are_decoded_from_the_files(networks, arrays, array, tmp_path):
    network, schedule, simulator = exported(networks(**ZEROS["2:8"]), arrays[array], tmp_path)
    for step in (step for step in schedule.steps if step.unit == "array"):
        order = list(step.row_order) if step.row_order is not None else slice(None)
        np.testing.assert_array_equal(simulator.matrix(step), network.weights[step.name].matrix[order][: step.work.rows * step.work.groups])
    assert {network.weights[name].matrix.itemsize for name in network.weights} == {arrays[array].number_bytes}


def test_a_changed_weight_changes_the_result(networks, arrays, tmp_path):
    model = networks()
    _, _, before = exported(model, arrays["sums stay"], tmp_path)
    image, host = {"image": images()["image"][:1]}, HostOperators(model)
    first = before.numbers(image, host)["scores"]
    weights = bytearray((tmp_path / "weights.bin").read_bytes())
    (tmp_path / "weights.bin").write_bytes(bytes(byte ^ 0x40 for byte in weights))
    assert not np.array_equal(Simulator(tmp_path, arrays["sums stay"]).numbers(image, host)["scores"], first)


def test_zeros_make_it_faster_and_rows_without_weights_too(networks, arrays, tmp_path):
    def cycles(**zeros):
        _, _, simulator = exported(networks(**zeros), arrays["sums stay"], tmp_path)
        return sum(step.cycles for step in simulator.cycles() if step.unit == "array")

    assert cycles(of=16, kept=1) < cycles(of=8, kept=2) < cycles()
    assert cycles(empty_rows=(0, 0.5)) < cycles()


def test_one_full_group_delays_its_row_tile_and_balancing_helps(networks, arrays, tmp_path):
    target = arrays["zeros anywhere"]
    model = networks(scattered=0.85)
    _, balanced, _ = exported(model, target, tmp_path)
    _, plain, _ = exported(model, replace(target, load_balancing="none"), tmp_path)
    slots = [
        {step.name: step.work.slots for step in schedule.steps if step.work and step.unit == "array" and step.work.of > 1} for schedule in (balanced, plain)
    ]
    assert slots[0].keys() == slots[1].keys() and slots[0]
    assert all(sum(slots[0][name]) <= sum(slots[1][name]) for name in slots[0]) and any(sum(slots[0][name]) < sum(slots[1][name]) for name in slots[0])


@pytest.mark.parametrize("array", ARRAYS)
def test_the_search_model_knows_what_the_simulator_counts(networks, arrays, array, tmp_path):
    _, schedule, simulator = exported(networks(**ZEROS["2:8"]), arrays[array], tmp_path)
    counted = {step.name: step.cycles for step in simulator.cycles()}
    for step in (step for step in schedule.steps if step.unit == "array"):
        assert array_cost(step.work, arrays[array]).cycles == pytest.approx(counted[step.name], rel=0.05)


def test_what_the_host_runs_says_why_and_costs_time(networks, arrays, tmp_path):
    _, schedule, simulator = exported(networks(), arrays["array alone"], tmp_path)
    why = {step.name: step.why for step in schedule.steps if step.unit == HOST}
    assert why["deep"] == "the accelerator has no engine for depthwise layers" and why["pool"] == "the accelerator has no vector unit"
    timed = {step.name: step for step in simulator.cycles()}
    assert all(timed[name].cycles == 0 and timed[name].seconds >= arrays["array alone"].host_operator_s for name in why)


def test_the_schedule_is_read_back_as_it_was_written(networks, arrays, tmp_path):
    _, schedule, _ = exported(networks(**ZEROS["first rows gone"]), arrays["weights stay"], tmp_path)
    assert read(tmp_path) == schedule
    (tmp_path / SCHEDULE).write_text((tmp_path / SCHEDULE).read_text().replace('"version": 1', '"version": 7'))
    with pytest.raises(ArtifactError, match="another version"):
        read(tmp_path)


def test_an_array_packs_only_what_it_decodes(networks, arrays, tmp_path):
    target = replace(arrays["weights stay"], decodes=("2:8",))
    _, schedule, _ = exported(networks(**ZEROS["1:16"]), target, tmp_path)
    assert {step.work.of for step in schedule.steps if step.unit == "array"} <= {1, 8}
    _, schedule, _ = exported(networks(**ZEROS["anywhere"]), replace(target, decodes=()), tmp_path)
    assert {step.work.of for step in schedule.steps if step.unit == "array"} == {1}
