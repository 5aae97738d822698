"""The number type that training runs in."""

import time

import onnx_ir as ir
import torch
import torch.nn.functional as F

from spcompile.pruning.network import Network, Values

WORTH = 1.3  # how many times faster the short type must be
HARMLESS = 0.01  # relative squared error of the dense network's outputs that it may cause
TRIED = 8  # samples


def training_type(exact: Network, dense: ir.Model, samples: Values) -> torch.dtype:
    """bfloat16 where this machine multiplies it faster than float32 and the dense network stands it, as seen on a few samples; else float32."""
    if _convolution_s(torch.float32) < WORTH * _convolution_s(torch.bfloat16):
        return torch.float32
    short = Network(dense, torch.bfloat16)
    feeds = {name: value[:TRIED] for name, value in samples.items()}
    with torch.no_grad():
        wanted, got = exact.run(feeds), short.run({name: short.cast(value) for name, value in feeds.items()})
    errors = [(got[name].float() - wanted[name]).square().sum() / (wanted[name] - wanted[name].mean(0)).square().sum() for name in exact.outputs]
    return torch.bfloat16 if all(error < HARMLESS for error in errors) else torch.float32


def _convolution_s(dtype: torch.dtype) -> float:
    """The best of a few times of one pointwise convolution, 0.2 GFLOP."""
    image, weight = torch.ones(4, 256, 20, 20, dtype=dtype).contiguous(memory_format=torch.channels_last), torch.ones(256, 256, 1, 1, dtype=dtype)
    times = []
    for _ in range(6):
        started = time.perf_counter()
        F.conv2d(image, weight)
        times.append(time.perf_counter() - started)
    return min(times)
