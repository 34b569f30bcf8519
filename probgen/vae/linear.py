r"""Linear autoencoders and principal components.

For centered data with covariance :math:`S = U \operatorname{diag}(l_1 \ge l_2 \ge \dots) U^\top` (in 1/N), no linear encoder
and decoder with q codes reconstruct better than the projection on the first q principal components,

.. math::

    \min_{A, B} \tfrac1N \sum_n \lVert x_n - A B x_n \rVert^2 = \sum_{j > q} l_j, \qquad A B = U_q U_q^\top,

and every minimizer has that product: the subspace is unique (if :math:`l_q > l_{q+1}`), its basis is not.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from probgen.vae.autoencoder import Autoencoder

__all__ = ["PrincipalComponents", "linear_autoencoder", "principal_angles", "principal_components"]


class PrincipalComponents(NamedTuple):
    """Principal components of data.

    Attributes:
        mean: Mean of the data, ``[D]``.
        directions: Orthonormal directions in its columns, ``[D, q]``, largest variance first.
        variances: All D variances, in 1/N, largest first, ``[D]``.

    Example:
        >>> import torch
        >>> from probgen.vae import principal_components
        >>> found = principal_components(torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), 1)
        >>> found.variances, found.discarded()
        (tensor([2.0000, 0.5000]), tensor(0.5000))
    """

    mean: Tensor
    directions: Tensor
    variances: Tensor

    def discarded(self) -> Tensor:
        """The sum of the variances that are left out: the mean squared error of the best linear reconstruction."""
        return self.variances[self.directions.shape[-1] :].sum()

    def autoencoder(self) -> Autoencoder:
        """The projection on the components, as a linear autoencoder."""
        features, codes = self.directions.shape
        encoder, decoder = (
            nn.Linear(inputs, outputs, dtype=self.mean.dtype, device=self.mean.device)
            for inputs, outputs in ((features, codes), (codes, features))
        )
        with torch.no_grad():
            encoder.weight.copy_(self.directions.mT)
            encoder.bias.copy_(-self.directions.mT @ self.mean)
            decoder.weight.copy_(self.directions)
            decoder.bias.copy_(self.mean)
        return Autoencoder(encoder, decoder, (features,), (codes,))


def principal_components(x: Tensor, count: int) -> PrincipalComponents:
    """The first principal components of data, by a singular value decomposition.

    Args:
        x: Data ``[N, D]``.
        count: How many components q.

    Raises:
        ValueError: the data are no matrix with rows, or q is not between 1 and D.

    References:
        Baldi, Hornik (1989). Neural networks and principal component analysis: learning from examples without local minima.
        https://doi.org/10.1016/0893-6080(89)90014-2

    Example:
        >>> import torch
        >>> from probgen.vae import principal_components
        >>> x = torch.randn(20, 3).double()
        >>> found = principal_components(x, 2)
        >>> torch.allclose(found.autoencoder().error(x).mean(), found.discarded())
        True
    """
    if x.dim() != 2 or not len(x):
        raise ValueError(f"`x` must be a matrix [N, D] with N > 0; got shape {tuple(x.shape)}.")
    if not 1 <= count <= x.shape[1]:
        raise ValueError(f"`count` must lie between 1 and the {x.shape[1]} coordinates of `x`; got {count}.")
    mean = x.mean(0)
    _, singular, rows = torch.linalg.svd(x - mean, full_matrices=True)
    variances = torch.zeros_like(mean)
    variances[: len(singular)] = singular.square() / len(x)
    return PrincipalComponents(mean, rows[:count].mT.contiguous(), variances)


def principal_angles(a: Tensor, b: Tensor) -> Tensor:
    r"""The angles between the subspaces that the columns of two matrices span, in radians, smallest first.

    .. math:: \sin \theta = \text{singular values of } (I - Q_a Q_a^\top) Q_b

    They are 0 for two bases of one subspace. From the sine, so that small angles are exact.

    Args:
        a: Shape ``[D, p]``, of full rank.
        b: Shape ``[D, q]``, of full rank, :math:`q \le p`.

    Returns:
        Shape ``[q]``.

    Raises:
        ValueError: the matrices have different numbers of rows, or the second has more columns.

    References:
        Björck, Golub (1973). Numerical methods for computing angles between linear subspaces.
        https://doi.org/10.1090/S0025-5718-1973-0348991-3

    Example:
        >>> import torch
        >>> from probgen.vae import principal_angles
        >>> principal_angles(torch.tensor([[1.0], [0.0]]), torch.tensor([[1.0], [1.0]]))
        tensor([0.7854])
    """
    if a.dim() != 2 or b.dim() != 2 or len(a) != len(b) or b.shape[1] > a.shape[1]:
        raise ValueError(f"`a` [D, p] and `b` [D, q], q <= p, must be matrices; got {tuple(a.shape)}, {tuple(b.shape)}.")
    first, second = torch.linalg.qr(a).Q, torch.linalg.qr(b).Q
    sines = torch.linalg.svdvals(second - first @ (first.mT @ second))
    return torch.arcsin(sines.clamp(max=1.0)).flip(0)


def linear_autoencoder(num_features: int, num_codes: int) -> Autoencoder:
    """An autoencoder of two linear maps with shifts, which training takes to the principal components.

    Args:
        num_features: Coordinates D of a datum.
        num_codes: Coordinates q of a code.

    Raises:
        ValueError: a number is not positive.

    Example:
        >>> import torch
        >>> from probgen.vae import linear_autoencoder
        >>> linear_autoencoder(64, 8).encode(torch.zeros(5, 64)).shape
        torch.Size([5, 8])
    """
    if min(num_features, num_codes) < 1:
        raise ValueError(f"`num_features` and `num_codes` must be positive; got {num_features} and {num_codes}.")
    encoder, decoder = nn.Linear(num_features, num_codes), nn.Linear(num_codes, num_features)
    nn.init.normal_(decoder.weight, std=1 / math.sqrt(num_features))
    return Autoencoder(encoder, decoder, (num_features,), (num_codes,))
