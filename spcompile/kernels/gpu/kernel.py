"""The face of every GPU kernel, and the frame around its code, written with TVM's script builder."""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import ExitStack

from spcompile.kernels.gpu.work import Product, Sweep
from spcompile.kernels.kernel import Kernel
from spcompile.kernels.script import UNBOUNDED

WARP = 32


class GpuKernel(Kernel):
    """Pointers in, nothing out; `emit` gives a private PrimFunc with its grid of thread blocks. Host threads mean nothing to it."""

    shared_words = 0  # 32-bit words of shared memory that a launch must ask for

    @property
    @abstractmethod
    def grid(self) -> tuple[int, ...]:
        """Thread blocks, x first."""

    @property
    @abstractmethod
    def threads(self) -> int:
        """Of a thread block."""

    @abstractmethod
    def work(self) -> Product | Sweep:
        """Counted work of one launch."""


def device_function(kernel: GpuKernel, parameters: dict[str, str], body: Callable):
    """-> private PrimFunc(pointer, ...) to be launched over the kernel's grid.

    parameters: name -> dtype of what it points to. body(blocks, thread, **buffers) writes one thread's statements; each buffer is flat.
    """
    from tvm.script.ir_builder import IRBuilder
    from tvm.tirx.script.builder import ir as T

    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name(kernel.name)
        T.func_attr({"tirx.noalias": True})
        pointers = {key: T.arg(key, T.handle(dtype)) for key, dtype in parameters.items()}
        buffers = {key: T.decl_buffer((UNBOUNDED,), parameters[key], data=pointer) for key, pointer in pointers.items()}
        with ExitStack() as stack:
            blocks = tuple(stack.enter_context(T.launch_thread(f"blockIdx.{axis}", extent)) for axis, extent in zip("xyz", kernel.grid, strict=False))
            body(blocks, stack.enter_context(T.launch_thread("threadIdx.x", kernel.threads)), **buffers)
    return builder.get()
