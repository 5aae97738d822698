"""Shared memory filled ahead of use: the loop of every kernel whose inputs come by cp.async."""

from collections.abc import Callable


def pipelined(T, stages: int, steps, fetch: Callable, multiply: Callable) -> None:
    """Statements of one thread. fetch(step, stage) asks for a step's copies into one of `stages` buffers; multiply(step, stage) finds them there.

    Afterwards nothing is on its way and no thread reads a buffer any more. steps: of this thread block, an expression.
    """
    for stage in range(stages - 1):
        with T.If(stage < steps), T.Then():
            fetch(stage, stage)
        T.evaluate(T.ptx["cp.async.commit_group"]())
    with T.serial(0, steps) as step:
        T.evaluate(T.ptx["cp.async.wait_group"](stages - 2))
        T.evaluate(T.cuda.cta_sync())
        with T.If(step + (stages - 1) < steps), T.Then():
            fetch(step + (stages - 1), (step + (stages - 1)) % stages)
        T.evaluate(T.ptx["cp.async.commit_group"]())
        multiply(step, step % stages)
    T.evaluate(T.ptx["cp.async.wait_group"](0))
    T.evaluate(T.cuda.cta_sync())
