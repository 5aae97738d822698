"""spcompile MODEL.onnx --target T --budget 3ms"""

import sys
from argparse import ArgumentParser, Namespace

from spcompile.cli.arguments import Command, UsageError, add_model, model_on_target, whole
from spcompile.cli.screen import console, print_json


def arguments(parser: ArgumentParser) -> None:
    """Options of the main command."""
    add_model(parser)
    goal, data, result = (parser.add_argument_group(title) for title in ("goal, at least one", "data", "result"))
    goal.add_argument("--budget", metavar="3ms|2x", help="the most one call may take: a time, or a speed-up over the dense model")
    goal.add_argument("--max-drop", metavar="1%", help="the fastest plan that loses at most this much accuracy; needs --eval")
    data.add_argument("--calib", metavar="FILE.npz|FOLDER", help="typical inputs, or a folder of images: plans and weights become better")
    data.add_argument("--eval", metavar="FILE.npz", help="labelled inputs: the report tells the accuracy before and after")
    data.add_argument("--recover", metavar="10min", help="train the pruned network so long to answer as the dense one does; no labels, only --calib")
    parser.add_argument("--pruner", metavar="NAME", help="which weights go, and what the others become (default auto: obc for small layers, else admm)")
    goal.add_argument("--measure", action="store_true", help="measure on this host: search until the measured time keeps the budget, and tune kernels")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="of everything random (default 0)")
    result.add_argument("-o", "--output", metavar="FOLDER", help="where the artifact goes (default MODEL-TARGET.spc)")
    result.add_argument("--force", action="store_true", help="replace what the output folder holds")
    result.add_argument("--quiet", action="store_true", help="no progress, and of the report only the headline")
    result.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: Namespace) -> int:
    """Compile, show the report, and say by the exit code whether all was kept."""
    given = model_on_target(args)
    if args.budget is None and args.max_drop is None:
        raise UsageError("nothing to aim at: give --budget (3ms, 250us, 2x), or --max-drop 1% with --eval DATA.npz")
    if args.max_drop is not None and args.eval is None:
        raise UsageError("--max-drop needs labelled data to measure the drop with: --eval DATA.npz")
    if args.recover is not None and args.calib is None:
        raise UsageError("--recover needs typical inputs to learn from, no labels: --calib FILE.npz or a folder of images")
    result = _compile(args, given)
    report = result.report
    _show(args, report, result.artifact)
    if not report.outcome:
        print(f"spcompile: {report.outcome.reason}", file=sys.stderr)
    return 0 if report.outcome else 1


def _compile(args: Namespace, given: dict):
    from spcompile.compiler import compile as compile_model
    from spcompile.progress import speaker

    data = {"calibration": args.calib, "evaluate": args.eval, "recover": args.recover}
    goal = {"budget": args.budget, "max_drop": args.max_drop, "prune": args.pruner, "measure": args.measure, "seed": args.seed}
    return compile_model(args.model, **given, **data, **goal, output=args.output, force=args.force, progress=speaker(quiet=args.quiet))


def _show(args: Namespace, report, artifact) -> None:
    if args.json:
        from spcompile.report.json_form import to_json

        return print_json(to_json(report))
    from spcompile.report.terminal import show, show_headline

    screen = console()
    (show_headline if args.quiet else show)(report, screen)
    return screen.print(f"{'' if args.quiet else chr(10)}{artifact / 'report.html'}", soft_wrap=True, markup=False)


SUMMARY = "prune a trained network to a latency budget on a named device, and compile it for that device"
COMMAND = Command("", "MODEL.onnx --target NAME --budget 3ms [options]", SUMMARY, arguments, run)
