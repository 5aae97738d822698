"""Why a layer got its option: one sentence, its figures from the search."""

from spcompile.plan import Option
from spcompile.search.candidates import Candidates

MOST_TIMES = 1000  # that are told exactly


def fastest(layer: Candidates, chosen: Option) -> str:
    """Of a plan that tries a budget nothing holds."""
    return f"{_named(chosen)}: the fastest option here, and still the budget is not met"


def weighed(layer: Candidates, chosen: Option, price: float) -> str:
    """Of a least-error plan. price: error per second that the plan pays at its margin, 0 when the budget does not bind."""
    if chosen == layer.dense:
        return _why_dense(layer, price)
    saved = f"{_named(chosen)} is the least harmful way to save {_ms(_saved(layer.dense, chosen))} here"
    return saved + _next_step(layer, chosen, price)


def shared(reason: str, layers: int) -> str:
    """Of so many layers that share a weight."""
    return f"{reason}; all {layers} layers that share this weight together" if layers > 1 else reason


def _why_dense(layer: Candidates, price: float) -> str:
    if len(layer.options) == 1:
        return "dense: no pattern fits and is faster here"
    if not price:
        return "dense: the goal is met without this layer"
    gentlest = min(layer.options[1:], key=lambda option: _rate(layer.dense, option))
    times = _rate(layer.dense, gentlest) / price
    saving = f"{_named(gentlest)} would save {_ms(_saved(layer.dense, gentlest))}"
    if times < 1:
        return f"dense: {saving} more than the goal asks for"
    return f"dense: {saving} at {_multiple(times)} the harm per ms that suffices elsewhere"


def _next_step(layer: Candidates, chosen: Option, price: float) -> str:
    """What the gentlest faster option would cost, against the going rate."""
    faster = [option for option in layer.options if _saved(chosen, option) > 0]
    if not faster:
        return "; nothing on offer is faster"
    gentlest = min(faster, key=lambda option: _rate(chosen, option))
    more = f"{_named(gentlest)} would save {_ms(_saved(chosen, gentlest))} more"
    times = _rate(chosen, gentlest) / price if price else 0.0
    return f"; {more} at {_multiple(times)} the harm per ms that suffices elsewhere" if times >= 1 else f"; {more}, which the goal does not ask for"


def _named(option: Option) -> str:
    choice = option.choice
    return choice.pattern.notation if choice.pattern.fixed_sparsity is not None else f"{choice.pattern.notation} at {choice.sparsity * 100:.3g} %"


def _saved(slower: Option, faster: Option) -> float:
    return slower.latency.expected_s - faster.latency.expected_s


def _rate(slower: Option, faster: Option) -> float:
    """Error added per second saved."""
    return (faster.error - slower.error) / _saved(slower, faster)


def _multiple(times: float) -> str:
    return f"{times:.1f} times" if times < MOST_TIMES else f"more than {MOST_TIMES:,} times"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2g} ms"
