r"""Mixtures of discretized logistics whose colors depend on each other: the likelihood of PixelCNN++.

A pixel :math:`x = (x_1, \dots, x_C)` has colors at the bin centers of a quantization with middle m. One of K components is
chosen for the whole pixel; within it, a color is logistic around a location that is linear in the colors before it:

.. math::

    P(x) = \sum_{k=1}^K \pi_k \prod_{c=1}^C P_{\mathrm{DL}}\bigl(x_c \mid \mu_{kc}(x), s_{kc}\bigr), \qquad
    \mu_{kc}(x) = \mu_{kc} + \sum_{j < c} a_{kcj}\, (x_j - m),

with the discretized logistic law :math:`P_{\mathrm{DL}}`, outer bins open. The sum over :math:`x_C` telescopes to one
whatever stands before it, then that over :math:`x_{C-1}`, and so on: the mass is one. Draws are bin centers, since every color
is rounded before the next one is drawn: what can be drawn can be scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._mixture_mean import expected_colors
from probgen.distributions.base import Distribution
from probgen.distributions.categorical_levels import CategoricalLevels
from probgen.distributions.discretized import DiscretizedLogistic, at_least_float32
from probgen.distributions.events import checked
from probgen.distributions.numerics.categories import draw_categories
from probgen.distributions.quantization import BinCenters, Quantization, require_quantization

__all__ = ["DiscretizedLogisticMixture"]

_MOST_PIXELS = 2**20


class DiscretizedLogisticMixture(Distribution):
    r"""Pixels of C dependent colors at bin centers: a mixture of K components.

    Args:
        logits: Unnormalized log-weights of the components, ``[*batch, K]``.
        loc: Locations :math:`\mu_{kc}` in the units of the data, ``[*batch, K, C]``.
        scale: Scales :math:`s_{kc} > 0`, ``[*batch, K, C]``.
        quantization: The levels of a color.
        coefficients: :math:`a_{kcj}` for :math:`j < c`, ordered (2, 1), (3, 1), (3, 2), ...: ``[*batch, K, C (C - 1) / 2]``;
            None: the colors of a component are independent.
        validate_args: As in ``torch.distributions``.

    Raises:
        TypeError: ``quantization`` is no ``Quantization``.
        ValueError: shapes do not fit.

    References:
        Salimans, Karpathy, Chen, Kingma (2017). PixelCNN++. https://arxiv.org/abs/1701.05517

    Example:
        Three colors of two bits: all 64 pixels have mass one.

        >>> import torch
        >>> from probgen.distributions import DiscretizedLogisticMixture, Quantization
        >>> _ = torch.manual_seed(0)
        >>> law = DiscretizedLogisticMixture(
        ...     torch.randn(5), torch.randn(5, 3), torch.rand(5, 3), Quantization(4, -1.0, 1.0), coefficients=torch.randn(5, 3)
        ... )
        >>> pixels = law.enumerate_support()
        >>> pixels.shape, bool(law.log_prob(pixels).logsumexp(0).abs() < 1e-5)
        (torch.Size([64, 3]), True)
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {
        "logits": constraints.real_vector,
        "loc": constraints.independent(constraints.real, 2),
        "scale": constraints.independent(constraints.positive, 2),
    }
    has_enumerate_support = True

    def __init__(
        self,
        logits: Tensor,
        loc: Tensor,
        scale: Tensor,
        quantization: Quantization,
        *,
        coefficients: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        _require_shapes(logits, loc, scale, coefficients)
        parts = [logits, loc, scale, *([] if coefficients is None else [coefficients])]
        batch = torch.broadcast_shapes(logits.shape[:-1], *(part.shape[:-2] for part in parts[1:]))
        self.logits, self.loc, self.scale, *rest = (at_least_float32(part) for part in parts)
        self.coefficients: Tensor | None = rest[0] if rest else None
        self.quantization = require_quantization(quantization)
        super().__init__(batch, loc.shape[-1:], validate_args=validate_args)
        self._spread(batch)

    def _spread(self, batch: Sequence[int]) -> None:
        """Give all parameters the batch shape."""
        self.logits = self.logits.expand(*batch, *self.logits.shape[-1:])
        self.loc, self.scale = (part.expand(*batch, *part.shape[-2:]) for part in (self.loc, self.scale))
        if self.coefficients is not None:
            self.coefficients = self.coefficients.expand(*batch, *self.coefficients.shape[-2:])

    # ---------------------------------------------------------------------------------------------------------------- contract

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Constraint:
        """Pixels whose colors are bin centers."""
        return constraints.independent(BinCenters(self.quantization), 1)

    @property
    def log_weights(self) -> Tensor:
        r"""Normalized :math:`\log \pi`, ``[*batch, K]``."""
        return torch.log_softmax(self.logits, -1)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        new._spread(torch.Size(batch_shape))
        return new

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw pixels ``[*sample_shape, *batch, C]``: a component, then color by color, each rounded to a bin center."""
        with torch.no_grad():
            shape = (*sample_shape, *self.batch_shape)
            index = draw_categories(self.logits.expand(*shape, self.logits.shape[-1]))
            loc, scale = (component_of(part.expand(*shape, *part.shape[-2:]), index) for part in (self.loc, self.scale))
            rest = self.coefficients
            coefficients = None if rest is None else component_of(rest.expand(*shape, *rest.shape[-2:]), index)
            return draw_colors(loc, scale, coefficients, self.quantization)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-mass in nats, shape ``[*sample, *batch]``; minus infinity off the bin centers, NaN of a NaN.

        Args:
            value: Pixels ``[*sample, *batch, C]`` of bin centers, up to rounding.

        Raises:
            ValueError: with validation on, a color is no bin center.
        """
        self._check_shape(value)
        if self._checks_values(value):
            self.quantization.require_centers(value, type(self).__name__)
        total = torch.logsumexp(self._joint(value, self.loc.shape[-1]), -1)
        off_center = torch.where(value.isnan().any(-1), torch.nan, -torch.inf).to(total.dtype)
        return torch.where(BinCenters(self.quantization).check(value).all(-1), total, off_center)

    def conditional(self, earlier: Tensor) -> CategoricalLevels:
        r"""The law of the next color given the first ones, :math:`P(x_c \mid x_1, \dots, x_{c-1})`, level by level.

        Args:
            earlier: The first colors, bin centers, ``[*sample, *batch, c - 1]`` with fewer than C of them.

        Raises:
            ValueError: there is no next color.

        Example:
            >>> import torch
            >>> from probgen.distributions import DiscretizedLogisticMixture, Quantization
            >>> law = DiscretizedLogisticMixture(torch.zeros(2), torch.ones(2, 3), torch.ones(2, 3), Quantization(3, 0.0, 2.0))
            >>> law.conditional(torch.tensor([1.0, 2.0])).probs
            tensor([0.3775, 0.2449, 0.3775])
        """
        channel = earlier.shape[-1]
        if channel >= self.loc.shape[-1]:
            raise ValueError(f"`earlier` must hold fewer than {self.loc.shape[-1]} colors; got {channel}.")
        law = self._component_laws(channel, list(earlier.unsqueeze(-1).unbind(-2)))
        levels = torch.arange(self.quantization.levels, dtype=self.loc.dtype, device=self.loc.device)
        masses = law.level_log_mass(levels.reshape(-1, *(1,) * len(law.batch_shape)))
        logits = torch.logsumexp(self._joint(earlier, channel) + masses, -1).movedim(0, -1)
        return CategoricalLevels(logits, self.quantization, validate_args=checked(logits))

    def enumerate_support(self, expand: bool = True) -> Tensor:  # noqa: FBT001, FBT002  (torch's signature)
        """All pixels, ``[levels ** C, *batch, C]`` (ones for the batch if not ``expand``).

        Raises:
            NotImplementedError: there are more than a million; ``conditional`` enumerates color by color.
        """
        channels = self.loc.shape[-1]
        if self.quantization.levels**channels > _MOST_PIXELS:
            raise NotImplementedError(
                f"there are {self.quantization.levels}^{channels} pixels; `conditional(earlier)` enumerates color by color."
            )
        centers = self.quantization.centers(self.loc.dtype, self.loc.device)
        pixels = torch.stack(torch.meshgrid(*[centers] * channels, indexing="ij"), -1).reshape(-1, channels)
        pixels = pixels.reshape(-1, *(1,) * len(self.batch_shape), channels)
        return pixels.expand(-1, *self.batch_shape, -1) if expand else pixels

    @property
    def mean(self) -> Tensor:
        """The mean pixel ``[*batch, C]``.

        Exact for independent colors and up to 16 levels. Where colors depend on each other and levels are many, the earlier
        colors are represented by 8 equally probable values each, and sums over levels become integrals; the error is below a
        hundredth of the range, and largest where a location lies at an end of it.
        """
        means = expected_colors(self._component_laws, self.loc.shape[-1], dependent=self.coefficients is not None)
        return (self.log_weights.exp().unsqueeze(-1) * means).sum(-2)

    # ------------------------------------------------------------------------------------------------------------------- parts

    def _component_laws(self, channel: int, earlier: Sequence[Tensor]) -> DiscretizedLogistic:
        """The law of a color in every component, ``[*sample, *batch, K]``, given earlier ones that broadcast with that."""
        loc = self.loc[..., channel]
        if self.coefficients is not None:
            first = channel * (channel - 1) // 2
            middle = 0.5 * (self.quantization.low + self.quantization.high)
            for index, color in enumerate(earlier):
                loc = loc + self.coefficients[..., first + index] * (color - middle)
        return DiscretizedLogistic(loc, self.scale[..., channel], self.quantization, validate_args=False)

    def _joint(self, value: Tensor, channels: int) -> Tensor:
        """Log-mass of a component and the first colors, ``[*sample, *batch, K]``; colors are taken to the nearest centers."""
        level = self.quantization.level(value.to(torch.promote_types(value.dtype, self.loc.dtype))).nan_to_num()
        levels = list(level.unsqueeze(-1).unbind(-2))
        centers = [self.quantization.decode(part) for part in levels]
        total = self.log_weights
        for channel in range(channels):
            total = total + self._component_laws(channel, centers[:channel]).level_log_mass(levels[channel])
        return total

    def __repr__(self) -> str:
        components, channels = self.loc.shape[-2:]
        shapes = f"batch_shape={tuple(self.batch_shape)}, components={components}, channels={channels}"
        return f"{type(self).__name__}({shapes}, {self.quantization.levels} levels)"


def draw_colors(loc: Tensor, scale: Tensor, coefficients: Tensor | None, quantization: Quantization) -> Tensor:
    """Draw pixels of one component color by color, each rounded to a bin center before the next one is drawn.

    Args:
        loc: Locations of the colors, ``[*batch, C]``.
        scale: Their scales, ``[*batch, C]``.
        coefficients: ``[*batch, C (C - 1) / 2]``, ordered as in ``DiscretizedLogisticMixture``; None: colors are independent.
        quantization: The levels.

    Returns:
        Bin centers ``[*batch, C]``.

    Example:
        >>> import torch
        >>> from probgen.distributions import Quantization
        >>> from probgen.distributions.discretized_mixture import draw_colors
        >>> draw_colors(torch.tensor([0.4, 0.1]), torch.full((2,), 1e-6), torch.tensor([1.0]), Quantization(3, -1.0, 1.0))
        tensor([0., 0.])
    """
    unrounded = loc + scale * DiscretizedLogistic.noise_like(loc)
    if coefficients is None:
        return quantization.snap(unrounded)
    middle, first = 0.5 * (quantization.low + quantization.high), 0
    colors: list[Tensor] = []  # compilers do not know `list[Tensor]()`
    for channel, color in enumerate(unrounded.unbind(-1)):
        for index, earlier in enumerate(colors):
            color = color + coefficients[..., first + index] * (earlier - middle)
        colors.append(quantization.snap(color))
        first += channel
    return torch.stack(colors, -1)


def component_of(part: Tensor, index: Tensor) -> Tensor:
    """The numbers of one component of each mixture, ``[*batch, size]``.

    Args:
        part: Numbers of all components, ``[*batch, K, size]``.
        index: The component, integers ``[*batch]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.discretized_mixture import component_of
        >>> component_of(torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]]), torch.tensor([1, 0])).squeeze(-1)
        tensor([2., 3.])
    """
    return part.gather(-2, index[..., None, None].expand(*index.shape, 1, part.shape[-1])).squeeze(-2)


def _require_shapes(logits: Tensor, loc: Tensor, scale: Tensor, coefficients: Tensor | None) -> None:
    if logits.dim() < 1 or loc.dim() < 2 or scale.dim() < 2 or loc.shape[-2:] != scale.shape[-2:]:
        raise ValueError(
            f"`logits` must be [*batch, K], `loc` and `scale` [*batch, K, C]; "
            f"got {tuple(logits.shape)}, {tuple(loc.shape)} and {tuple(scale.shape)}."
        )
    components, channels = loc.shape[-2:]
    if logits.shape[-1] != components:
        raise ValueError(f"`logits` must have one entry for each of {components} components; got {tuple(logits.shape)}.")
    wanted = (components, channels * (channels - 1) // 2)
    if coefficients is not None and tuple(coefficients.shape[-2:]) != wanted:
        raise ValueError(f"`coefficients` must end with {wanted}; got shape {tuple(coefficients.shape)}.")
