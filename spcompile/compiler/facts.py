"""Filling the report with what was seen."""

import hashlib
import os
import platform
import resource
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx_ir as ir

from spcompile.compiler.inputs import Evaluation
from spcompile.digest import files_digest
from spcompile.ir.batches import length
from spcompile.ir.constants import constant
from spcompile.ir.layers import find_layers, weight
from spcompile.plan import Plan
from spcompile.pruning import Calibration
from spcompile.report.facts import Accuracy, Environment, LayerWeights, Measurement, ModelFacts, Package, TargetFacts, Tensor, Verification
from spcompile.report.facts import Calibration as CalibrationFacts
from spcompile.runtime import artifact, host
from spcompile.runtime.verify import Comparison
from spcompile.targets import ALIASES, Device, explain_target
from spcompile.targets.system import cores
from spcompile.verdict import Verdict

NOTHING_TO_PRUNE = "the model has no layer that can be pruned: it was compiled dense"
NOTHING_PAYS = "no pattern asked for is faster than dense in any layer: it was compiled dense"
DISTURBED = "other work disturbed the measurements, see their medians and quartiles: measure again on an idle machine"
NO_CALIBRATION = "no calibration data were given: weights were chosen by magnitude and not corrected, errors estimated from weights alone"


def target_facts(asked: str | Path, target: Device) -> TargetFacts:
    alias = explain_target(asked) if str(asked) in ALIASES or str(asked) == "host" else ""
    return TargetFacts(str(asked), target.family, target.name, target.description, alias)


def model_facts(name: str, source, dense: ir.Model, pruned: ir.Model) -> ModelFacts:
    """Multiply-accumulates are each layer's own; a weight that several layers share is one weight of the model."""
    layers, kept = find_layers(dense), {weights.layer: weights.kept for weights in layer_weights(pruned)}
    parameters = sum(value.const_value.size for value in dense.graph.initializers.values())
    matrices = [constant(pruned.graph.initializers[initializer]) for initializer in {layer.weight for layer in layers}]
    return ModelFacts(
        name,
        source_digest(source, dense),
        tuple(Tensor(value.name, tuple(value.shape.numpy())) for value in dense.graph.inputs),
        parameters,
        parameters - sum(matrix.size - int(np.count_nonzero(matrix)) for matrix in matrices),
        sum(layer.macs for layer in layers),
        sum(kept[layer.name] * layer.positions for layer in layers),
    )


def source_digest(source, model: ir.Model) -> str:
    """Of the file that was given, and of the files its weights lie in after it; else of the model as prepared."""
    if isinstance(source, (str, os.PathLike)):
        tensors = [value.const_value for value in ir.load(source).graph.initializers.values()]
        outside = sorted({Path(tensor.path) for tensor in tensors if isinstance(tensor, ir.ExternalTensor)})
        return files_digest([Path(source), *outside]) if outside else artifact.digest(Path(source))
    return hashlib.sha256(ir.to_proto(model).SerializeToString()).hexdigest()


def layer_weights(pruned: ir.Model) -> tuple[LayerWeights, ...]:
    """What each layer multiplies by; those that share a weight have the same one."""
    return tuple(LayerWeights(layer.name, layer.rows * layer.columns, int(np.count_nonzero(weight(pruned, layer)))) for layer in find_layers(pruned))


def calibration_facts(calibration: Calibration | None, without: str = "") -> CalibrationFacts | Verdict:
    """without: what else the target did for want of data."""
    if calibration is None:
        return Verdict.no(NO_CALIBRATION + without)
    return CalibrationFacts(calibration.source, length(calibration.feeds), calibration.digest)


def accuracy_facts(evaluation: Evaluation | None, before: float | None, pruned: float | None, after: float | None) -> Accuracy | Verdict:
    """pruned: before recovery, None where nothing was recovered."""
    if evaluation is None:
        return Verdict.no("no labelled data were given (--eval): accuracy was not measured")
    return Accuracy(evaluation.metric, before, after, evaluation.unit, evaluation.samples, evaluation.data, pruned)


def verification_facts(checked: Comparison | Verdict) -> Verification | Verdict:
    if isinstance(checked, Verdict):
        return checked
    return Verification(checked.reference, checked.random_inputs, checked.real_inputs, checked.worst_relative_difference, checked.limit, checked.where)


def environment() -> Environment:
    packages = tuple(Package(name, version) for name, version in host.packages().items())
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return Environment(host.cpu_model(), host.flags_digest(), system, platform.python_version(), cores(), packages)


def manifest_facts(choices: Mapping, seed: int, calibration: Calibration | None, source_sha256: str, env: Environment) -> dict:
    """What the manifest keeps beside the program."""
    return {
        "plan": {name: choice.notation for name, choice in choices.items()},
        "seed": seed,
        "calibration_sha256": calibration.digest if calibration is not None else None,
        "model_sha256": source_sha256,
        "environment": {
            "cpu": env.cpu,
            "cpu_flags_sha256": env.cpu_flags_sha256,
            "system": env.system,
            "python": env.python,
            "packages": {package.name: package.version for package in env.packages},
        },
    }


def peak_memory_bytes() -> int:
    """The most this process ever held; Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def warnings(plan: Plan, measured: Measurement | Verdict) -> tuple[str, ...]:
    choice = any(len(entry.options) > 1 for entry in plan.layers)
    found = [] if choice else [NOTHING_PAYS if plan.layers else NOTHING_TO_PRUNE]
    if isinstance(measured, Measurement) and measured.disturbed:
        found.append(DISTURBED)
    return tuple(found)
