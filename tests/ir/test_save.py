import errno
import os

import numpy as np
import onnx
import pytest

from spcompile.errors import ArtifactError, ModelError
from spcompile.ir import save as save_module
from spcompile.ir.onnx_frontend import load_onnx
from spcompile.ir.save import save

TEXT = "g (float[2,3] x) => (float[2,3] y) { y = Add(x, w) }"


@pytest.fixture
def model(build):
    return build(TEXT, w=np.arange(3, dtype=np.float32))


def test_what_is_saved_loads_as_the_same_model(model, tmp_path, assert_equal_outputs):
    path = tmp_path / "model.onnx"
    model.ir_version = 10
    save(model, path)
    proto = onnx.load(path)
    assert proto.ir_version == 8  # the one that came with opset 18
    onnx.checker.check_model(proto, full_check=True)
    assert_equal_outputs(model, load_onnx(path))


def test_a_failure_leaves_the_old_file_and_nothing_else(model, tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(ArtifactError, match=r"cannot write .*model\.onnx: No space left on device"):
        save(model, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(model, tmp_path):
    with pytest.raises(ArtifactError, match="No such file or directory"):
        save(model, tmp_path / "none" / "model.onnx")


def test_too_large_for_one_file(model, tmp_path, monkeypatch):
    monkeypatch.setattr(save_module, "PROTOBUF_LIMIT_BYTES", 50)
    with pytest.raises(ModelError, match="one ONNX file holds at most 50"):
        save(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
