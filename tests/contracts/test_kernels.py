"""What every kernel promises: a name that is its code, work that is counted, code that can be emitted."""

import dataclasses
import importlib
import math
import pkgutil
import re
import subprocess
import sys

import pytest

import spcompile.kernels.cpu as folder
from spcompile.kernels.cpu.aligned_spmm import AlignedSpmm
from spcompile.kernels.cpu.border import Border
from spcompile.kernels.cpu.elementwise import Elementwise
from spcompile.kernels.cpu.gather import Gather
from spcompile.kernels.cpu.lookup_gemv import LookupGemv
from spcompile.kernels.cpu.matmul import Matmul
from spcompile.kernels.cpu.offset_gemm import OffsetGemm
from spcompile.kernels.cpu.offset_gemv import OffsetGemv
from spcompile.kernels.cpu.offset_spmm import OffsetSpmm
from spcompile.kernels.cpu.reach import Reach
from spcompile.kernels.cpu.reduce import Reduce
from spcompile.kernels.cpu.subset_spmm import SubsetSpmm
from spcompile.kernels.cpu.window import Window
from spcompile.kernels.expression import constant, operand
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.operand import Operand
from spcompile.kernels.work import Stream

BIAS = ("relu", ("add", operand(0), operand(1)))
REACH = Reach(16, 64, 1, 1, 8)
KERNELS: dict[str, Kernel] = {
    "border": Border(3, 64, 16, 5, 6, 8, 40, True),
    "elementwise": Elementwise.over((3, 5, 16), (80, 16, 1), [(80, 16, 1), (0, 1, 0)], ("mul", operand(0), ("sigmoid", operand(1))), 8),
    "elementwise of one axis": Elementwise.over((4, 25), (25, 1), [(25, 1)], ("relu", operand(0)), 8),
    "elementwise of one number": Elementwise.over((), (), [], constant(1), 8),
    "gather": Gather(((3, 4), (2, 1)), 12, 20, (12, 1)),
    "lookup": LookupGemv(16, 100, 4, 4, 1, 60, BIAS, (Operand(1, 0),)),
    "lookup of single rows": LookupGemv(16, 100, 1, 2, 1, 300),
    "matmul": Matmul(2, 6, 17, 5, (30, 5, 1), (85, 17), (102, 17), 3, 2, 8, BIAS, (Operand(0, 1, 17),)),
    "gemm": OffsetGemm(20, 16, 6, 7, 8, 2, 1, 7, 8, 64, 1024, REACH, BIAS, (Operand(1, 0),)),
    "gemm of two rows of pixels": OffsetGemm(20, 16, 6, 7, 8, 1, 2, 7, 8, 64, 1024, REACH, positions_outer=True),
    "gemv": OffsetGemv(16, 3, 8, 8, 1, 3, 1, 20, 48, BIAS, (Operand(1, 0),)),
    "dense gemv": OffsetGemv(32, 1, 16, 8, 1, 1, 1, 32, 16, shared_list=True),
    "product": OffsetSpmm(8, 48, 4, 2, 8, 48, 20, 1024, REACH, BIAS, (Operand(1, 0),)),
    "product by ranges": OffsetSpmm(8, 48, 2, 2, 8, 48, 20, 1024, REACH, depths=2),
    "scattered product": OffsetSpmm(8, 48, 2, 2, 8, 48, 20, 1024, REACH, scattered=True),
    "product and one position": OffsetSpmm(8, 48, 4, 2, 8, 49, 20, 1024, REACH, BIAS, (Operand(1, 0),), beside=1),
    "aligned product": AlignedSpmm(8, 96, 1, 4, 16, 96, 20, 1024, REACH, residues=(15, 1, 0)),
    "product of subsets": SubsetSpmm(8, 48, 4, 2, 8, 48, 20, 1024, REACH, BIAS, (Operand(1, 0),), weights=50),
    "dense product": OffsetSpmm(8, 48, 4, 2, 8, 48, 32, 1024, REACH, shared_list=True, positions_outer=False),
    "reduce": Reduce.over("add", [(3, 40, 1), (8, 1, 3)], [(5, 8)], 8, ("square", operand(0)), ("sqrt", operand(0))),
    "depthwise": Window("dot", 6, 40, (0, 1, 2, 8, 9, 10), 64, 64, 2, 8, 2, BIAS, (Operand(1, 0),)),
    "pool": Window("max", 6, 40, (0, 1, 8, 9), 64, 64, 1, 8),
    "strided pool": Window("max", 6, 10, (0, 1, 8, 9), 192, 64, 1, 8, lines=4, x_line=48, y_line=11, step=2),
    "depthwise of whole lines": Window("dot", 6, 40, (0, 1, 2, 8, 9, 10), 64, 64, 2, 16, picked=True),
    "depthwise by lines": Window("dot", 6, 10, (0, 1, 2, 8, 9, 10), 192, 64, 1, 8, lines=4, x_line=12, y_line=11, together=2),
}
each = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)


