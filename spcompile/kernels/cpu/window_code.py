"""The code of `Window`: a tile's sums in registers, tap by tap, then the epilogue."""

from spcompile.kernels.cpu.window import Window
from spcompile.kernels.expression import evaluate
from spcompile.kernels.operand import load_operands, operand_pointers
from spcompile.kernels.script import kernel_function, nest, registers, run

NESTED = 64  # taps in one expression: TVM and LLVM walk down into it, and thousands overflow the stack


def emit(k: Window, threads: int):
    from tvm.tirx.script.builder import ir as T

    def body(x, y, value=None, **operands):
        with nest((k.rows, k.line_groups, k.tiles), threads) as (c, group, t):
            line = T.min(group * k.together, k.lines - k.together)
            first = k.begin_of(t)
            at = T.truncdiv(c, k.multiplier) * k.x_row_stride + line * k.x_line + first * k.step
            tile = [(below, v) for below in range(k.together) for v in range(k.vectors)]
            sums = [registers(k.lanes) for _ in tile]
            for (below, v), into in zip(tile, sums, strict=True):
                reach = below * k.x_line + v * k.lanes * k.step
                for begin in range(0, len(k.taps), NESTED):
                    before = into[run(0, k.lanes)] if begin else None
                    T.buffer_store(into, _reduced(k, x, at, reach, value, c * len(k.taps), begin, before), [run(0, k.lanes)])
            for (below, v), total in zip(tile, sums, strict=True):
                with T.vectorized(0, k.lanes) as i:
                    p = (line + below) * k.y_line + first + v * k.lanes + i
                    result = evaluate(k.epilogue, [total[i], *load_operands(operands.values(), k.operands, c, p)])
                    T.buffer_store(y, result, [c * k.y_row_stride + p])

    values = {"value": "float32"} if k.reduction == "dot" else {}
    return kernel_function(k.name, {"x": "float32"} | values | {"y": "float32"} | operand_pointers(k.operands), body)


def _reduced(k: Window, x, at, reach: int, value, first, begin: int, total):
    """-> `total` and what NESTED taps from `begin` on give for a register of positions, the first of them `reach` behind x[at]; weights from value[first]."""
    from tvm.tirx import Broadcast
    from tvm.tirx import max as larger

    for index, tap in enumerate(k.taps[begin : begin + NESTED], start=begin):
        term = _lanes(k, x, at, reach + tap)
        if k.reduction == "dot":
            weight = value[first + index]
            term = term * (Broadcast(weight, k.lanes) if k.lanes > 1 else weight)
        total = term if total is None else larger(total, term) if k.reduction == "max" else total + term
    return total


def _lanes(k: Window, x, at, reach: int):
    """x[at + reach + i * step] for every lane i, out of registers that neighbours share."""
    from tvm.tirx import Shuffle

    if k.lanes == 1:
        return x[at + reach]
    begins, phase = k.place(reach)
    loaded = [x[run(at + begin, k.lanes)] for begin in begins]
    if len(loaded) == 1:
        return loaded[0]
    return Shuffle(loaded, [phase + lane * k.step for lane in range(k.lanes)])
