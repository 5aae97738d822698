"""How long each stage of a compilation took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from spcompile.report.facts import Stage


class Stages:
    """In the order of their ends; a stage that fails is not among them."""

    def __init__(self):
        self._done: list[Stage] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._done.append(Stage(name, time.perf_counter() - started))

    @property
    def done(self) -> tuple[Stage, ...]:
        return tuple(self._done)
