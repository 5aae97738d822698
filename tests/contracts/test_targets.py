"""Promises every shipped device keeps."""

from itertools import pairwise
from pathlib import Path

import pytest

from spcompile import targets
from spcompile.targets import ALIASES, CPUS, DEVICES, load_target
from spcompile.targets.device_file import DEVICES as FOLDER
from spcompile.targets.device_file import read_table

PLAUSIBLE = {  # field -> range that any CPU of 2010 to 2030 lies in; wide on purpose
    "fma_per_cycle": (0.25, 8),
    "loads_per_cycle": (0.25, 6),
    "stores_per_cycle": (0.25, 4),
    "broadcasts_per_cycle": (0.5, 12),
    "fma_latency_cycles": (2, 12),
    "load_latency_cycles": (2, 10),
    "issue_width": (1, 12),
    "mispredict_cycles": (4, 30),
    "clock_hz": (5e8, 6e9),
    "cores": (1, 256),
    "memory_bytes_per_second": (1e9, 2e11),
}
devices = pytest.mark.parametrize("name", DEVICES)
cpus = pytest.mark.parametrize("name", CPUS)


def test_the_folder_holds_exactly_the_registered_devices():
    assert sorted(DEVICES) == sorted(file.stem for file in FOLDER.glob("*.toml"))


@cpus
def test_numbers_are_plausible(name):
    target = load_target(name)
    for field, (low, high) in PLAUSIBLE.items():
        assert low <= getattr(target, field) <= high, field
    assert target.memory_bytes_per_second <= target.memory_bytes_per_second_shared


@cpus
def test_narrower_numbers_are_never_slower(name):
    target = load_target(name)
    fp32 = target.peak_flops / target.clock_hz
    assert target.fp16_flop_per_cycle == 0 or fp32 < target.fp16_flop_per_cycle <= 16 * fp32
    assert max(fp32, target.fp16_flop_per_cycle) / 2 < target.int8_op_per_cycle <= 32 * fp32


@cpus
def test_nobody_measured_a_shipped_device(name):
    """Scales belong to one machine; what is known of a kind of machine stands in its rates."""
    assert load_target(name).measured_when == ""


@devices
def test_every_number_says_where_it_comes_from(name):
    table = read_table(FOLDER / f"{name}.toml")
    for entry in [table, *table.get("caches", ())]:
        for field, value in entry.items():
            if field not in ("base", "recognised_by", "caches") and not isinstance(value, (str, bool, list)):
                assert not value["source"].startswith("given in"), f"{field} has no source"
                assert len(value["source"]) > 5, field


@cpus
def test_caches_grow_and_slow_down_outwards(name):
    caches = load_target(name).caches
    for inner, outer in pairwise(caches):
        assert outer.bytes > inner.bytes and outer.bytes_per_cycle < inner.bytes_per_cycle
    last, target = caches[-1], load_target(name)
    assert target.memory_bytes_per_second < last.bytes_per_cycle * target.clock_hz


@cpus
def test_vector_width_follows_from_the_instruction_set(name):
    target = load_target(name)
    widest = 16 if "avx512f" in str(read_table(FOLDER / f"{name}.toml")) else 8
    assert target.lanes_fp32 == (widest if target.x86 else 4)
    assert target.vector_registers == (16 if target.lanes_fp32 == 8 else 32)
    assert target.lanes_fp32 % target.datapath_lanes == 0


@cpus
def test_tvm_knows_the_target(name):
    tvm = pytest.importorskip("tvm")
    made = tvm.target.Target(load_target(name).tvm_target())
    assert str(made.attrs["mcpu"]) == load_target(name).mcpu


@pytest.mark.parametrize("name", sorted(ALIASES))
def test_aliases_name_a_device_and_say_why(name):
    device, reason = ALIASES[name]
    assert load_target(name) == load_target(device)
    text = targets.explain_target(name)
    assert text.startswith(f"{name} = {device} (") and reason in text


def test_listing_shows_all_in_order():
    assert [target.name for target in targets.list_targets()] == list(DEVICES)


def test_the_root_link_leads_to_the_devices():
    root = Path(__file__).parents[2] / "targets"
    assert (root / "devices" / "cortex-a72.toml").is_file()
