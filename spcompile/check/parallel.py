"""The same work on several things, each in a process of its own."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from spcompile.errors import ToolError
from spcompile.interrupt import Interrupt
from spcompile.targets.system import cores


def each(work: Callable, things: Sequence, jobs: int | None, advance: Callable[[], None]) -> list:
    """-> work(thing) for each, in order; at most `jobs` at once, as many as there are cores unless given. What runs is ended when the caller is."""
    available = cores()
    jobs = min(jobs or available, len(things))
    if jobs <= 1:
        return [_told(work(thing), advance) for thing in things]
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin, (max(1, available // jobs),))
    try:
        futures = [pool.submit(_in_worker, work, thing) for thing in things]
        for _ in as_completed(futures):
            advance()
        return [future.result() for future in futures]
    except BrokenProcessPool as error:
        raise ToolError("the system ended a process that compiled, perhaps for want of memory; try --jobs 1") from error
    except BaseException:
        for child in set(multiprocessing.active_children()) - set(others):
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _told(result, advance: Callable[[], None]):
    advance()
    return result


def _in_worker(work: Callable, thing):
    """Told to end, a worker puts away what it has begun and takes up nothing else."""
    with Interrupt((signal.SIGTERM,)):
        return work(thing)
    os._exit(1)


def _begin(threads: int) -> None:
    """A worker shares the cores with the others, and leaves it to its parent to be interrupted."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
