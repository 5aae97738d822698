"""spcompile calibrate --target FILE.toml [--rpc HOST:PORT]"""

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from spcompile.cli.arguments import Command, UsageError, whole
from spcompile.cli.screen import console


def arguments(parser: ArgumentParser) -> None:
    """Options of calibrate."""
    parser.add_argument("--target", metavar="FILE.toml", help="the device file to write what was measured into")
    parser.add_argument("--rpc", type=_address, metavar="HOST:PORT", help="the board's TVM RPC server; without it this host is measured")
    parser.add_argument("--threads", type=whole(1), default=1, metavar="N", help="threads to measure with (default 1)")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(args: Namespace) -> int:
    """Measure, write, and show what changed."""
    if args.target is None:
        raise UsageError("no device file given: spcompile calibrate --target my_board.toml")
    from rich.text import Text

    from spcompile.compiler.calibrating import calibrate
    from spcompile.progress import speaker
    from spcompile.report.terminal import layer_table

    found = calibrate(args.target, rpc=args.rpc, threads=args.threads, progress=speaker(quiet=args.quiet))
    table = layer_table("kernel", "measured us", "predicted before", "predicted now", left=1)
    for name, *seconds in found.probes:
        table.add_row(Text(name), *(f"{second * 1e6:,.0f}" for second in seconds))
    before, after = found.errors
    screen = console()
    screen.print(table)
    screen.print(Text(f"times over what the device file's rates say, on {found.machine}:"), soft_wrap=True)
    screen.print(f"  instructions {found.scales.core:.2f}, caches beyond L1 {found.scales.caches:.2f}, memory {found.scales.memory:.2f}")
    screen.print(f"median error {before:.0%} before, {after:.0%} now")
    screen.print(Text(f"written into {found.path}: predictions for it use these from now on"), soft_wrap=True)
    return 0


def _address(text: str) -> str:
    if not re.fullmatch(r"\S+:\d{1,5}", text) or not 0 < int(text.rpartition(":")[2]) < 65536:
        raise ArgumentTypeError(f"'{text}' is not an address; write HOST:PORT, for example board.local:9090")
    return text


USAGE = "--target FILE.toml [--rpc HOST:PORT]"
COMMAND = Command("calibrate", USAGE, "time a dozen kernels on a device, correct its file by them", arguments, run)
