"""Training under frozen masks."""

from spcompile.training.finetune import finetune

__all__ = ["finetune"]
