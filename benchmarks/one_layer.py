"""Networks of one convolution, and the work of the kernel that is chosen for it."""

from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper

from spcompile import passes
from spcompile.ir.layers import find_layers, with_weights
from spcompile.kernels.work import Work
from spcompile.lowering.lower import lower
from spcompile.lowering.program import Program, Step
from spcompile.patterns import Choice, parse_choice
from spcompile.targets.target import Target


@dataclass(frozen=True)
class Shape:
    """A square convolution."""

    in_channels: int
    out_channels: int
    size: int
    kernel: int
    stride: int = 1
    groups: int = 1

    def __str__(self) -> str:
        return f"{self.kernel}x{self.kernel}/{self.stride} {self.in_channels}->{self.out_channels} @{self.size}"

    @property
    def out_size(self) -> int:
        return (self.size + 2 * (self.kernel // 2) - self.kernel) // self.stride + 1

    @property
    def macs(self) -> int:
        return self.in_channels * self.out_channels * self.kernel**2 // self.groups * (self.size // self.stride) ** 2

    def model(self, choice: Choice, random: np.random.Generator) -> ir.Model:
        """A network of this one layer, pruned at random."""
        pad, out = self.kernel // 2, self.out_size
        node = helper.make_node("Conv", ["x", "w"], ["y"], name="layer", pads=[pad] * 4, strides=[self.stride] * 2, group=self.groups)
        weight = random.standard_normal((self.out_channels, self.in_channels // self.groups, self.kernel, self.kernel), np.float32)
        graph = helper.make_graph(
            [node],
            "one",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, self.in_channels, self.size, self.size])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, self.out_channels, out, out])],
            [onnx.numpy_helper.from_array(weight, "w")],
        )
        model = passes.prepare(ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)))
        (layer,) = find_layers(model)
        if choice.sparsity == 0:
            return model
        matrix = layer.to_matrix(weight)
        return with_weights(model, {layer.name: matrix * choice.pattern.mask(random.random(matrix.shape), choice.sparsity)})

    def dense_work(self, target: Target, threads: int) -> Work:
        """Of the dense kernel that we would run."""
        return layer_step(lower(self.model(parse_choice("dense"), np.random.default_rng(0)), target, threads).program).kernel.work()


def layer_step(program: Program) -> Step:
    (step,) = (step for step in program.steps if step.layer is not None)
    return step


def summary(ratios: np.ndarray) -> str:
    """Of predicted / true."""
    error, within = np.abs(ratios - 1), np.quantile(1 / ratios, [0.05, 0.95])
    return (
        f"median error {np.median(error):.1%}, 90th percentile {np.quantile(error, 0.9):.1%}, bias {np.median(ratios):.2f}, "
        f"truth / prediction {within[0]:.2f} to {within[1]:.2f} in 9 of 10"
    )
