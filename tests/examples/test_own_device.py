"""The device file of the examples."""

from pathlib import Path

from spcompile.targets import load_target

DEVICE = Path(__file__).parents[2] / "examples/own_device.toml"


def test_it_is_its_base_but_for_what_it_says():
    board, base = load_target(DEVICE), load_target("cortex-a53")
    assert (board.name, board.clock_hz, board.memory_bytes_per_second) == ("own_device", 1.2e9, 1.6e9)
    assert (board.mcpu, board.fma_per_cycle, board.caches) == (base.mcpu, base.fma_per_cycle, base.caches)


def test_numbers_tell_their_source():
    board = load_target(DEVICE)
    assert board.source("clock_hz") == "invented for this example"
    assert board.source("cores") == "given in own_device.toml"
    assert board.source("fma_per_cycle") == load_target("cortex-a53").source("fma_per_cycle")
