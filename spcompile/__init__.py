"""Hardware-aware sparsity compiler: a trained network, a device, a number of milliseconds."""

__all__ = ["compile", "inspect", "load"]


def __getattr__(name: str):
    """The three public functions, imported when they are first asked for: they bring torch and tvm along."""
    if name in ("compile", "inspect"):
        from spcompile import compiler

        return getattr(compiler, name)
    if name == "load":
        from spcompile.runtime.artifact import load

        return load
    raise AttributeError(f"module 'spcompile' has no attribute '{name}'")
