r"""Approximate posteriors that are richer than a normal law: a bijector on top of an encoder.

.. math::

    z_0 \sim q_0(z_0 \mid x), \qquad z = f(z_0; h(x)), \qquad
    \log q(z \mid x) = \log q_0(z_0 \mid x) - \log\left|\det \frac{\partial f}{\partial z_0}\right| .

With :math:`f` the identity it is the encoder itself, so a family of flows that contains the identity can only narrow the gap
:math:`\mathrm{KL}(q \,\|\, p(z \mid x))` of the bound. The bound needs a draw and the density of that draw, hence one *forward*
pass: planar, Sylvester and inverse autoregressive maps, whose inverse is slow, cost nothing more than others here. See the
page "Richer posteriors" (``docs/derivations/vae-posteriors.md``).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from probgen.distributions.bijectors import Bijector
from probgen.distributions.events import one_batch_dim
from probgen.distributions.transformed import TransformedDistribution

__all__ = ["FlowPosterior"]


class FlowPosterior(nn.Module):
    r"""An encoder whose law is pushed forward by a bijector: :math:`z = f(z_0; h(x))`, :math:`z_0 \sim q_0(\cdot \mid x)`.

    Args:
        base: A module from data (and a context) to the reparameterized law of :math:`z_0`, for instance a ``NetworkLaw`` of
            normal elements.
        bijector: The bijector :math:`f`; one that takes a context gets :math:`h(x)`. Fast in the forward direction, if the
            model is to be trained by its bound.
        summary: The network :math:`h`, from data ``[N, *input_shape]`` (and the context, where ``base`` takes one) to
            ``[N, *bijector.context_shape]``; None if the bijector takes no context, or takes the data themselves.
        input_shape: Shape of a datum; by default the attribute of that name of ``base``.

    Raises:
        ValueError: the shape of a datum is not known, the bijector takes no context but a summary is given, or the data cannot
            be the context.

    References:
        Rezende, Mohamed (2015). Variational inference with normalizing flows. https://arxiv.org/abs/1505.05770
        Kingma, Salimans, Jozefowicz, Chen, Sutskever, Welling (2016). Improving variational inference with inverse
        autoregressive flow. https://arxiv.org/abs/1606.04934

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from probgen.distributions.bijectors import Planar
        >>> from probgen.distributions.elements import NetworkLaw, NormalElement
        >>> from probgen.distributions.latent import FlowPosterior
        >>> base = NetworkLaw(nn.Linear(5, 4), NormalElement(), event_shape=(2,), input_shape=(5,))
        >>> posterior = FlowPosterior(base, Planar(2, conditioner=nn.Linear(3, 5), context_shape=(3,)), nn.Linear(5, 3))
        >>> posterior(torch.zeros(7, 5)).rsample_and_log_prob()[1].shape
        torch.Size([7])
    """

    def __init__(
        self,
        base: nn.Module,
        bijector: Bijector,
        summary: nn.Module | None = None,
        *,
        input_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        shape = getattr(base, "input_shape", None) if input_shape is None else input_shape
        if shape is None:
            raise ValueError("`input_shape` must be given: `base` does not know the shape of a datum.")
        self.input_shape: tuple[int, ...] = tuple(shape)
        wanted = bijector.context_shape
        if summary is not None and wanted is None:
            raise ValueError(f"`summary` is given, but the bijector {type(bijector).__name__} takes no context.")
        if summary is None and wanted is not None and wanted != self.input_shape:
            raise ValueError(
                f"`summary` must be given: the bijector takes a context {wanted}, the data have shape {self.input_shape}."
            )
        self.base = base
        self.bijector = bijector
        self.summary = summary

    def forward(self, x: Tensor, context: Tensor | None = None) -> TransformedDistribution:
        """The law of the latents, with the batch shape of the data.

        Args:
            x: Data ``[*batch, *input_shape]``.
            context: Shape ``[*batch, ...]``, if ``base`` takes one; the summary gets it too.
        """
        law = self.base(x) if context is None else self.base(x, context)
        if self.bijector.context_shape is None:
            return TransformedDistribution(law, self.bijector)
        return TransformedDistribution(law, self.bijector.condition(self._summary(x, context)))

    def _summary(self, x: Tensor, context: Tensor | None) -> Tensor:
        """What the bijector sees of the data, ``[*batch, *bijector.context_shape]``."""
        if self.summary is None:
            return x
        batch = x.shape[: x.dim() - len(self.input_shape)]
        rows = one_batch_dim(x, batch, self.input_shape)
        if context is None:
            summary: Tensor = self.summary(rows)
        else:
            wanted = getattr(self.base, "context_shape", context.shape[len(batch) :])
            summary = self.summary(rows, one_batch_dim(context, batch, wanted))
        return summary.reshape(*batch, *(self.bijector.context_shape or ()))
