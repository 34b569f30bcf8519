"""Evaluation mode for the length of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

__all__ = ["evaluating"]


@contextmanager
def evaluating(*modules: nn.Module) -> Iterator[None]:
    """Put modules in evaluation mode; afterwards every part has the mode that it had, frozen parts of a model in training too.

    Args:
        modules: The modules.

    Example:
        >>> import torch
        >>> from probgen.infer.evaluation_mode import evaluating
        >>> network = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Dropout().eval())
        >>> with evaluating(network):
        ...     modes = [part.training for part in network]
        >>> modes, [part.training for part in network]
        ([False, False], [True, False])
    """
    modes = [(part, part.training) for module in modules for part in module.modules()]
    try:
        for module in modules:
            module.eval()
        yield
    finally:
        for part, mode in modes:
            part.training = mode
