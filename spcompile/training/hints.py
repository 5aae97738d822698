"""Which values inside the network are compared besides its outputs."""

from collections.abc import Iterable

from spcompile.ir.layer import Layer
from spcompile.pruning.network import Network


def hints(network: Network, layers: Iterable[Layer], most: int) -> tuple[str, ...]:
    """Names of values, at most so many, each behind about an equal share of the multiplications, the last of them as far back as possible.

    They are waists of the network: all that its layers have computed so far and that is needed again is that one value, such as the sum at the end of a
    residual block. What leaves these alone has left alone all that follows, while the values in between may change as it suits the sparse weights.
    Of the waists between two layers the last of the largest: behind the activation, before the pool; behind the last layer one that is larger than the outputs.
    """
    macs = {layer.name: layer.macs for layer in layers}
    widest: dict[int, str] = {}  # by the multiplications before
    done, total, outputs = 0, sum(macs.values()), sum(network.bytes[name] for name in network.outputs)
    alive: set[str] = set()
    for step in network.steps:
        done += macs.get(step.name, 0)
        computed = step.name in macs or not alive.isdisjoint(step.inputs)
        alive = (alive.union(step.outputs if computed else ()) - set(step.dead)).difference(network.outputs)
        if computed and len(alive) == 1:
            (waist,) = alive
            if done < total or network.bytes[waist] > outputs:
                widest[done] = max(waist, widest.get(done, waist), key=network.bytes.get)
    picked = [max((before for before in widest if before * most <= total * share), default=None) for share in range(1, most + 1)]
    return tuple(widest[before] for before in dict.fromkeys(picked) if before is not None)
