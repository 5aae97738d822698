"""Words of a command line -> values. Every mistake is one line that says what is allowed."""

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from spcompile.errors import SpcompileError

SHAPE = re.compile(r"([^=]+)=(\d+(?:[,x]\d+)*)")


class UsageError(SpcompileError):
    """A command line that asks for something unknown, or leaves out what is needed."""


@dataclass(frozen=True)
class Command:
    """One command: `arguments` tells a parser what it takes, `run` does it and returns the exit code."""

    name: str  # "" is the one without a word
    usage: str  # what follows the program's name
    summary: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """argparse whose complaints are UsageErrors."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def parse(command: Command, words: Sequence[str], commands: Sequence[Command]) -> argparse.Namespace:
    """UsageError with near matches for a misspelt option; `commands` are named in the help and in complaints."""
    parser = _parser(command, commands)
    args, unknown = parser.parse_known_args(_glued(words))
    if not command.name and args.model and not Path(args.model).exists():
        _check_command(args.model, [other.name for other in commands])
    if unknown:
        raise UsageError(_unknown(parser, unknown))
    if empty := next((action for action in parser._actions if getattr(args, action.dest, None) == ""), None):
        raise UsageError(f"{' or '.join(empty.option_strings) or 'a word'} is empty; give {empty.metavar}, or leave it out")
    return args


def _glued(words: Sequence[str]) -> list[str]:
    """`--budget -1ms` as `--budget=-1ms`: argparse would take a negative value for an option and say that the value is missing."""
    found: list[str] = []
    for word in words:
        if re.match(r"-[\d.]", word) and found and re.fullmatch(r"--[a-z-]+", found[-1]):
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


def input_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """
    >>> input_shape("x=1,3,224,224")
    ('x', (1, 3, 224, 224))
    """
    match = SHAPE.fullmatch(text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is not a name and its sizes; write for example x=1,3,224,224")
    return match[1], tuple(int(size) for size in re.split("[,x]", match[2]))


def whole(least: int) -> Callable[[str], int]:
    """-> a converter for whole numbers from `least` on."""

    def convert(text: str) -> int:
        if not re.fullmatch(r"\d{1,18}", text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least {least}")
        return int(text)

    return convert


def add_model(parser: argparse.ArgumentParser) -> None:
    """What compiling and inspecting have in common: a model on a target."""
    parser.add_argument("model", nargs="?", metavar="MODEL.onnx", help="the trained network")
    parser.add_argument("--target", metavar="NAME|FILE.toml", help="the device: a name from `spcompile targets`, host, or a device file of your own")
    parser.add_argument("--threads", type=whole(1), default=1, metavar="N", help="threads of the device that the model may use (default 1)")
    parser.add_argument("--dtype", metavar="fp16|bf16", help="of a GPU's weights and activations (default fp16)")
    parser.add_argument("--patterns", metavar="A,B", help="patterns to choose from, such as unstructured,block4x1,2:4 (default: all)")
    shape_help = "fixes an open shape; repeat it for further inputs"
    parser.add_argument("--input-shape", type=input_shape, action="append", default=[], metavar="x=1,3,224,224", dest="input_shapes", help=shape_help)


def model_on_target(args: argparse.Namespace) -> dict:
    """The keyword arguments that `compile` and `inspect` share, model excepted; UsageError for what is missing."""
    if args.model is None:
        raise UsageError("no model given: spcompile MODEL.onnx --target arm --budget 3ms")
    if args.target is None:
        raise UsageError("no target given: --target NAME (`spcompile targets` lists them), --target host, or --target my_board.toml")
    shapes = dict(args.input_shapes)
    if len(shapes) < len(args.input_shapes):
        raise UsageError("--input-shape is given twice for the same input")
    return {"target": args.target, "threads": args.threads, "dtype": args.dtype, "patterns": args.patterns, "input_shapes": shapes or None}


def _parser(command: Command, commands: Sequence[Command]) -> Parser:
    name = f"spcompile {command.name}".strip()
    layout = argparse.RawDescriptionHelpFormatter
    usage, description, epilog = f"{name} {command.usage}", f"{command.summary[0].upper()}{command.summary[1:]}.", "" if command.name else _epilog(commands)
    parser = Parser(name, usage=usage, description=description, epilog=epilog, allow_abbrev=False, formatter_class=layout)
    command.arguments(parser)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    if not command.name:
        parser.add_argument("--version", action=_Version, nargs=0, help="print the version and end")
    return parser


def _epilog(commands: Sequence[Command]) -> str:
    lines = [f"  spcompile {other.name:<9} {other.summary}" for other in commands]
    codes = "0 done; 1 infeasible or a regression, the report is written;\n  2 a mistake in what was given; 130 interrupted, 143 told to end"
    return "\n".join(["further commands:", *lines, f"exit codes:\n  {codes}", "example:\n  spcompile model.onnx --target arm --budget 3ms --calib images/"])


def _check_command(word: str, commands: Sequence[str]) -> None:
    """A first word that is no file may be a misspelt command."""
    if near := get_close_matches(word, commands, n=1):
        raise UsageError(f"'{word}' is neither a file nor a command; did you mean `spcompile {near[0]}`?")


def _unknown(parser: Parser, words: list[str]) -> str:
    option = next((word.partition("=")[0] for word in words if word.startswith("-")), None)
    if option is None:
        return f"unexpected word '{words[0]}'; `{parser.prog} --help` lists what is allowed"
    known = [name for action in parser._actions for name in action.option_strings if name.startswith("--")]
    near = get_close_matches(option, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"`{parser.prog} --help` lists the options"
    return f"unknown option {option}; {hint}"


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser, *_):
        from importlib.metadata import version

        print(f"spcompile {version('spcompile')}")
        parser.exit()
