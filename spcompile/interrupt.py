"""Control-C, and the signals that ask a process to end, whatever they are turned into on their way up."""

import signal
from collections.abc import Sequence
from threading import current_thread, main_thread

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt:
    """A context that ends quietly when the process is told to end: what follows the block is then reached without an exception, and `number` is the signal's.

    What the block has begun is put away as after any exception: temporary folders, processes. C++ libraries that call back into Python (TVM, ONNX Runtime
    while it is imported) swallow KeyboardInterrupt and raise errors of their own in its place. So the signal is remembered when it comes, and whatever
    ends the block after that is its doing.
    """

    def __init__(self, signals: Sequence[signal.Signals] = SIGNALS):
        self._signals = signals

    def __enter__(self) -> "Interrupt":
        self.number = 0
        self._before = {number: signal.signal(number, self._remember) for number in self._signals if _taken(number)}
        return self

    def _remember(self, number, frame):
        self.number = number
        raise KeyboardInterrupt

    def __exit__(self, kind, error, trace) -> bool:
        for number, before in self._before.items():
            signal.signal(number, before)
        ended = kind is not None and (self.number != 0 or issubclass(kind, KeyboardInterrupt))
        self.number = self.number or signal.SIGINT
        return ended


def _taken(number: signal.Signals) -> bool:
    """Only the main thread may; and what `nohup` ignores stays ignored."""
    return current_thread() is main_thread() and (number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN)
