"""spcompile targets [NAME]"""

from argparse import ArgumentParser, Namespace

from spcompile.cli.arguments import Command
from spcompile.cli.screen import console


def arguments(parser: ArgumentParser) -> None:
    """Options of targets."""
    parser.add_argument("name", nargs="?", metavar="NAME|FILE.toml", help="one device, every number with its source")


def run(args: Namespace) -> int:
    """List the devices, or show one."""
    if args.name is None:
        _list()
    else:
        _show(args.name)
    return 0


def _list() -> None:
    from rich.text import Text

    from spcompile.report.terminal import layer_table
    from spcompile.targets import ALIASES, list_targets

    table = layer_table("target", "GHz", "peak Gop/s", "description", left=1)  # of CPUs one core in fp32; of all others the whole in their own type
    table.columns[-1].justify, table.columns[-1].no_wrap = "left", False
    for target in list_targets():
        figures = f"{target.clock_hz / 1e9:.2f}", f"{target.peak_flops / 1e9:,.1f}"
        table.add_row(target.name, *figures, target.description)
    for name, (device, _) in ALIASES.items():
        table.add_row(Text(name, style="cyan"), "", "", f"means {device}")
    table.add_row(Text("host", style="cyan"), "", "", "this machine")
    console().print(table)


def _show(name: str) -> None:
    from dataclasses import fields, is_dataclass

    from rich.text import Text

    from spcompile.report.terminal import layer_table
    from spcompile.targets import explain_target, load_target

    target = load_target(name)
    sources = dict(target.sources)
    table = layer_table("field", "value", "source", left=3)
    table.columns[1].no_wrap = table.columns[2].no_wrap = False
    for field in fields(target):
        value = getattr(target, field.name)
        unmeasured = field.name.startswith("measured_") and not target.measured_when
        if isinstance(value, tuple) and value and is_dataclass(value[0]):
            for at, entry in enumerate(value):
                for part in fields(entry):
                    path = f"{field.name}.{at}.{part.name}"
                    table.add_row(path, _spelled(getattr(entry, part.name)), sources.get(path, ""))
        elif field.name not in ("sources", "name", "description", "measured_when") and not unmeasured:
            table.add_row(field.name, _spelled(value), sources.get(field.name, ""))
    screen = console()
    screen.print(Text(explain_target(name), style="bold"), soft_wrap=True)
    screen.print(table)


def _spelled(value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(str(item) for item in value)
    return f"{value:,.15g}" if isinstance(value, (int, float)) else str(value)


COMMAND = Command("targets", "[NAME|FILE.toml]", "list the devices, or show one with the source of every number", arguments, run)
