r"""The sliced Wasserstein distance: the mean over directions of the distance on the line, which sorting gives exactly.

.. math::

    \mathrm{SW}_p^p = \mathbb E_{\theta}\Bigl[
        \int_0^1 \bigl|F^{-1}_{\theta^\top a}(u) - F^{-1}_{\theta^\top b}(u)\bigr|^p\, du\Bigr],
    \qquad \theta \text{ uniform on the sphere}

It is zero for equal laws only, and needs no kernel and no covariance matrix. For two sets from one law it is positive by
chance: compare it with that of two sets of data (the floor).

References:
    Bonneel, Rabin, Peyré, Pfister (2015). Sliced and Radon Wasserstein barycenters of measures.
    https://doi.org/10.1007/s10851-014-0506-3
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.metrics._checks import as_feature_pair
from probgen.metrics.likelihood import MeanError, mean_and_error

__all__ = ["sliced_wasserstein_distance", "wasserstein_on_lines"]


def wasserstein_on_lines(a: Tensor, b: Tensor, power: float = 1.0) -> Tensor:
    r"""The Wasserstein distance of two sets of numbers to the power p, exact.

    .. math:: \int_0^1 |F_a^{-1}(u) - F_b^{-1}(u)|^p\, du

    Args:
        a: Numbers ``[n, lines]``, one set a column.
        b: Numbers ``[m, lines]``; n and m may differ.
        power: The exponent p, at least one.

    Returns:
        Shape ``[lines]``.

    Raises:
        ValueError: the exponent is below one.

    Example:
        >>> import torch
        >>> from probgen.metrics.sliced import wasserstein_on_lines
        >>> wasserstein_on_lines(torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0], [1.0], [2.0], [2.0]]))  # means 1/2 and 2
        tensor([1.5000])
    """
    if not power >= 1:
        raise ValueError(f"`power` must be at least 1; got {power}.")
    n, m = len(a), len(b)
    steps = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique().to(a.device)  # in units of 1 / (n m)
    widths = torch.diff(steps, prepend=steps.new_zeros(1)).to(a.dtype) / (n * m)
    quantile_a = a.sort(0).values[torch.div(steps - 1, m, rounding_mode="floor")]
    quantile_b = b.sort(0).values[torch.div(steps - 1, n, rounding_mode="floor")]
    return ((quantile_a - quantile_b).abs() ** power * widths[:, None]).sum(0)


def sliced_wasserstein_distance(
    features_a: Tensor, features_b: Tensor, *, power: float = 1.0, num_directions: int = 256, seed: int = 0
) -> MeanError:
    r"""The sliced Wasserstein distance to the power p, :math:`\mathrm{SW}_p^p`, over random directions.

    Args:
        features_a: One set, ``[n, features]``.
        features_b: The other, ``[m, features]``.
        power: The exponent p, at least one.
        num_directions: How many directions, at least two.
        seed: Of the directions: one seed, one set of directions, so that models are compared along the same ones.

    Returns:
        The mean over directions and its standard error (that of the choice of directions, not of the examples).

    Raises:
        ValueError: shapes do not fit, NaN or infinity, fewer than two directions, or the exponent is below one.

    References:
        Bonneel, Rabin, Peyré, Pfister (2015). Sliced and Radon Wasserstein barycenters of measures.
        https://doi.org/10.1007/s10851-014-0506-3

    Example:
        >>> import torch
        >>> from probgen.metrics import sliced_wasserstein_distance
        >>> a = torch.randn(500, 4)
        >>> sliced_wasserstein_distance(a, a).mean
        0.0
        >>> moved = sliced_wasserstein_distance(a, a + torch.tensor([3.0, 0, 0, 0]), power=2.0)  # 9 / 4 on average
        >>> abs(moved.mean - 9 / 4) < 5 * moved.error
        True
    """
    if num_directions < 2:
        raise ValueError(f"`num_directions` must be at least 2; got {num_directions}.")
    a, b = as_feature_pair(("features_a", "features_b"), features_a, features_b)
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(a.shape[1], num_directions, generator=generator, dtype=torch.float64)
    directions = (directions / directions.norm(dim=0)).to(a.device)
    return mean_and_error(wasserstein_on_lines(a @ directions, b @ directions, power))
