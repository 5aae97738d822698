"""spcompile.compile: what users call; everything that can be wrong with what they give is refused before the work begins."""

from collections.abc import Mapping
from pathlib import Path

from spcompile.budget import parse_budget, parse_drop, parse_duration
from spcompile.compiler.blame import blamed
from spcompile.compiler.inputs import check_pruner, check_whole, chosen_patterns, chosen_pruner, model_name, output_name, prepared
from spcompile.compiler.job import Job, Result
from spcompile.compiler.toolchains import toolchain_for
from spcompile.errors import DataError, ModelError
from spcompile.ir.frontend import is_torch_module
from spcompile.progress import Progress, Silent
from spcompile.pruning import Pruner
from spcompile.report.facts import Request
from spcompile.runtime import artifact
from spcompile.targets import load_target


def compile(  # noqa: A001 - the name users expect
    source,
    *,
    target: str | Path,
    budget: str | None = None,
    max_drop: str | None = None,
    calibration=None,
    evaluate=None,
    patterns=None,
    threads: int = 1,
    dtype: str | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    example_inputs=None,
    seed: int = 0,
    measure: bool = False,
    prune: str | Pruner | None = None,
    recover: str | None = None,
    finetune=None,
    output: str | Path | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Prune a network to a budget on a device and compile it for that device.

    source: an ONNX path, an onnx.ModelProto, an onnx_ir.Model, or a torch.nn.Module with `example_inputs`.
    target: a device's name, an alias of one, "host", or the path of a device file.
    budget: "3ms", "250us", "2x" (over dense). max_drop: "1%", the fastest plan within that loss; needs `evaluate`.
    dtype: "fp16" or "bf16", of a GPU's weights and activations.
    calibration: .npz, image folder, or arrays by input name. evaluate: a labelled .npz, or a function model -> score.
    prune: a pruner, or the name of one (`spcompile.pruning.PRUNERS`); the best one known unless given.
    recover: "10min", how long to train the pruned network towards the dense one's outputs, without labels; needs `calibration`.
        Interrupted, it goes on where it was when the same is asked again. With max_drop up to three plans are recovered, so long each, and where none of
        them keeps the accuracy, the fastest that pruning alone keeps.
    finetune: finetune(module, masks, plan) for a torch module whose layers have parameters of their own; masks are proved intact afterwards.
    measure: measure on this host and search again until the measured time keeps the budget.
    Raises SpcompileError subclasses for everything that is wrong with what was given; nothing is written then.
    """
    device = load_target(target)
    check_whole("threads", threads, least=1)
    check_whole("seed", seed, least=0)
    wanted = parse_budget(budget) if budget is not None else None
    drop = parse_drop(max_drop) if max_drop is not None else None
    if drop is not None and evaluate is None:
        raise DataError("max_drop needs labelled data to measure the drop with: give evaluate")
    recover_s = parse_duration(recover) if recover is not None else None
    if recover is not None and calibration is None:
        raise DataError("recover needs typical inputs to learn from, no labels: give calibration")
    if finetune is not None and not is_torch_module(source):
        raise ModelError(f"finetune trains a torch.nn.Module; this model is given as {type(source).__name__}: leave finetune out, or use recover")
    if finetune is not None and not callable(finetune):
        raise ModelError(f"finetune is a function of (module, masks, plan) that trains the module, not {finetune!r}")
    toolchain = toolchain_for(device, threads, dtype)
    offered, how = chosen_patterns(patterns, toolchain.offered), chosen_pruner(prune)
    if patterns is not None:
        check_pruner(how, offered)
    name = model_name(source)
    folder = artifact.check_output(output or output_name(name, target), force)
    job = Job(source, name, target, toolchain, wanted, drop, offered, how, recover_s, seed, measure, progress or Silent())
    request = Request(budget, max_drop, tuple(pattern.notation for pattern in offered), how.name, measure, seed, recover)
    finetuning = _finetuning(source, input_shapes, example_inputs, finetune, job.progress) if finetune is not None else None
    return job.run(request, input_shapes, example_inputs, calibration, evaluate, finetuning, folder)


def _finetuning(source, input_shapes, example_inputs, finetune, progress: Progress):
    from spcompile.training import Finetuning

    with blamed(source, input_shapes, example_inputs), progress.stage("find parameters"):
        return Finetuning.of(source, lambda: prepared(source, input_shapes, example_inputs), finetune)
