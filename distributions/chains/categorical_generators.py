r"""Jumps between neighboring values: a kernel from a rate matrix, and the discretized Gaussian one.

Any rate matrix R (non-negative off the diagonal, rows that sum to zero) gives transition matrices that compose,

.. math:: Q_{t \mid s} = \exp\bigl((\tau(t) - \tau(s))\, R\bigr), \qquad \tau = -\log\kappa .

With the rates scaled so that the slowest mode decays at rate one, the second eigenvalue of :math:`Q_{t \mid s}` is the keep
probability :math:`\kappa_{t \mid s}`, as for the uniform and the absorbing kernel, which have all their modes there. The
exponential is a series of non-negative terms and repeated squaring, :math:`e^{A} = e^{-c} (e^{(A + c I) / 2^m})^{2^m}`, so
that even the smallest probability has a small *relative* error. It costs :math:`K^3` for each time, and :math:`K^2` for each
coordinate.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from probgen.distributions.chains.categorical_kernels import JumpKernel, log_keep
from probgen.distributions.chains.noise_level import NoiseLevel
from probgen.distributions.chains.tables import ExactTables

__all__ = ["GeneratorJumps", "gaussian_rates"]

_LONGEST = 60.0  # exp(-60) of the slowest mode is left: nothing, in float64
_TERMS = 18  # of the exponential series, for arguments up to one half


class GeneratorJumps(JumpKernel, ExactTables):
    r"""Jumps with given rates: :math:`Q_{t \mid s} = \exp((\tau(t) - \tau(s)) R)`.

    Args:
        rates: Rate matrix R of shape ``[states, states]``: jumps from row to column.
        values: Number of values of the data, the first of the states; all by default.

    Raises:
        ValueError: not a square matrix, a negative rate off the diagonal, rows that do not sum to zero, or no rate at all.

    References:
        Austin, Johnson, Ho, Tarlow, van den Berg (2021). Structured denoising diffusion models in discrete state-spaces.
        https://arxiv.org/abs/2107.03006
        Campbell, Benton, De Bortoli, Rainforth, Deligiannidis, Doucet (2022). A continuous time framework for discrete
        denoising models. https://arxiv.org/abs/2205.14987

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import GeneratorJumps, gaussian_rates, linear_keep_schedule
        >>> schedule, kernel = linear_keep_schedule(), GeneratorJumps(gaussian_rates(5))
        >>> kernel.row(torch.tensor(1), schedule.level(0.0), schedule.level(0.3), torch.zeros(()), 0).exp()
        tensor([0.3019, 0.3521, 0.2223, 0.0912, 0.0325])
    """

    rates: Tensor

    def __init__(self, rates: Tensor, values: int | None = None) -> None:
        if rates.dim() != 2 or rates.shape[0] != rates.shape[1]:
            raise ValueError(f"`rates` must be a square matrix; got shape {tuple(rates.shape)}.")
        super().__init__(len(rates) if values is None else values, len(rates))
        off = rates - torch.diag(rates.diagonal())
        if bool((off < 0).any()) or not torch.allclose(off.sum(1), -rates.diagonal(), rtol=1e-6):
            raise ValueError("`rates` must be non-negative off the diagonal, with rows that sum to zero.")
        if not bool((off > 0).any()):
            raise ValueError("`rates` must let some state jump; all rates are zero.")
        self.register_buffer("rates", rates.double())
        fastest = float(-rates.diagonal().min())
        self._fastest = fastest
        self._squarings = max(0, math.ceil(math.log2(2 * _LONGEST * fastest)))

    def log_matrix(self, keep: Tensor) -> Tensor:
        r""":math:`\log Q` for log keep probabilities ``[*batch]``: shape ``[*batch, states, states]``, float64."""
        duration = (-keep).clamp(max=_LONGEST)[..., None, None]
        identity = torch.eye(self.states, dtype=self.rates.dtype, device=self.rates.device)
        step = duration * (self.rates + self._fastest * identity) / 2**self._squarings
        total = term = identity.expand_as(step)
        for order in range(1, _TERMS + 1):
            term = term @ step / order
            total = total + term
        total = total * torch.exp(-duration * self._fastest / 2**self._squarings)
        for _ in range(self._squarings):
            total = total @ total
            total = total / total.sum(-1, keepdim=True)
        return total.log()

    def row(self, x: Tensor, s: NoiseLevel, t: NoiseLevel, like: Tensor, event_dim: int) -> Tensor:
        """See the base class."""
        return self._rows(self.log_matrix(log_keep(s, t)), x, event_dim).to(like.dtype)

    def column(self, x: Tensor, s: NoiseLevel, t: NoiseLevel, like: Tensor, event_dim: int) -> Tensor:
        """See the base class."""
        return self._rows(self.log_matrix(log_keep(s, t)).mT, x, event_dim).to(like.dtype)

    def mixture(self, log_weights: Tensor, s: NoiseLevel, event_dim: int) -> Tensor:
        """See the base class."""
        matrix = self.log_matrix(logsigmoid(s.log_snr))[..., : self.values, :].to(log_weights.dtype)
        matrix = matrix.reshape(*matrix.shape[:-2], *(1,) * event_dim, self.values, self.states)
        return torch.logsumexp(log_weights.unsqueeze(-1) + matrix, -2)

    def noise(self, like: Tensor) -> Tensor:
        """See the base class: what any value has become after a long time."""
        return self.log_matrix(torch.full((), -torch.inf, dtype=torch.float64, device=like.device))[0].to(like)

    def _rows(self, matrix: Tensor, x: Tensor, event_dim: int) -> Tensor:
        """The rows x of matrices ``[*batch, states, states]``, shape ``[*batch, *event, states]``."""
        batch = torch.broadcast_shapes(matrix.shape[:-2], x.shape[: x.dim() - event_dim])
        event = x.shape[x.dim() - event_dim :]
        size, last = event.numel(), (self.states,)
        flat = x.broadcast_to((*batch, *event)).reshape(*batch, size, 1).broadcast_to((*batch, size, *last))
        rows = torch.gather(matrix.broadcast_to((*batch, *last, *last)), -2, flat)
        return rows.reshape((*batch, *event, *last))


def gaussian_rates(values: int, width: float = 0.15) -> Tensor:
    r"""Rates of jumps that fall off as a normal density with the distance of the values, for ordinal data.

    :math:`R_{ij} \propto \exp\bigl(-\tfrac12 (i - j)^2 / (w (K - 1))^2\bigr)` off the diagonal, scaled so that the slowest
    mode decays at rate one. The matrix is symmetric, so the stationary law is uniform.

    Args:
        values: Number K of values, at least 2.
        width: Standard deviation w of a jump, as a fraction of the range.

    Raises:
        ValueError: fewer than two values, or a width that is not positive.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import gaussian_rates
        >>> rates = gaussian_rates(6)
        >>> bool(rates[0, 1] > rates[0, 2] > rates[0, 3]), round(float(torch.linalg.eigvalsh(rates)[-2]), 9)
        (True, -1.0)
    """
    if values < 2 or not width > 0:
        raise ValueError(f"`values` must be at least 2 and `width` positive; got {values} and {width}.")
    place = torch.arange(values, dtype=torch.float64)
    distance = (place[:, None] - place) / (width * (values - 1))
    rates = torch.exp(-0.5 * distance.square())
    rates = rates - torch.diag(rates.sum(1))
    slowest: Tensor = -torch.linalg.eigvalsh(rates)[-2]
    return rates / slowest
