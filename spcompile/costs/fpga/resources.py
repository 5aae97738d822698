"""What an array takes of a part: DSP blocks, LUTs, block RAM; estimates from counts of multipliers, multiplexers and adders."""

from dataclasses import dataclass
from math import ceil, log2

from spcompile.targets.accelerator import Accelerator

PRODUCT_BITS, SUM_BITS = 16, 32
REQUANTISER_DSPS = 2  # of one product of 32 x 16 bits
REQUANTISER_LUTS = 600  # its shifter of 49 bits, rounding and limits; from yosys 0.23, synth_xilinx -family xcup, on the generated array of 4 x 8
SEQUENCER_LUTS = 300  # of the whole array; likewise
FLOAT_ADDER_LUTS = 350  # assumed: adders of fp32 in FPGA vendors' libraries take 200 to 500
INPUTS_OF_A_LUT = 4  # of a multiplexer that one 6-input LUT makes, one bit wide


@dataclass(frozen=True)
class Resources:
    """Of the array with its requantisers and buffers; not of the memory controller and the host's interface."""

    multipliers: int  # of 8 x 8 bits: int8 numbers, or the significands of bf16
    requantisers: int  # multipliers of 32 x 16 bits
    dsps: int
    luts: int
    block_ram_bytes: int


def estimate(target: Accelerator) -> Resources:
    """One requantiser a row and position, of int8; sums in bf16 are only rounded."""
    columns = target.array_rows * target.array_positions
    multipliers = columns * target.array_lanes
    whole = target.precision == "int8"
    requantisers = columns if whole else 0
    dsps = ceil(multipliers / target.multiplies_per_dsp) + REQUANTISER_DSPS * requantisers
    widest = max([1, *(getattr(pattern, "of", 1) for pattern in target.patterns)])
    choose = 8 * target.number_bytes * ceil((widest - 1) / (INPUTS_OF_A_LUT - 1)) * multipliers
    if whole:
        adders = ((target.array_lanes - 1) * (PRODUCT_BITS + ceil(log2(max(2, target.array_lanes)) / 2)) + 2 * SUM_BITS) * columns
    else:
        adders = target.array_lanes * FLOAT_ADDER_LUTS * columns
    luts = choose + adders + REQUANTISER_LUTS * requantisers + SEQUENCER_LUTS
    return Resources(multipliers, requantisers, dsps, luts, target.weight_buffer_bytes + target.input_buffer_bytes + target.output_buffer_bytes)
