"""[measured] is written beside a user's text, which stays as it was."""

import pytest

from spcompile.errors import TargetError
from spcompile.targets import load_target
from spcompile.targets.measured_section import own_device_file, write_measured

TEXT = """# our gateway
base = "cortex-a72"
cores = 2  # the others are busy

[[caches]]
bytes = 32768
bytes_per_cycle = 16
shared = false
"""
FOUND = {"date": "2026-11-22", "machine": 'a "board"', "kernels": 12, "threads": 1, "core": 1.2345678, "caches": 0.5, "memory": 2.0}


@pytest.fixture
def board(tmp_path):
    path = tmp_path / "board.toml"
    path.write_text(TEXT)
    return path


def test_the_section_is_added_and_read_back(board):
    write_measured(board, FOUND)
    assert board.read_text().startswith(TEXT.rstrip())
    target = load_target(board)
    assert (target.measured_core, target.measured_caches, target.measured_memory) == (1.235, 0.5, 2.0)
    assert target.measured_when == "2026-11-22, 12 kernels on a 'board', threads: 1"
    assert target.description.endswith(f"(calibrated: {target.measured_when})")


def test_writing_again_replaces_the_section_alone(board):
    write_measured(board, FOUND)
    write_measured(board, FOUND | {"core": 3.0})
    assert board.read_text().count("[measured]") == 1 and board.read_text().count("calibrate") == 1
    assert load_target(board).measured_core == 3.0
    assert [file.name for file in board.parent.iterdir()] == ["board.toml"]


def test_a_section_in_the_middle_is_found(board):
    write_measured(board, FOUND)
    board.write_text(board.read_text() + "\n[[caches]]\nbytes = 1048576\nbytes_per_cycle = 8\nshared = true\n")
    write_measured(board, FOUND | {"core": 3.0})
    target = load_target(board)
    assert len(target.caches) == 2 and target.measured_core == 3.0


def test_a_file_without_a_last_line_break(board):
    board.write_text('base = "cortex-a72"')
    write_measured(board, FOUND)
    assert load_target(board).measured_core == 1.235


@pytest.mark.parametrize(("name", "told"), [("cortex-a72", "'cortex-a72' is no device file of yours"), ("none.toml", "there is no file none.toml")])
def test_only_a_file_of_ones_own_is_written(name, told):
    with pytest.raises(TargetError, match=f"{told}; calibrating writes into one: make my_board.toml with the line base"):
        own_device_file(name)
