"""Device files of a user: what is accepted, and each mistake told in one line with file and field."""

import pytest

from spcompile.errors import TargetError
from spcompile.targets import device_file, load_target
from spcompile.targets.device_file import DEVICES, read_table

MEASURED = """[measured]
date = "2026-11-22"
machine = "a board"
kernels = 12
threads = 4
core = 1.25
caches = 0.9
memory = 2
"""


def write(tmp_path, text):
    path = tmp_path / "my_board.toml"
    path.write_text(text)
    return path


def test_a_base_gives_what_the_file_does_not_say(tmp_path):
    board = load_target(write(tmp_path, 'base = "cortex-a72"\ndescription = "Our gateway"\nclock_hz = 1.5e9\n'))
    core = load_target("cortex-a72")
    assert (board.name, board.description, board.clock_hz) == ("my_board", "Our gateway", 1.5e9)
    assert (board.fma_per_cycle, board.caches, board.mcpu) == (core.fma_per_cycle, core.caches, core.mcpu)
    assert board.source("clock_hz") == "given in my_board.toml"
    assert board.source("fma_per_cycle") == core.source("fma_per_cycle")


def test_a_board_may_stand_on_a_board(tmp_path):
    board = load_target(write(tmp_path, 'base = "raspberry-pi-4"\ncores = 2\n'))
    assert board.cores == 2 and board.mcpu == "cortex-a72"


def test_a_source_beside_the_number_is_kept(tmp_path):
    board = load_target(write(tmp_path, 'base = "cortex-a72"\nclock_hz = { value = 1.5e9, source = "its label" }\n'))
    assert board.source("clock_hz") == "its label"


def test_caches_can_be_replaced(tmp_path):
    text = 'base = "cortex-a72"\n[[caches]]\nbytes = 65536\nbytes_per_cycle = 16\nshared = false\n'
    board = load_target(write(tmp_path, text))
    assert [cache.bytes for cache in board.caches] == [65536]
    assert board.source("caches.0.bytes") == "given in my_board.toml"


def test_a_file_without_base_must_say_everything(tmp_path):
    whole = (DEVICES / "cortex-a72.toml").read_text()
    assert load_target(write(tmp_path, whole)).fma_per_cycle == 1
    lines = [line for line in whole.splitlines() if not line.startswith("issue_width")]
    with pytest.raises(TargetError, match=r"my_board.toml: field 'issue_width' is missing \(a number above 0 expected\)"):
        load_target(write(tmp_path, "\n".join(lines)))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("clock_hz = -1e9", r"'clock_hz' is -1000000000.0; a number above 1e\+06 expected"),
        ("clock_hz = 1.8", r"'clock_hz' is 1.8; a number above 1e\+06 expected"),
        ("clock_hz = inf", "'clock_hz' is inf"),
        ("clock_hz = nan", "'clock_hz' is nan"),
        ('clock_hz = "fast"', "'clock_hz' is 'fast'; a number"),
        ("clock_hz = true", "'clock_hz' is True; a number"),
        ("clock_hz = { value = 1e9 }", "'clock_hz' must be a value or"),
        ("cores = 0", "'cores' is 0; a whole number above 0 expected"),
        ("cores = 1.5", "'cores' is 1.5; a whole number"),
        ("out_of_order = 1", "'out_of_order' must be .* true or false|'out_of_order' is 1; true or false expected"),
        ('features = "+neon"', r"'features' is '\+neon'; a list"),
        ('family = "abacus"', "'family' is 'abacus'; allowed: cpu"),
        ('triple = "riscv64-linux-gnu"', "'triple' is 'riscv64-linux-gnu'; allowed: x86_64-linux-gnu, aarch64-linux-gnu"),
        ("zzz = 1", "'zzz' is not a field of a device file; there are arithmetic_per_cycle, base, "),
        ("clok_hz = 1e9", "'clok_hz' is not a field of a device file; did you mean clock_hz"),
        ("caches = 3", "'caches' must be one"),
        ("caches = []", "'caches' must be one"),
        ("[[caches]]\nbytes = 1024\n", r"'caches.0' must hold exactly bytes, bytes_per_cycle, shared"),
        ("[[caches]]\nbytes = -1\nbytes_per_cycle = 8\nshared = false\n", r"'caches.0.bytes' is -1; a whole number"),
        ("mcpu = 72", "'mcpu' is 72; a text expected"),
        ("fp16_flop_per_cycle = -16", "'fp16_flop_per_cycle' is -16; a number above 0 expected"),
        ("fp16_flops_per_cycle = 16", "'fp16_flops_per_cycle' is not a field of a device file; did you mean fp16_flop_per_cycle"),
        ("int8_op_per_cycle = 0", "'int8_op_per_cycle' is 0; a number above 0 expected"),
        ("measured_core = 1.1", "'measured_core' is not a field of a device file; did you mean measured"),
        ("measured = 1.1", r"'measured' must be a table, \[measured\]"),
        ("[measured]\ncore = 1.1", "'measured.date' is missing"),
        ("[measured]\ncroe = 1.1", "'measured.croe' is not a field of a device file; did you mean core"),
        (MEASURED.replace("1.25", "-1.25"), "'measured.core' is -1.25; a number above 0 expected"),
    ],
)
def test_mistakes_are_told_with_file_and_field(tmp_path, line, told):
    with pytest.raises(TargetError, match=told) as caught:
        load_target(write(tmp_path, f'base = "cortex-a72"\n{line}\n'))
    assert "my_board.toml" in str(caught.value) and "\n" not in str(caught.value)


