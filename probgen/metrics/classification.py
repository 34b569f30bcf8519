r"""Classification and detection: accuracy and the area under the ROC curve.

The area is the Mann–Whitney statistic: the probability that a random positive scores above a random negative, ties counting one
half,

.. math::

    \mathrm{AUROC} = \Pr(s^+ > s^-) + \tfrac12 \Pr(s^+ = s^-).
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.metrics.likelihood import MeanError, mean_and_error

__all__ = ["accuracy", "auroc"]


def accuracy(predicted: Tensor, target: Tensor) -> MeanError:
    """Share of right answers, with its standard error.

    Args:
        predicted: Class indices ``[n]``, or scores ``[n, classes]`` of which the largest counts.
        target: True classes ``[n]``.

    Raises:
        ValueError: the lengths differ.

    Example:
        >>> import torch
        >>> from probgen.metrics import accuracy
        >>> accuracy(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 2, 0])).mean
        0.75
    """
    if predicted.dim() == target.dim() + 1:
        predicted = predicted.argmax(-1)
    if predicted.shape != target.shape:
        raise ValueError(f"`predicted` must have the shape {tuple(target.shape)} of `target`; got {tuple(predicted.shape)}.")
    return mean_and_error((predicted == target).double())


def auroc(positive: Tensor, negative: Tensor) -> float:
    """Area under the ROC curve of a score that should be high on ``positive`` and low on ``negative``.

    Args:
        positive: Scores ``[n]``, infinities allowed.
        negative: Scores ``[m]``.

    Raises:
        ValueError: one of them is empty or holds NaN.

    References:
        Hanley, McNeil (1982). The meaning and use of the area under a receiver operating characteristic curve.
        https://doi.org/10.1148/radiology.143.1.7063747

    Example:
        >>> import torch
        >>> from probgen.metrics import auroc
        >>> auroc(torch.tensor([3.0, 2.0]), torch.tensor([1.0, 2.0]))
        0.875
    """
    for name, scores in (("positive", positive), ("negative", negative)):
        if scores.numel() == 0 or bool(scores.isnan().any()):
            raise ValueError(f"`{name}` must hold at least one score and no NaN; got {scores.numel()} score(s).")
    ordered = torch.sort(negative.detach().flatten()).values
    scores = positive.detach().flatten().contiguous()
    below = torch.searchsorted(ordered, scores, right=False)
    not_above = torch.searchsorted(ordered, scores, right=True)
    return float((below + not_above).double().mean() / (2 * ordered.numel()))
