"""Memory that goes back to the system."""

import ctypes


def release() -> None:
    """Give back what was freed. glibc keeps freed blocks of up to 32 MB, and large activations come in ever other sizes, so that a walk through
    a language model grew by a gigabyte for each of its samples. Elsewhere nothing is done."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
