"""Training under frozen masks."""

from spcompile.training.finetune import finetune, finetuned
from spcompile.training.recover import Recipe, recover

__all__ = ["Recipe", "finetune", "finetuned", "recover"]
