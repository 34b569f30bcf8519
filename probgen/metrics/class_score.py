r"""The score of classes: are single examples clear, and are all of them different? (The form of the "inception score".)

.. math:: S = \exp\, \mathbb E_x\bigl[\mathrm{KL}(p(y \mid x) \,\|\, p(y))\bigr] = e^{I(x; y)},
    \qquad p(y) = \mathbb E_x[p(y \mid x)]

with the predictions of a classifier: the exponential of the mutual information of an example and its predicted class, between
1 and the number of classes K. It is near K for a generator that repeats one clear example of each class, so it sees collapse
within classes not at all. With the mean of n predictions in the place of :math:`p(y)` the information comes out too small or
too large by an order of 1/n; the standard error is that of the jackknife.

It is an "inception score" only with the predictions of the Inception network on ImageNet: name the classifier, and give
the score of real examples beside it.

References:
    Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen (2016). Improved techniques for training GANs.
    https://arxiv.org/abs/1606.03498

    Barratt, Sharma (2018). A note on the inception score. https://arxiv.org/abs/1801.01973
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.metrics._checks import as_features
from probgen.metrics.likelihood import MeanError

__all__ = ["class_score"]


def class_score(logits: Tensor) -> MeanError:
    r"""The score :math:`e^{I(x; y)}` of a classifier's predictions, with its jackknife standard error.

    Args:
        logits: Predictions for generated examples, ``[n, classes]``; log-probabilities will do.

    Returns:
        The score, from 1 to the number of classes, and its standard error.

    Raises:
        ValueError: the predictions are no matrix of finite numbers with at least two rows.

    References:
        Salimans et al. (2016). Improved techniques for training GANs. https://arxiv.org/abs/1606.03498

    Example:
        >>> import torch
        >>> from probgen.metrics import class_score
        >>> sure = 50 * torch.eye(10).repeat(20, 1)  # every class, and no doubt
        >>> round(class_score(sure).mean, 6), round(class_score(sure[:1].expand(9, 10)).mean, 6)  # one class only
        (10.0, 1.0)
    """
    log_given = as_features("logits", logits).log_softmax(1)
    n, given = len(log_given), log_given.exp()
    negative_entropy = torch.xlogy(given, given).sum(1)
    information = negative_entropy.mean() - torch.xlogy(given.mean(0), given.mean(0)).sum()
    without = (given.sum(0) - given) / (n - 1)  # the mean prediction when one example is left out
    left_out = (negative_entropy.sum() - negative_entropy) / (n - 1) - torch.xlogy(without, without).sum(1)
    scores = left_out.exp()
    return MeanError(float(information.exp()), float(((n - 1) * scores.var(correction=0)).sqrt()))
