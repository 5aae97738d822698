"""The tile of a product fits the card, shrinks with the work and asks as far ahead as there is room."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.kernels.gpu.tile import HOPPER_TILES, TILES
from spcompile.kernels.gpu.work import Product
from spcompile.lowering.gpu.tiles import BLOCK_BYTES, MOST_STAGES, best_tile, deepened
from spcompile.targets import GPUS, load_target

A100, H100 = load_target("a100"), load_target("h100")
works = st.builds(Product, st.integers(1, 5000), st.integers(1, 20000), st.integers(8, 9000), st.booleans(), st.integers(1, 64))


def test_tiles_shrink_with_the_work():
    assert best_tile(Product(4096, 8192, 1024), A100).positions == 128
    assert best_tile(Product(64, 1, 1024), A100).positions == 16
    assert best_tile(Product(4096, 4096, 4096), H100).positions == 256
    assert best_tile(Product(64, 1, 1024), H100).positions == 16


@given(works, st.sampled_from(GPUS))
def test_a_tile_fits_its_card(work, name):
    gpu = load_target(name)
    tile = best_tile(work, gpu)
    assert 4 * tile.words(work.two_of_four) <= gpu.shared_bytes and tile.warpgroups == gpu.has_warpgroups


@given(works, st.sampled_from(GPUS))
def test_deeper_is_never_fewer_at_once(work, name):
    """More stages take no place from a thread block that would share the SM."""
    gpu = load_target(name)
    room = gpu.shared_bytes + BLOCK_BYTES

    def at_once(tile) -> int:
        blocks = -(-work.rows // tile.rows) * -(-work.positions // tile.positions) * work.batch
        return max(1, min(room // (4 * tile.words(work.two_of_four) + BLOCK_BYTES), -(-blocks // gpu.sms)))

    for tile in HOPPER_TILES if gpu.has_warpgroups else TILES:
        if 4 * tile.words(work.two_of_four) <= gpu.shared_bytes:
            deep = deepened(tile, work, gpu)
            assert tile.stages <= deep.stages <= MOST_STAGES and at_once(deep) == at_once(tile) and replace(deep, stages=tile.stages) == tile


def test_one_block_an_sm_asks_furthest_ahead():
    few, many = Product(768, 128, 768), Product(4096, 16384, 768)
    tile = next(each for each in TILES if each.positions == 32)
    assert deepened(tile, few, A100).stages == MOST_STAGES > deepened(tile, many, A100).stages


@pytest.mark.parametrize("rows", [64, 128])
def test_rows_can_be_given(rows):
    assert best_tile(Product(4096, 4096, 4096), H100, rows).rows == rows
