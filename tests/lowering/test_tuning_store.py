"""The tuning store: what is written is chosen, for exactly the product, device and threads it was measured for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spcompile.errors import DataError
from spcompile.kernels.cpu.reach import Reach
from spcompile.kernels.expression import ACCUMULATOR
from spcompile.lowering.choosing import CONTENDERS, Product, fastest
from spcompile.lowering.lower import lower
from spcompile.lowering.site import Site
from spcompile.lowering.tuning_store import VARIABLE, Entry, TuningStore, key, user_store
from spcompile.passes import prepare
from spcompile.targets import load_target

TARGET = load_target("x86-avx2")
SITE = Site(64, 576, 1, 784, (28, 28, 28), 1, 784, 1, 64 * 784, Reach(64, 784, 3, 3, 28), ACCUMULATOR, ())
PRODUCTS = [Product(SITE, None, 0, False), Product(SITE, 4, 16 * 288, False), Product(SITE, 1, 64 * 100, True)]


def predicted(product: Product):
    return fastest(replace(product.site), lambda rows: product.blocks if rows == product.rows else 10**9, TARGET, 1, scattered=product.scattered)[0]


def entry(product: Product, variant: str, threads: int = 1) -> Entry:
    return Entry(key(product, TARGET, threads), variant, 1e-3, "", 2e-3, "some CPU")


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: str(product.rows))
def test_contenders_are_different_kernels_of_the_format_the_predicted_one_first(product):
    kernels = product.contenders(TARGET, 1)
    assert 1 < len(kernels) <= CONTENDERS and len({kernel.variant for kernel in kernels}) == len({kernel.name for kernel in kernels}) == len(kernels)
    assert set(kernels) <= set(product.kernels(TARGET, 1))
    if product.rows is not None:
        assert kernels[0] == predicted(product)


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: str(product.rows))
def test_variants_tell_a_products_kernels_apart(product):
    kernels = list(product.kernels(TARGET, 1))
    assert len({kernel.variant for kernel in kernels}) == len(kernels)


def test_what_is_stored_is_picked(tmp_path):
    store, product = TuningStore(tmp_path / "folder" / "tuning.jsonl"), PRODUCTS[1]
    first, second, third = product.contenders(TARGET, 1)[:3]
    assert store.pick(TARGET, 1)("layer", product, first) is first  # nothing is stored yet
    store.add([entry(product, second.variant)])
    assert store.pick(TARGET, 1)("layer", product, first) == second
    store.add([entry(product, third.variant)])
    assert store.pick(TARGET, 1)("layer", product, first) == third  # the last line of a key holds


@pytest.mark.parametrize(
    "other",
    [
        (PRODUCTS[1], TARGET, 2),
        (PRODUCTS[1], load_target("x86-avx512"), 1),
        (replace(PRODUCTS[1], blocks=16 * 200), TARGET, 1),
        (replace(PRODUCTS[1], site=replace(SITE, y_row_stride=800)), TARGET, 1),
    ],
    ids=["threads", "target", "level", "site"],
)
def test_other_products_keep_the_predicted_kernel(tmp_path, other):
    store, (product, target, threads) = TuningStore(tmp_path / "tuning.jsonl"), other
    store.add([entry(PRODUCTS[1], PRODUCTS[1].contenders(TARGET, 1)[1].variant)])
    first = product.contenders(target, threads)[0]
    assert store.pick(target, threads)("layer", product, first) is first


def test_a_level_is_known_to_the_per_cent():
    near, far = (replace(PRODUCTS[1], blocks=PRODUCTS[1].blocks + more) for more in (3, 300))
    assert key(near, TARGET, 1) == key(PRODUCTS[1], TARGET, 1) != key(far, TARGET, 1)


def test_a_variant_that_is_no_longer_offered_is_passed_over(tmp_path):
    store = TuningStore(tmp_path / "tuning.jsonl")
    store.add([entry(PRODUCTS[0], "gemm of long ago")])
    first = PRODUCTS[0].contenders(TARGET, 1)[0]
    assert store.pick(TARGET, 1)("layer", PRODUCTS[0], first) is first


@pytest.mark.parametrize("line", ["{", '{"key": "a"}', "[1]"])
def test_a_damaged_line_is_named(tmp_path, line):
    path = tmp_path / "tuning.jsonl"
    TuningStore(path).add([entry(PRODUCTS[0], "x")])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DataError, match="line 2 is damaged"):
        TuningStore(path).variants()


def test_what_is_no_text_is_damaged_too(tmp_path):
    (tmp_path / "tuning.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="line 1 is damaged"):
        TuningStore(tmp_path / "tuning.jsonl").variants()


def test_where_it_cannot_be_written_the_way_out_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "tuning.jsonl"):
        with pytest.raises(DataError, match=rf"{path} cannot be written \(.*\); name a file that can with SPCOMPILE_TUNING"):
            TuningStore(path).add(())


def test_the_users_store_is_a_file_in_the_cache_folder_unless_one_is_given(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "own.jsonl"))
    assert user_store().path == tmp_path / "own.jsonl"
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_store().path == tmp_path / "spcompile" / "tuning.jsonl"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert user_store().path == Path.home() / ".cache" / "spcompile" / "tuning.jsonl"


def test_lowering_asks_the_users_store(build, monkeypatch, tmp_path):
    """And a hook has the last word instead, called once for each layer."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "tuning.jsonl"))
    weight = np.random.default_rng(0).standard_normal((32, 16, 3, 3)).astype(np.float32)
    model = prepare(build("g (float[1,16,20,20] x) => (float[1,32,20,20] y) { y = Conv<pads=[1,1,1,1]>(x, w) }", w=weight))
    seen = []
    plain = lower(model, TARGET, pick=lambda layer, product, kernel: seen.append(product) or kernel).program
    (product,) = seen
    other = product.contenders(TARGET, 1)[1]
    user_store().add([entry(product, other.variant)])
    kernels = [{step.kernel for step in program.steps if step.layer} for program in (plain, lower(model, TARGET).program)]
    assert kernels == [{product.contenders(TARGET, 1)[0]}, {other}]
