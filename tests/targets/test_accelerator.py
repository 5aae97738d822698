from dataclasses import replace

import pytest

from spcompile.errors import TargetError
from spcompile.targets import ACCELERATORS, load_target


def write(tmp_path, text):
    path = tmp_path / "my_array.toml"
    path.write_text(text)
    return path


def test_an_array_of_ones_own(tmp_path):
    mine = load_target(write(tmp_path, 'base = "sat-vcu1525"\narray_rows = 8\ndecodes = ["1:4", "unstructured"]\n'))
    assert (mine.name, mine.array_rows, mine.macs_per_cycle) == ("my_array", 8, 8 * 32)
    assert [pattern.notation for pattern in mine.patterns] == ["dense", "1:4", "unstructured", "channel"]
    assert mine.source("array_rows") == "given in my_array.toml"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('dataflow = "circular"', "'dataflow' is 'circular'; allowed: weight-stationary, output-stationary"),
        ('precision = "int4"', "'precision' is 'int4'; allowed: int8"),
        ('decodes = ["3:7"]', "my_array.toml: decodes: unknown pattern '3:7'"),
        ("window_columns = 16", "window_columns = 16 feeds fewer activations than there are array_lanes = 32"),
        ('decodes = ["1:32"]\nwindow_columns = 32\narray_lanes = 64', "window_columns = 32 feeds fewer"),
        ('decodes = ["1:32"]\nwindow_columns = 16\narray_lanes = 16', "groups of 32 columns are wider than window_columns = 16"),
        ("array_rows = 0", "'array_rows' is 0; a whole number above 0"),
        ("cores = 4", "'cores' is not a field of a device file"),
        ("[measured]\ncore = 1.0", "'measured' is not a field"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, line, told):
    with pytest.raises(TargetError, match=told) as caught:
        load_target(write(tmp_path, f'base = "sat-vcu1525"\n{line}\n'))
    assert "my_array.toml" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ACCELERATORS)
def test_shipped_arrays_hold_together(name):
    target = load_target(name)
    assert target.peak_flops == 2 * target.macs_per_cycle * target.clock_hz and target.patterns[0].notation == "dense"
    assert 1e-5 <= target.host_call_s <= 1e-2 and 1e8 <= target.memory_bytes_per_second <= 1e12
    assert replace(target, clock_hz=2 * target.clock_hz).memory_bytes_per_cycle == target.memory_bytes_per_cycle / 2
