"""How zeros are shared out among layers by their shapes alone."""

from collections.abc import Iterable

from spcompile.errors import PatternError
from spcompile.ir.layer import Layer
from spcompile.patterns import Choice, Pattern


def erdos_renyi_kernel(layers: Iterable[Layer], pattern: Pattern, sparsity: float) -> dict[str, Choice]:
    """Evci et al. 2020, arXiv:1911.11134, section 3 (1): the density of a layer is proportional to (in + out + kernel high + wide) / (in x out x high x wide).

    layers: all of a model; those that the pattern does not fit stay dense and are not counted. sparsity: share of zeros in all the others together.
    -> choices by layer name. A layer whose density comes to 1 or more stays dense and has none, and the others make up for it. A linear layer has no kernel.
    Raises PatternError for a pattern of one level, such as 2:4, and for a level that is not within [0, 1).
    """
    if pattern.fixed_sparsity is not None or not 0 <= sparsity < 1:
        raise PatternError(f"layer levels cannot be chosen for {pattern.notation} at {sparsity:g}: give a pattern that has levels, and one of [0, 1)")
    open_layers = [layer for layer in layers if pattern.fits(layer)]
    weights = (1 - sparsity) * sum(layer.rows * layer.columns for layer in open_layers)  # that are left to give
    while open_layers:
        scale = weights / sum(_raw_density(layer) * layer.rows * layer.columns for layer in open_layers)
        full = [layer for layer in open_layers if scale * _raw_density(layer) >= 1]
        if not full:
            return {layer.name: Choice(pattern, 1 - scale * _raw_density(layer)) for layer in open_layers}
        weights -= sum(layer.rows * layer.columns for layer in full)
        open_layers = [layer for layer in open_layers if layer not in full]
    return {}


def _raw_density(layer: Layer) -> float:
    kernel = sum(layer.kernel) if layer.op_type == "Conv" else 0
    return (layer.in_channels + layer.rows // layer.groups + kernel) / (layer.rows // layer.groups * layer.columns)
