"""What-if: every pattern's time in every layer, before anything is pruned."""

from collections.abc import Mapping
from pathlib import Path

from spcompile.compiler.blame import blamed
from spcompile.compiler.facts import target_facts
from spcompile.compiler.inputs import check_whole, chosen_patterns, model_name, prepared
from spcompile.compiler.toolchains import toolchain_for
from spcompile.ir.layers import find_layers, weight
from spcompile.report.inspection import Inspection, LayerInspection, WhatIf
from spcompile.search import timed_choices
from spcompile.targets import load_target


def inspect(
    source,
    *,
    target: str | Path,
    threads: int = 1,
    dtype: str | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    patterns=None,
    example_inputs=None,
) -> Inspection:
    """Per layer: the time of dense and of each pattern and level, and why a pattern is refused. Arguments as for `compile`."""
    device = load_target(target)
    check_whole("threads", threads, least=1)
    toolchain = toolchain_for(device, threads, dtype)
    offered = chosen_patterns(patterns, toolchain.offered)
    with blamed(source, input_shapes, example_inputs):
        model = prepared(source, input_shapes, example_inputs)
        toolchain.check(model)
        predictor = toolchain.predictor(model)
    found = []
    for layer in find_layers(model):
        choices, refusals = timed_choices(layer, offered, predictor, lambda l, pattern: pattern.present(weight(model, l)), toolchain.takes)
        found.append(LayerInspection(layer, choices[0][1], tuple(WhatIf(*entry) for entry in choices[1:]), refusals))
    return Inspection(model_name(source), target_facts(target, device), threads, predictor.fixed, tuple(found))
