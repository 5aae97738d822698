"""How much faster whole networks become on several threads: the same network, compiled for one and for several, timed in turns, of the fastest rounds.

    python benchmarks/threads.py [--only resnet50_random] [--choices dense,block4x1@0.8] [--threads 2] [--seconds 10] [--json FILE]

Pattern and level are imposed by magnitude: no accuracy is claimed. Needs as many idle cores as threads.
"""

import argparse
import json
import tempfile
from pathlib import Path
from statistics import geometric_mean

from engines import imposed
from networks import names_among, networks

from spcompile.compiler.building import build
from spcompile.patterns import Choice, parse_choice
from spcompile.runtime.host import cpu_model
from spcompile.runtime.measure import measure
from spcompile.targets import load_target


def times_s(model, choice: Choice, threads: tuple[int, ...], seconds: float) -> dict[int, float]:
    """-> threads -> seconds of one call."""
    target, pruned = load_target("host"), imposed(model, choice)
    with tempfile.TemporaryDirectory() as folder:
        calls = {str(count): build(pruned, target, count, Path(folder) / f"{count}.so").call(count) for count in threads}
        return {int(count): sample.fastest_s for count, sample in measure(calls, seconds).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=names_among(networks()), help="names, by commas")
    parser.add_argument("--choices", default="dense,block4x1@0.8")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10.0, help="of timing, a network and choice")
    parser.add_argument("--json", help="write the figures here too")
    args = parser.parse_args()
    chosen = {name: network for name, network in networks().items() if args.only is None or name in args.only}
    rows = []
    print(f"{cpu_model()}, {args.threads} threads against one")
    for name, network in chosen.items():
        model = network.prepared()
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
