r"""Slicing, which forgets coordinates: :math:`v = u_1` of :math:`u = (u_1, u_2)`, with :math:`\kappa(u_2 \mid u_1)`.

As an inference surjection (``Slice(...).inv``) it *factors out*: the base holds the kept coordinates, and a conditional law
adds the others, :math:`p(x) = p(x_1)\, \kappa(x_2 \mid x_1)`, exactly. As a generative one it *augments*: the base has more
coordinates than the data, the guide fills them in, and the model is a flow with auxiliary variables.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution as TorchDistribution
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.standard import StandardNormal
from probgen.distributions.surjections.surjection import RemainderLaw, Surjection

__all__ = ["Slice"]


class Slice(Surjection):
    r"""Keep the first coordinates along one axis of the event; the remainder is the others. The determinant is one.

    Args:
        kept: How many coordinates of :math:`u` are kept.
        removed: How many are forgotten.
        law: From the kept block ``[*batch, *event]`` to the law of the removed one, of the same shape but for the axis; with
            ``rsample``, where it is learned. None for independent standard normal coordinates.
        dim: The axis, negative: -1 for vectors, -3 for the channels of an image; the event begins there.
        context_shape: Trailing shape of the context that ``law`` takes, or None.

    Raises:
        ValueError: a number is not positive, or the axis is not negative.

    References:
        Huang, Dinh, Courville (2020). Augmented normalizing flows. https://arxiv.org/abs/2002.07101
        Dinh, Sohl-Dickstein, Bengio (2017). Density estimation using Real NVP. https://arxiv.org/abs/1605.08803

    Example:
        >>> import torch
        >>> from pyro.distributions import Normal
        >>> from probgen.distributions import SurjectiveDistribution, standard_normal
        >>> from probgen.distributions.surjections import Slice
        >>> pair = SurjectiveDistribution(standard_normal(1), Slice(1, 1, lambda x: Normal(x, 0.5).to_event(1)).inv)
        >>> pair.sample((5,)).shape, pair.log_prob_kind, pair.log_prob(torch.tensor([0.0, 0.0]))
        (torch.Size([5, 2]), 'exact', tensor(-1.1447))
    """

    def __init__(
        self,
        kept: int,
        removed: int,
        law: RemainderLaw | None = None,
        *,
        dim: int = -1,
        context_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__(law, context_shape)
        if kept < 1 or removed < 1:
            raise ValueError(f"`kept` and `removed` must be positive; got {kept} and {removed}.")
        if dim >= 0:
            raise ValueError(f"`dim` must be negative: it counts from the end of the event; got {dim}.")
        self.kept, self.removed, self.dim = kept, removed, dim

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The reals."""
        return constraints.independent(constraints.real, -self.dim)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The reals."""
        return constraints.independent(constraints.real, -self.dim)

    def extra_repr(self) -> str:
        """Sizes of the blocks."""
        return f"kept={self.kept}, removed={self.removed}, dim={self.dim}"

    def _forward_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        self._require(event, self.kept + self.removed)
        return (self.kept, *event[1:])

    def _inverse_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        self._require(event, self.kept)
        return (self.kept + self.removed, *event[1:])

    def _remainder_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        return (self.removed, *event[1:])

    def _default_law(self, v: Tensor, batch: torch.Size, event: tuple[int, ...]) -> TorchDistribution:
        return StandardNormal(event, batch, dtype=v.dtype, device=v.device, validate_args=False)

    def _project(self, u: Tensor) -> Tensor:
        self._require(tuple(u.shape[self.dim :]), self.kept + self.removed)
        return u.narrow(self.dim, 0, self.kept)

    def _split(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor | float]:
        return self._project(u), u.narrow(self.dim, self.kept, self.removed), 0.0

    def _join(self, v: Tensor, r: Tensor) -> tuple[Tensor, Tensor | float]:
        self._require(tuple(v.shape[self.dim :]), self.kept)
        batch = torch.broadcast_shapes(v.shape[: self.dim], r.shape[: self.dim])
        blocks = [block.expand(*batch, *block.shape[self.dim :]) for block in (v, r)]
        return torch.cat(blocks, self.dim), 0.0

    def _require(self, event: tuple[int, ...], wanted: int) -> None:
        if event[0] != wanted:
            raise ValueError(f"{type(self).__name__} needs {wanted} coordinates along axis {self.dim}; got {event[0]}.")
