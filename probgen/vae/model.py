r"""The variational autoencoder: a latent-variable model with an encoder, as a Pyro model with its guide.

.. math::

    z \sim p(z), \qquad x \sim p_\theta(x \mid z), \qquad q_\phi(z \mid x) \approx p_\theta(z \mid x).

The model is the pair of programs; the law of x is a distribution; training is any objective of ``probgen.infer`` on the pair.
A context :math:`c`, if there is one, is given to decoder and encoder, and to the prior if it wants it: a conditional
variational autoencoder is the same thing with ``context_shape``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import pyro
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.distributions import LatentVariable
from probgen.distributions._checks import require_context
from probgen.distributions._parts import trainable_modules
from probgen.distributions.events import placed
from probgen.distributions.latent.latent_variable import declared_shape
from probgen.infer import ELBO, Objective
from probgen.infer.data_plate import data_plate

__all__ = ["VAE"]


class VAE(nn.Module):
    r"""A variational autoencoder.

    Modules inside a prior that is a distribution, such as the bijector of a flow, belong to the model and are trained; other
    tensors in it are constants, which stay where they are when the model moves.

    Attributes:
        prior: The law of the latents, or a module that returns it.
        decoder: From latents to the law of the data.
        encoder: From data to the law of the latents.
        context_shape: Trailing shape of the context, or None.

    Args:
        prior: A distribution over latents, or a module that returns one when called (a learned prior, such as ``VampPrior`` or
            a mixture); with ``conditional_prior`` it is called with the context.
        decoder: A module from latents ``[*batch, *latent]`` (and a context) to the law of the data.
        encoder: A module from data ``[*batch, *event]`` (and a context) to the law of the latents, reparameterized.
        context_shape: Trailing shape of the context that decoder and encoder take, or None.
        conditional_prior: Whether the prior takes the context too.
        event_shape: Shape of one datum; by default the decoder's attribute of that name.

    Raises:
        ValueError: the prior is to take a context, and there is none, or it is a distribution made of bare parameters.

    References:
        Kingma, Welling (2014). Auto-encoding variational Bayes. https://arxiv.org/abs/1312.6114
        Sohn, Lee, Yan (2015). Learning structured output representation using deep conditional generative models.
        https://papers.nips.cc/paper/5775

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions.elements import BernoulliElement, NetworkLaw, NormalElement
        >>> vae = pg.vae.VAE(
        ...     standard_normal(2),
        ...     NetworkLaw(pg.nn.MLP(2, 64), BernoulliElement(), event_shape=(64,), input_shape=(2,)),
        ...     NetworkLaw(pg.nn.MLP(64, 4), NormalElement(), event_shape=(2,), input_shape=(64,)),
        ... )
        >>> x = torch.zeros(5, 64)
        >>> vae.loss()(x).shape, vae.distribution().elbo(x).shape, vae.distribution().sample((3,)).shape
        (torch.Size([]), torch.Size([5]), torch.Size([3, 64]))
    """

    reference: Tensor

    def __init__(
        self,
        prior: TorchDistribution | nn.Module,
        decoder: nn.Module,
        encoder: nn.Module,
        *,
        context_shape: Sequence[int] | None = None,
        conditional_prior: bool = False,
        event_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if conditional_prior and context_shape is None:
            raise ValueError("`conditional_prior` needs a `context_shape`.")
        self.prior = prior
        self.prior_modules = nn.ModuleList() if isinstance(prior, nn.Module) else trainable_modules(prior, "prior")
        self.decoder = decoder
        self.encoder = encoder
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self.conditional_prior = conditional_prior
        self._event_shape = None if event_shape is None else tuple(event_shape)
        self.register_buffer("reference", torch.zeros(()), persistent=False)  # knows dtype and device

    # --------------------------------------------------------------------------------------------------------------------- laws

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one datum."""
        shape = self._known_shape()
        return tuple(self.distribution().event_shape) if shape is None else shape

    def latent_law(self, context: Tensor | None = None) -> TorchDistribution:
        r"""The prior :math:`p(z)` of one datum, or :math:`p(z \mid c)` with the batch of the context.

        Args:
            context: Shape ``[*batch, *context_shape]``, if the model takes one.
        """
        require_context(type(self).__name__, context, self.context_shape, ())
        if isinstance(self.prior, nn.Module):
            learned: nn.Module = self.prior
            law = cast(TorchDistribution, learned(context) if self.conditional_prior else learned())
        else:
            law = placed(self.prior, self.reference)
        if context is None or self.conditional_prior:
            return law
        return law.expand(context.shape[: context.dim() - len(self.context_shape or ())])

    def decode(self, z: Tensor, context: Tensor | None = None) -> TorchDistribution:
        r"""The law :math:`p(x \mid z)` of the data for latents ``[*batch, *latent]``."""
        return cast(TorchDistribution, self.decoder(z) if self.context_shape is None else self.decoder(z, context))

    def encode(self, x: Tensor, context: Tensor | None = None) -> TorchDistribution:
        r"""The approximate posterior :math:`q(z \mid x)` of data ``[*batch, *event]``."""
        return cast(TorchDistribution, self.encoder(x) if self.context_shape is None else self.encoder(x, context))

    def distribution(self, context: Tensor | None = None) -> LatentVariable:
        """The law of the data as a distribution; draws, bounds and estimates are its methods.

        Args:
            context: Shape ``[*batch, *context_shape]``; gives the batch shape.
        """
        decode, encode = (partial(self.decode, context=context), partial(self.encode, context=context))
        return LatentVariable(self.latent_law(context), decode, encode, event_shape=self._known_shape())

    # ----------------------------------------------------------------------------------------------------------------- programs

    def model(self, x: Tensor | None = None, context: Tensor | None = None, *, size: int | None = None) -> Tensor:
        """The Pyro model: sites "z" and "x" in a plate "data".

        Args:
            x: Data ``[n, *event]`` to condition on; None to generate.
            context: Shape ``[n, *context_shape]``, if the model takes one.
            size: Size N of the plate: with data, that of the whole data set, of which the batch is n (their terms weigh N/n);
                by default n. Without data how many are generated; by default as many as there are contexts, or 1.

        Raises:
            ValueError: ``size`` is less than the number of data.
        """
        with data_plate(context if x is None else x, size, self.reference):
            z: Tensor = pyro.sample("z", self.latent_law(context))
            data: Tensor = pyro.sample("x", self.decode(z, context), obs=x)
        return data

    def guide(self, x: Tensor, context: Tensor | None = None, *, size: int | None = None) -> Tensor:
        """The Pyro guide: the site "z", from the encoder.

        Args:
            x: Data ``[n, *event]``.
            context: Shape ``[n, *context_shape]``, if the model takes one.
            size: As in :meth:`model`.
        """
        with data_plate(x, size, self.reference):
            z: Tensor = pyro.sample("z", self.encode(x, context))
        return z

    def loss(self, objective: Callable[..., Objective] | None = None) -> Objective:
        """An objective on model and guide, for ``infer.fit``.

        Args:
            objective: What to minimize, such as ``infer.IWAE(10)``; ``infer.ELBO()`` by default.

        Example:
            >>> import probgen as pg
            >>> from probgen.distributions import standard_normal
            >>> from probgen.distributions.elements import NetworkLaw, NormalElement
            >>> law = lambda n, m: NetworkLaw(pg.nn.MLP(n, 2 * m), NormalElement(), event_shape=(m,), input_shape=(n,))
            >>> vae = pg.vae.VAE(standard_normal(2), law(2, 3), law(3, 2))
            >>> type(vae.loss(pg.infer.ELBO(particles=4))).__name__
            'ELBOLoss'
        """
        return (ELBO() if objective is None else objective)(self.model, self.guide)

    def _known_shape(self) -> tuple[int, ...] | None:
        return declared_shape(self.decoder, self._event_shape)
