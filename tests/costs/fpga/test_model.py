"""The analytic model against the block-by-block count, and against cycles counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from spcompile.costs.fpga.cycles import column_steps, drain_cycles, fill_cycles, lanes_used, tile_cycles
from spcompile.costs.fpga.model import array_cost, depthwise_cost, host_s, vector_cost
from spcompile.costs.fpga.tiling import Blocks, blocks, fits, tilings
from spcompile.costs.fpga.timeline import simulated
from spcompile.costs.fpga.work import ROW_BYTES, Work, row_tiles
from spcompile.targets import ACCELERATORS, load_target

SAT = load_target("sat-vcu1525")


def layers(target, count, seed=0):
    """Random convolutions that the target's buffers can hold, packed as it decodes them."""
    rng = np.random.default_rng(seed)
    packings = [(1, 1), *((pattern.of, getattr(pattern, "kept", 2)) for pattern in target.patterns if hasattr(pattern, "of"))]
    while count:
        size, kernel, stride = (int(rng.choice(choices)) for choices in ((1, 7, 14, 28, 56, 112), (1, 3, 5), (1, 2)))
        rows, channels = (int(rng.integers(1, 65)) * int(rng.choice([1, 4, 8])) for _ in range(2))
        of, slots = packings[int(rng.integers(len(packings)))]
        tiles = row_tiles(rows, target)
        work = Work(rows, channels * kernel**2, of, (slots,) * tiles, (size * stride,) * 2, (size,) * 2, channels, (kernel,) * 2, (stride,) * 2)
        if fits(work, target):
            count -= 1
            yield work


@pytest.mark.parametrize("name", ACCELERATORS)
def test_within_five_per_cent_of_the_simulator(name):
    """Seven devices: 280 random layers."""
    target = load_target(name)
    for work in layers(target, 40):
        cost = array_cost(work, target)
        counted, _ = simulated(blocks(work, cost.tiling, target), fill_cycles(target), drain_cycles(target), target)
        assert cost.cycles == pytest.approx(counted + target.layer_cycles, rel=0.05), work


@pytest.mark.parametrize("name", ACCELERATORS)
def test_no_tiling_loses_work_and_every_block_fits(name):
    target = load_target(name)
    for work in layers(target, 10, seed=1):
        for tiling in tilings(work, target):
            found = blocks(work, tiling, target)
            assert found.store_bytes.sum() == work.rows * work.positions * target.number_bytes
            assert found.load_bytes.sum() >= sum(work.weight_bytes(tile, work.steps(tile, target), target) for tile in range(len(work.slots)))
            ideal = work.rows * work.positions * work.columns / (target.macs_per_cycle * target.window_columns / target.array_lanes)
            assert found.cycles.sum() >= ideal
            assert work.input_bytes(min(tiling.positions, work.positions), target) <= target.input_buffer_bytes // 2 or tiling.positions == 1


@pytest.mark.parametrize(
    ("groups", "of", "slots", "steps", "lanes"),
    [(64, 1, 1, 2, 32), (65, 1, 1, 3, 32), (32, 8, 2, 2, 32), (32, 4, 2, 2, 32), (16, 16, 1, 1, 16), (10, 32, 8, 3, 32), (4, 64, 40, 8, 32)],
)
def test_windows_of_a_row(groups, of, slots, steps, lanes):
    """32 multipliers a row, windows of 256 activations."""
    assert column_steps(groups, of, slots, SAT) == steps and lanes_used(of, slots, SAT) == lanes


def test_cycles_of_a_tile_by_hand():
    assert tile_cycles(5, 100, SAT) == 5 * 100
    assert tile_cycles(5, 20, SAT) == 5 * 32, "loading the next weights takes longer than twenty positions"
    sums_stay = replace(SAT, dataflow="output-stationary", array_positions=8, result_cycles=6)
    assert tile_cycles(5, 20, sums_stay) == 3 * 6 and tile_cycles(9, 20, sums_stay) == 3 * 9


def test_the_timeline_by_hand():
    """One byte a cycle, no latency: load 10, compute 5, load 2 beside it, ..."""
    target = replace(SAT, memory_bytes_per_second=SAT.clock_hz, memory_latency_cycles=0)
    row = Blocks(np.array([10, 2, 2]), np.array([5, 5, 5]), np.array([0, 0, 4]))
    assert simulated(row, 0, 0, target) == (10 + 5 + 5 + 5 + 4, 10)
    starved = Blocks(np.array([10, 10, 10]), np.array([1, 1, 1]), np.array([0, 0, 0]))
    assert simulated(starved, 0, 0, target) == (31, 28)
    assert simulated(Blocks(np.array([10]), np.array([5]), np.array([4])), 3, 7, target) == (10 + 3 + 5 + 7 + 4, 10)


def test_more_of_anything_is_never_slower():
    for work in layers(SAT, 20, seed=2):
        base = array_cost(work, SAT).cycles
        assert array_cost(work, replace(SAT, memory_bytes_per_second=2 * SAT.memory_bytes_per_second)).cycles <= base
        assert array_cost(work, replace(SAT, layer_cycles=SAT.layer_cycles + 10)).cycles == base + 10


def test_a_layer_that_no_tile_holds_is_refused_with_the_buffer():
    work = Work(64, 4096, 1, (1, 1), (1, 9), (1, 9), 4096)
    assert fits(work, replace(SAT, input_buffer_bytes=4096)).reason == "the inputs of 1 outputs take 4096 bytes, half the input buffer has 2048"
    assert "the weights of one window" in fits(work, replace(SAT, weight_buffer_bytes=1024)).reason
    assert "32x1 sums" in fits(work, replace(SAT, output_buffer_bytes=128)).reason


def test_engines_beside_the_array():
    depthwise = Work(1, 9, 1, (1,), (14, 14), (14, 14), 1, (3, 3), (1, 1), (1, 1), 64)
    assert depthwise_cost(depthwise, SAT).array_cycles == 2 * 32 * 196 * 9 // 288
    assert vector_cost(6400, 12800, 1, SAT).array_cycles == 200 and vector_cost(6400, 12800, 1, SAT).moved_bytes == 19200
    assert host_s(int(6e9), 0, SAT) == pytest.approx(1 + SAT.host_operator_s)


def test_numbers_of_two_bytes_move_twice_as_many():
    wide = replace(SAT, precision="bf16")
    assert vector_cost(6400, 12800, 1, wide).moved_bytes == 2 * vector_cost(6400, 12800, 1, SAT).moved_bytes
    work = Work(1, 9, 1, (1,), (14, 14), (14, 14), 1, (3, 3), groups=32)
    rows = 32 * ROW_BYTES
    assert depthwise_cost(work, wide).moved_bytes - rows == 2 * (depthwise_cost(work, SAT).moved_bytes - rows)
