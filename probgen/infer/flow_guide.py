r"""A guide for any Pyro model with continuous latents: one flow over all of them.

Every latent site :math:`x_j` of the model is mapped from the reals to its support by :math:`b_j`, the latents are put side by
side in the order of the program, and a bijector :math:`f` of that vector carries a standard normal law to the posterior:

.. math::

    u \sim \mathcal N(0, I_D), \qquad z = m + s \odot f(u), \qquad x_j = b_j(z_j), \qquad
    \log q(x) = \log \mathcal N(u; 0, I) - \log|\det J_f(u)| - \sum_i \log s_i - \sum_j \log|\det J_{b_j}(z_j)| .

The dependencies between sites are those of the bijector. The units :math:`m, s` are learned too and start where the program
starts, so that a bijector with bounded tails, such as a spline, is not asked to reach a posterior that is hundreds wide. A draw
with its density costs one forward pass of the bijector; so does a gradient of NUTS in the space of :math:`u`, for which Pyro's
``NeuTraReparam`` takes the guide as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from pyro import distributions as dist
from pyro.infer.autoguide import AutoContinuous, init_to_median
from torch import Tensor
from torch.distributions import Transform, constraints

from probgen.distributions import TransformedDistribution
from probgen.distributions.bijectors import Affine, Bijector, Compose

__all__ = ["FlowGuide"]

_RANGE = math.log(1e3)  # of the logarithm of a learned scale


class FlowGuide(AutoContinuous):
    r"""The automatic guide :math:`x = b(m + s \odot f(u))`, :math:`u \sim \mathcal N(0, I_D)`, over all latents of a model.

    As Pyro's automatic guides it is made for one structure of the program, and its parameters exist after its first call
    (``fit`` makes it). It does not depend on the arguments of the model.

    Args:
        model: A Pyro model whose latents are continuous.
        flow: From the number D of unconstrained latents to a bijector of vectors of that length, fast in the forward direction.
        init_loc_fn: Where the units start: one of Pyro's functions for initial values of sites.
        init_scale: The scale that the units start with, in the unconstrained space.

    Raises:
        ValueError: ``init_scale`` is not between 1/1000 and 1000; on the first call, ``flow`` gives a bijector that takes a
            context.
        TypeError: on the first call, ``flow`` does not give a bijector.

    References:
        Rezende, Mohamed (2015). Variational inference with normalizing flows. https://arxiv.org/abs/1505.05770

        Kucukelbir, Tran, Ranganath, Gelman, Blei (2017). Automatic differentiation variational inference.
        https://arxiv.org/abs/1603.00788

        Hoffman, Sountsov, Dillon, Langmore, Tran, Vasudevan (2019). NeuTra-lizing bad geometry in Hamiltonian Monte Carlo
        using neural transport. https://arxiv.org/abs/1903.03704

    Example:
        >>> import pyro, torch
        >>> import pyro.distributions as dist
        >>> from probgen.flows import inverse_autoregressive_flow
        >>> from probgen.infer import ELBO, FlowGuide
        >>> def model():
        ...     scale = pyro.sample("scale", dist.HalfNormal(1.0))
        ...     with pyro.plate("schools", 3):
        ...         return pyro.sample("effect", dist.Normal(0.0, scale))
        >>> guide = FlowGuide(model, lambda size: inverse_autoregressive_flow(size, layers=2, hidden=(16,)))
        >>> {name: value.shape for name, value in guide().items()}
        {'scale': torch.Size([]), 'effect': torch.Size([3])}
        >>> ELBO()(model, guide)().shape
        torch.Size([])
    """

    def __init__(
        self,
        model: Callable[..., Any],
        flow: Callable[[int], Bijector],
        *,
        init_loc_fn: Callable[..., Tensor] = init_to_median,
        init_scale: float = 0.1,
    ) -> None:
        if not 1e-3 < init_scale < 1e3:
            raise ValueError(f"`init_scale` must lie between 1/1000 and 1000, as learned scales do; got {init_scale}.")
        super().__init__(model, init_loc_fn=init_loc_fn)  # type: ignore[no-untyped-call]
        self._flow_of = flow
        self._init_scale = init_scale

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)  # type: ignore[no-untyped-call]
        flow = self._flow_of(self.latent_dim)
        if not isinstance(flow, Bijector):
            raise TypeError(f"`flow` must give a Bijector; got {type(flow).__name__}.")
        if flow.context_shape is not None:
            raise ValueError(f"`flow` must give a bijector without context; it takes one of shape {flow.context_shape}.")
        start: Tensor = self._init_loc()  # type: ignore[no-untyped-call]
        units = Affine(shape=(self.latent_dim,)).to(start)
        with torch.no_grad():
            cast(Tensor, units.raw_loc).copy_(start)
            cast(Tensor, units.raw_scale).fill_(_RANGE * math.atanh(math.log(self._init_scale) / _RANGE))
        self.bijector = Compose(flow.to(start), units)

    def get_base_dist(self) -> dist.TorchDistribution:
        """The law of u: standard normal, ``[D]``, in the dtype and on the device of the parameters."""
        like = cast(Tensor, self.bijector[-1].raw_loc)
        return dist.Normal(torch.zeros_like(like), torch.ones_like(like)).to_event(1)  # type: ignore[no-any-return]

    def get_transform(self, *args: Any, **kwargs: Any) -> Transform:
        """The map from u to the unconstrained latents, for one use: the log-determinant of its last output is kept."""
        return _OneUse(self.bijector)

    def get_posterior(self, *args: Any, **kwargs: Any) -> TransformedDistribution:
        """The law of the unconstrained latents ``[D]``."""
        return TransformedDistribution(self.get_base_dist(), self.bijector)


class _OneUse(Transform):
    """A bijector as a torch Transform that evaluates once what is asked for in two calls; made anew for every use."""

    bijective = True
    domain = constraints.real_vector
    codomain = constraints.real_vector

    def __init__(self, bijector: Bijector) -> None:
        super().__init__()
        self.bijector = bijector
        self._kept: tuple[Tensor, Tensor, Tensor] | None = None

    def _call(self, x: Tensor) -> Tensor:
        y, log_det = self.bijector.forward_and_log_det(x)
        self._kept = (x, y, log_det)
        return y

    def _inverse(self, y: Tensor) -> Tensor:
        return self.bijector.inverse(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        kept, self._kept = self._kept, None
        if kept is not None and kept[0] is x and kept[1] is y:
            return kept[2]
        return self.bijector.forward_log_det_jacobian(x)
