"""spcompile check ARTIFACT --baseline baseline.json; without an artifact, all models that spcompile.toml lists."""

import os
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from spcompile.cli.arguments import Command, UsageError, whole
from spcompile.cli.screen import console
from spcompile.whole_file import write_whole

FORMATS = ("text", "json", "junit", "github")
SUMMARY = "GITHUB_STEP_SUMMARY"  # the file that GitHub Actions shows as a step's summary


def arguments(parser: ArgumentParser) -> None:
    """Options of check."""
    parser.add_argument("artifact", nargs="?", metavar="ARTIFACT", help="the folder that compiling wrote, or the report.json in it")
    one, many = (parser.add_argument_group(title) for title in ("one artifact", "all models of spcompile.toml, or of [tool.spcompile] in pyproject.toml"))
    one.add_argument("--baseline", metavar="FILE.json", help="the figures to hold it against")
    one.add_argument("--against", metavar="ARTIFACT", help="another artifact, timed in turns with this one; it is the baseline where none is given")
    many.add_argument("--config", metavar="FILE.toml", help="the file that lists them (default: the one in the working folder)")
    many.add_argument("--only", metavar="A,B", help="some of them, by name")
    many.add_argument("--jobs", type=whole(1), metavar="N", help="how many are compiled at once (default: one a core)")
    parser.add_argument("--update", action="store_true", help="write the baselines instead")
    parser.add_argument("--tolerance", type=_share, metavar="5%", help="how much slower a measured time may be (default: from the noise seen)")
    parser.add_argument("--format", choices=FORMATS, default="text", help="text, json, junit, or github: annotations and a step summary (default text)")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the result here, and print only its headline")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(args: Namespace) -> int:
    """Compare, show what came out, and say by the exit code whether anything got worse."""
    if args.update and (args.against is not None or args.tolerance is not None or args.output is not None or args.format != "text"):
        raise UsageError("--update compares nothing; leave out --against, --tolerance, --format and --output")
    if args.artifact is None:
        from spcompile.cli.check_project import run as run_all

        return run_all(args)
    if surplus := [option for option in ("config", "only", "jobs") if getattr(args, option) is not None]:
        raise UsageError(f"--{surplus[0]} is for all models of a file; leave the artifact '{args.artifact}' out")
    if args.baseline is None and (args.update or args.against is None):
        raise UsageError("no baseline given: --baseline baseline.json; with --update it is written")
    from spcompile.progress import speaker

    progress = speaker(quiet=args.quiet)
    return _update(args, progress) if args.update else _check(args, progress)


def present(args: Namespace, found, forms) -> None:
    """Print or write what was found in the form asked for. `forms`: a module, or package, of `check` that knows them."""
    if args.output is not None:
        write_whole(Path(args.output), forms.RENDERERS[args.format](found).encode())
        console().print(forms.headline(found), soft_wrap=True, markup=False)
    elif args.format == "text":
        forms.show(found, console())
    else:
        print(forms.RENDERERS[args.format](found), end="")
    if args.format == "github" and os.environ.get(SUMMARY):
        with Path(os.environ[SUMMARY]).open("a", encoding="utf-8") as summary:
            summary.write(forms.to_markdown(found))


def told(path: str | Path, taken) -> str:
    """What was written to a baseline."""
    return f"{path}: figures of {len(taken.layers)} layers of {taken.model} on {taken.target}"


def _update(args: Namespace, progress) -> int:
    from spcompile.check import update

    console().print(told(args.baseline, update(args.artifact, args.baseline, progress)), soft_wrap=True, markup=False)
    return 0


def _check(args: Namespace, progress) -> int:
    from spcompile import check

    result = check.check(args.artifact, args.baseline, args.against, args.tolerance, progress)
    present(args, result, check)
    return 1 if result.failures else 0


def _share(text: str) -> float:
    """
    >>> _share("5%")
    0.05
    """
    if not re.fullmatch(r"\d{1,3}(\.\d*)?%", text.strip()) or not 0 < float(text.strip()[:-1]) < 100:
        raise ArgumentTypeError(f"'{text}' is not a share between 0% and 100%; write for example 5%")
    return float(text.strip()[:-1]) / 100


USAGE = "[ARTIFACT --baseline FILE.json] [options]"
COMMAND = Command("check", USAGE, "hold an artifact, or all models of spcompile.toml, against baselines", arguments, run)
