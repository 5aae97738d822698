"""What is run on a GPU: layers of known networks in each form that their zeros allow, and whole networks; random weights, the same on every machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zlib import crc32

import numpy as np
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper
from random_resnet50 import random_resnet50
from transformer import random_transformer

import spcompile
from spcompile.ir.layers import find_layers, weight, with_weights
from spcompile.kernels.gpu.grid_transpose import GridTranspose
from spcompile.kernels.gpu.mma_product import MmaProduct
from spcompile.kernels.gpu.vector_product import VectorProduct
from spcompile.lowering.gpu.forms import fastest
from spcompile.lowering.gpu.lower import lower_for_gpu
from spcompile.lowering.gpu.program import GpuProgram
from spcompile.passes import prepare
from spcompile.patterns import parse_choice
from spcompile.targets.gpu import Gpu

BATCHES = (1, 8, 32)
LINEAR = {  # network, (rows, columns), positions of one input
    "BERT-base": ([(768, 768), (3072, 768), (768, 3072)], 128),
    "ViT-B": ([(768, 768), (3072, 768), (768, 3072)], 197),
}
POINTWISE = {(256, 64): 3136, (128, 256): 3136, (512, 128): 784, (256, 512): 784, (1024, 256): 196, (512, 1024): 196, (2048, 512): 49}  # ResNet-50
CONVOLUTIONS = ((64, 56), (128, 28), (256, 14), (512, 7))  # 3x3: channels, size
WIDE, WIDE_POSITIONS = 4096, (128, 512, 4096)
FORMS = {"dense": "dense", "2:4": "sparse24"}  # what weights are pruned to -> the kernel that they must run as
WIDE_FORMS = {**FORMS, "block64x64@0.8": "blocks64", "block32x32@0.8": "blocks32", "block16x16@0.8": "blocks16", "block8x1@0.9": "vectors8"}
PACKAGE = Path(spcompile.__file__).parent
PRODUCTS = (MmaProduct, VectorProduct, GridTranspose)
NETWORKS = {"ResNet-50": random_resnet50, "transformer, 4 layers of 1024": lambda: random_transformer(layers=4)}


@dataclass(frozen=True)
class Case:
    """One layer; size 0: linear."""

    network: str
    rows: int
    columns: int
    positions: int
    batch: int
    size: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.batch, self.columns // 9, self.size, self.size) if self.size else (self.positions * self.batch, self.columns)

    @property
    def forms(self) -> dict[str, str]:
        return WIDE_FORMS if self.columns == WIDE else FORMS

    def model(self, form: str) -> ir.Model:
        """The layer alone, pruned to what `form` says by magnitude."""
        rng = np.random.default_rng(crc32(repr(self).encode()))
        taps = (3, 3) if self.size else ()
        values = (rng.standard_normal((self.rows, self.shape[1], *taps)) / self.columns**0.5).astype(np.float32)
        if not self.size:
            values = values.T.copy()
        node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1]) if self.size else helper.make_node("MatMul", ["x", "w"], ["y"])
        out = (self.batch, self.rows, self.size, self.size) if self.size else (self.shape[0], self.rows)
        info = helper.make_tensor_value_info
        ends = [info("x", TensorProto.FLOAT, self.shape)], [info("y", TensorProto.FLOAT, out)]
        graph = helper.make_graph([node], "layer", *ends, [numpy_helper.from_array(values, "w")])
        return pruned(prepare(ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8))), form)

    def program(self, form: str, gpu: Gpu, dtype: str) -> GpuProgram:
        """With that form's kernel, whether or not it is predicted to pay."""

        def wanted(kernels: list, gpu: Gpu) -> int:
            return next(place for place, kernel in enumerate(kernels) if f"_{self.forms[form]}_" in kernel.title)

        return lower_for_gpu(self.model(form), gpu, dtype, wanted)[0]


def cases() -> list[Case]:
    found = [Case("4096 wide", WIDE, WIDE, positions, 1) for positions in WIDE_POSITIONS]
    found += [Case(name, *shape, positions, batch) for name, (shapes, positions) in LINEAR.items() for shape in shapes for batch in BATCHES]
    found += [Case("ResNet-50", *shape, positions, batch) for shape, positions in POINTWISE.items() for batch in BATCHES]
    return found + [Case("ResNet-50 3x3", c, 9 * c, size * size, batch, size) for c, size in CONVOLUTIONS for batch in BATCHES]


def pruned(model: ir.Model, notation: str) -> ir.Model:
    """Every layer that can hold the choice, by magnitude."""
    choice = parse_choice(notation)
    layers = [layer for layer in find_layers(model) if choice.pattern.fits(layer)] if choice.sparsity else []
    matrices = {layer.name: weight(model, layer) for layer in layers}
    return with_weights(model, {name: np.where(choice.pattern.mask(np.abs(matrix), choice.sparsity), matrix, 0) for name, matrix in matrices.items()})


def network(name: str, form: str) -> ir.Model:
    return pruned(prepare(ir.from_proto(NETWORKS[name]())), form)


def programs(gpu: Gpu, dtype: str, only: str) -> Iterator[tuple[str, GpuProgram]]:
    """(name of a file, program) of every case and network whose name has `only` in it."""
    for case in (case for case in cases() if only in case.network):
        for form in case.forms:
            yield file_name(case, form, dtype), case.program(form, gpu, dtype)
    for name in (name for name in NETWORKS if only in name):
        for form in FORMS:
            yield file_name(name, form, dtype), lower_for_gpu(network(name, form), gpu, dtype, fastest)[0]


def file_name(what: object, form: str, dtype: str) -> str:
    """Another one when the code that makes kernels has changed."""
    return f"{crc32(f'{what!r} {form} {dtype}'.encode(), _code()):08x}.cubin"


@lru_cache
def _code() -> int:
    return crc32(b"".join(path.read_bytes() for folder in ("kernels", "lowering") for path in sorted((PACKAGE / folder / "gpu").glob("*.py"))))
