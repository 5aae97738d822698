"""Operators that move values about and compute none."""

import numpy as np
import onnx_ir as ir
import torch
import torch.nn.functional as F


def _reshape(attributes, x, shape):
    wanted = shape.tolist()
    if not attributes.get_int("allowzero", 0):
        wanted = [x.shape[axis] if size == 0 else size for axis, size in enumerate(wanted)]
    return x.reshape(wanted)


def _flatten(attributes, x):
    axis = attributes.get_int("axis", 1)
    axis += x.dim() if axis < 0 else 0
    return x.reshape(int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:])))


def _transpose(attributes, x):
    return x.permute(attributes.get_ints("perm", list(reversed(range(x.dim())))))


def _squeeze(attributes, x, axes=None):
    return x.squeeze() if axes is None else x.squeeze(tuple(axes.tolist()))


def _unsqueeze(attributes, x, axes):
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes.tolist()):
        x = x.unsqueeze(axis)
    return x


def _split(attributes, x, sizes=None):
    axis = attributes.get_int("axis", 0)
    if sizes is None:
        return torch.split(x, -(-x.shape[axis] // attributes.get_int("num_outputs")), axis)  # the last piece may be smaller
    return torch.split(x, sizes.tolist(), axis)


def _slice(attributes, x, starts, ends, axes=None, steps=None):
    axes = range(len(starts)) if axes is None else axes.tolist()
    steps = [1] * len(starts) if steps is None else steps.tolist()
    for axis, start, end, step in zip(axes, starts.tolist(), ends.tolist(), steps, strict=True):
        before_the_first = step < 0 and end < -x.shape[axis]
        places = range(x.shape[axis])[start : None if before_the_first else end : step]
        x = x.narrow(axis, places.start, len(places)) if step == 1 else x.index_select(axis, torch.tensor(places, dtype=torch.long))
    return x


def _gather(attributes, x, indices):
    axis = attributes.get_int("axis", 0) % x.dim()
    picked = torch.where(indices < 0, indices + x.shape[axis], indices)
    flat = x.index_select(axis, picked.reshape(-1))
    return flat.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _pad(attributes, x, pads, value=None, axes=None):
    amounts = pads.tolist()
    chosen = axes.tolist() if axes is not None else list(range(len(amounts) // 2))
    pairs = [(0, 0)] * x.dim()
    for place, axis in enumerate(chosen):
        pairs[axis] = (amounts[place], amounts[place + len(chosen)])
    modes = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}
    mode = modes[attributes.get_string("mode", "constant")]
    if mode == "constant":
        return F.pad(x, [amount for pair in reversed(pairs) for amount in pair], value=0.0 if value is None else value.item())
    used = max((x.dim() - axis for axis, pair in enumerate(pairs) if pair != (0, 0)), default=1)  # torch pads trailing axes only
    return F.pad(x, [amount for pair in reversed(pairs[-used:]) for amount in pair], mode=mode)


def _depth_to_space(attributes, x):
    size = attributes.get_int("blocksize")
    n, c, h, w = x.shape
    if attributes.get_string("mode", "DCR") == "CRD":
        blocks = x.reshape(n, c // size**2, size, size, h, w).permute(0, 1, 4, 2, 5, 3)
    else:
        blocks = x.reshape(n, size, size, c // size**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(n, c // size**2, h * size, w * size)


def _resize(attributes, x, roi=None, scales=None, sizes=None):
    """Nearest neighbour by whole factors: no other resizing can be compiled."""
    axes = attributes.get_ints("axes", list(range(x.dim())))
    factors = scales.tolist() if sizes is None else [size / x.shape[axis] for axis, size in zip(axes, sizes.tolist(), strict=True)]
    policy = {"not_larger": min, "not_smaller": max}.get(attributes.get_string("keep_aspect_ratio_policy", "stretch"))
    if policy and sizes is not None:
        factors = [policy(factors)] * len(axes)
    assert all(factor.is_integer() for factor in factors), factors
    for axis, factor in zip(axes, factors, strict=True):
        x = x.repeat_interleave(int(factor), axis)
    return x


def _cast(attributes, x):
    return x.to(torch.from_numpy(np.empty(0, ir.DataType(attributes.get_int("to")).numpy())).dtype)


def _shape(attributes, x):
    return torch.tensor(x.shape, dtype=torch.long)[attributes.get_int("start", 0) : attributes.get_int("end")]


def _constant_of_shape(attributes, shape):
    tensor = attributes.get_tensor("value")
    return torch.zeros(shape.tolist()) if tensor is None else torch.from_numpy(tensor.numpy().copy()).expand(shape.tolist())


def _constant(attributes):
    tensor = attributes.get_tensor("value")
    if tensor is not None:
        return torch.from_numpy(tensor.numpy().copy())
    (attribute,) = attributes.values()
    return torch.tensor(attribute.value)


def _expand(attributes, x, shape):
    return x.expand(torch.broadcast_shapes(x.shape, tuple(shape.tolist())))


SHAPES = {
    "Cast": _cast,
    "Concat": lambda attributes, *inputs: torch.cat(inputs, attributes.get_int("axis")),
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Pad": _pad,
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
