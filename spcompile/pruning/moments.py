"""Second moments of a layer's inputs, measured over a batch of activations."""

from dataclasses import replace

import numpy as np
import torch

from spcompile.errors import DataError
from spcompile.ir.layer import Layer
from spcompile.pruning.evidence import Evidence

POSITIONS_PER_COLUMN = 256  # enough that the moments' noise is small beside the damping of the solvers
LEAST_POSITIONS = 65536
NOISE = 1e-6  # of an input's mean: float32 tells nothing below that
CHUNK_BYTES = 16e6  # of windows unrolled at one time: small enough for memory to be used again, see operators/batched.py


def windows(layer: Layer, x: torch.Tensor, places: torch.Tensor | None) -> torch.Tensor:
    """Activation [n, channels, h, w] (Conv) or [n, positions, columns] -> [groups, columns, n x positions], column order as in `Layer`.

    `places`: int64 [n, wanted], the output positions wanted of each; None for all. The result shares no memory with x.
    """
    if layer.op_type != "Conv":
        return (x.clone() if places is None else x[torch.arange(len(x))[:, None], places]).reshape(1, -1, layer.columns).mT
    top, left, bottom, right = layer.pads
    x = torch.nn.functional.pad(x, (left, right, top, bottom)) if any(layer.pads) else x
    (n, channels, height, width), (down, across) = x.shape, layer.strides
    high, wide = (size - (k - 1) * dilation for size, k, dilation in zip((height, width), layer.kernel, layer.dilations, strict=True))
    out_high, out_wide = -(-high // down), -(-wide // across)
    places = torch.arange(out_high * out_wide)[None] if places is None else places
    corners = (places // out_wide) * (down * width) + (places % out_wide) * across
    taps = [y * layer.dilations[0] * width + z * layer.dilations[1] for y in range(layer.kernel[0]) for z in range(layer.kernel[1])]
    at = (torch.tensor(taps)[:, None] + corners[:, None]).flatten(1)[:, None]
    picked = x.reshape(n, channels, -1).gather(2, at.expand(n, channels, -1))
    grouped = picked.reshape(n, layer.groups, layer.in_channels, layer.taps, -1).permute(1, 3, 2, 0, 4)
    return grouped.reshape(layer.groups, layer.columns, -1)


class Moments:
    """Sums over the positions of a layer's inputs, batch by batch; of every other sample each, so that one half can judge what the other teaches.

    Where a bias takes the inputs' means away, inputs are counted from near their means: float32 products of large numbers that differ little have no
    digits left once the means are gone (Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance").
    """

    def __init__(self, layer: Layer):
        self.layer, self.images, self.halves = layer, 0, (_Sums(layer), _Sums(layer))
        self.origins: tuple[torch.Tensor, torch.Tensor] | None = None  # of the dense and the pruned network's inputs, float32 [groups, columns, 1]
        self.enough = max(LEAST_POSITIONS, POSITIONS_PER_COLUMN * layer.columns)  # positions

    @property
    def count(self) -> int:
        """Positions seen."""
        return sum(half.count for half in self.halves)

    def add(self, dense: torch.Tensor, pruned: torch.Tensor, rng: np.random.Generator, counted: torch.Tensor | None = None) -> None:
        """Activations of S samples, [S, *shape of the layer's input] each; `pruned` may be the very same tensor as `dense`.

        counted: bool [S, positions of a sample], those to look at; None for all, and always for a convolution.
        """
        if counted is not None:
            self._add_counted(dense, pruned, counted, rng)
            return
        layer = self.layer
        images = [x.flatten(0, 1) if layer.op_type == "Conv" else x.reshape(len(x), -1, layer.columns) for x in (dense, pruned)]
        positions = layer.positions * len(dense) // len(images[0])
        places = self._places(len(images[0]), positions, rng)
        taken = positions if places is None else places.shape[1]
        chunk = max(1, int(CHUNK_BYTES // (layer.groups * layer.columns * taken * 4)))
        for number, half in enumerate(self.halves):
            first = (number + self.images) % 2
            for start in range(first, len(images[0]), 2 * chunk):
                part = slice(start, start + 2 * chunk, 2)
                own = None if places is None else places[part]
                x = windows(layer, images[0][part], own)
                self._add(half, x, x if pruned is dense else windows(layer, images[1][part], own))
        self.images += len(images[0])

    def _add_counted(self, dense: torch.Tensor, pruned: torch.Tensor, counted: torch.Tensor, rng: np.random.Generator) -> None:
        for number, half in enumerate(self.halves):
            first = (number + self.images) % 2
            at = torch.nonzero(counted[first::2].reshape(-1)).squeeze(1)
            wanted = self.enough // 2
            if wanted < len(at):
                at = at[torch.from_numpy(np.sort(rng.choice(len(at), wanted, replace=False)))]
            own = [part[first::2].reshape(-1, self.layer.columns) for part in (dense, pruned)]
            for some in at.split(max(1, int(CHUNK_BYTES // (4 * self.layer.columns)))):
                x = own[0][some].mT[None]
                self._add(half, x, x if pruned is dense else own[1][some].mT[None])
        self.images += len(dense)

    def _add(self, half: "_Sums", x: torch.Tensor, y: torch.Tensor) -> None:
        """x, y: of the dense and the pruned network, [groups, columns, positions]; maybe one tensor. Overwritten, which is quicker than new memory."""
        if self.layer.bias is not None:
            if self.origins is None:
                mean = x.mean(-1, keepdim=True)
                self.origins = mean, mean if y is x else y.mean(-1, keepdim=True)
            first, second = self.origins
            y = x.clone() if y is x and second is not first else y
            x -= first
            if y is not x:
                y -= second
        half.add(x, y)

    def _places(self, images: int, positions: int, rng: np.random.Generator) -> torch.Tensor | None:
        """Few enough to be quick, [images, wanted]; None for all. Some random positions, moved on by another distance in every image: what is the same
        in all of them, near the border say, would else count too much, and the more images there are the fewer positions all would share."""
        wanted = -(-self.enough // images)
        if wanted >= positions:
            return None
        some, distances = rng.choice(positions, wanted, replace=False), rng.integers(positions, size=(images, 1))
        return torch.from_numpy(np.sort((some + distances) % positions))

    def evidence(self, weight: np.ndarray, row_factor: np.ndarray | None = None) -> Evidence:
        """Means over positions; centred where the layer has a bias. weight: [rows, columns], dense."""
        assert self.count, f"{self.layer.name}: no positions were added"
        return replace((self.halves[0] + self.halves[1]).evidence(weight, self.origins), row_factor=row_factor)

    def evidence_with_halves(self, weight: np.ndarray, row_factor: np.ndarray | None = None) -> Evidence:
        """The same, for solvers that cross-validate."""
        together = self.evidence(weight, row_factor)
        if not all(half.count for half in self.halves):
            return together
        return replace(together, halves=tuple(replace(half.evidence(weight, self.origins), row_factor=row_factor) for half in self.halves))


class _Sums:
    """Over positions: of x_dense, x_pruned, x_pruned x_pruned' and x_dense x_pruned', counted from the origins of a layer with a bias."""

    def __init__(self, layer: Layer):
        groups, columns = layer.groups, layer.columns
        self.layer, self.count = layer, 0
        self.dense, self.pruned = (torch.zeros(groups, columns, dtype=torch.float64) for _ in range(2))
        self.gram, self.cross = (torch.zeros(groups, columns, columns, dtype=torch.float64) for _ in range(2))

    def add(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """x, y: of the dense and the pruned network, [groups, columns, positions]; maybe one tensor."""
        self.count += x.shape[-1]
        self.dense += x.sum(-1)
        self.pruned += y.sum(-1)
        gram = y @ y.mT
        self.gram += gram
        self.cross += gram if x is y else x @ y.mT

    def __add__(self, other: "_Sums") -> "_Sums":
        total = _Sums(self.layer)
        total.count = self.count + other.count
        for name in ("dense", "pruned", "gram", "cross"):
            torch.add(getattr(self, name), getattr(other, name), out=getattr(total, name))
        return total

    def evidence(self, weight: np.ndarray, origins: tuple[torch.Tensor, torch.Tensor] | None) -> Evidence:
        """origins: what was taken from the inputs of a layer with a bias; DataError where they overflow."""
        gram, cross = self.gram / self.count, self.cross / self.count
        dense, pruned = self.dense / self.count, self.pruned / self.count
        if not (gram.isfinite().all() and cross.isfinite().all()):
            raise DataError(f"the inputs of layer '{self.layer.name}' overflow or are NaN on the calibration data; check its scale and preprocessing")
        if self.layer.bias is None:
            return Evidence(self.layer, weight, gram.numpy(), cross.numpy(), np.zeros(dense.shape), np.zeros(dense.shape), positions=self.count)
        means = [origin.squeeze(2) + mean for origin, mean in zip(origins, (dense, pruned), strict=True)]
        varies = torch.diagonal(gram, dim1=1, dim2=2) - pruned**2 > (NOISE * means[1]) ** 2  # what is left of a constant input is rounding
        gram = (gram - pruned[:, :, None] * pruned[:, None]) * varies[:, :, None] * varies[:, None]
        cross = (cross - dense[:, :, None] * pruned[:, None]) * varies[:, None]
        return Evidence(self.layer, weight, gram.numpy(), cross.numpy(), *(mean.numpy() for mean in means), positions=self.count)
