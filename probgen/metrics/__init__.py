"""Numbers that say how good a model is: bits per dimension, accuracy, AUROC, each with its uncertainty where it has one.

This package does not train and does not plot.
"""

from probgen.metrics.classification import accuracy, auroc
from probgen.metrics.likelihood import MeanError, bits_per_dim, mean_and_error

__all__ = ["MeanError", "accuracy", "auroc", "bits_per_dim", "mean_and_error"]
