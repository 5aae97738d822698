"""Products and inverses of numpy matrices, done by torch: its threads run the network too, and a second pool of BLAS threads would fight with them."""

import numpy as np


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b, of one type; leading axes are batches."""
    import torch

    return (torch.from_numpy(np.ascontiguousarray(a)) @ torch.from_numpy(np.ascontiguousarray(b))).numpy()


def inverse(a: np.ndarray) -> np.ndarray:
    """Inverse of a symmetric positive definite matrix, or of a batch of them."""
    import torch

    return torch.linalg.inv(torch.from_numpy(np.ascontiguousarray(a))).numpy()


def solve(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """X of X A = B, for a symmetric positive definite A or a batch of them."""
    import torch

    factor = torch.linalg.cholesky(torch.from_numpy(np.ascontiguousarray(a)))
    return torch.cholesky_solve(torch.from_numpy(np.ascontiguousarray(b)).mT, factor).mT.numpy()
