"""Training under frozen masks."""

from spcompile.training.distillation import Recipe
from spcompile.training.finetune import finetune, finetuned
from spcompile.training.recover import recover

__all__ = ["Recipe", "finetune", "finetuned", "recover"]
