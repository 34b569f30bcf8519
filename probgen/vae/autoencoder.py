r"""Autoencoders: a code in the middle, and nothing said about its law.

.. math::

    z = f_\phi(x), \qquad \hat x = g_\theta(z), \qquad
    \min_{\theta, \phi}\; \mathbb E \bigl\lVert x - g_\theta(f_\phi(\tilde x)) \bigr\rVert^2, \qquad \tilde x = x
    \text{ or a corrupted } x.

With linear maps the best code is the projection on the first principal components (:mod:`probgen.vae.linear`). A decoder may
also be a law :math:`p(x \mid z)`; then the error is :math:`-\log p(x \mid z)` in nats, of which half the squared error is the
case of a normal law with unit variance, up to a constant. What is missing against a variational autoencoder is a law of
the codes: an autoencoder reconstructs, but it does not generate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from probgen.distributions.events import batch_of, one_batch_dim, scored
from probgen.infer import Objective

__all__ = ["Autoencoder", "ReconstructionLoss"]


class Autoencoder(nn.Module):
    r"""An encoder to codes and a decoder back.

    The networks see one batch dimension; the methods take any number of them.

    Attributes:
        encoder: The network from data to codes.
        decoder: The network from codes to reconstructions, or to the law of the data.
        event_shape: Shape of one datum.
        code_shape: Shape of one code.

    Args:
        encoder: A module from data ``[N, *event]`` to anything that reads as codes ``[N, *code]``.
        decoder: A module from codes ``[N, *code]`` to anything that reads as reconstructions ``[N, *event]``, or to the law
            of the data, such as a ``NetworkLaw``.
        event_shape: Shape of one datum.
        code_shape: Shape of one code.

    References:
        Hinton, Salakhutdinov (2006). Reducing the dimensionality of data with neural networks.
        https://doi.org/10.1126/science.1127647

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> model = pg.vae.Autoencoder(torch.nn.Linear(6, 2), torch.nn.Linear(2, 6), event_shape=(6,), code_shape=(2,))
        >>> x = torch.zeros(5, 3, 6)
        >>> model.encode(x).shape, model(x).shape, model.error(x).shape
        (torch.Size([5, 3, 2]), torch.Size([5, 3, 6]), torch.Size([5, 3]))
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, event_shape: Sequence[int], code_shape: Sequence[int]) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.event_shape = tuple(event_shape)
        self.code_shape = tuple(code_shape)

    def encode(self, x: Tensor) -> Tensor:
        """The codes ``[*batch, *code]`` of data ``[*batch, *event]``.

        Raises:
            ValueError: the data or what the network gives have another shape.
        """
        batch, flat = _flat("x", x, self.event_shape)
        return _shaped("encoder", self.encoder(flat), batch, self.code_shape)

    def decode(self, z: Tensor) -> Tensor:
        """The reconstructions ``[*batch, *event]`` of codes ``[*batch, *code]``: the mean, where the decoder gives a law.

        Raises:
            ValueError: the codes or what the network gives have another shape.
        """
        batch, flat = _flat("z", z, self.code_shape)
        decoded: Any = self.decoder(flat)
        return _shaped("decoder", _mean(decoded), batch, self.event_shape)

    def forward(self, x: Tensor) -> Tensor:
        """Data ``[*batch, *event]`` to their codes and back."""
        return self.decode(self.encode(x))

    def error(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        r"""The error of every reconstruction, ``[*batch]``.

        The squared error, summed over the event; or, where the decoder gives a law, :math:`-\log p(x \mid z)` in nats.

        Args:
            x: Data ``[*batch, *event]``.
            given: What is encoded in their place, of the same shape; the data themselves by default.

        Raises:
            ValueError: the data, what is given in their place or what a network gives have another shape.
        """
        batch, flat = _flat("x", x, self.event_shape)
        if given is not None and given.shape != x.shape:
            raise ValueError(f"`given` must have the shape of the data, {tuple(x.shape)}; got {tuple(given.shape)}.")
        decoded: Any = self.decoder(_flat("z", self.encode(x if given is None else given), self.code_shape)[1])
        if not isinstance(decoded, Tensor):  # a law
            return -scored(decoded, flat).reshape(batch)
        difference = flat - _shaped("decoder", decoded, flat.shape[:1], self.event_shape)
        return difference.square().flatten(1).sum(1).reshape(batch) if self.event_shape else difference.square().reshape(batch)

    def loss(self, corruption: Callable[[Tensor], Tensor] | None = None) -> ReconstructionLoss:
        """The objective for ``infer.fit``.

        Args:
            corruption: What is done to the data before they are encoded, such as ``NormalCorruption(0.5)``: a denoising
                autoencoder.
        """
        return ReconstructionLoss(self, corruption)


class ReconstructionLoss(Objective):
    r"""The mean error of reconstructions over a batch.

    .. math:: L(\theta, \phi) = \frac1n \sum_{i=1}^n \mathrm{error}\bigl(x_i, g_\theta(f_\phi(\tilde x_i))\bigr),
        \qquad \tilde x_i \sim q(\tilde x \mid x_i)

    Without corruption :math:`\tilde x = x`. With normal noise, the best reconstruction is the posterior mean of x given the
    corrupted :math:`\tilde x`, from which the score of the noisy law follows (see "The score" among the derivations).

    Args:
        autoencoder: What is trained.
        corruption: What is done to the data before they are encoded; None for nothing.

    References:
        Vincent, Larochelle, Bengio, Manzagol (2008). Extracting and composing robust features with denoising autoencoders.
        https://doi.org/10.1145/1390156.1390294

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> model = pg.vae.Autoencoder(torch.nn.Identity(), torch.nn.Identity(), event_shape=(3,), code_shape=(3,))
        >>> pg.vae.ReconstructionLoss(model)(torch.ones(5, 3)), model.loss(torch.zeros_like)(torch.ones(5, 3))
        (tensor(0.), tensor(3.))
    """

    def __init__(self, autoencoder: Autoencoder, corruption: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.corruption = corruption

    def forward(self, x: Tensor) -> Tensor:
        """The loss of data ``[*batch, *event]``: a scalar, in the unit of ``Autoencoder.error``; 0 for no data."""
        given = None if self.corruption is None else self.corruption(x)
        error = self.autoencoder.error(x, given)
        return error.sum() / max(error.numel(), 1)


def _flat(name: str, value: Tensor, shape: tuple[int, ...]) -> tuple[torch.Size, Tensor]:
    """The batch shape, and the values with one batch dimension."""
    batch = batch_of(f"`{name}` of an Autoencoder", value, shape)
    return batch, one_batch_dim(value, batch, shape)


def _shaped(name: str, value: Tensor, batch: torch.Size, shape: tuple[int, ...]) -> Tensor:
    if value.dim() < 1 or value.shape[0] != batch.numel() or value.shape[1:].numel() != torch.Size(shape).numel():
        raise ValueError(f"the {name} must give {shape} for each of {batch.numel()} inputs; got {tuple(value.shape)}.")
    return value.reshape(*batch, *shape)


def _mean(decoded: Any) -> Tensor:
    return cast(Tensor, decoded if isinstance(decoded, Tensor) else decoded.mean)