def test_every_class_is_here():
    modules = [importlib.import_module(f"{folder.__name__}.{module.name}") for module in pkgutil.iter_modules(folder.__path__)]
    classes = {value for module in modules for value in vars(module).values() if isinstance(value, type) and issubclass(value, Kernel)} - {Kernel}
    assert classes == {type(kernel) for kernel in KERNELS.values()}


@each
def test_titles_are_names_in_c(kernel):
    assert re.fullmatch(r"f32_[a-z0-9_x]+", kernel.title) and re.fullmatch(r"f32_[a-z0-9_x]+_[0-9a-f]{8}", kernel.name)


@each
def test_kernels_are_values(kernel):
    again = dataclasses.replace(kernel)
    assert again == kernel and hash(again) == hash(kernel) and again.name == kernel.name
    with pytest.raises(dataclasses.FrozenInstanceError):
        kernel.lanes = 1


def test_names_tell_kernels_apart():
    assert len({kernel.name for kernel in KERNELS.values()}) == len(KERNELS)


CHANGED = {  # a field of the code, for each kernel that has it, and another value for it
    "epilogue": ("neg", operand(0)),
    "expression": ("neg", operand(0)),
    "element": ("neg", operand(0)),
    "finish": ("neg", operand(0)),
    "y_row_stride": 1000,
    "x_row_stride": 1000,
    "x_position_stride": 5,
    "y_position_stride": 5,
    "x_strides": ((7, 7, 7), (0, 1, 0)),
    "y_strides": (1000, 100, 7),
    "a_strides": (100, 10, 3),
    "positions": 49,
    "taps": (0, 1, 2, 8, 9, 11),
    "picked": False,
    "fill": 1.0,
    "written": 41,
    "columns": False,
    "entries": 21,
    "index_dtype": "int32",
    "reduction": "add",
    "rows": 1,
    "vectors": 1,
    "positions_outer": False,
    "scattered": True,
    "depths": 4,
    "beside": 0,
    "registers": 8,
    "multiplier": 3,
    "x_line": 50,
    "y_line": 13,
    "step": 3,
    "together": 1,
    "residues": (15, 0),
}


def changed(kernel: Kernel, name: str) -> Kernel | None:
    """With another value in one field; None where it has that value already, or no such kernel can be."""
    try:
        other = dataclasses.replace(kernel, **{name: CHANGED[name]})
    except AssertionError:
        return None
    return other if other != kernel else None


@each
def test_a_name_changes_with_the_code(kernel):
    """Whatever decides the code decides the name; two different programs under one name would be one function."""
    others = [changed(kernel, field.name) for field in dataclasses.fields(kernel) if field.name in CHANGED]
    assert any(others) and all(other.name != kernel.name for other in others if other is not None)


@pytest.mark.parametrize("name", ["gemv", "product", "product by ranges", "aligned product"])
def test_how_many_weights_are_kept_is_data(name):
    """The same code for a lighter layer; a dense list is as long as the layer is wide, so there it is code."""
    kernel = KERNELS[name]
    lighter = dataclasses.replace(kernel, blocks=kernel.blocks // 2)
    assert lighter.name == kernel.name and lighter.work().fma < kernel.work().fma
    dense = KERNELS["dense gemv" if name == "gemv" else "dense product"]
    assert dataclasses.replace(dense, blocks=dense.blocks * 2).name != dense.name


def test_names_are_the_same_in_another_process():
    code = "from spcompile.kernels.cpu.elementwise import Elementwise as E; print(E.over((3, 16), (16, 1), [(16, 1)], ('relu', ('operand', 0)), 8).name)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert told == Elementwise.over((3, 16), (16, 1), [(16, 1)], ("relu", operand(0)), 8).name


@each
def test_work_is_counted(kernel):
    work = kernel.work()
    for name, value in work._asdict().items():
        if name != "streams":
            assert math.isfinite(value) and value >= 0, name
    assert work.units >= 1 and work.stores > 0 and all(isinstance(stream, Stream) for stream in work.streams)
    assert all(stream.bytes_moved >= 0 and stream.footprint_bytes >= 0 for stream in work.streams)
    assert work.fma > 0 or not work.macs


@each
@pytest.mark.parametrize("threads", [1, 2])
def test_code_is_emitted(kernel, threads):
    """A function of pointers that gives a status; a loop in parallel where there are threads and units to hand them."""
    import tvm

    function = kernel.emit(threads)
    assert isinstance(function, tvm.tirx.PrimFunc) and function.params
    assert all("handle" in str(parameter.ty) for parameter in function.params)
    assert ("T.parallel" in function.script()) == (threads > 1 and kernel.work().units > 1)
