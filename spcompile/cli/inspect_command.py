"""spcompile inspect MODEL.onnx --target T"""

from argparse import ArgumentParser, Namespace

from spcompile.cli.arguments import Command, UsageError, add_model, model_on_target
from spcompile.cli.screen import console, print_json


def arguments(parser: ArgumentParser) -> None:
    """Options of inspect."""
    add_model(parser)
    parser.add_argument("--layer", metavar="NAME", help="every level of every pattern for layers of this name; * and ? stand for any characters")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: Namespace) -> int:
    """Show what each pattern would bring."""
    given = model_on_target(args)
    from spcompile.compiler import inspect

    inspection = inspect(args.model, **given)
    from spcompile.report.inspection_view import narrowed, show_layers, show_summary, to_json

    chosen = inspection if args.layer is None else narrowed(inspection, args.layer)
    if args.layer is not None and not chosen.layers:
        names = ", ".join(entry.layer.name for entry in inspection.layers)
        raise UsageError(f"no layer is called '{args.layer}'; there are {names or 'none that can be pruned'}")
    if args.json:
        print_json(to_json(chosen))
    else:
        (show_summary if args.layer is None else show_layers)(chosen, console())
    return 0


COMMAND = Command("inspect", "MODEL.onnx --target NAME [options]", "what each pattern would bring to each layer; nothing is pruned", arguments, run)
