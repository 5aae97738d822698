"""spcompile run ARTIFACT"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from time import perf_counter

from spcompile.cli.arguments import Command, UsageError, whole
from spcompile.cli.screen import console, print_json
from spcompile.errors import DataError
from spcompile.whole_file import write_whole


def arguments(parser: ArgumentParser) -> None:
    """Options of run."""
    parser.add_argument("artifact", nargs="?", metavar="ARTIFACT", help="the folder that compiling wrote")
    parser.add_argument("--input", metavar="FILE.npz", help="one array for each input, by name (default: random numbers)")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="of the random numbers (default 0)")
    parser.add_argument("--repeat", type=whole(1), default=1, metavar="N", help="call so often, and tell the times")
    parser.add_argument("-o", "--output", metavar="FILE.npz", help="write the outputs here, by name")
    parser.add_argument("--json", action="store_true", help="print shapes, ranges and times as JSON")


def run(args: Namespace) -> int:
    """Call the compiled model, show what comes out and how long it took."""
    if args.artifact is None:
        raise UsageError("no artifact given: spcompile run FOLDER, the one that compiling wrote (MODEL-TARGET.spc)")
    from spcompile.runtime.artifact import load

    model = load(Path(args.artifact))
    feeds = _random(model.inputs, args.seed) if args.input is None else _read(args.input, model.inputs)
    outputs = model.run(**feeds)  # also warms up for the times
    times_s = _times(model.bind(feeds), args.repeat)
    if args.output is not None:
        _write(args.output, outputs)
    if args.json:
        print_json({"outputs": {name: _strict(_facts(array)) for name, array in outputs.items()}, "times_s": times_s})
    else:
        _show(outputs, times_s)
    return 0


def _random(inputs, seed: int) -> dict:
    import numpy as np

    from spcompile.runtime.verify import random_array

    rng = np.random.default_rng(seed)
    return {tensor.name: random_array(tensor, rng) for tensor in inputs}


def _read(path: str, inputs) -> dict:
    """The arrays of an .npz by input name; a single array serves a single input whatever its name."""
    from spcompile.pruning.calibration import read_arrays

    arrays = read_arrays(Path(path))
    if len(arrays) == len(inputs) == 1:
        return {inputs[0].name: next(iter(arrays.values()))}
    if missing := [tensor.name for tensor in inputs if tensor.name not in arrays]:
        raise DataError(f"{path} holds {', '.join(arrays) or 'nothing'}; the model also takes {', '.join(missing)}")
    return {tensor.name: arrays[tensor.name] for tensor in inputs}


def _times(call: Callable[[], object], repeats: int) -> list[float]:
    """Seconds of each call."""
    times_s = []
    for _ in range(repeats):
        started = perf_counter()
        call()
        times_s.append(perf_counter() - started)
    return times_s


def _write(path: str, outputs: dict) -> None:
    import numpy as np

    content = BytesIO()
    np.savez(content, **outputs)
    write_whole(Path(path), content.getvalue())


def _facts(array) -> dict:
    return {"shape": list(array.shape), "type": str(array.dtype), "least": float(array.min()), "most": float(array.max()), "mean": float(array.mean())}


def _strict(facts: dict) -> dict:
    """As JSON can hold them: null for what is no number."""
    from math import isfinite

    return {key: None if isinstance(value, float) and not isfinite(value) else value for key, value in facts.items()}


def _show(outputs: dict, times_s: list[float]) -> None:
    from statistics import median

    from rich.text import Text

    from spcompile.report.numbers import milliseconds, plural
    from spcompile.report.terminal import layer_table

    screen = console()
    table = layer_table("output", "shape", "type", "least", "most", "mean", left=3)
    for name, array in outputs.items():
        facts = _facts(array)
        numbers = (f"{facts[key]:.4g}" for key in ("least", "most", "mean"))
        table.add_row(Text(name), Text(str(facts["shape"])), facts["type"], *numbers)
    screen.print(table)
    spread = f", from {milliseconds(min(times_s))} to {milliseconds(max(times_s))}" if len(times_s) > 1 else ""
    screen.print(f"{milliseconds(median(times_s))}, {plural(len(times_s), 'call')} on this host{spread}", markup=False)


COMMAND = Command("run", "ARTIFACT [options]", "run a compiled model", arguments, run)
