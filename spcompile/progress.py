"""How long steps say how far they are: one protocol, three speakers. `with progress.stage("prune", 20) as advance: ... advance()`."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

Advance = Callable[..., None]  # advance(n=1): n more units are done


class Progress(Protocol):
    """Who is told. `total` units of work lie ahead; None when nobody knows."""

    def stage(self, name: str, total: int | None = None):
        """-> a context that yields `advance(n=1)`. Stages may nest."""


class Silent:
    """Says nothing."""

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        yield lambda n=1: None


class Lines:
    """For logs and pipes: a line when a stage is done, and one now and then while it lasts. A stage that fails at once says nothing."""

    def __init__(self, stream: TextIO, every_s: float = 10.0):
        self.stream, self.every_s = stream, every_s

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        started = told = time.monotonic()
        done = 0

        def counted() -> str:
            return f", {done} of {total}" if total is not None else ""

        def advance(n: int = 1):
            nonlocal done, told
            done += n
            if time.monotonic() - told >= self.every_s and done != total:
                told = time.monotonic()
                self._say(f"{name} ... {told - started:.0f} s{counted()}")

        yield advance
        self._say(f"{name}: {time.monotonic() - started:.1f} s{counted()}")

    def _say(self, line: str) -> None:
        print(line, file=self.stream, flush=True)


class Bars:
    """A bar for each stage, on a terminal."""

    def __init__(self, stream: TextIO):
        from rich.console import Console

        self.console = Console(file=stream)
        self._live = None

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        with self._display() as display:
            task = display.add_task(name, total=total)
            yield lambda n=1: display.advance(task, n)
            finished = display.tasks[display.task_ids.index(task)].completed if total is None else total
            display.update(task, total=max(finished, 1), completed=max(finished, 1))

    @contextmanager
    def _display(self):
        """The one live display; the outermost stage opens and closes it."""
        if self._live is not None:
            yield self._live
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Progress(*columns, console=self.console) as self._live:
            try:
                yield self._live
            finally:
                self._live = None


def speaker(*, quiet: bool, stream: TextIO | None = None) -> Progress:
    """Bars on a terminal, lines elsewhere, silence when asked for it. `stream` is standard error unless given."""
    stream = stream or sys.stderr
    if quiet:
        return Silent()
    return Bars(stream) if stream.isatty() else Lines(stream)
