"""Shared memory filled ahead of use: the loop of every kernel whose inputs come by cp.async."""

from collections.abc import Callable


def pipelined(T, stages: int, steps, fetch: Callable, multiply: Callable, running: int = 0) -> None:
    """Statements of one thread. fetch(step, stage) asks for a step's copies into one of `stages` buffers; multiply(step, stage) finds them there.

    Afterwards nothing is on its way and nobody reads a buffer any more. steps: of this thread block, an expression. running: how many steps wgmma, which
    `multiply` commits as a group, may still work at when the next one begins; it sees shared memory through the async proxy (PTX ISA 8.7, section
    9.7.15.4), and copies are asked for behind it, while it runs.
    """
    ahead = stages - 1 - running

    def ask(step) -> None:
        with T.If(step < steps), T.Then():
            fetch(step, step % stages)
        T.evaluate(T.ptx["cp.async.commit_group"]())

    with T.serial(0, ahead) as step:
        ask(step)
    with T.serial(0, steps) as step:
        T.evaluate(T.ptx["cp.async.wait_group"](ahead - 1))
        if running:
            T.evaluate(T.ptx["fence.proxy.async.shared::cta"]())
        T.evaluate(T.cuda.cta_sync())
        if running:
            multiply(step, step % stages)
            ask(step + ahead)
            T.evaluate(T.ptx["wgmma.wait_group.sync.aligned"](running))
        else:
            ask(step + ahead)
            multiply(step, step % stages)
    if running:
        T.evaluate(T.ptx["wgmma.wait_group.sync.aligned"](0))
    T.evaluate(T.ptx["cp.async.wait_group"](0))
    T.evaluate(T.cuda.cta_sync())
