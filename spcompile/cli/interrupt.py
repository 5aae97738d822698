"""Control-C, whatever it is turned into on its way up."""

import signal
from threading import current_thread, main_thread


class Interrupt:
    """A context that ends quietly when the user interrupts it: what follows the block is then reached without an exception.

    C++ libraries that call back into Python (TVM, ONNX Runtime while it is imported) swallow KeyboardInterrupt and raise errors of their own
    in its place. So the signal is remembered when it comes, and whatever ends the block after that is its doing.
    """

    def __enter__(self) -> "Interrupt":
        self._signalled = False
        self._before = signal.signal(signal.SIGINT, self._remember) if current_thread() is main_thread() else None
        return self

    def _remember(self, number, frame):
        self._signalled = True
        raise KeyboardInterrupt

    def __exit__(self, kind, error, trace) -> bool:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        return kind is not None and (self._signalled or issubclass(kind, KeyboardInterrupt))
