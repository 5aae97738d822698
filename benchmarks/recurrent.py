"""Recurrent networks, one-shot on this host, one thread: two layers of LSTM or GRU read images of Fashion-MNIST row by row.

    python benchmarks/recurrent.py [--data FOLDER] [--budgets 1.5x,2x,2.5x] [--drop 1%] [--json FILE]

Trains both first (some minutes; Debian: apt-get install dataset-fashion-mnist). 256 images of the training set calibrate, without labels; half of the test
set judges plans while they are searched for, the accuracy told is of the other half. Speed-ups are measured, dense beside plan.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx_ir as ir
import torch
from torch import nn

import spcompile

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "fashion_mnist"))
from train import read

from spcompile.pruning.labelled import load_labelled, top1
from spcompile.runtime.artifact import MODEL

EPOCHS, BATCH, CALIBRATION = 5, 128, 256


class Reader(nn.Module):
    """images float32 [N, 28, 28] -> scores [N, 10]"""

    def __init__(self, kind: str, width: int = 128):
        super().__init__()
        self.layers, self.head = getattr(nn, kind)(28, width, 2, batch_first=True), nn.Linear(width, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(images)[0][:, -1])


def rows_of(folder: Path, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = read(folder, split)
    return images[:, 0].float() / 255 - 0.3, labels


def trained(kind: str, images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    torch.manual_seed(0)
    model = Reader(kind)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=EPOCHS * -(-len(images) // BATCH))
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return model.eval()


def measured(model: Reader, goal: dict[str, str], images: torch.Tensor, judged: Path, told: Path) -> dict:
    artifact = judged.parent / "network.spc"
    calibration = {"images": images[:CALIBRATION].numpy()}
    result = spcompile.compile(
        model, target="host", example_inputs=(images[:1],), calibration=calibration, evaluate=judged, output=artifact, force=True, **goal
    )
    kind, labelled = type(model.layers).__name__, load_labelled(told, loaded := ir.load(artifact / MODEL))
    with torch.no_grad():
        before = float((model(torch.from_numpy(labelled.inputs.feeds["images"])).argmax(1).numpy() == labelled.labels).mean())
    row = {"network": kind, **goal, "speedup": result.report.measured.speedup, "before": before, "after": top1(loaded, labelled)}
    print(f"{kind}, {next(iter(goal.values()))}: {row['speedup']:.2f} times as fast as dense, {before:.2%} -> {row['after']:.2%}", flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--budgets", default="1.5x,2x,2.5x")
    parser.add_argument("--drop", default="1%")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    (images, labels), (tests, truths) = (rows_of(arguments.data, split) for split in ("train", "t10k"))
    goals = [{"max_drop": arguments.drop}, *({"budget": budget} for budget in arguments.budgets.split(","))]
    with tempfile.TemporaryDirectory() as place:
        judged, told = (Path(place) / f"{name}.npz" for name in ("judged", "told"))
        for path, part in ((judged, slice(0, None, 2)), (told, slice(1, None, 2))):
            np.savez(path, images=tests[part].numpy(), labels=truths[part].numpy())
        found = [measured(model, goal, images, judged, told) for model in (trained(kind, images, labels) for kind in ("LSTM", "GRU")) for goal in goals]
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
