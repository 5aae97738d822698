"""The analytic model of FPGA-like accelerators against published times: Vitis AI's DPU on the ZCU102, VTA on the PYNQ.

    python benchmarks/fpga_published.py [--fit]

DPU rows are whole networks end to end, host included; those whose shapes are known from papers count (published_networks.py). The host's part,
a constant and a time per input pixel, is fitted on every third row and judged on the others; VTA's start of a layer, its bandwidth and the cycles
of its results likewise: --fit searches the best values for the device file.
"""

import argparse
import csv
import itertools
import re
import statistics
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from published_networks import (
    Network,
    inception_v1,
    inception_v3,
    mobilenet_v1,
    mobilenet_v2,
    resnet,
    squeezenet,
    vgg,
    yolo_v2,
    yolo_v3,
    yolo_v3_tiny,
)

from spcompile.targets import Accelerator, load_target

ROWS = Path(__file__).parents[2] / "shared" / "calibration"
GOAL = 0.25
BY_NAME = (  # what the row's file name says -> its network
    (r"cf_resnet50_imagenet", lambda row: resnet(50)),
    (r"tf_resnet(v1_)?50_imagenet_224", lambda row: resnet(50)),
    (r"tf_mlperf_resnet50_imagenet|tf2_resnet50_imagenet", lambda row: resnet(50, stride_in_3x3=True)),
    (r"cf_resnet18_imagenet", lambda row: resnet(18)),
    (r"tf_resnetv1_101_imagenet", lambda row: resnet(101)),
    (r"tf_resnetv1_152_imagenet", lambda row: resnet(152)),
    (r"tf_resnetv2_50_imagenet_299", lambda row: resnet(50, (299, 299))),
    (r"tf_resnetv2_101_imagenet_299", lambda row: resnet(101, (299, 299))),
    (r"tf_resnetv2_152_imagenet_299", lambda row: resnet(152, (299, 299))),
    (r"tf_vgg16", lambda row: vgg(16)),
    (r"tf_vgg19", lambda row: vgg(19)),
    (r"mobilenetv1_0.25_imagenet_128", lambda row: mobilenet_v1(0.25, 128)),
    (r"mobilenetv1_0.5_imagenet_160", lambda row: mobilenet_v1(0.5, 160)),
    (r"mobilenetv1(_1.0)?_imagenet_224", lambda row: mobilenet_v1()),
    (r"mobilenetv2_1.4_imagenet|tf_mobilenetv2_imagenet_224_224_1.17G", lambda row: mobilenet_v2(1.4)),
    (r"mobilenetv2(_1.0)?_imagenet_224_224_0.59G", lambda row: mobilenet_v2()),
    (r"cf_squeezenet|cf_squeeze_", lambda row: squeezenet()),
    (r"inceptionv1_imagenet", lambda row: inception_v1()),
    (r"inceptionv3_imagenet", lambda row: inception_v3()),
    (r"dk_yolov2_voc_448_448_34G", lambda row: yolo_v2()),
    (r"yolov3_voc_416", lambda row: yolo_v3()),
    (r"yolov3_bdd_288_512_53.7G", lambda row: yolo_v3((288, 512), 10)),
    (r"dk_tiny-yolov3", lambda row: yolo_v3_tiny()),
)


def known(row: dict) -> Network | None:
    return next((make(row) for pattern, make in BY_NAME if re.search(pattern, row["name"])), None)


def dpu(target: Accelerator) -> list[tuple[str, float, float, int]]:
    """(name, published s, s of the array as predicted, input pixels) of every row whose network is known."""
    found = []
    for row in csv.DictReader((ROWS / "fpga_vitisai_dpu.csv").open()):
        network = known(row) if row["latency_ms_1thread"] else None
        if network is not None:
            size = network.layers[0][6]
            found.append((row["name"], float(row["latency_ms_1thread"]) / 1e3, network.seconds(target), size[0] * size[1]))
    return found


