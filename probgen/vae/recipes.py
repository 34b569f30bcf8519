r"""Ready-made models: an element, a latent size, and the networks in between.

Encoder and decoder are a network and an element each,

.. math::

    q(z \mid x) = \mathcal N\bigl(\mu(x), \operatorname{diag} \sigma^2(x)\bigr), \qquad
    p(x \mid z) = \prod_i p\bigl(x_i \mid \theta_i(z)\bigr),

with a standard normal prior unless another is given; networks on vectors see an event flat. The parts stay reachable
(``vae.encoder.network``), and whoever wants other parts puts them together with :class:`~probgen.vae.VAE`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.distributions import standard_normal
from probgen.distributions.elements import BernoulliElement, Element, NetworkLaw, NormalElement
from probgen.nn import MLP
from probgen.vae.autoencoder import Autoencoder
from probgen.vae.model import VAE

__all__ = ["Centered", "mlp_autoencoder", "mlp_vae"]


class Centered(nn.Module):
    r"""A network on events less a constant, :math:`h(x - m, c)`; events and contexts of any shape are seen as vectors.

    An input whose mean is far from zero slows the training of the first layer.

    Args:
        network: A module from vectors ``[N, D]`` (and a context, flat too) to anything.
        shift: What is subtracted, a number or ``[*event]``; kept as a buffer.
        flat: Whether the network sees events as vectors, rather than in their shape.

    Example:
        >>> import torch
        >>> from probgen.vae.recipes import Centered
        >>> Centered(torch.nn.Identity(), shift=0.5)(torch.ones(5, 2, 2)).shape
        torch.Size([5, 4])
    """

    shift: Tensor

    def __init__(self, network: nn.Module, shift: Tensor | float = 0.0, *, flat: bool = True) -> None:
        super().__init__()
        self.network = network
        self.flat = flat
        self.register_buffer("shift", torch.as_tensor(shift, dtype=torch.get_default_dtype()))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Run the network on events ``[N, *event]`` and contexts ``[N, *context]``."""
        centered = x - self.shift
        centered = _vectors(centered) if self.flat else centered
        result: Tensor = self.network(centered) if context is None else self.network(centered, _vectors(context))
        return result


def mlp_vae(
    event_shape: Sequence[int],
    latent: int,
    element: Element | None = None,
    *,
    hidden: Sequence[int] = (128,),
    context_shape: Sequence[int] | None = None,
    prior: TorchDistribution | nn.Module | None = None,
    conditional_prior: bool = False,
    activation: Callable[[], nn.Module] = nn.ReLU,
    dropout: float = 0.0,
    residual: bool = False,
    mean: Tensor | float = 0.0,
) -> VAE:
    """A variational autoencoder of multilayer perceptrons, for vectors and for images seen flat.

    Args:
        event_shape: Shape of one datum.
        latent: Size of the latent vector.
        element: Law of a coordinate of the data; ``BernoulliElement()`` by default. Elements of several coordinates need
            events that begin with their shape.
        hidden: Widths of the encoder's hidden layers; the decoder has them in reverse.
        context_shape: Trailing shape of a context that encoder and decoder take, or None.
        prior: The law of the latents, or a module that returns it; standard normal by default.
        conditional_prior: Whether the prior is called with the context.
        activation: Makes the activation of the hidden layers.
        dropout: Probability with which a hidden unit of the encoder is dropped in training.
        residual: Use residual blocks (an odd number of equal widths).
        mean: Subtracted from what the encoder sees: a number, or the mean of the data ``[*event]``.

    Raises:
        ValueError: the latent size is not positive, or other arguments contradict each other.

    References:
        Kingma, Welling (2014). Auto-encoding variational Bayes. https://arxiv.org/abs/1312.6114

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> vae = pg.vae.mlp_vae((1, 8, 8), latent=16, hidden=(128,))
        >>> x = torch.zeros(5, 1, 8, 8)
        >>> vae.loss()(x).shape, vae.distribution().sample((3,)).shape, sum(p.numel() for p in vae.parameters())
        (torch.Size([]), torch.Size([3, 1, 8, 8]), 22880)
    """
    event, context = tuple(event_shape), None if context_shape is None else tuple(context_shape)
    _require_latent(latent)
    element = BernoulliElement() if element is None else element
    width, size = 0 if context is None else math.prod(context), math.prod(event)
    options = {"activation": activation, "residual": residual, "context_features": width}
    decoder = MLP(latent, element.num_outputs(event), hidden=tuple(reversed(hidden)), **options)  # type: ignore[arg-type]
    encoder = MLP(size, 2 * latent, hidden=tuple(hidden), dropout=dropout, **options)  # type: ignore[arg-type]
    return VAE(
        standard_normal(latent) if prior is None else prior,
        NetworkLaw(decoder if context is None else Centered(decoder), element, event, (latent,), context),
        NetworkLaw(Centered(encoder, mean), NormalElement(), (latent,), event, context),
        context_shape=context,
        conditional_prior=conditional_prior,
    )


def mlp_autoencoder(
    event_shape: Sequence[int],
    code: int,
    *,
    element: Element | None = None,
    hidden: Sequence[int] = (128,),
    activation: Callable[[], nn.Module] = nn.ReLU,
    mean: Tensor | float = 0.0,
) -> Autoencoder:
    """A deep autoencoder of multilayer perceptrons.

    Args:
        event_shape: Shape of one datum.
        code: Size of the code.
        element: Law of a coordinate, for a decoder that gives a law; None for reconstructions and their squared error.
        hidden: Widths of the encoder's hidden layers; the decoder has them in reverse.
        activation: Makes the activation of the hidden layers.
        mean: Subtracted from what the encoder sees: a number, or the mean of the data ``[*event]``.

    Raises:
        ValueError: the code is empty.

    References:
        Hinton, Salakhutdinov (2006). Reducing the dimensionality of data with neural networks.
        https://doi.org/10.1126/science.1127647

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> pg.vae.mlp_autoencoder((8, 8), code=4)(torch.zeros(5, 8, 8)).shape
        torch.Size([5, 8, 8])
    """
    event = tuple(event_shape)
    _require_latent(code, "code")
    outer = math.prod(event) if element is None else element.num_outputs(event)
    network = MLP(code, outer, hidden=tuple(reversed(hidden)), activation=activation)
    decoder = network if element is None else NetworkLaw(network, element, event, (code,))
    encoder = MLP(math.prod(event), code, hidden=tuple(hidden), activation=activation)
    return Autoencoder(Centered(encoder, mean), decoder, event, (code,))


def _require_latent(size: int, name: str = "latent") -> None:
    if size < 1:
        raise ValueError(f"`{name}` must be at least 1; got {size}.")


def _vectors(x: Tensor) -> Tensor:
    """``[N, *shape]`` as ``[N, D]``, also without rows."""
    return x.reshape(len(x), math.prod(x.shape[1:]))
