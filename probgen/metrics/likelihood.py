r"""Likelihood on held-out data, per datum and per dimension, with its standard error.

For a density over the cube :math:`[0, 1]^D` of values with L levels (see ``probgen.data.dequantization``),

.. math::

    \mathrm{bits/dim} = -\frac{1}{D}\left(\log_2 p(v) - D \log_2 L\right),

the cost of coding the integers; for uniformly dequantized integers it is an upper bound of theirs. On any other interval the
:math:`\log_2 L` becomes :math:`-\log_2 w` with the width w of a bin (``probgen.distributions.Quantization``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from probgen.distributions.quantization import Quantization

__all__ = ["MeanError", "bits_per_dim", "cross_entropy", "mean_and_error"]


class MeanError(NamedTuple):
    r"""A mean with the standard error of it.

    Attributes:
        mean: The sample mean.
        error: Standard deviation over :math:`\sqrt n`.

    Example:
        >>> from probgen.metrics import MeanError
        >>> print(MeanError(1.23456, 0.0123))
        1.235 ± 0.012
    """

    mean: float
    error: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.error:.3f}"


def mean_and_error(values: Tensor) -> MeanError:
    """Mean over independent data, with its standard error.

    Args:
        values: One number a datum, any shape, at least two.

    Raises:
        ValueError: fewer than two values.

    Example:
        >>> import torch
        >>> from probgen.metrics import mean_and_error
        >>> mean_and_error(torch.tensor([1.0, 3.0]))
        MeanError(mean=2.0, error=1.0)
    """
    n = values.numel()
    if n < 2:
        raise ValueError(f"`values` must hold at least 2 numbers; got {n}.")
    values = values.detach().double()
    return MeanError(float(values.mean()), float(values.std() / math.sqrt(n)))


def bits_per_dim(log_prob: Tensor, dims: int, *, levels: int | Quantization | None = None) -> MeanError:
    """Bits per dimension of held-out data, mean and standard error over the data.

    Args:
        log_prob: Log-density (or log-mass) of every datum in nats, any shape.
        dims: Number of dimensions D of one datum.
        levels: The levels an entry had before dequantization: their ``Quantization``, or their number where they were cells of
            the unit interval. None to report the density itself, or where ``log_prob`` is a mass already.

    Raises:
        ValueError: ``dims`` is not positive, or fewer than two data.

    Example:
        The uniform density on the cube costs log2(16) = 4 bits for each of 16 gray values.

        >>> import torch
        >>> from probgen.metrics import bits_per_dim
        >>> print(bits_per_dim(torch.zeros(10), dims=64, levels=16))
        4.000 ± 0.000

        In the units of bytes whose centers span [-1, 1] a density of one costs 6.994 bits.

        >>> from probgen.distributions import Quantization
        >>> print(bits_per_dim(torch.zeros(10), dims=64, levels=Quantization(256, -1.0, 1.0)))
        6.994 ± 0.000
    """
    if dims < 1:
        raise ValueError(f"`dims` must be at least 1; got {dims}.")
    bits = -log_prob.detach().double() / (dims * math.log(2.0))
    quantization = Quantization.from_cells(levels) if isinstance(levels, int) else levels
    return mean_and_error(bits + (quantization.density_bits if quantization is not None else 0.0))


def cross_entropy(log_prob: Callable[[Tensor], Tensor], x: Tensor, *, rows: int = 100) -> MeanError:
    r"""Cost of held-out data in nats a datum, :math:`-\frac1N \sum_n \log p(x_n)`, with its standard error over the data.

    Args:
        log_prob: From data ``[n, *event]`` to log-probabilities ``[n]``: the method of a law, or a bound of it.
        x: The data, ``[N, *event]``.
        rows: How many are scored at once, without gradients.

    Raises:
        ValueError: ``rows`` is not positive, or fewer than two data.

    References:
        Cover, Thomas (2006). Elements of information theory, section 5.4. https://doi.org/10.1002/047174882X

    Example:
        >>> import torch
        >>> from probgen.metrics import cross_entropy
        >>> law = torch.distributions.Independent(torch.distributions.Bernoulli(torch.full((4,), 0.5)), 1)
        >>> print(cross_entropy(law.log_prob, torch.ones(10, 4), rows=3))
        2.773 ± 0.000
    """
    if rows < 1:
        raise ValueError(f"`rows` must be at least 1; got {rows}.")
    with torch.no_grad():
        return mean_and_error(-torch.cat([log_prob(part) for part in x.split(rows)]))
