from dataclasses import replace

from spcompile.costs.fpga.resources import estimate
from spcompile.targets import load_target


def test_multipliers_are_those_of_the_array_and_one_a_row_and_position_to_requantise():
    target = load_target("zcu102")
    found = estimate(target)
    assert (found.multipliers, found.requantisers) == (16 * 16 * 8, 16 * 8)
    assert found.dsps == 2048 / 4 + 2 * 128 <= target.dsps
    assert found.block_ram_bytes == target.weight_buffer_bytes + target.input_buffer_bytes + target.output_buffer_bytes <= target.block_ram_bytes


def test_sums_in_bf16_are_not_requantised():
    target = load_target("s4-bf16")
    found = estimate(target)
    assert (found.multipliers, found.requantisers, found.dsps) == (64 * 16 * 9, 0, 64 * 16 * 9)


def test_skipping_zeros_costs_multiplexers():
    target = load_target("sat-vcu1525")
    plain = estimate(replace(target, decodes=()))
    assert estimate(target).luts > plain.luts and estimate(target).dsps == plain.dsps
