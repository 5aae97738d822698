"""Training a pruned network: recovery without labels, and the user's own fine-tuning."""

from spcompile.training.finetune import Finetuning, finetuned
from spcompile.training.held_out import held_out
from spcompile.training.recipe import Recipe
from spcompile.training.recover import recover
from spcompile.training.state import state_folder

__all__ = ["Finetuning", "Recipe", "finetuned", "held_out", "recover", "state_folder"]
