"""Products and inverses of numpy matrices, done by torch: its threads run the network too, and a second pool of BLAS threads would fight with them."""

import numpy as np


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b, of one type; leading axes are batches."""
    import torch

    return (torch.from_numpy(np.ascontiguousarray(a)) @ torch.from_numpy(np.ascontiguousarray(b))).numpy()


def inverse(a: np.ndarray) -> np.ndarray:
    """Inverse of a symmetric positive definite matrix, or of a batch of them."""
    import torch

    return torch.cholesky_inverse(torch.from_numpy(factor(a))).numpy()


def solve(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """X of X A = B, for a symmetric positive definite A or a batch of them."""
    import torch

    return torch.cholesky_solve(torch.from_numpy(np.ascontiguousarray(b)).mT, torch.from_numpy(factor(a))).mT.numpy()


def factor(a: np.ndarray) -> np.ndarray:
    """Lower L with L L' = A, for a symmetric positive definite A or a batch of them.

    One that rounding left without a positive eigenvalue somewhere gets a larger diagonal, by ten times more each time, until it has none left.
    """
    import torch

    matrix = torch.from_numpy(np.ascontiguousarray(a))
    assert matrix.isfinite().all()
    kind = torch.finfo(matrix.dtype)
    found, failed = torch.linalg.cholesky_ex(matrix)
    added = kind.eps * matrix.abs().amax((-2, -1)).clamp_min(kind.tiny / kind.eps)
    while failed.any():
        matrix = matrix + ((failed > 0) * added)[..., None, None] * torch.eye(matrix.shape[-1], dtype=matrix.dtype)
        found, failed = torch.linalg.cholesky_ex(matrix)
        added *= 10
    return found.numpy()
