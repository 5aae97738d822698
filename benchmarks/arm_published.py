"""Predictions for ARM boards against what others measured and published (../shared/calibration): tuned layers, and whole networks.

Layers: tuned direct convolutions of TVM's TopHub on RK3399 and Raspberry Pi 3, against our dense kernel; on RK3399 also against the kernel that was
timed there: its tile is published, its instructions are counted like ours (the Raspberry Pi 3 ran 32-bit code). Networks: ncnn on four boards, layer
by layer as its own kernels compute them (ncnn.py), with one engine-efficiency factor per kind of layer, fitted on the Raspberry Pi 4 alone. published/
holds tiles and layers, derived from tlc-pack/tophub@f05376ec tophub/arm_cpu_v0.08.log and Tencent/ncnn@a4d2ea1d benchmark/models.
"""

import csv
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from ncnn import BYTES, KINDS, kind_of, steps
from one_layer import Shape, summary
from scipy.optimize import least_squares
from scipy.stats import spearmanr

from spcompile.costs.cpu import predict
from spcompile.kernels.work import Stream, Work
from spcompile.targets import Cache, load_target
from spcompile.targets.target import Target

CALIBRATION, PUBLISHED = Path(__file__).parents[2] / "shared" / "calibration", Path(__file__).parent / "published"
SMALL = 0.03  # weight of "as predicted" against one network: a kind that few networks show keeps a plain factor
DISTURBED = 0.1  # relative error from which on a network counts less in the fit


def rows_of(name: str, folder: Path = CALIBRATION) -> list[dict[str, str]]:
    with (folder / name).open() as file:
        return list(csv.DictReader(file))


Points = dict[str, list[tuple[str, float, float]]]  # title -> (group, predicted seconds, measured seconds), as plot_predictions.py reads them


def judge_layers() -> Points:
    """TopHub's direct convolutions."""
    points = []
    boards = {"rk3399": load_target("rk3399"), "bcm2837": replace(load_target("raspberry-pi-3"), name="bcm2837", clock_hz=1.2e9)}
    tiles = {(r["model_tag"], shape_of(r, "in_channels", "out_channels", "size")): r for r in rows_of("tophub_tiles.csv", PUBLISHED)}
    times: dict[tuple[str, Shape], float] = {}
    for row in rows_of("arm_dense_layers_tophub.csv"):
        square = row["h"] == row["w"] and row["kh"] == row["kw"] and int(row["pad"]) == int(row["kh"]) // 2
        if row["op"] == "conv2d_nchw_spatial_pack" and square and row["dtype"] == "float32":
            key = row["model_tag"], shape_of(row | {"kernel": row["kh"]}, "cin", "cout", "h")
            times[key] = min(float(row["ms"]) * 1e-3, times.get(key, np.inf))
    print("\n== TopHub's tuned direct convolutions (conv2d_nchw_spatial_pack, fp32)")
    for tag, target in boards.items():
        keys = [key for key in times if key[0] == tag]
        works = {"our dense kernel in its place": [(shape.dense_work(target, target.cores),) for _, shape in keys]}
        if any(key in tiles for key in keys):  # of 64-bit code
            works["equal work: the kernel that was timed"] = [spatial_pack(key[1], tiles[key]) for key in keys]
        print(f"{target.name}, {len(keys)} layers, {target.cores} threads")
        for what, layers in works.items():
            expected = np.array([sum(predict(work, target, target.cores).expected_s for work in layer) for layer in layers])
            true = np.array([times[key] for key in keys])
            print(f"    {what}: {summary(expected / true)}; Spearman {spearmanr(expected, true).statistic:.3f}", flush=True)
            points += [(f"{target.name}: {what}", p, t) for p, t in zip(expected, true, strict=True)]
    return {"TopHub layers": points}


def shape_of(row: dict[str, str], *names: str) -> Shape:
    return Shape(*(int(row[name]) for name in (*names, "kernel", "stride")))


