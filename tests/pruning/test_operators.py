"""Every operator of the executor against ONNX Runtime."""

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch

from spcompile.pruning.network import Network
from spcompile.pruning.operators import BATCHED, OPERATORS, batched

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def positive(*shape):
    return np.abs(normal(*shape)) + np.float32(0.1)


def ints(*values):
    return np.array(values, np.int64)


X = normal(1, 4, 7, 9)
BLOCKS = normal(2, 36, 3, 2)
LEFT, RIGHT = normal(1, 4, 5), normal(4, 1)
FLOORED = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
# operator -> cases (attributes, inputs); the first input is fed, the others are constants, None is an input left out
CASES = {
    "Abs": [({}, [X])],
    "Add": [({}, [LEFT, RIGHT])],
    "And": [({}, [LEFT > 0, RIGHT > 0])],
    "ArgMax": [({"axis": 1, "keepdims": 0}, [LEFT]), ({"axis": -1}, [LEFT])],
    "AveragePool": [
        ({"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, [X]),
        ({"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "count_include_pad": 1}, [X]),
        ({"kernel_shape": [3, 2], "pads": [1, 0, 0, 1]}, [X]),
        ({"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, [X]),
        ({"kernel_shape": [3, 2], "dilations": [2, 3], "pads": [1, 0, 2, 1]}, [X]),
        ({"kernel_shape": [2, 2], "strides": [3, 2], "pads": [1, 0, 0, 1], "ceil_mode": 1, "count_include_pad": 1}, [X]),
        ({"kernel_shape": [2, 3], "strides": [5, 4], "pads": [1, 0, 0, 2], "ceil_mode": 1, "dilations": [2, 1]}, [X]),
    ],
    "BatchNormalization": [({"epsilon": 1e-3}, [X, normal(4), normal(4), normal(4), positive(4)])],
    "Cast": [({"to": 7}, [X * 3]), ({"to": 1}, [ints(1, 2)[None]]), ({"to": 9}, [ints(0, 2)[None]])],
    "Ceil": [({}, [X])],
    "Clip": [
        ({}, [X, np.float32(0), np.float32(1)]),
        ({}, [X, None, np.float32(0.5)]),
        ({}, [X, np.float32(-0.5)]),
        ({}, [X[0, 0, 0, 0], np.zeros(1, np.float32)]),
    ],
    "Concat": [({"axis": 1}, [X, normal(1, 2, 7, 9)]), ({"axis": -1}, [X, X])],
    "Constant": [({"value": onnx.numpy_helper.from_array(LEFT)}, [])],
    "ConstantOfShape": [({"value": onnx.numpy_helper.from_array(np.float32([2.5]))}, [ints(2, 3)])],
    "Conv": [
        ({}, [X, normal(6, 4, 1, 1), normal(6)]),
        ({"strides": [2, 1], "pads": [1, 0, 0, 2], "dilations": [1, 2]}, [X, normal(6, 4, 3, 2)]),
        ({"group": 2, "pads": [1, 1, 1, 1]}, [X, normal(6, 2, 3, 3), normal(6)]),
        ({"group": 4, "pads": [1, 1, 1, 1], "strides": [2, 2]}, [X, normal(4, 1, 3, 3), normal(4)]),
        ({"pads": [1, 1]}, [normal(1, 4, 9), normal(6, 4, 3)]),
    ],
    "Celu": [({"alpha": 1.5}, [X])],
    "Cos": [({}, [X])],
    "DepthToSpace": [({"blocksize": 2}, [BLOCKS]), ({"blocksize": 3, "mode": "DCR"}, [BLOCKS]), ({"blocksize": 3, "mode": "CRD"}, [BLOCKS])],
    "Div": [({}, [LEFT, positive(4, 1)]), ({}, [ints(-7, 7)[None], ints(2, 2)])],
    "Dropout": [({}, [X])],
    "Elu": [({"alpha": 0.7}, [X])],
    "Equal": [({}, [ints(1, 2, 3)[None], ints(1, 5, 3)])],
    "Erf": [({}, [X])],
    "Exp": [({}, [X])],
    "Expand": [({}, [LEFT, ints(2, 1, 4, 5)]), ({}, [normal(1, 4, 1), ints(4, 6)])],
    "Flatten": [({}, [X]), ({"axis": 2}, [X]), ({"axis": -1}, [X]), ({"axis": 0}, [X])],
    "Floor": [({}, [X])],
    "Gather": [({"axis": 1}, [X, ints(0, -1, 2)]), ({"axis": 2}, [X, np.array(3)]), ({"axis": -1}, [LEFT, ints(0, 1)[None]])],
    "Gelu": [({}, [X]), ({"approximate": "tanh"}, [X])],
    "Gemm": [
        ({}, [normal(2, 5), normal(5, 3), normal(3)]),
        ({"transB": 1, "alpha": 0.5, "beta": 2.0}, [normal(2, 5), normal(3, 5), normal(1, 3)]),
        ({"transA": 1}, [normal(5, 2), normal(5, 3)]),
    ],
    "GlobalAveragePool": [({}, [X])],
    "GlobalMaxPool": [({}, [X])],
    "Greater": [({}, [LEFT, RIGHT])],
    "GreaterOrEqual": [({}, [LEFT, RIGHT])],
    "HardSigmoid": [({}, [X]), ({"alpha": 1 / 6, "beta": 0.4}, [X])],
    "HardSwish": [({}, [X * 4])],
    "Identity": [({}, [X])],
    "LayerNormalization": [({"axis": -1}, [LEFT, normal(5), normal(5)]), ({"axis": 1, "epsilon": 1e-2}, [LEFT, normal(4, 5)])],
    "LeakyRelu": [({"alpha": 0.2}, [X])],
    "Less": [({}, [LEFT, RIGHT])],
    "LessOrEqual": [({}, [LEFT, RIGHT])],
    "Log": [({}, [positive(1, 3)])],
    "LogSoftmax": [({"axis": 1}, [X])],
    "MatMul": [({}, [LEFT, normal(5, 3)]), ({}, [normal(1, 2, 4, 5), normal(2, 5, 3)])],
    "Max": [({}, [LEFT, RIGHT, normal(1)])],
    "MaxPool": [
        ({"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, [-positive(1, 4, 7, 9)]),
        ({"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, [X]),
        ({"kernel_shape": [2, 3], "pads": [0, 1, 1, 0], "dilations": [1, 2]}, [X]),
        ({"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1, "pads": [1, 1, 1, 1]}, [X]),
        ({"kernel_shape": [2, 2], "strides": [3, 2], "ceil_mode": 1, "pads": [0, 1, 1, 0], "dilations": [1, 3]}, [X]),
    ],
    "Min": [({}, [LEFT, RIGHT])],
    "Mish": [({}, [X])],
    "Mul": [({}, [LEFT, RIGHT])],
    "Neg": [({}, [X])],
    "Not": [({}, [LEFT > 0])],
    "Or": [({}, [LEFT > 0, RIGHT > 0])],
    "PRelu": [({}, [X, positive(4, 1, 1)])],
    "Pad": [
        ({}, [X, ints(0, 1, 0, 2, 0, 0, 1, 3)]),
        ({}, [X, ints(1, 2), np.float32(1.5), ints(3)]),
        ({"mode": "reflect"}, [X, ints(0, 0, 1, 2, 0, 0, 3, 1)]),
        ({"mode": "edge"}, [X, ints(0, 0, 1, 2, 0, 0, 3, 1)]),
    ],
    "Pow": [({}, [positive(2, 3), np.float32(2.5)]), ({}, [LEFT, np.int64(2)])],
    "RMSNormalization": [({"axis": -1}, [LEFT, normal(5)])],
    "Reciprocal": [({}, [positive(2, 3)])],
    "ReduceL2": [({}, [X, ints(2, 3)]), ({"noop_with_empty_axes": 1}, [X])],
    "ReduceMax": [({"keepdims": 0}, [X, ints(-1)])],
    "ReduceMean": [({}, [X, ints(2, 3)]), ({"keepdims": 0}, [X]), ({"noop_with_empty_axes": 1}, [X])],
    "ReduceMin": [({}, [X, ints(1)])],
    "ReduceSum": [({"keepdims": 0}, [X, ints(1, -1)])],
    "ReduceSumSquare": [({"keepdims": 0}, [X, ints(1, -1)]), ({}, [X])],
    "Relu": [({}, [X])],
    "Reshape": [({}, [X, ints(0, -1, 9)]), ({}, [LEFT, ints(2, 10)])],
    "Resize": [
        ({"mode": "nearest"}, [X, None, np.float32([1, 1, 2, 3])]),
        ({**FLOORED}, [X, None, np.float32([1, 1, 4, 1])]),
        ({**FLOORED}, [X, None, None, ints(1, 8, 14, 9)]),
        ({**FLOORED, "axes": [3, 2]}, [X, None, np.float32([3, 2])]),
        ({**FLOORED, "axes": [-1, -2]}, [X, None, None, ints(27, 14)]),
        ({**FLOORED, "axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"}, [X, None, None, ints(14, 20)]),
        ({**FLOORED, "axes": [2, 3], "keep_aspect_ratio_policy": "not_smaller"}, [X, None, None, ints(14, 17)]),
    ],
    "Round": [({}, [X * 3])],
    "Selu": [({}, [X]), ({"alpha": 1.2, "gamma": 0.8}, [X])],
    "Shape": [({}, [X]), ({"start": 1, "end": -1}, [X])],
    "Shrink": [({"bias": 0.3, "lambd": 0.7}, [X]), ({}, [X])],
    "Sigmoid": [({}, [X])],
    "Sign": [({}, [X])],
    "Sin": [({}, [X])],
    "Slice": [
        ({}, [X, ints(1, 0), ints(4, 1000), ints(1, 3), ints(1, 2)]),
        ({}, [X, ints(0, 1, -5, 2), ints(1, 3, -1, 8)]),
        ({}, [X, ints(-1), ints(-1000), ints(3), ints(-2)]),
    ],
    "Softmax": [({}, [X]), ({"axis": 1}, [X])],
    "Softplus": [({}, [X])],
    "Softsign": [({}, [X])],
    "Split": [({"axis": 1}, [X, ints(1, 3)]), ({"axis": -1, "num_outputs": 2}, [X])],
    "Sqrt": [({}, [positive(2, 3)])],
    "Squeeze": [({}, [normal(2, 1, 3, 1), ints(1, -1)]), ({}, [normal(2, 1, 3, 1)])],
    "Sub": [({}, [LEFT, RIGHT])],
    "Sum": [({}, [LEFT, RIGHT, normal(1)])],
    "Swish": [({"alpha": 1.5}, [X])],
    "Tanh": [({}, [X])],
    "ThresholdedRelu": [({"alpha": 0.4}, [X])],
    "Transpose": [({"perm": [0, 2, 3, 1]}, [X]), ({}, [LEFT])],
    "Unsqueeze": [({}, [LEFT, ints(0, -1)]), ({}, [LEFT, ints(2)])],
    "Where": [({}, [LEFT > 0, LEFT, RIGHT])],
}
YOUNG = {"Mish": 22, "RMSNormalization": 23, "Swish": 24}  # the opset that brought them
CONSTANT_ONLY = {"Constant", "ConstantOfShape"}


def _model(op_type: str, attributes: dict, inputs: list) -> onnx.ModelProto:
    """One node; its first input is fed, the others are initializers."""
    names = ["" if array is None else f"input_{place}" for place, array in enumerate(inputs)]
    fixed = [onnx.numpy_helper.from_array(np.asarray(array), name) for array, name in zip(inputs, names, strict=True) if array is not None]
    outputs = [onnx.ValueInfoProto(name=f"output_{place}") for place in range({"Split": 2}.get(op_type, 1))]
    node = onnx.helper.make_node(op_type, names, [value.name for value in outputs], name="node", **attributes)
    fed = [] if op_type in CONSTANT_ONLY else [onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims) for tensor in fixed[:1]]
    graph = onnx.helper.make_graph([node], "graph", fed, outputs, fixed[len(fed) :])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", YOUNG.get(op_type, 20))], ir_version=10)
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def test_every_operator_has_a_case():
    assert CASES.keys() == OPERATORS.keys()


@pytest.mark.parametrize(
    ("op_type", "case"), [pytest.param(name, case, id=f"{name}-{place}") for name, cases in CASES.items() for place, case in enumerate(cases)]
)
def test_operator_agrees_with_onnx_runtime(op_type, case):
    """Three samples at once: as given, shuffled, reversed; shapes and values as ONNX Runtime gives them one by one."""
    proto = _model(op_type, *case)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    network = Network(ir.from_proto(proto))
    first = np.asarray(case[1][0]) if network.inputs else None
    samples = [first, RNG.permutation(first.ravel()).reshape(first.shape), first.ravel()[::-1].reshape(first.shape)] if network.inputs else [None]
    wanted = [session.run(None, {"input_0": sample} if network.inputs else {}) for sample in samples]
    values = network.run(network.samples({"input_0": np.stack(samples)}) if network.inputs else {})
    for place, name in enumerate(network.outputs):
        got = values[name].numpy() if network.inputs else network.constants[name].numpy()[None]
        expected = np.stack([outputs[place] for outputs in wanted])
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("pad", [0, 1, 2])
@pytest.mark.parametrize("strides", [(2, 2), (3, 1)])
def test_gradients_of_strided_depthwise_layers_are_torchs(kernel, pad, strides):
    """The gradients of our own against those of torch.nn.functional.conv2d in double precision."""
    x, weight, bias = (torch.from_numpy(normal(*shape)).double().requires_grad_() for shape in ((2, 4, 9, 12), (4, 1, kernel, kernel), (4,)))
    node = ir.node("Conv", [], attributes={"strides": list(strides), "pads": [pad] * 4, "group": 4})
    got = BATCHED["Conv"](node.attributes, x, weight, bias)
    wanted = torch.nn.functional.conv2d(x, weight, bias, strides, pad, groups=4)
    torch.testing.assert_close(got, wanted)
    drive = torch.from_numpy(normal(*got.shape)).double()
    for mine, torchs in zip(torch.autograd.grad(got, (x, weight, bias), drive), torch.autograd.grad(wanted, (x, weight, bias), drive), strict=True):
        torch.testing.assert_close(mine, torchs)


def test_gradients_of_clipping_are_torchs():
    x = torch.from_numpy(normal(3, 4)).requires_grad_()
    bounds = torch.tensor(-0.5), torch.tensor(0.5)
    (got,) = torch.autograd.grad(BATCHED["Clip"]({}, x, *bounds).sum(), x)
    (wanted,) = torch.autograd.grad(x.clamp(-0.5, 0.5).sum(), x)
    assert torch.equal(got, wanted)


@pytest.mark.parametrize(("groups", "stride"), [(1, 1), (4, 1), (4, 2)])
def test_convolutions_of_few_samples_at_a_time_are_those_of_all(groups, stride, monkeypatch):
    x, weight = torch.from_numpy(normal(7, 4, 9, 9)), torch.from_numpy(normal(4, 4 // groups, 3, 3))
    node = ir.node("Conv", [], attributes={"group": groups, "strides": [stride, stride], "pads": [1, 1, 1, 1]})
    with torch.no_grad():
        whole = BATCHED["Conv"](node.attributes, x, weight)
        monkeypatch.setattr(batched, "PART_BYTES", 3 * x[0].numel() * x.element_size())
        parts = BATCHED["Conv"](node.attributes, x, weight)
    np.testing.assert_allclose(parts.numpy(), whole.numpy(), rtol=1e-5, atol=1e-6)
