"""Layers share a weight only where it is the same matrix to all of them."""

import onnx_ir as ir

from spcompile.ir.constants import add_constant, constant
from spcompile.ir.layer import Layer
from spcompile.ir.layers import find_layers
from spcompile.passes.base import Pass

Kind = tuple[bool, int]  # transposed, groups: how a layer makes its matrix of the initializer


class SeparateWeights(Pass):
    """Before: MatMul(x, w), Gemm<transB=1>(y, w) -> after: MatMul(x, w), Gemm<transB=1>(y, w_own). Their zeros lie along other sides."""

    def apply(self, model: ir.Model) -> bool:
        nodes, changed = {node.name: node for node in model.graph}, False
        for kinds in _by_weight(model).values():
            for layers in list(kinds.values())[1:]:
                old = nodes[layers[0].name].inputs[1]
                own = add_constant(model.graph, f"{old.name}_own", constant(old))
                for layer in layers:
                    nodes[layer.name].replace_input_with(1, own)
                changed = True
        return changed

    def ensures(self, model: ir.Model) -> None:
        assert all(len(kinds) == 1 for kinds in _by_weight(model).values())


def _by_weight(model: ir.Model) -> dict[str, dict[Kind, list[Layer]]]:
    found: dict[str, dict[Kind, list[Layer]]] = {}
    for layer in find_layers(model):
        found.setdefault(layer.weight, {}).setdefault((layer.transposed, layer.groups), []).append(layer)
    return found