def spatial_pack(shape: Shape, row: dict[str, str]) -> tuple[Work, ...]:
    """What TVM's schedule of that name does with a tile of out-channels x rows x columns of the image: pack x, multiply, unpack y.

    Sums of a tile stay in registers; each value of x is loaded and spread by an instruction of its own (LD1R), which takes a load slot and one of
    the two 64-bit pipes that a 128-bit multiply-add takes (LLVM 22 AArch64SchedA57.td); weights are loaded as vectors. Packing and unpacking move one
    number at a time. Weights come packed.
    """
    channels, height, width = (int(row[f"tile_{side}"]) for side in ("channels", "height", "width"))
    taps, out = shape.in_channels * shape.kernel**2, shape.out_size
    tiles, blocks = (out // height) * (out // width), shape.out_channels // channels
    rounds, spread = tiles * blocks * taps, height * width
    sums = spread * -(-channels // 4)
    reach = [(side - 1) * shape.stride + shape.kernel for side in (height, width)]
    packed, y, x = tiles * shape.in_channels * reach[0] * reach[1], shape.out_channels * out**2, shape.in_channels * shape.size**2
    block, tile, weights = taps * channels * BYTES, shape.in_channels * reach[0] * reach[1] * BYTES, taps * shape.out_channels * BYTES
    multiply = Work(
        lanes=4,
        fma=rounds * (sums + spread / 2),
        loads=rounds * (channels / 4 + spread),
        scalar=rounds * 3,
        steps=rounds / max(1, -(-4 // sums)) if sums < 4 else 0,
        loops=tiles * blocks,
        streams=(Stream(weights, weights), Stream(weights * (tiles - 1), block + tile), Stream(packed * BYTES * blocks, packed * BYTES)),
        units=blocks,
    )
    pack = Work(
        lanes=4, loads=packed, stores=packed / 2, scalar=3 * packed, units=max(1, out // height),
        streams=(Stream(x * BYTES, x * BYTES), Stream(packed * BYTES, packed * BYTES)),
    )  # fmt: skip
    unpack = Work(lanes=4, loads=y, stores=y / 2, units=blocks, streams=(Stream(y * BYTES, y * BYTES),))
    return pack, multiply, unpack


def boards() -> dict[str, Target]:
    """Those of ncnn's table by core; what is said of RK3568 and Orin is in ../shared/calibration/arm_soc_memory.csv."""
    a55, a78 = load_target("cortex-a55"), load_target("cortex-a78")
    return {
        "Cortex-A72": load_target("raspberry-pi-4"),
        "Cortex-A73": load_target("cortex-a73"),  # Kirin 970
        "Cortex-A55": replace(a55, name="rk3568", clock_hz=2.0e9, caches=(a55.caches[0], Cache(512 << 10, 4, True))),
        "Cortex-A78AE": replace(a78, name="orin", cores=12, memory_bytes_per_second_shared=6.07e10),  # memset of one core, twice
    }


def judge_networks() -> Points:
    """ncnn's networks; threads, and numbers narrower than fp32, included."""
    points, apart = [], []
    layers = defaultdict(list)
    for row in rows_of("ncnn_layers.csv", PUBLISHED):
        numbers = tuple(int(row[field]) for field in ("in_channels", "out_channels", "size", "kernel", "stride", "groups"))
        layers[row["network"]].append((row["kind"], numbers, int(row["count"])))
    devices = boards()
    found = defaultdict(list)  # narrow? -> (core, threads, ms, predicted ms of each kind)
    for row in rows_of("arm_dense_ncnn_clean.csv"):
        core, threads, dtype = row["core"], int(row["threads"]), row["dtype_effective"]
        parts = np.zeros(len(KINDS))
        for kind, numbers, count in layers[row["model_variant"].removesuffix("_int8")]:
            works = steps(kind, numbers, devices[core], dtype, row["line_date"])
            expected_s = sum(predict(work, devices[core], threads).expected_s for work in works)
            parts[KINDS.index(kind_of(kind, numbers))] += count * expected_s * 1e3
        found["int8" if dtype == "int8" else "fp32 and fp16"].append((core, threads, float(row["ms_min"]), parts))
    for what, entries in found.items():
        factors = efficiencies([entry for entry in entries if entry[0] == "Cortex-A72"])
        print(f"\n== ncnn's networks, {what}; time over prediction of its kernels, fitted on the Raspberry Pi 4:")
        print("    " + ", ".join(f"{kind} {factor:.2f}" for kind, factor in zip(KINDS, factors, strict=True)))
        for core, threads in dict.fromkeys(entry[:2] for entry in entries):
            ratios = np.array([parts @ factors / ms for c, n, ms, parts in entries if (c, n) == (core, threads)])
            print(f"{core:12} {threads:2} threads, {len(ratios):2} networks: median error {np.median(np.abs(ratios - 1)):.0%}, bias {np.median(ratios):.2f}")
        others = np.array([parts @ factors / ms for core, _, ms, parts in entries if core != "Cortex-A72"])
        print(f"the other boards together, {len(others)} networks x threads: {summary(others)}", flush=True)
        apart += [*np.abs(others - 1)]
        points += [(core, parts @ factors / 1e3, ms / 1e3) for core, _, ms, parts in entries if what != "int8"]
    print(f"both: {len(apart)} networks x threads: median error {np.median(apart):.1%}")
    return {"ncnn networks": points}


def efficiencies(entries: list) -> np.ndarray:
    """One factor per kind, to be multiplied with its predicted time."""
    shares = np.array([parts / ms for _, _, ms, parts in entries])

    def errors(logarithms: np.ndarray) -> np.ndarray:
        return np.concatenate([np.log(shares @ np.exp(logarithms)), SMALL * logarithms])

    return np.exp(least_squares(errors, np.zeros(len(KINDS)), loss="soft_l1", f_scale=DISTURBED).x)
