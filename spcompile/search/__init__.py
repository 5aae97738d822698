"""One option per layer: least harm within the budget."""

from spcompile.search.candidates import Candidates, Problem, candidates, timed_choices
from spcompile.search.choose import choose
from spcompile.search.frontier import frontier
from spcompile.search.max_drop import Trial, fastest_within
from spcompile.search.uniform import Uniform, uniforms

__all__ = ["Candidates", "Problem", "Trial", "Uniform", "candidates", "choose", "fastest_within", "frontier", "timed_choices", "uniforms"]
