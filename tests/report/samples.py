"""Invented reports of true size: residual networks whose times and errors follow simple laws. Nothing here was measured."""

from dataclasses import replace

from spcompile.costs.latency import Latency
from spcompile.ir.layer import Layer
from spcompile.patterns import Choice, parse
from spcompile.plan import LayerPlan, Option, Plan, Refusal
from spcompile.report import (
    AcceleratorFacts,
    AcceleratorStep,
    Accuracy,
    ArtifactFile,
    Calibration,
    Environment,
    Inspection,
    LayerInspection,
    LayerWeights,
    Measurement,
    ModelFacts,
    Package,
    PlanPoint,
    Report,
    Request,
    Stage,
    TargetFacts,
    Tensor,
    Timing,
    Verification,
    WhatIf,
)
from spcompile.verdict import Verdict

SPEED = {"dense": 1.0, "unstructured": 0.42, "channel": 0.95, "2:4": 0.55, "1:4": 0.55, "2:8": 0.52, "4:8": 0.5}  # of the dense rate, on kept weights
ARM = TargetFacts("arm", "cpu", "raspberry-pi-4", "Raspberry Pi 4 Model B, 4 x Cortex-A72 at 1.8 GHz", "arm = raspberry-pi-4: the commonest 64-bit ARM board")
HARM = {"dense": 0.0, "unstructured": 1.0, "channel": 9.0, "2:4": 1.5, "1:4": 1.9, "2:8": 1.6, "4:8": 1.2}

OFFERED = tuple(
    map(parse, ("dense", "unstructured", "block2x1", "block4x1", "block8x1", "block16x1", "2:4", "1:4", "2:8", "4:8", "channel"))
)  # the same, whatever patterns there are


def network(blocks: int = 3) -> tuple[Layer, ...]:
    """A CIFAR residual network of 6 * blocks + 2 layers."""
    layers, channels = [_conv("/conv1/Conv", 3, 16, 32)], 16
    for stage, (width, size) in enumerate(((16, 32), (32, 16), (64, 8)), 1):
        for block in range(blocks):
            layers.append(_conv(f"/layer{stage}/layer{stage}.{block}/conv1/Conv", channels, width, size))
            layers.append(_conv(f"/layer{stage}/layer{stage}.{block}/conv2/Conv", width, width, size))
            channels = width
    return (*layers, Layer("/linear/Gemm", "Gemm", "linear.weight", "linear.bias", "flat", "logits", 10, 64, 1))


def _conv(name: str, inputs: int, rows: int, size: int) -> Layer:
    return Layer(name, "Conv", f"{name}.weight", f"{name}.bias", f"{name}.in", f"{name}.out", rows, 9 * inputs, size * size, kernel=(3, 3), pads=(1, 1, 1, 1))


def options(layer: Layer, place: float) -> tuple[tuple[Option, ...], tuple[Refusal, ...]]:
    """place: 0 first layer .. 1 last; early layers are tender."""
    taken, refused = [], []
    dense_s = layer.macs / 5.2e9 + 4e-6
    for pattern in OFFERED:
        if not (verdict := pattern.fits(layer)):
            refused.append(Refusal(pattern.notation, verdict.reason))
            continue
        for sparsity in pattern.sparsities(layer):
            speed = SPEED.get(pattern.notation, 0.45 + 0.035 * pattern.block_rows)
            tender = 0.01 * (1.6 - place) * (layer.rows * layer.columns) ** -0.25
            harm = tender * HARM.get(pattern.notation, 0.9 + 0.24 * pattern.block_rows) * sparsity**2 / (1 - sparsity)
            expected_s = (dense_s - 4e-6) * (1 - sparsity) / speed + 4e-6
            taken.append(Option(Choice(pattern, sparsity), Latency(expected_s, 0.85 * expected_s, 1.2 * expected_s, "analytic"), harm))
    return tuple(taken), tuple(refused)


def plan(blocks: int = 3, budget_s: float | None = None) -> Plan:
    """Every layer minimises error + pressure * time, a point of the lower hull; the least pressure that keeps the budget, else the greatest."""
    layers = network(blocks)
    offers = [options(layer, index / len(layers)) for index, layer in enumerate(layers)]
    for pressure in (0, *(0.1 * 1.25**step for step in range(44))):
        made = _under(pressure, layers, offers, budget_s)
        if made.feasible:
            return made
    return made


def _under(pressure: float, layers: tuple[Layer, ...], offers: list, budget_s: float | None) -> Plan:
    entries = []
    for layer, (offered, refused) in zip(layers, offers, strict=True):
        chosen = min(offered, key=lambda option: option.error + pressure * option.latency.expected_s)
        gain = offered[0].latency.expected_s / chosen.latency.expected_s
        why = "nothing faster is worth its error here" if chosen is offered[0] else f"{gain:.1f}x faster than dense for {chosen.error:.2g} of error"
        entries.append(LayerPlan(layer, offered[0], chosen, offered, refused, why))
    fixed = Latency(180e-6, 150e-6, 220e-6, "analytic")
    made = Plan("raspberry-pi-4", 1, tuple(entries), fixed, budget_s, True)
    return replace(made, feasible=budget_s is None or made.latency.expected_s <= budget_s)


