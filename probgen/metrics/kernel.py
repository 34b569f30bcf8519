r"""The kernel distance: the squared maximum mean discrepancy, without bias.

.. math::

    \widehat{\mathrm{MMD}}^2 = \frac{\sum_{i \ne j} k(a_i, a_j)}{n (n - 1)} + \frac{\sum_{i \ne j} k(b_i, b_j)}{m (m - 1)}
    - \frac{2 \sum_{i, j} k(a_i, b_j)}{n m} .

With the cubic kernel :math:`k(x, y) = (x^\top y/\text{features} + 1)^3`, the field's habit, it compares means, covariances and
third moments; with a Gaussian one whole laws. Its expectation is zero for two sets from one law whatever their size (so it
may come out negative), and its standard error is that of the jackknife, which leaves out one example at a time: all of them
follow from the row sums of the three kernel matrices.

References:
    Gretton, Borgwardt, Rasch, Schölkopf, Smola (2012). A kernel two-sample test. https://jmlr.org/papers/v13/gretton12a.html
    Bińkowski, Sutherland, Arbel, Gretton (2018). Demystifying MMD GANs. https://arxiv.org/abs/1801.01401
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.infer.divergences.kernels import Kernel, PolynomialKernel
from probgen.metrics._checks import as_feature_pair
from probgen.metrics.likelihood import MeanError

__all__ = ["kernel_distance"]

_CHUNK = 1024


def kernel_distance(features_a: Tensor, features_b: Tensor, *, kernel: Kernel | None = None) -> MeanError:
    """The unbiased squared kernel distance between two sets of features, with its jackknife standard error.

    Args:
        features_a: One set, ``[n, features]``, at least three rows.
        features_b: The other, ``[m, features]``.
        kernel: From features ``[n, features]`` and ``[m, features]`` to ``[n, m]``: ``GaussianKernel((1.0, 2.0))``, say; None:
            ``PolynomialKernel(3)``.

    Returns:
        The squared distance and its standard error. Near zero the error is an overestimate.

    Raises:
        ValueError: shapes do not fit, fewer than three rows, NaN or infinity.

    References:
        Bińkowski, Sutherland, Arbel, Gretton (2018). Demystifying MMD GANs. https://arxiv.org/abs/1801.01401

    Example:
        >>> import torch
        >>> from probgen.metrics import kernel_distance
        >>> generator = torch.Generator().manual_seed(0)
        >>> a, b = torch.randn(2, 500, 4, generator=generator)
        >>> near, far = kernel_distance(a, b), kernel_distance(a, b + 1)
        >>> abs(near.mean) < 4 * near.error, far.mean > 10 * far.error
        (True, True)
    """
    k = PolynomialKernel() if kernel is None else kernel
    a, b = as_feature_pair(("features_a", "features_b"), features_a, features_b, least=3)
    n, m = len(a), len(b)
    within_a, within_b = _sums_over_others(k, a), _sums_over_others(k, b)
    across_a, across_b = _row_sums(k, a, b), _row_sums(k, b, a)
    mean_a, mean_b = within_a.sum() / (n * (n - 1)), within_b.sum() / (m * (m - 1))
    total = across_a.sum()
    without_a = _left_out(within_a) + mean_b - 2 * (total - across_a) / ((n - 1) * m)
    without_b = _left_out(within_b) + mean_a - 2 * (total - across_b) / ((m - 1) * n)
    variance = sum((len(x) - 1) * x.var(correction=0) for x in (without_a, without_b))
    return MeanError(float(mean_a + mean_b - 2 * total / (n * m)), float(torch.as_tensor(variance).sqrt()))


def _left_out(row_sums: Tensor) -> Tensor:
    """The mean over pairs when one example is left out, for each of them."""
    n = len(row_sums)
    return (row_sums.sum() - 2 * row_sums) / ((n - 1) * (n - 2))


def _row_sums(kernel: Kernel, x: Tensor, y: Tensor) -> Tensor:
    return torch.cat([kernel(part, y).sum(1) for part in x.split(_CHUNK)])


def _sums_over_others(kernel: Kernel, x: Tensor) -> Tensor:
    """Row sums without the pair of an example with itself."""
    itself = torch.cat([kernel(part, part).diagonal() for part in x.split(_CHUNK)])
    return _row_sums(kernel, x, x) - itself
