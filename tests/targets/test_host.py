"""The host is recognised from the system's own files, here made by hand."""

import os

import pytest

from spcompile.errors import TargetError
from spcompile.targets import CPUS, load_target
from spcompile.targets.device_file import DEVICES as FOLDER
from spcompile.targets.device_file import read_table
from spcompile.targets.host import host_target

TABLES = [(name, read_table(FOLDER / f"{name}.toml")) for name in CPUS]
AVX2 = "fpu sse2 avx avx2 fma"
AVX512 = f"{AVX2} avx512f avx512vl avx512bw avx512dq avx512cd"


def machine(root, cpuinfo, caches=(), khz=None):
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_text(cpuinfo)
    cpu = root / "sys/devices/system/cpu/cpu0"
    for index, (level, kind, size) in enumerate(caches):
        folder = cpu / f"cache/index{index}"
        folder.mkdir(parents=True)
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(f"{text}\n")
    if khz:
        (cpu / "cpufreq").mkdir(parents=True)
        (cpu / "cpufreq/cpuinfo_max_freq").write_text(f"{khz}\n")
    return host_target(TABLES, root)


@pytest.mark.parametrize(
    ("cpuinfo", "device"),
    [
        (f"vendor_id\t: GenuineIntel\nflags\t\t: {AVX2}\n", "x86-avx2"),
        (f"vendor_id\t: GenuineIntel\nflags\t\t: {AVX512}\n", "x86-avx512"),
        (f"vendor_id\t: AuthenticAMD\nflags\t\t: {AVX512} avx512_bf16\n", "zen4"),
        (f"vendor_id\t: AuthenticAMD\nflags\t\t: {AVX512} avx512_bf16 avx512_vp2intersect\n", "zen5"),
        (f"vendor_id\t: AuthenticAMD\nflags\t\t: {AVX2}\n", "x86-avx2"),
        ("CPU implementer\t: 0x41\nCPU part\t: 0xd08\n", "cortex-a72"),
        ("CPU part\t: 0xd0b\n", "cortex-a76"),
        ("CPU part\t: 0xd05\n\nCPU part\t: 0xd0b\n", "cortex-a76"),
    ],
)
def test_the_most_demanding_fitting_device_is_chosen(tmp_path, cpuinfo, device):
    host = machine(tmp_path, cpuinfo)
    assert host.name == "host" and host.mcpu == load_target(device).mcpu
    assert f"described by {device} " in host.description


def test_an_unknown_machine_is_told_what_to_do(tmp_path):
    with pytest.raises(TargetError, match=r"none of x86-avx2, .*; give a device file of your own: --target my_board.toml"):
        machine(tmp_path, "vendor_id\t: GenuineIntel\nflags\t\t: fpu sse2\n")


def test_the_systems_own_numbers_replace_the_devices(tmp_path):
    caches = [(1, "Data", "48K"), (1, "Instruction", "32K"), (2, "Unified", "2M")]
    host = machine(tmp_path, f"vendor_id : GenuineIntel\nflags : {AVX512}\n", caches, khz=3_000_000)
    device = load_target("x86-avx512")
    assert [cache.bytes for cache in host.caches[:2]] == [48 << 10, 2 << 20]
    assert host.clock_hz == 3e9 and host.source("clock_hz") == "cpufreq/cpuinfo_max_freq"
    assert host.cores == len(os.sched_getaffinity(0))
    assert host.fma_per_cycle == device.fma_per_cycle and host.source("fma_per_cycle") == device.source("fma_per_cycle")


def test_a_shared_cache_counts_whole(tmp_path):
    host = machine(tmp_path, f"vendor_id : AuthenticAMD\nflags : {AVX512} avx512_bf16\n", [(3, "Unified", "16384K")])
    assert host.caches[2].bytes == 16 << 20
    assert host.caches[1] == load_target("zen4").caches[1]


def test_of_big_and_little_cores_the_big_ones_count(tmp_path):
    assert machine(tmp_path, "CPU part : 0xd03\n\nCPU part : 0xd08\n").mcpu == "cortex-a72"
