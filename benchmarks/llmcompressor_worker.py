"""SmolLM2-135M pruned by llmcompressor's SparseGPT, and its perplexity; run by language_model.py in an environment of its own.

    build/rivals/llmcompressor/bin/python benchmarks/llmcompressor_worker.py FOLDER FILE.gguf WINDOWS.npz LEVEL STRUCTURE

WINDOWS.npz: `calibration` and `scored`, tokens [windows, context]; STRUCTURE: 0:0 or 2:4. Prints
the perplexity of the dense network and of the pruned one, in torch.
"""

import sys
import tempfile

import numpy as np
import torch
from llmcompressor import oneshot
from llmcompressor.modifiers.pruning.sparsegpt import SparseGPTModifier
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, AutoTokenizer


def perplexity(model: torch.nn.Module, windows: np.ndarray) -> float:
    with torch.inference_mode():
        losses = [model(input_ids=window[None], labels=window[None]).loss.item() for window in torch.from_numpy(windows)]
    return float(np.exp(np.mean(losses)))


def main() -> None:
    folder, file, windows_path, level, structure = sys.argv[1:]
    windows = np.load(windows_path)
    with tempfile.TemporaryDirectory() as saved:  # oneshot reads the configuration of a network in transformers' own format
        model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
        model.hf_quantizer = None  # its weights are plain floats by now
        del model.config.quantization_config
        for made in (model, AutoTokenizer.from_pretrained(folder, gguf_file=file)):
            made.save_pretrained(saved)
        prune(saved, windows, float(level), structure)


def prune(folder: str, windows: dict[str, np.ndarray], level: float, structure: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    dense = perplexity(model, windows["scored"])
    calibration = DataLoader([{"input_ids": window} for window in torch.from_numpy(windows["calibration"])])
    recipe = SparseGPTModifier(sparsity=level, mask_structure=structure, targets=["Linear"], ignore=["lm_head"])
    oneshot(model=model, processor=folder, dataset=calibration, recipe=recipe)
    print(dense, perplexity(model, windows["scored"]))


if __name__ == "__main__":
    main()
