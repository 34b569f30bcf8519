r"""Normal variables to the quantiles of learned mixtures, coordinate by coordinate: what Gaussianization inverts.

.. math::

    y_i = F_i^{-1}(\Phi(x_i)), \qquad x_i = \Phi^{-1}(F_i(y_i)), \qquad
    F_i(y) = \sum_k w_{ik}\, \sigma\big((y - \mu_{ik}) / s_{ik}\big) .

In one dimension this is the optimal transport between a normal law and the mixture: if :math:`y_i` has the cdf :math:`F_i`,
then :math:`x_i` is normal. Probabilities are kept as logits (``mixture_cdf.py`` with its floor :math:`\delta = 10^{-3}` on the
slope, ``normal_to_logistic.py``), so that the direction from data to noise, which is closed, survives both tails.

The parameters are learned numbers, plus what a network makes of a context.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.distributions._checks import InversionError, value_checks_active
from probgen.distributions.bijectors.amortized import Amortized, require_features
from probgen.distributions.bijectors.mixture_cdf import MixtureOfLogisticsCDF
from probgen.distributions.bijectors.normal_to_logistic import NormalToLogistic
from probgen.distributions.bijectors.parameters import spread
from probgen.distributions.numerics.linear import full_precision

__all__ = ["MixtureQuantile"]

_LARGEST_LOG = math.log(1e2)  # what the mixture allows its widths


class MixtureQuantile(Amortized):
    r"""The quantile function of a mixture of logistics in every coordinate, :math:`y_i = F_i^{-1}(\Phi(x_i))`.

    Domain and codomain: the whole space. The inverse (data to noise) is closed up to three Newton steps; the forward map is
    iterative. It starts near the identity; ``initialize_from`` starts it at the quantiles of data instead.

    Args:
        features: Length of the vectors, at least 1.
        components: Logistics of a coordinate, at least 1.
        conditioner: A network from a context to the shift of the parameters, ``3 * components * features`` numbers; None for a
            map that takes no context.
        context_shape: Trailing shape of the context, given with the conditioner.

    Raises:
        ValueError: a size is less than 1, or ``conditioner`` and ``context_shape`` do not come together.
        InversionError: (forward, while validation is on) a quantile was not found; it is NaN otherwise.

    References:
        Chen, Gopinath (2000). Gaussianization. https://papers.nips.cc/paper/1856-gaussianization
        Meng, Song, Song, Ermon (2020). Gaussianization flows. https://arxiv.org/abs/2003.01941

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import MixtureQuantile
        >>> f = MixtureQuantile(2, components=8)
        >>> y = torch.stack([torch.linspace(0, 1, 101) ** 3, torch.linspace(-4, 4, 101)], -1)
        >>> f.initialize_from(y)
        >>> x = f.inverse(y)
        >>> bool((x.mean(0).abs() < 0.2).all()), torch.allclose(f(x), y, atol=1e-4)
        (True, True)
    """

    data_dependent = True
    fast_direction = "inverse"

    def __init__(
        self,
        features: int,
        components: int = 8,
        *,
        conditioner: nn.Module | None = None,
        context_shape: Sequence[int] | None = None,
    ) -> None:
        mixture = MixtureOfLogisticsCDF(components, loc=0.0, scale=1.0)
        start = torch.zeros(require_features(features) * mixture.num_free)
        super().__init__(features, start, conditioner, context_shape)
        self.components = components
        self.mixture = mixture.as_element()
        self.normal = NormalToLogistic()

    def extra_repr(self) -> str:
        """Sizes."""
        return f"features={self.features}, components={self.components}"

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with full_precision(x):
            logit, first = self.normal._element_forward(x, ())
            y, second = self.mixture.element_inverse(logit, self._table(x, context))
        if value_checks_active(y) and bool(y.isnan().any()):
            raise InversionError(f"MixtureQuantile did not find {int(y.isnan().sum())} of {y.numel()} quantile(s).")
        return y, (first + second).sum(-1)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with full_precision(y):
            logit, first = self.mixture.element_forward(y, self._table(y, context))
            x, second = self.normal._element_inverse(logit, ())
        return x, (first + second).sum(-1)

    def initialize_from(self, y: Tensor, context: Tensor | None = None) -> None:
        """Put equal components at the quantiles of every coordinate, as wide as their distances.

        Args:
            y: Outputs ``[*batch, features]``, at least one.
            context: The context that belongs to them, where the map takes one: the mean over it starts there.

        Raises:
            ValueError: there are no data, or a number is not finite.
        """
        self._check_input("y", y, self.codomain, self.codomain_shape, context)
        if not y.numel() or not bool(torch.isfinite(y).all()):
            raise ValueError(f"`y` must hold finite numbers to start from, at least one; got shape {tuple(y.shape)}.")
        with torch.no_grad():
            start = _raw_of_quantiles(y.reshape(-1, self.features).double(), self.components)
            emitted = self._raw(y, context) - self.raw_parameters.to(y.dtype)
            mean = emitted.reshape(-1, self.num_raw).double().mean(0)
            self.raw_parameters.copy_(start.reshape(-1) - mean)

    def _table(self, like: Tensor, context: Tensor | None) -> Tensor:
        """Unconstrained parameters ``[*context_batch, features, 3 * components]``."""
        table: Tensor = self._raw(like, context).unflatten(-1, (self.features, self.mixture.num_free))
        return table


def _raw_of_quantiles(rows: Tensor, components: int) -> Tensor:
    """Unconstrained parameters ``[features, 3 * components]`` of the mixture at the quantiles of ``rows``."""
    levels = (torch.arange(components, dtype=rows.dtype, device=rows.device) + 0.5) / components
    centers = torch.quantile(rows[:100_000], levels, dim=0).mT
    deviation = rows.std(0, correction=0).unsqueeze(-1)
    padded = torch.cat([centers[:, :1] - deviation / 2, centers, centers[:, -1:] + deviation / 2], -1)
    widths = deviation / 1.8
    if components > 1:
        widths = torch.maximum((padded[:, 2:] - padded[:, :-2]) / 4, 0.02 * deviation)
    bounded = (widths.clamp_min(1e-12).log() / _LARGEST_LOG).clamp(-0.99, 0.99)
    nothing = torch.zeros_like(centers)
    return torch.cat([nothing, centers - spread(nothing), _LARGEST_LOG * torch.atanh(bounded)], -1)
