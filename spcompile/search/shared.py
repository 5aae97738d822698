"""Layers that share a weight: what one of them cannot be given, none is, and one choice is weighed for all."""

from collections.abc import Sequence
from dataclasses import replace

from spcompile.patterns import Choice
from spcompile.plan import Refusal, summed
from spcompile.search.candidates import Candidates
from spcompile.shortened import shortened


def agreed(layers: Sequence[Candidates], together: Sequence[Sequence[int]]) -> tuple[Candidates, ...]:
    """together: positions of layers of one weight. Of their options those stay that all of them have; patterns that lose all of theirs are refused."""
    found = list(layers)
    for group in together:
        common = set.intersection(*({option.choice for option in layers[place].options} for place in group))
        for place in group:
            others = shortened([layers[other].layer.name for other in group if other != place])
            found[place] = _narrowed(layers[place], common, f"not all layers that share this weight ({others}) can take it and gain by it")
    return tuple(found)


def joint(layers: Sequence[Candidates]) -> Candidates:
    """Layers that have the same choices, as if they were one: the first, with the times and errors of all of them."""
    return replace(layers[0], options=summed(layer.options for layer in layers))


def _narrowed(layer: Candidates, common: set[Choice], reason: str) -> Candidates:
    options = tuple(option for option in layer.options if option.choice in common)
    left = {option.choice.pattern for option in options}
    lost = dict.fromkeys(option.choice.pattern.notation for option in layer.options if option.choice.pattern not in left)
    return replace(layer, options=options, refusals=(*layer.refusals, *(Refusal(notation, reason) for notation in lost)))
