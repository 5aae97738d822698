"""Other pruners, each on the same network as a torch module, and what they leave as ONNX.

    PYTHONPATH=build/rivals/NAME python benchmarks/rivals.py nncf-local|nncf-global|torch-pruning MODEL.onnx LEVEL OUTPUT.onnx

benchmarks/setup_rivals.sh puts them beside, not into, the environment that runs this; one_point.py calls it. MODEL: prepared. NNCF's `prune` zeroes weights by
magnitude, a level for every layer or one threshold for all; Torch-Pruning takes channels out, by the magnitude of whole groups. Neither trains here.
"""

import sys

import onnx_ir as ir
import torch

from spcompile.ir.layers import bias, find_layers, weight, with_weights
from spcompile.pruning.operators import OPERATORS


class Module(torch.nn.Module):
    """The graph with torch's own layers in the place of its layers, as tools expect them; one sample at a time."""

    def __init__(self, model: ir.Model):
        super().__init__()
        self.graph, self.found = model.graph, {layer.name: layer for layer in find_layers(model)}
        self.layers = torch.nn.ModuleDict({self._key(name): self._made(model, layer) for name, layer in self.found.items()})
        self.constants = {name: torch.from_numpy(value.const_value.numpy().copy()) for name, value in model.graph.initializers.items()}

    def _key(self, name: str) -> str:
        return name.replace(".", "_")

    def _made(self, model: ir.Model, layer) -> torch.nn.Module:
        biased = layer.bias is not None and layer.op_type != "MatMul"
        if layer.op_type == "Conv":
            shape = layer.in_channels * layer.groups, layer.rows, layer.kernel, layer.strides
            made = torch.nn.Conv2d(*shape, padding=self._even(layer) or 0, dilation=layer.dilations, groups=layer.groups, bias=biased)
        else:
            made = torch.nn.Linear(layer.columns, layer.rows, bias=biased)
        with torch.no_grad():
            matrix = weight(model, layer)
            made.weight.copy_(torch.tensor(layer.from_matrix(matrix) if layer.op_type == "Conv" else matrix))
            if biased:
                made.bias.copy_(torch.tensor(bias(model, layer)))
        return made

    def _even(self, layer) -> tuple[int, int] | None:
        top, left, bottom, right = layer.pads
        return (top, left) if (top, left) == (bottom, right) else None

    def forward(self, *feeds):
        values = {**self.constants, **dict(zip((value.name for value in self.graph.inputs if value.name not in self.constants), feeds, strict=True))}
        for node in self.graph:
            inputs = [values[value.name] if value is not None else None for value in node.inputs]
            results = self._run(node, inputs)
            values.update(zip((value.name for value in node.outputs), results if isinstance(results, tuple) else (results,), strict=False))
        results = tuple(values[value.name] for value in self.graph.outputs)
        return results[0] if len(results) == 1 else results

    def _run(self, node: ir.Node, inputs: list):
        layer = self.found.get(node.name)
        if layer is not None:
            x = inputs[0]
            if layer.op_type == "Conv" and self._even(layer) is None:
                top, left, bottom, right = layer.pads
                x = torch.nn.functional.pad(x, (left, right, top, bottom))
            return self.layers[self._key(node.name)](x)
        before, after = node.inputs[0].shape.numpy(), node.outputs[0].shape.numpy()
        if node.op_type in ("Reshape", "Flatten") and after == before[:2] and before[2:] == (1, 1):
            return inputs[0].flatten(1)  # whatever number of channels is left
        return OPERATORS[node.op_type](node.attributes, *inputs)


def samples(model: ir.Model) -> tuple[torch.Tensor, ...]:
    """Inputs to trace with."""
    return tuple(
        torch.zeros(value.shape.numpy(), dtype=torch.int64) if value.dtype == ir.DataType.INT64 else torch.randn(value.shape.numpy())
        for value in model.graph.inputs
        if value.name not in model.graph.initializers
    )


def nncf(model: ir.Model, level: float, mode: str) -> ir.Model:
    import nncf
    from nncf.torch.function_hook.wrapper import get_hook_storage

    module = Module(model).eval()
    feeds = samples(model)
    pruned = nncf.prune(module, nncf.PruneMode[f"UNSTRUCTURED_MAGNITUDE_{mode}"], ratio=level, examples_inputs=feeds)
    hooks, matrices = dict(get_hook_storage(pruned).named_hooks()), {}
    for layer in find_layers(model):
        key = f"layers:{layer.name.replace('.', '_')}:weight"
        mask = next(hook for name, hook in hooks.items() if key in name).binary_mask
        matrices[layer.name] = weight(model, layer) * layer_mask(layer, mask)
    return with_weights(model, matrices)


def layer_mask(layer, mask: torch.Tensor):
    return layer.to_matrix(mask.numpy()) if layer.op_type == "Conv" else mask.numpy()


def torch_pruning(model: ir.Model, level: float, path: str) -> None:
    import torch_pruning as tp

    module, feeds = Module(model).eval(), samples(model)
    last = list(module.layers.values())[-1]
    pruner = tp.pruner.BasePruner(module, feeds, importance=tp.importance.GroupMagnitudeImportance(), pruning_ratio=level, ignored_layers=[last], round_to=4)
    pruner.step()
    names = [value.name for value in model.graph.inputs if value.name not in model.graph.initializers]
    torch.onnx.export(module, feeds, path, input_names=names, output_names=[value.name for value in model.graph.outputs], dynamo=True, external_data=False)


def main() -> None:
    tool, source, level, output = sys.argv[1:]
    model = ir.load(source)
    if tool == "torch-pruning":
        torch_pruning(model, float(level), output)
    else:
        ir.save(nncf(model, float(level), tool.removeprefix("nncf-").upper()), output)


if __name__ == "__main__":
    main()