def report(blocks: int = 3, budget: str | None = "5ms", **changes) -> Report:
    """A whole report; `changes` replace fields."""
    made = plan(blocks, None if budget is None else float(budget.removesuffix("ms")) / 1e3)
    weights = tuple(_weights(entry) for entry in made.layers)
    macs = sum(entry.layer.macs for entry in made.layers)
    kept = sum(int(entry.layer.macs * entry.chosen.choice.density) for entry in made.layers)
    stored, left = sum(entry.stored for entry in weights), sum(entry.kept for entry in weights)
    depth = 6 * blocks + 2
    whole = Report(
        created="2026-11-22T15:37:04+00:00",
        request=Request(budget, None, ("unstructured", "block4x1", "2:4"), "second-order", False, 0),
        model=ModelFacts(f"resnet{depth}", "9f" * 32, (Tensor("x", (1, 3, 32, 32)),), stored, left, macs, kept),
        target=ARM,
        plan=made,
        weights=weights,
        measured=Verdict.no("no Raspberry Pi 4 at hand; name one with its address to measure there"),
        accuracy=Accuracy("top-1", 0.915, 0.912, "share", 1000, "test1000_lossless.npz"),
        calibration=Calibration("train4000_lossless.npz", 256, "3c" * 32),
        verification=Verification("ONNX Runtime 1.32.0", 3, 8, 3.1e-6, 1e-4, "emulator (qemu-aarch64 8.2.2)"),
        frontier=frontier(blocks, made.dense_latency.expected_s),
        uniform=uniform(made),
        stages=(Stage("read", 0.4), Stage("candidates", 3.1), Stage("search", 0.2), Stage("prune", 21.7), Stage("compile", 8.9), Stage("verify", 6.0)),
        peak_memory_bytes=912_345_088,
        files=(ArtifactFile("model.onnx", 1_089_012, "ab" * 32), ArtifactFile("lib/model.so", 412_880, "cd" * 32)),
        environment=Environment("AMD EPYC 9R14", "77" * 32, "Linux 6.1 x86_64", "3.11.9", 2, (Package("spcompile", "0.1.0"), Package("apache-tvm", "0.27.0"))),
        warnings=(),
        notes=("The already sparse layers keep their zeros.",),
    )
    return replace(whole, **changes)


def _weights(entry: LayerPlan) -> LayerWeights:
    stored = entry.layer.rows * entry.layer.columns
    return LayerWeights(entry.layer.name, stored, max(1, round(stored * entry.chosen.choice.density)))


def frontier(blocks: int, dense_s: float) -> tuple[PlanPoint, ...]:
    made = (plan(blocks, dense_s * share) for share in (0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2))
    return tuple(PlanPoint("", entry.latency.expected_s, entry.error) for entry in made)


def uniform(made: Plan) -> tuple[PlanPoint, ...]:
    """Every pattern of many levels at one level wherever that is on offer."""
    points = []
    for notation in ("unstructured", "block2x1", "block4x1", "block8x1", "block16x1"):
        for level in (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
            chosen = [next((o for o in e.options if o.choice.notation == f"{notation}@{level:g}"), e.dense) for e in made.layers]
            seconds = made.fixed.expected_s + sum(option.latency.expected_s for option in chosen)
            points.append(PlanPoint(f"{notation}@{level:g}", seconds, sum(option.error for option in chosen)))
    return tuple(points)


def measurement(dense_s: float = 0.0081, plan_s: float = 0.0047) -> Measurement:
    dense, plan = (Timing(seconds, 1.01 * seconds, 1.005 * seconds, 1.03 * seconds) for seconds in (dense_s, plan_s))
    return Measurement(dense, plan, "AMD EPYC 9R14, this host", 200, dense_s / plan_s)


def accelerator() -> AcceleratorFacts:
    """An array of 1,024 multipliers, a layer dense and one at 2:8, an operator on the host."""
    steps = (
        AcceleratorStep("first", "Conv", "array", 2000, 900, 100, 40_000, 1e-5, 450_000, 450_000, "dense", ""),
        AcceleratorStep("second", "Conv", "array", 3000, 500, 2400, 90_000, 1.5e-5, 2_000_000, 500_000, "2 of 8", ""),
        AcceleratorStep("flat", "Flatten", "view", 0, 0, 0, 0, 0.0, 0, 0, "", ""),
        AcceleratorStep("odd", "Sigmoid", "host", 0, 0, 0, 8000, 6e-5, 0, 0, "", "Sigmoid is none of the accelerator's operations"),
    )
    latency = Latency(2.85e-4, 2.85e-4, 2.85e-4, "simulated")
    return AcceleratorFacts(steps, latency, 2e-4, 1024, 2e8, 1.5e10, 576, 62_000, 5_242_880, 6840, 1_182_000, 45_000_000)


def inspection(blocks: int = 1) -> Inspection:
    """What `report`'s network could be given."""
    layers = network(blocks)
    entries = []
    for index, layer in enumerate(layers):
        offered, refused = options(layer, index / len(layers))
        entries.append(LayerInspection(layer, offered[0].latency, tuple(WhatIf(option.choice, option.latency) for option in offered[1:]), refused))
    return Inspection(f"resnet{6 * blocks + 2}", ARM, 1, Latency(180e-6, 150e-6, 220e-6, "analytic"), tuple(entries))
