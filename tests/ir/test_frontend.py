import subprocess
import sys

import onnx_ir as ir
import pytest

from spcompile.errors import ModelError
from spcompile.ir.frontend import load

TEXT = "g (float[N,6] x) => (float[N,6] y) { y = Relu(x) }"


def test_each_kind_of_source_gives_the_same_model(build, tmp_path):
    model = build(TEXT)
    ir.save(model, tmp_path / "model.onnx")
    texts = {ir.to_onnx_text(load(source, {"x": (2, 6)})) for source in (model, ir.to_proto(model), tmp_path / "model.onnx", str(tmp_path / "model.onnx"))}
    assert len(texts) == 1


def test_an_ir_model_is_not_changed(build):
    model = build(TEXT)
    before = ir.to_onnx_text(model)
    assert load(model).graph.inputs[0].shape.numpy() == (1, 6)
    assert ir.to_onnx_text(model) == before


def test_anything_else_is_refused():
    with pytest.raises(ModelError, match="cannot compile a int; give an ONNX path"):
        load(3)


def test_torch_is_not_imported_for_onnx():
    code = "import sys, spcompile.ir.frontend as f\ntry: f.load(object())\nexcept f.ModelError: pass\nassert not {'torch', 'tvm'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
