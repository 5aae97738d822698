"""Recoveries that were interrupted, kept for the next time the same is asked."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import onnx_ir as ir
import torch

from spcompile.patterns import Choice
from spcompile.pruning import Calibration, Pruned
from spcompile.user_cache import user_cache


def state_folder() -> Path:
    """Under the user's cache folder."""
    return user_cache() / "recovery"


def state_file(folder: Path, dense: ir.Model, pruned: Pruned, choices: Mapping[str, Choice], calibration: Calibration, settings: str) -> Path:
    """One file for everything that a recovery depends on. settings: in words.

    Of what was pruned the masks count: other masks need other weights, while weights may differ in their last bits from run to run.
    """
    digest = hashlib.sha256(ir.to_proto(dense).SerializeToString(deterministic=True))
    for _, mask in sorted(pruned.masks.items()):
        digest.update(np.packbits(mask).data)
    digest.update("\n".join([*(f"{name} {choice.notation}" for name, choice in sorted(choices.items())), calibration.digest, settings]).encode())
    return folder / f"{digest.hexdigest()[:32]}.pt"


def save_state(path: Path, state: dict) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    torch.save(state, unfinished)
    unfinished.replace(path)


def load_state(path: Path) -> dict | None:
    """None when there is none, or none that can be read; tensors and plain values only, nothing that runs."""
    try:
        return torch.load(path, weights_only=True)
    except (FileNotFoundError, EOFError, RuntimeError, UnpicklingError):
        return None
