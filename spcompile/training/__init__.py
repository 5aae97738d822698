"""Training under frozen masks."""

from spcompile.training.finetune import finetune, finetuned

__all__ = ["finetune", "finetuned"]
