r"""The monotone piecewise-linear spline: in bin :math:`k` the line through its knots, slope :math:`h_k / w_k`."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from probgen.distributions.bijectors.parameters import Parameter
from probgen.distributions.bijectors.splines.knots import Spline, edges, locate, pair_index, running_sum

__all__ = ["LinearSpline"]


class LinearSpline(Spline):
    r"""Monotone piecewise-linear map of an interval; outside, the identity.

    .. math::

        y = y_k + \frac{y_{k+1} - y_k}{x_{k+1} - x_k} (x - x_k), \qquad x_k \le x < x_{k+1}.

    Continuous; the slope jumps at the knots, where it is that of the bin on the right. Density: a histogram pushed forward.

    Args:
        bins: Number of bins :math:`K`.
        bound: Half-width of the interval of a spline with tails.
        interval: Ends of the interval of a spline without tails; then ``bound`` is not used.
        widths: Relative widths, trailing shape ``[K]``, positive; None to learn them.
        heights: Relative heights, trailing shape ``[K]``, positive; None to learn them.
        shape: Batch shape of the learned parameters.

    Raises:
        ValueError: ``bins`` is not positive, the interval is empty, or a given value has a wrong shape or sign.

    References:
        Müller, McWilliams, Rousselle, Gross, Novák (2019). Neural importance sampling. https://arxiv.org/abs/1808.03856

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import LinearSpline
        >>> f = LinearSpline(2, bound=1.0, widths=torch.ones(2), heights=torch.tensor([1.0, 3.0]))
        >>> f.forward_and_log_det(torch.tensor([-0.5, 0.5, 7.0]))
        (tensor([-0.7500,  0.2500,  7.0000]), tensor([-0.6931,  0.4055,  0.0000]))
    """

    def __init__(
        self,
        bins: int = 8,
        bound: float = 5.0,
        *,
        interval: tuple[float, float] | None = None,
        widths: Tensor | None = None,
        heights: Tensor | None = None,
        shape: Sequence[int] = (),
    ) -> None:
        lower, upper = (-bound, bound) if interval is None else interval
        super().__init__(bins, lower, upper, tails=interval is None, shape=shape, widths=widths, heights=heights)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``widths`` and ``heights``: relative sizes of the bins."""
        return (self._positive("widths", self.bins), self._positive("heights", self.bins))

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return self._piecewise(x, *values)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        widths, heights = values
        return self._piecewise(y, heights, widths)

    def _piecewise(self, value: Tensor, sizes: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map intervals of relative ``sizes`` onto intervals of relative ``images``."""
        ends = self.interval
        within, sums = self._within(value), running_sum(sizes)
        pair = pair_index(locate(within, sums, *ends))
        a0, a1 = edges(sums, pair, *ends)
        b0, b1 = edges(running_sum(images), pair, *ends)
        slope = (b1 - b0) / (a1 - a0)
        return self._joined(value, b0 + slope * (within - a0), slope.log())
