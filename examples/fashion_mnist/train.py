"""Train the demo's network on Fashion-MNIST and write model.onnx, calibration.npz and test.npz beside this file.

Needs the data (Debian: apt-get install dataset-fashion-mnist; or the four .gz files of the data set in one folder).
Run:   python train.py [--data FOLDER] [--epochs 8] [--seed 0] [--threads 1]
"""

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import onnx_ir as ir
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from network import MODEL, FashionNet

HERE = Path(__file__).parent


def read(folder: Path, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """-> pixels uint8 [n, 1, 28, 28], labels int64 [n]. The IDX format: a header of 16 (images) or 8 bytes (labels), then plain bytes."""
    images = np.frombuffer(gzip.decompress((folder / f"{split}-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    labels = np.frombuffer(gzip.decompress((folder / f"{split}-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    return torch.tensor(images.reshape(-1, 1, 28, 28)), torch.tensor(labels.astype(np.int64))


def augment(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Half of the images mirrored; each batch moved by up to two pixels."""
    mirrored = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
    down, right = torch.randint(0, 5, (2,), generator=generator).tolist()
    return nn.functional.pad(torch.where(mirrored, x.flip(3), x), (2, 2, 2, 2))[:, :, down : down + 28, right : right + 28]


@torch.no_grad()
def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of images whose largest logit is the label's. images uint8 [n, 1, 28, 28]."""
    model.eval()
    answers = torch.cat([model(batch / 255).argmax(1) for batch in images.split(500)])
    return (answers == labels).float().mean().item()


def train(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, epochs: int, seed: int, batch: int = 128) -> None:
    """SGD with one learning-rate cycle (Smith and Topin, arXiv 1708.07120), label smoothing 0.1."""
    generator = torch.Generator().manual_seed(seed)
    steps = len(images) // batch
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.2, total_steps=epochs * steps)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    for epoch in range(epochs):
        model.train()
        begin, total = time.time(), 0.0
        for chosen in torch.randperm(len(images), generator=generator)[: steps * batch].view(steps, batch):
            loss = loss_of(model(augment(images[chosen] / 255, generator)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}/{epochs}: loss {total / steps:.4f}, {time.time() - begin:.0f} s", flush=True)


def fold(model: FashionNet) -> FashionNet:
    """Batch norms folded into their convolutions, and the division by 255 into the first: the exported model eats pixels as they are."""
    folded = FashionNet(batch_norm=False).eval()
    for name, block in model.eval().named_modules():
        if isinstance(block, nn.Sequential) and isinstance(block[0], nn.Conv2d):
            folded.get_submodule(name)[0].load_state_dict(fuse_conv_bn_eval(block[0], block[1]).state_dict())
    folded.classify.load_state_dict(model.classify.state_dict())
    folded.features[0][0].weight.data /= 255
    return folded


def export(model: nn.Module, path: Path) -> None:
    """-> ONNX, opset 18, input float32 [1, 1, 28, 28] of pixels 0 to 255, output logits [1, 10]."""
    pixels = torch.zeros(1, 1, 28, 28)
    program = torch.onnx.export(model, (pixels,), dynamo=True, opset_version=18, input_names=["pixels"], output_names=["logits"])
    ClearMetadataAndDocStringPass()(program.model)  # names of files on this machine
    for node in program.model.graph:
        for value in node.inputs:
            if value is not None and value.name.endswith(".weight"):
                node.name = value.name.removesuffix(".weight")  # reports then name layers as network.py does
    ir.save(program.model, path)


def sample(images: torch.Tensor, labels: torch.Tensor, count: int, seed: int) -> dict[str, np.ndarray]:
    """count images, equally many of each label up to one -> {"x": float32 [count, 1, 28, 28], "y": int64 [count]}, in a seeded order."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    rank = torch.zeros(len(images), dtype=torch.int64)  # how many of the same label came before
    for label in range(10):
        mine = order[labels[order] == label]
        rank[mine] = torch.arange(len(mine))
    chosen = order[torch.argsort(rank[order], stable=True)[:count]]
    return {"x": images[chosen].float().numpy(), "y": labels[chosen].numpy()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)  # sums in another order give another network
    images, labels = read(options.data, "train")
    test_images, test_labels = read(options.data, "t10k")
    model = FashionNet().to(memory_format=torch.channels_last)
    train(model, images, labels, options.epochs, options.seed)
    print(f"top-1 of {len(test_images)} test images: {accuracy(model, test_images, test_labels):.2%}")
    export(fold(model), MODEL)
    np.savez_compressed(HERE / "calibration.npz", **sample(images, labels, 256, options.seed))
    np.savez_compressed(HERE / "test.npz", **sample(test_images, test_labels, 1000, options.seed))


if __name__ == "__main__":
    main()
