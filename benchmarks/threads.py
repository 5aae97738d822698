"""How much faster whole networks become on several threads: the same network, compiled for one and for several, timed in turns, of the fastest rounds.

    python benchmarks/threads.py [--only resnet50_random] [--choices dense,block4x1@0.8] [--threads 2] [--seconds 10] [--json FILE]

Pattern and level are imposed by magnitude: no accuracy is claimed. Needs as many idle cores as threads.
"""

import json
import tempfile
from pathlib import Path
from statistics import geometric_mean

from engines import imposed, parser_of
from networks import networks

from spcompile.compiler.building import build
from spcompile.patterns import Choice, parse_choice
from spcompile.runtime.host import cpu_model
from spcompile.runtime.measure import measure
from spcompile.targets import load_target


def times_s(model, choice: Choice, threads: tuple[int, ...], seconds: float) -> dict[int, float]:
    """-> threads -> seconds of one call."""
    target, pruned = load_target("host"), imposed(model, choice)
    with tempfile.TemporaryDirectory() as folder:
        calls = {str(count): build(pruned, target, count, Path(folder) / f"{count}.so").call() for count in threads}
        return {int(count): sample.fastest_s for count, sample in measure(calls, seconds).items()}


def main() -> None:
    args = parser_of(__doc__, "dense,block4x1@0.8", threads=2, seconds=10.0).parse_args()
    known, rows = networks(), []
    print(f"{cpu_model()}, {args.threads} threads against one")
    for name in args.only:
        model = known[name].prepared()
        for choice in map(parse_choice, args.choices.split(",")):
            found = times_s(model, choice, (1, args.threads), args.seconds)
            rows.append({"network": name, "choice": choice.notation, "seconds": found, "speedup": found[1] / found[args.threads]})
            print(f"{name} {choice.notation}: {found[1] * 1e3:.4g} ms, {found[args.threads] * 1e3:.4g} ms, {rows[-1]['speedup']:.2f}x", flush=True)
    for notation in dict.fromkeys(row["choice"] for row in rows):
        speedups = [row["speedup"] for row in rows if row["choice"] == notation]
        print(f"{notation}: geometric mean {geometric_mean(speedups):.2f}x, least {min(speedups):.2f}x")
    if args.json:
        Path(args.json).write_text(json.dumps({"cpu": cpu_model(), "threads": args.threads, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
