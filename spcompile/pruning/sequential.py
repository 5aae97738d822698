"""Layers are pruned in the order of the graph, so that each sees what the ones before it lost."""

from collections.abc import Mapping

import onnx_ir as ir

from spcompile.errors import PatternError
from spcompile.ir.layer import Layer
from spcompile.ir.layers import find_layers, shared_weights, weight, with_weights
from spcompile.patterns import Choice
from spcompile.progress import Progress, Silent
from spcompile.pruning.auto import Auto
from spcompile.pruning.calibration import Calibration
from spcompile.pruning.checked import mask_by, solved_by
from spcompile.pruning.evidence import Evidence
from spcompile.pruning.influence import RowFactors, influence
from spcompile.pruning.magnitude import Magnitude
from spcompile.pruning.pruned import Pruned
from spcompile.pruning.pruner import Pruner
from spcompile.shortened import shortened

BLIND = "no calibration data: weights were chosen by magnitude and none was corrected; with data the network keeps far more of its accuracy"


def prune(
    model: ir.Model,
    choices: Mapping[str, Choice],
    calibration: Calibration | None = None,
    pruner: Pruner | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    rows: RowFactors | None = None,
) -> Pruned:
    """Give every layer its choice. Layers without one stay dense; where the solver can, they too make up for what earlier layers lost.

    model: prepared. choices: by layer name. pruner: `Auto()` unless given; without calibration data one that needs them gives way to magnitude.
    rows: of the model's `influence`, measured here unless given.
    Targets come from the dense network, inputs from the pruned prefix: each layer minimises what its error
    W x_dense - V x_pruned does to the outputs, and its bias follows.
    Raises PatternError when the pruner cannot choose such masks, or when layers that share a weight are given different choices.
    """
    pruner, layers = pruner or Auto(), find_layers(model)
    _check(layers, choices, pruner)
    with (progress or Silent()).stage("prune", len(layers)) as advance:
        if calibration is not None and pruner.needs_data:
            if rows is None:
                rows, calibration = influence(model, calibration, seed)
            from spcompile.pruning.walk import Walk

            walk = Walk(model, choices, pruner, seed, rows)
            walk.run(calibration, advance)
            return Pruned(with_weights(model, walk.matrices, walk.biases), walk.masks, (*calibration.notes, *walk.notes))
        chosen = Magnitude() if pruner.needs_data else pruner
        evidence = {layer.name: Evidence(layer, weight(model, layer), seed=seed) for layer in layers if layer.name in choices}
        masks = {name: mask_by(chosen, known, choices[name]) for name, known in evidence.items()}
        matrices = {name: solved_by(chosen, known, masks[name]) for name, known in evidence.items()}
        advance(len(layers))
        return Pruned(with_weights(model, matrices), masks, (BLIND,) if pruner.needs_data else ())


def _check(layers: tuple[Layer, ...], choices: Mapping[str, Choice], pruner: Pruner) -> None:
    by_name = {layer.name: layer for layer in layers}
    if unknown := [name for name in choices if name not in by_name]:
        raise PatternError(f"no layer is called {shortened(unknown)}; layers are {shortened(list(by_name))}")
    for name, choice in choices.items():
        verdict = choice.pattern.fits(by_name[name]) and pruner.can(choice.pattern)
        if not verdict:
            raise PatternError(f"layer '{name}' cannot be pruned to {choice.notation} by {pruner.name}: {verdict.reason}")
    for initializer, names in shared_weights(layers).items():
        if len({choices.get(name) for name in names}) > 1:
            raise PatternError(f"layers {shortened(names)} share the weight '{initializer}'; give them one and the same choice")
