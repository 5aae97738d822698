"""Predicted GPU products against what others measured and published: cuBLASLt dense and cuSPARSELt 2:4, fp16 and bf16.

A100: ../shared/calibration/gpu_24_gemm_slidesparse.csv. The constants of costs/gpu.py were fitted (--fit) on every second row of four shape sets;
the shapes of HELD_OUT (Qwen2.5-14B and Llama3.2-1B) took no part in the fit; the model's terms were chosen with all rows in view. H100 PCIe and
RTX 4090: published/gpu_products.csv, from bcacdwk/vllmbench@92a8ca49 slidesparse/benchmark_kernel/kernel_speedup_results; of these rows only the
4096 and 8192 cubes were used, for the sustained rates in the device files.
"""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from spcompile.costs.gpu import FITTED, Constants, predict
from spcompile.kernels.gpu.work import Product
from spcompile.targets import load_target

HERE = Path(__file__).parent
CALIBRATION = HERE.parents[1] / "shared" / "calibration" / "gpu_24_gemm_slidesparse.csv"
CUBES = ((4096,) * 3, (8192,) * 3)
HELD_OUT = ("Qwen2.5-14B", "Llama3.2-1B")
BELIEF = 0.02  # weight of "as it was" against one row: a constant that no row shows stays
SHARES = ("memory_share", "l2_share")  # of a data sheet's bandwidth: at most 0.9


@dataclass(frozen=True)
class Row:
    """One shape on one card; seconds, 0 where nobody measured."""

    gpu: str
    shapes: str
    size: tuple[int, int, int]  # rows, positions, columns
    dense_s: float
    sparse_s: float

    def predicted_s(self, two_of_four: bool, constants: Constants = FITTED) -> float:
        return predict(Product(*self.size, two_of_four), load_target(self.gpu), constants=constants).expected_s


def a100() -> list[Row]:
    with CALIBRATION.open() as file:
        rows = [row for row in csv.DictReader(file) if row["dtype"] in ("FP16", "BF16")]
    return [
        Row("a100", r["shape_set"].removesuffix("-INT8"), (int(r["N"]), int(r["M"]), int(r["K"])), *_seconds(r, "dense_cublaslt_us", "sparse24_cusparselt_us"))
        for r in rows
    ]


def others() -> list[Row]:
    with (HERE / "published" / "gpu_products.csv").open() as file:
        return [
            Row(r["gpu"], r["shapes"], (int(r["rows"]), int(r["positions"]), int(r["columns"])), *_seconds(r, "dense_us", "two_of_four_us"))
            for r in csv.DictReader(file)
        ]


def _seconds(row: dict[str, str], *names: str) -> tuple[float, ...]:
    return tuple(float(row[name] or 0) * 1e-6 for name in names)


def errors(rows: Sequence[Row], two_of_four: bool, constants: Constants = FITTED) -> np.ndarray:
    """log(predicted / measured) of the rows that were measured."""
    timed = [(row, row.sparse_s if two_of_four else row.dense_s) for row in rows]
    return np.array([np.log(row.predicted_s(two_of_four, constants) / seconds) for row, seconds in timed if seconds])


def fit(rows: Sequence[Row]) -> Constants:
    """Both kinds of times and their ratio, in relative terms; outliers count less."""
    names = [item.name for item in fields(Constants)]
    start = np.log(astuple(Constants()))
    bound = np.array([np.log(0.901) if name in SHARES else np.inf for name in names])

    def residuals(logarithms: np.ndarray) -> np.ndarray:
        constants = Constants(*(float(value) for value in np.exp(logarithms)))
        dense, sparse = errors(rows, False, constants), errors(rows, True, constants)
        return np.concatenate([dense, sparse, sparse - dense, BELIEF * (logarithms - start)])

    found = least_squares(residuals, start, bounds=(-np.inf, bound), loss="soft_l1", f_scale=0.1, max_nfev=25)
    return Constants(*(float(value) for value in np.exp(found.x)))


def slower(rows: Sequence[Row], constants: Constants) -> str:
    """How often 2:4 is slower than dense, and how many of those cases are foreseen."""
    both = [row for row in rows if row.dense_s and row.sparse_s]
    really = np.array([row.sparse_s >= row.dense_s for row in both])
    told = np.array([row.predicted_s(True, constants) >= row.predicted_s(False, constants) for row in both])
    return f"2:4 slower than dense in {really.sum()} of {len(both)}: {(really & told).sum()} foreseen, {(told & ~really).sum()} false alarms"


def judge(title: str, rows: Sequence[Row], constants: Constants) -> None:
    print(title)
    for name, two_of_four in (("dense", False), ("2:4", True)):
        relative = np.abs(np.expm1(errors(rows, two_of_four, constants)))
        print(f"  {name:6} {len(relative):4} times, median error {np.median(relative):6.1%}, 9 of 10 within {np.quantile(relative, 0.9):6.1%}")
    print(f"  {slower(rows, constants)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true", help="find the constants again (a minute) and judge with these")
    constants, rows = FITTED, a100()
    train = [row for row in rows if row.shapes not in HELD_OUT][::2]
    if parser.parse_args().fit:
        constants = fit(train)
        print(constants)
    judge("A100 PCIe, rows of the fit", train, constants)
    judge("A100 PCIe, shapes held out", [row for row in rows if row.shapes in HELD_OUT], constants)
    for gpu in ("rtx-4090", "h100-pcie"):
        judge(f"{gpu}, not fitted", [row for row in others() if row.gpu == gpu and row.size not in CUBES], constants)


if __name__ == "__main__":
    main()
