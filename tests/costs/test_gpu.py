"""The GPU model: what must hold of any card, and how near it comes to published times."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.costs.gpu import WHOLE, predict
from spcompile.kernels.gpu.work import Product, Sweep
from spcompile.targets import GPUS, load_target

A100 = load_target("a100")
cards = pytest.mark.parametrize("name", GPUS)
sizes = st.integers(1, 5000)


def seconds(product: Product | Sweep, gpu=A100, network_bytes: float = 0.0) -> float:
    return predict(product, gpu, network_bytes).expected_s


@cards
@given(rows=sizes, positions=sizes, columns=sizes)
def test_no_product_beats_the_card(name, rows, positions, columns):
    gpu = load_target(name)
    assert seconds(Product(rows, positions, columns), gpu) > 2 * rows * positions * columns / gpu.peak_flops
    assert seconds(Product(rows, positions, columns, True), gpu) > rows * positions * columns / gpu.peak_flops


@cards
@given(rows=sizes, positions=sizes, columns=sizes, kept=st.floats(0.05, 1))
def test_no_product_of_vectors_beats_shared_memory(name, rows, positions, columns, kept):
    """An SM reads 128 bytes a cycle, and every 16 x 8 x 16 weights, inputs and places take 672."""
    gpu = load_target(name)
    cycles = rows * positions * columns * kept / (16 * 8 * 16) * 672 / 128 / gpu.sms
    assert seconds(Product(rows, positions, columns, kept=kept, vectors=True), gpu) > 0.99 * cycles / gpu.clock_hz


@given(rows=sizes, positions=sizes, columns=sizes)
def test_memory_that_the_network_displaced_is_slower(rows, positions, columns):
    assert seconds(Product(rows, positions, columns), network_bytes=1e9) >= seconds(Product(rows, positions, columns))


@given(rows=sizes, positions=sizes, columns=st.integers(1, 200))
def test_a_batch_is_no_faster_than_one(rows, positions, columns):
    assert seconds(Product(rows, positions, columns, batch=4)) >= seconds(Product(rows, positions, columns))


@cards
def test_a_sweep_is_launch_and_bandwidth(name):
    gpu = load_target(name)
    small, large = seconds(Sweep(1e3), gpu), seconds(Sweep(1e10), gpu)
    assert 1e-6 < small < 2e-5 and 1e10 / gpu.memory_bytes_per_second < large < 2e10 / gpu.memory_bytes_per_second


def test_products_step_up_with_waves():
    """One tile more than the SMs hold takes another wave."""
    full = Product(128, 256 * A100.sms, 4096)
    assert seconds(replace(full, positions=full.positions + 1)) > 1.05 * seconds(full)


def test_a_sum_that_is_split_fills_a_card_that_few_tiles_leave_idle():
    few = Product(512, 49, 4608)
    assert predict(few, A100).expected_s < 0.8 * predict(few, A100, splits=WHOLE).expected_s


def test_a_range_lies_around_the_prediction():
    latency = predict(Product(1024, 1024, 1024), A100)
    assert latency.low_s < latency.expected_s < latency.high_s and latency.basis == "analytic"


@pytest.fixture(scope="module")
def published(shared):
    """published(dtype) -> shapes that the constants were not fitted on: (dense product, dense seconds, 2:4 seconds)."""
    return lambda dtype: _published(shared, dtype)


def _published(shared, dtype: str) -> list[tuple[Product, float, float]]:
    with (shared / "calibration" / "gpu_24_gemm_slidesparse.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["dtype"] == dtype and row["shape_set"] in ("Qwen2.5-14B-INT8", "Llama3.2-1B-INT8")]
    return [
        (Product(int(row["N"]), int(row["M"]), int(row["K"])), float(row["dense_cublaslt_us"]) * 1e-6, float(row["sparse24_cusparselt_us"]) * 1e-6)
        for row in rows
    ]


@pytest.mark.needs_shared
@pytest.mark.parametrize("dtype", ["FP16", "BF16"])
def test_published_times_are_met(published, dtype):
    """Median error of shapes held out at most 15 %, dense and 2:4."""
    cases = published(dtype)
    assert len(cases) >= 80
    for two_of_four in (False, True):
        errors = [abs(seconds(replace(product, two_of_four=two_of_four)) / times[two_of_four] - 1) for product, *times in cases]
        assert np.median(errors) <= 0.15


@pytest.mark.needs_shared
def test_where_two_of_four_loses_is_foreseen(published):
    """In fp16; of bf16's three one is not, 14 % slower and foretold 4 % faster."""
    cases = published("FP16")
    slower = [(product, sparse / dense) for product, dense, sparse in cases if sparse > dense]
    assert slower and all(seconds(replace(product, two_of_four=True)) > seconds(product) for product, times in slower if times > 1.05)
    large = [product for product, *_ in cases if product.positions >= 1024]
    assert all(seconds(replace(product, two_of_four=True)) < seconds(product) for product in large)


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_small_cubes_lose_by_two_of_four(size):
    assert seconds(Product(size, size, size, True)) > seconds(Product(size, size, size))
