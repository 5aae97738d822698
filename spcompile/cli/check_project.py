"""spcompile check, without an artifact: all models that a file lists."""

import sys
from argparse import Namespace
from difflib import get_close_matches
from pathlib import Path

from spcompile.cli.arguments import UsageError
from spcompile.cli.check_command import present, told
from spcompile.cli.screen import console


def run(args: Namespace) -> int:
    """-> 0 all fine, 1 a regression or a limit missed, 2 a mistake with one of them; a line on standard error for each mistake."""
    if surplus := [option for option in ("baseline", "against") if getattr(args, option) is not None]:
        raise UsageError(f"no artifact given, to which --{surplus[0]} belongs: spcompile check FOLDER --baseline baseline.json")
    from spcompile.check import cache, settings
    from spcompile.progress import speaker

    path = Path(args.config) if args.config is not None else settings.find(Path())
    if path is None:
        listed = "spcompile.toml here, or [tool.spcompile] in pyproject.toml, lists models to check"
        raise UsageError(f"no artifact given, and no {listed}: spcompile check FOLDER --baseline baseline.json, or write such a file (docs/check.md)")
    models, progress = _chosen(settings.read(path), args.only), speaker(quiet=args.quiet)
    return (_update if args.update else _check)(args, models, path.parent / cache.FOLDER, progress)


def _check(args: Namespace, models, cache: Path, progress) -> int:
    from spcompile.check import overview
    from spcompile.check.project import check_all

    outcomes = check_all(models, cache, args.tolerance, args.jobs, progress)
    present(args, outcomes, overview)
    mistakes = [outcome for outcome in outcomes if outcome.result is None]
    for outcome in mistakes:
        print(f"spcompile: error: {outcome.model.name}: {outcome.mistake}", file=sys.stderr)
    return 2 if mistakes else int(any(outcome.result.failures for outcome in outcomes))


def _update(args: Namespace, models, cache: Path, progress) -> int:
    from spcompile.check.project import update_all

    for path, taken in update_all(models, cache, args.jobs, progress):
        console().print(told(path, taken), soft_wrap=True, markup=False)
    return 0


def _chosen(models, names: str | None):
    if names is None:
        return models
    known = [model.name for model in models]
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise UsageError(f"--only: there is no model '{name}'; " + (f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"))
    return tuple(model for model in models if model.name in wanted)
