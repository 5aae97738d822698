"""Read from files made by hand, and on systems that do not tell."""

import os

import pytest

from spcompile.targets import system


def test_cpuinfo_is_read_line_by_line(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor : 0\nmodel name\t: Fast: 3 GHz\n\nprocessor : 1\n")
    assert system.cpuinfo(tmp_path) == [("processor", "0"), ("model name", "Fast: 3 GHz"), ("", ""), ("processor", "1")]
    assert system.cpuinfo(tmp_path / "none") == []


@pytest.mark.parametrize(("counted", "cores"), [(6, 6), (None, 1)])
def test_without_an_affinity_all_cores_count(monkeypatch, counted, cores):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: counted)
    assert system.cores() == cores
