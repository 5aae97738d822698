"""What this machine can run."""

import re

import pytest

from spcompile.runtime import host
from spcompile.targets.system import cpuinfo

INTEL = ("avx2", "fma", "sse4_2")
SERVER = (*INTEL, "avx512bw", "avx512dq", "avx512f", "avx512vl")


@pytest.mark.parametrize(
    ("machine", "flags", "triple", "lanes", "reason"),
    [
        ("x86_64", INTEL, "x86_64-linux-gnu", 8, ""),
        ("AMD64", SERVER, "x86_64-linux-gnu", 16, ""),
        ("x86_64", INTEL, "x86_64-linux-gnu", 16, "this CPU lacks avx512f, avx512vl, avx512bw, avx512dq"),
        ("x86_64", SERVER[:-1], "x86_64-linux-gnu", 16, "this CPU lacks avx512vl"),
        ("x86_64", ("sse2",), "x86_64-linux-gnu", 4, ""),
        ("x86_64", SERVER, "aarch64-linux-gnu", 4, "it is aarch64 code, this machine is x86_64"),
        ("arm64", (), "aarch64-linux-gnu", 4, ""),
        ("aarch64", ("asimd",), "x86_64-linux-gnu", 8, "it is x86_64 code, this machine is aarch64"),
    ],
)
def test_what_runs_here(monkeypatch, machine, flags, triple, lanes, reason):
    monkeypatch.setattr(host.platform, "machine", lambda: machine)
    monkeypatch.setattr(host, "cpu_flags", lambda: flags)
    assert host.runs_here(triple, lanes).reason == reason


CPUINFO = {"x86": "processor : 0\nmodel name\t: Fast CPU @ 3 GHz\nflags\t\t: fma avx2 fma\n\nflags : other\n", "arm": "processor : 0\nFeatures\t: fp asimd\n"}


@pytest.mark.parametrize(("kind", "flags", "model"), [("x86", ("avx2", "fma"), "Fast CPU @ 3 GHz"), ("arm", ("asimd", "fp"), None)])
def test_reading_the_system(monkeypatch, tmp_path, kind, flags, model):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(CPUINFO[kind])
    monkeypatch.setattr(host, "cpuinfo", lambda: cpuinfo(tmp_path))
    assert host.cpu_flags() == flags
    assert host.cpu_model() == (model or host.platform.processor() or host.platform.machine())


def test_a_system_without_cpuinfo_has_no_flags(monkeypatch, tmp_path):
    monkeypatch.setattr(host, "cpuinfo", lambda: cpuinfo(tmp_path))
    assert host.cpu_flags() == () and host.cpu_model()


def test_fingerprint():
    assert re.fullmatch("[0-9a-f]{64}", host.flags_digest()) and host.flags_digest() == host.flags_digest()
    found = host.packages()
    assert {"apache-tvm", "onnxruntime", "numpy"} <= found.keys() and all(re.match(r"\d", version) for version in found.values())
