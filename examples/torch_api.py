"""Compile a torch module for this machine, fine-tuned between pruning and compiling, and run it. Run: python examples/torch_api.py OUTPUT_FOLDER"""

import sys
from pathlib import Path

import numpy as np
import torch

import spcompile
from fashion_mnist.network import trained

FASHION = Path(__file__).parent / "fashion_mnist"


def finetune(model, masks, plan) -> None:
    """Five passes over the calibration images in which the pruned network learns to answer as the dense one does; no labels needed."""
    pixels = torch.tensor(np.load(FASHION / "calibration.npz")["x"])
    with torch.no_grad():
        dense = trained()(pixels).softmax(1)
    optimizer = torch.optim.Adam([*model.features[1:].parameters(), *model.classify.parameters()], lr=3e-4)
    for chosen in torch.stack([torch.randperm(len(pixels)) for _ in range(5)]).view(-1, 32):
        loss = torch.nn.functional.cross_entropy(model(pixels[chosen]), dense[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for name, mask in masks.items():  # pruned weights stay zero; spcompile checks it
                model.get_parameter(name).mul_(mask)
    print(f"fine-tuned {len(masks)} pruned layers of {len(plan.layers)}: cross entropy {loss.item():.3f}")


def main() -> None:
    torch.manual_seed(0)
    result = spcompile.compile(
        trained(),
        example_inputs=torch.zeros(1, 1, 28, 28),
        target="host",
        budget="1.5x",
        calibration=FASHION / "calibration.npz",
        evaluate=FASHION / "test.npz",
        finetune=finetune,
        output=sys.argv[1],
    )
    print(f"top-1 {result.report.accuracy.before:.1%} dense, {result.report.accuracy.after:.1%} pruned; see {result.artifact / 'report.html'}")
    pixels = np.load(FASHION / "test.npz")["x"][:1]
    (logits,) = spcompile.load(result.artifact).run(pixels).values()
    print(f"the first test image is of kind {logits.argmax()}")


if __name__ == "__main__":
    main()