def test_unknown_base_lists_the_known(tmp_path):
    with pytest.raises(TargetError, match=r"field 'base' is 'cortex-a7'; did you mean cortex-a7.[?] allowed: a100, apple-m1, cortex-a53, cortex-a55"):
        load_target(write(tmp_path, 'base = "cortex-a7"\n'))
    with pytest.raises(TargetError, match="field 'base' is 'zzz'; allowed: a100, apple-m1"):
        load_target(write(tmp_path, 'base = "zzz"\n'))


def test_not_toml_and_not_there(tmp_path):
    with pytest.raises(TargetError, match=r"my_board.toml: not TOML \(.*line 1"):
        load_target(write(tmp_path, "clock_hz 3\n"))
    with pytest.raises(TargetError, match=r"other\.toml: cannot be read"):
        load_target(tmp_path / "other.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TargetError, match=r"binary\.toml: cannot be read"):
        load_target(binary)


def test_a_base_does_not_hand_down_how_it_is_recognised():
    assert "recognised_by" in read_table(DEVICES / "cortex-a72.toml")
    assert "recognised_by" not in read_table(DEVICES / "raspberry-pi-4.toml")


def test_a_rate_that_the_core_lacks_is_left_out():
    assert load_target("cortex-a72").fp16_flop_per_cycle == 0
    assert load_target("cortex-a76").fp16_flop_per_cycle == 32 and load_target("cortex-a76").source("fp16_flop_per_cycle")


def test_a_measured_section_becomes_scales_with_their_occasion(tmp_path):
    board = load_target(write(tmp_path, f'base = "cortex-a72"\n{MEASURED}'))
    assert (board.measured_core, board.measured_caches, board.measured_memory) == (1.25, 0.9, 2.0)
    assert board.measured_when == "2026-11-22, 12 kernels on a board, threads: 4"
    assert board.source("measured_core") == f"measured: {board.measured_when}"
    assert load_target("cortex-a72").measured_when == ""


def test_what_was_measured_on_one_board_is_not_handed_down(tmp_path, monkeypatch):
    monkeypatch.setattr(device_file, "DEVICES", tmp_path)
    (tmp_path / "mine.toml").write_text((DEVICES / "cortex-a72.toml").read_text() + MEASURED)
    assert load_target(tmp_path / "mine.toml").measured_core == 1.25
    assert load_target(write(tmp_path, 'base = "mine"\n')).measured_core == 1.0
