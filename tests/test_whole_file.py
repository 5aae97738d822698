"""A file as it was, or as it was meant to be."""

import errno
import os

import pytest

from spcompile import whole_file
from spcompile.whole_file import write_whole


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    return path


def test_the_new_file_takes_the_old_ones_place(path):
    write_whole(path, b"new")
    assert path.read_bytes() == b"new" and list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o666 & ~whole_file._umask()


@pytest.mark.parametrize("step", ["fdopen", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else_and_names_it(path, monkeypatch, step):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*(os, "fdopen") if step == "fdopen" else (whole_file.Path, "replace"), full)
    with pytest.raises(OSError, match=r"No space left on device: '.*report\.json'"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old" and list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named_by_the_file_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none/report\.json'$"):
        write_whole(tmp_path / "none" / "report.json", b"new")
