"""What every GPU kernel promises: a name that is its code, work that is counted, code that can be emitted."""

import dataclasses
import importlib
import pkgutil
import re

import pytest

import spcompile.kernels.gpu as folder
from spcompile.costs.gpu import predict
from spcompile.kernels.cpu.elementwise import Elementwise
from spcompile.kernels.expression import constant, operand
from spcompile.kernels.gpu.grid_gather import GridGather
from spcompile.kernels.gpu.grid_map import GridMap
from spcompile.kernels.gpu.grid_rows import GridRows
from spcompile.kernels.gpu.grid_transpose import GridTranspose
from spcompile.kernels.gpu.grid_window import GridWindow
from spcompile.kernels.gpu.kernel import GpuKernel
from spcompile.kernels.gpu.mma_product import MmaProduct
from spcompile.kernels.gpu.tile import HOPPER_TILES, TILES
from spcompile.kernels.gpu.vector_product import VectorProduct
from spcompile.kernels.gpu.window import Window
from spcompile.kernels.operand import Operand
from spcompile.targets import load_target

WINDOW = Window((8, 8), (8, 8), 16, 1024, 128, 16, (3, 3), pads=(1, 1))
LINEAR = Window.linear(40, 128, 128)
BIAS = {"epilogue": ("relu", ("add", operand(0), operand(1))), "operands": (Operand(1, 0),), "operand_dtypes": ("float32",)}
KERNELS: dict[str, GpuKernel] = {
    "map": GridMap(Elementwise.over((3, 5, 16), (80, 16, 1), [(80, 16, 1), (0, 1, 0)], ("mul", operand(0), operand(1)), 1, ["float16", "float32"]), "float16"),
    "map of one number": GridMap(Elementwise.over((), (), [], constant(1), 1), "float16"),
    "gather": GridGather(((3, 4), (2, 1)), 12, 20, "float16", "int64"),
    "rows": GridRows(((5, 32, 32),), ((32, 1, 1),), (("max", operand(0)), ("add", operand(0))), ("sub", operand(0), operand(1)), True, 0, "float16", "float16"),
    "means": GridRows(((64, 1, 1),), ((49, 64, 0),), (("add", operand(0)),), operand(0), False, 0, "float16", "float16"),
    "depthwise": GridWindow("dot", 16, 1, 64, dataclasses.replace(WINDOW, channels=1), 16, "float16", **BIAS),
    "average": GridWindow("add", 16, 1, 64, dataclasses.replace(WINDOW, channels=1), 16, "float16", "padded", (1, 1)),
    "dense": MmaProduct(72, 40, LINEAR, 128, 72, TILES[2], "float16", **BIAS),
    "dense in bf16": MmaProduct(72, 40, LINEAR, 128, 72, TILES[2], "bfloat16", **BIAS),
    "2:4": MmaProduct(72, 40, LINEAR, 64, 72, TILES[2], "float16", True, **BIAS),
    "dense on Hopper": MmaProduct(72, 40, LINEAR, 128, 72, HOPPER_TILES[-2], "float16", **BIAS),
    "2:4 on Hopper": MmaProduct(72, 40, LINEAR, 64, 72, HOPPER_TILES[-2], "bfloat16", True, **BIAS),
    "blocks": MmaProduct(72, 40, LINEAR, 0, 72, TILES[2], "float16", block_width=16, kept=0.3, **BIAS),
    "vectors": VectorProduct(72, 40, 128, 40, 72, 5, 2, "float16", kept=0.3, **BIAS),
    "transpose": GridTranspose(40, 128, 128, 40, "float16"),
    "convolution": MmaProduct(72, 64, WINDOW, 144, 72, TILES[3], "float16"),
    "batch": MmaProduct(10, 9, Window.linear(9, 12, 16), 16, 10, TILES[4], "float16", batch=3, batch_strides=(160, 144, 90), weight_columns=12),
}
each = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
CHANGED = {
    "dtype": "bfloat16", "y_dtype": "float32", "y_stride": 1000, "epilogue": ("neg", operand(0)), "finish": ("neg", operand(0)), "entries": 21,
    "rows": 96, "positions": 80, "tile": TILES[1],
}  # fmt: skip


def test_every_class_is_here():
    modules = [importlib.import_module(f"{folder.__name__}.{module.name}") for module in pkgutil.iter_modules(folder.__path__)]
    classes = {value for module in modules for value in vars(module).values() if isinstance(value, type) and issubclass(value, GpuKernel)} - {GpuKernel}
    assert classes == {type(kernel) for kernel in KERNELS.values()}


@each
def test_names_are_names_in_c(kernel):
    assert re.fullmatch(r"[a-z][a-z0-9_]+_[0-9a-f]{8}", kernel.name)


@each
def test_kernels_are_values(kernel):
    again = dataclasses.replace(kernel)
    assert again == kernel and hash(again) == hash(kernel) and again.name == kernel.name
    with pytest.raises(dataclasses.FrozenInstanceError):
        kernel.rows = 1


def test_names_tell_kernels_apart():
    assert len({kernel.name for kernel in KERNELS.values()}) == len(KERNELS)


@each
def test_a_name_changes_with_the_code(kernel):
    fields = [field.name for field in dataclasses.fields(kernel) if field.name in CHANGED]
    others = [dataclasses.replace(kernel, **{name: CHANGED[name]}) for name in fields if getattr(kernel, name) != CHANGED[name]]
    assert others and all(other.name != kernel.name for other in others)


@pytest.mark.parametrize("name", ["blocks", "vectors"])
def test_how_much_is_kept_is_data(name):
    lighter = dataclasses.replace(KERNELS[name], kept=0.1)
    assert lighter.name == KERNELS[name].name and lighter.work().weight_bytes < KERNELS[name].work().weight_bytes


@each
def test_work_is_counted(kernel):
    assert kernel.work().bytes > 0 and predict(kernel.work(), load_target("a100")).expected_s > 1e-6


@each
def test_code_is_emitted(kernel):
    """A private function of pointers that is launched over blocks and threads."""
    import tvm

    function = kernel.emit(1)
    assert isinstance(function, tvm.tirx.PrimFunc) and function.params
    assert all("handle" in str(parameter.ty) for parameter in function.params)
    assert "blockIdx.x" in function.script() and "threadIdx.x" in function.script()
