"""Recoveries that were interrupted, kept for the next time the same is asked."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import onnx_ir as ir
import torch

from spcompile.patterns import Choice
from spcompile.pruning import Calibration, Pruned
from spcompile.user_cache import user_cache
from spcompile.verdict import Verdict


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


def save_state(path: Path, state: dict) -> Verdict:
    """Whole or not at all; a disk that is full or may not be written to is no reason to end a training."""
    unfinished = path.with_suffix(".unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, unfinished)
        unfinished.replace(path)
    except (OSError, RuntimeError) as error:  # the latter is torch's for a full disk
        drop_state(unfinished)
        return Verdict.no(f"{path.parent} cannot be written to: {str(error).splitlines()[0]}")
    return Verdict.yes()


def drop_state(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def load_state(path: Path) -> dict | None:
    """None when there is none, or none that can be read; tensors and plain values only, nothing that runs."""
    try:
        return torch.load(path, weights_only=True)
    except (OSError, EOFError, RuntimeError, UnpicklingError):
        return None