def host_fit(rows: list[tuple[str, float, float, int]]) -> np.ndarray:
    """(s a call, s a pixel), both at least 0, of least relative squares: what is left of the published times."""
    from scipy.optimize import nnls

    times = np.array([published for _, published, _, _ in rows])
    left = np.array([published - array for _, published, array, _ in rows])
    terms = np.array([[1.0, pixels] for *_, pixels in rows])
    return nnls(terms / times[:, None], np.maximum(left, 0) / times)[0]


def errors(rows, host) -> list[float]:
    return [abs((array + host[0] + host[1] * pixels) / published - 1) for _, published, array, pixels in rows]


def vta(base: Accelerator) -> list[tuple[str, float, float]]:
    """(what, published s, predicted s) of every convolution and product; transposed convolutions are none of the array's operations."""
    found = []
    for row in csv.DictReader((ROWS / "fpga_vta_layers_tophub.csv").open()):
        if "transpose" in row["task"]:
            continue
        n, channels, rows, kernel, stride, out = (int(row[key]) for key in ("n", "cin", "cout", "kh", "stride", "oh"))
        changes = {}
        if "4x8" in row["vta_config"]:  # four images at once, blocks of 8; buffers as its name gives them
            changes = {"array_positions": 4, "array_rows": 8, "array_lanes": 8, "window_columns": 8}
            changes |= {"input_buffer_bytes": 1 << 16, "weight_buffer_bytes": 1 << 16, "output_buffer_bytes": 1 << 18}
        groups = channels // 16 if "group" in row["task"] else 1
        network = Network((channels, n * int(row["h"]), int(row["w"]))).conv(rows, kernel, stride, groups)
        assert network.shape[2] == out or kernel == 1, row
        found.append((row["net_label"].split()[0], float(row["ms"]) / 1e3, network.seconds(replace(base, **changes))))
    return found


def thirds(rows: list) -> tuple[list, list]:
    return rows[::3], [row for at, row in enumerate(rows) if at % 3]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fit", action="store_true", help="search VTA's start of a layer and bandwidth again, on a third of its rows")
    args = parser.parse_args()
    rows = dpu(load_target("zcu102"))
    fitted, judged = thirds(rows)
    host = host_fit(fitted)
    print(f"ZCU102: {len(rows)} rows of known networks; host {host[0] * 1e3:.2f} ms a call and {host[1] * 1e9:.1f} ns a pixel, fitted on {len(fitted)}")
    for (name, published, array, _), error in zip(judged, errors(judged, host), strict=True):
        print(f"  {name:52} {published * 1e3:8.2f} ms, array {array * 1e3:7.2f}, off by {error:6.1%}")
    print(f"  median error {statistics.median(errors(judged, host)):.1%} on {len(judged)} rows that were not fitted (goal {GOAL:.0%})")
    base = load_target("vta-pynq-z2")
    if args.fit:
        base = min(candidates(base), key=lambda target: statistics.median(abs(p / t - 1) for _, t, p in thirds(vta(target))[0]))
    fitted, judged = thirds(vta(base))
    off = statistics.median(abs(predicted / published - 1) for _, published, predicted in judged)
    values = f"{base.layer_cycles:,} cycles to start a layer, {base.memory_bytes_per_second / 1e9:.2f} GB/s, {base.result_cycles} cycles a result"
    print(f"VTA: {values}, fitted on {len(fitted)} rows; median error {off:.1%} on {len(judged)} others (goal {GOAL:.0%})")


def candidates(base: Accelerator) -> list[Accelerator]:
    """What --fit chooses from."""
    values = itertools.product((4, 16), (20_000, 40_000, 70_000, 100_000), (4e8, 6e8, 8e8, 1.2e9))
    return [replace(base, result_cycles=result, layer_cycles=start, memory_bytes_per_second=rate) for result, start, rate in values]


if __name__ == "__main__":
    main()
