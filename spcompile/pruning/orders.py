"""Orders of channels that suit a pattern: rows that want the same columns side by side, for blocks; in-channels that seldom compete, for N:M.

Pool and Yu 2021, "Channel permutations for N:M sparsity" (NeurIPS 34), put in-channels in such an order by exchanging two at a time. Here one of every
group moves at once, and who goes where is matched exactly.
"""

import numpy as np

LARGEST = 16  # rows of a block that neighbours are chosen for
KEPT = 0.4  # share of weights that neighbours are chosen for; between a half and a fifth the outcome hardly differs
ROUNDS = 3  # of matching at each doubling, at least; more change almost nothing
MATCHED = 512  # units in all rounds together, at least: few units are matched more often, which costs nothing
MOVES = 8  # of every in-channel, on average; ten times as many gain another hundredth
COLUMNS, PLACES = 512, 2048  # drawn by chance, that stand for all where there are more: the time of matching grows with rows squared times columns


def alike(saliency: np.ndarray, size: int = 1) -> np.ndarray:
    """saliency [rows, columns], >= 0 -> the order of rows, int64: from neighbour pairs to pairs of pairs and on, where the rows divide.

    `size` neighbours are together already, and stay so.
    """
    order, saliency = np.arange(len(saliency)), _sampled(saliency, COLUMNS)
    while size < LARGEST and len(saliency) % (2 * size) == 0:
        units = saliency[order].reshape(-1, size, saliency.shape[1]).sum(axis=1)
        order = order.reshape(-1, size)[_paired(units.astype(np.float32))].reshape(-1)
        size *= 2
    return order


def apart(saliency: np.ndarray, kept: int, of: int) -> np.ndarray:
    """saliency [in-channels, places], >= 0 -> the order of in-channels, int64, that lets `kept` of every `of` neighbours keep much at each place.

    One member of every group leaves and all find their best new groups. What place p then keeps is the sum of its `kept` largest: of those that stayed, but
    for the last of these, t, which the newcomer x replaces if it is larger; max(t, x) = (t + x + |t - x|) / 2, and t and x alone do not change the matching.
    """
    assert 0 < kept < of and len(saliency) % of == 0, (saliency.shape, kept, of)
    random, saliency = np.random.default_rng(0), _sampled(saliency, PLACES).astype(np.float32)
    groups = np.arange(len(saliency)).reshape(-1, of)
    for _ in range(MOVES * of):
        leaves = np.arange(of) == random.integers(of, size=(len(groups), 1))
        staying, moving = groups[~leaves].reshape(-1, of - 1), groups[leaves]
        least = np.partition(saliency[staying], of - 1 - kept, axis=1)[:, of - 1 - kept]
        groups = np.column_stack([staying, moving[_matches(least, saliency[moving])]])
    return groups.reshape(-1)


def _matches(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """[n, places] each -> for every row of `left` one of `right`, its number: the matching whose absolute differences have the largest sum."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    return linear_sum_assignment(cdist(left, right, "cityblock"), maximize=True)[1]


def _sampled(saliency: np.ndarray, most: int) -> np.ndarray:
    columns = saliency.shape[1]
    return saliency if columns <= most else saliency[:, np.random.default_rng(0).choice(columns, most, replace=False)]


def _paired(units: np.ndarray) -> np.ndarray:
    """units [2 n, columns] -> an order in which 2 i and 2 i + 1 go well together: what both together have above a threshold, summed over columns, is large.

    The threshold is what a pair's column must have to be kept. One partner of every pair stays, the others are matched anew, exactly; which one, chance
    decides each time, so that any two can meet.
    """
    random, staying, moving = np.random.default_rng(0), *np.arange(len(units)).reshape(-1, 2).T
    for _ in range(max(ROUNDS, MATCHED // len(units))):
        turned = random.random(len(staying)) < 0.5
        staying, moving = np.where(turned, moving, staying), np.where(turned, staying, moving)
        threshold = np.quantile(units[staying] + units[moving], 1 - KEPT).astype(np.float32)
        # max(x, 0) = (x + |x|) / 2, and what is the same for a whole row or column does not change who is matched with whom.
        moving = moving[_matches(threshold - units[staying], units[moving])]
    return np.stack([staying, moving], axis=1).reshape(-1)
