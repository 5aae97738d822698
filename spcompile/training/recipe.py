"""What recovery does with its time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Adam towards the dense network's output and to values inside it, with a linear warm-up and a cosine to zero.

    Distillation: Hinton et al. 2015, arXiv:1503.02531; such values as hints: Romero et al. 2015, arXiv:1412.6550, equation 2.
    """

    batches: tuple[int, int] = (32, 128)  # samples: at least, where one takes long, and at most
    batch_values: int = 1 << 25  # of all layers' outputs, in as many samples otherwise
    batch_bytes: float = 4e9  # of all values, which the way back needs: fewer samples yet where one takes so much, a language model's window
    first_gain: float = 0.3  # of the loss, by the first order, in the largest step, were its signs all right; networks differ too much for one learning rate
    warm_share: float = 0.05  # of the time, in which the rate rises
    hint_weight: float = 100.0  # of the hinted values' mean relative error, against the output's: scores alone tell too little about what was lost
    most_hints: int = 3  # comparing every one would take longer than the layers themselves
    softening: float = 2.0  # what class scores are divided by
    most_steps: int | None = None  # end, and set the schedule, by steps instead of time: the result is then the same on every such machine

    def __post_init__(self):
        assert 0 < self.batches[0] <= self.batches[1] and self.first_gain > 0 and 0 < self.warm_share < 1, self

    def batch_of(self, values: int, bytes_: int) -> int:
        """Samples, each with so many values in all layers' outputs and so many bytes of values in all."""
        return max(1, min(as_many(self.batches, self.batch_values // values), int(self.batch_bytes // bytes_)))


def as_many(bounds: tuple[int, int], wanted: int) -> int:
    """`wanted`, but no fewer than the first bound and no more than the second."""
    least, most = bounds
    return min(most, max(least, wanted))
