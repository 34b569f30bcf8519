"""Ready hierarchies for vectors (and for anything small enough to be read as one).

Shapes of events are free: networks see them flat. For images of several resolutions see
:func:`~probgen.vae.image_hierarchy.conv_top_down_vae`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from probgen.distributions.elements import BernoulliElement, Element, NetworkLaw, NormalElement
from probgen.nn import MLP, Skip
from probgen.vae.chain import ChainVAE
from probgen.vae.level import Level
from probgen.vae.posterior_rule import PosteriorRule
from probgen.vae.recipes import Centered
from probgen.vae.top_down import TopDownVAE

__all__ = ["chain_vae", "ladder_vae", "top_down_vae"]

Activation = Callable[[], nn.Module]


def top_down_vae(
    event_shape: Sequence[int],
    latents: Sequence[int],
    element: Element | None = None,
    *,
    hidden: int = 128,
    posterior: PosteriorRule = "residual",
    activation: Activation = nn.SiLU,
    dropout: float = 0.0,
    mean: Tensor | float = 0.0,
) -> TopDownVAE:
    """A top-down hierarchy of vectors: a residual state of one width, read and changed by every level.

    Args:
        event_shape: Shape of one datum.
        latents: Sizes of the latents, from the data up.
        element: The law of a coordinate of the data; by default binary.
        hidden: Width of features, state and hidden layers.
        posterior: How posteriors are made of priors and data; see :class:`~probgen.vae.top_down.TopDownVAE`.
        activation: Makes the activation module.
        dropout: Probability with which a hidden unit is dropped in training.
        mean: What encoders subtract from the data, a number or ``[*event]``.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.distributions.elements import BernoulliElement
        >>> vae = pg.vae.top_down_vae((1, 8, 8), (16, 8), BernoulliElement())
        >>> vae.distribution().sample((3,)).shape
        torch.Size([3, 1, 8, 8])
    """

    def net(n: int, m: int, context: int = 0) -> MLP:
        return MLP(n, m, hidden=(hidden,), context_features=context, activation=activation, dropout=dropout)

    def level(size: int, *, top: bool) -> Level:
        return Level(
            (size,),
            (hidden,),
            prior=None if top else NetworkLaw(net(hidden, 2 * size), NormalElement(), (size,), (hidden,)),
            update=Skip(net(hidden, hidden, size)),
            correction=NetworkLaw(net(hidden, 2 * size, hidden), NormalElement(), (size,), (hidden,), (hidden,)),
        )

    element, data = element or BernoulliElement(), math.prod(event_shape)
    levels = [level(size, top=k == len(latents) - 1) for k, size in enumerate(latents)]
    encoder = [Centered(net(data, hidden), mean), *(Skip(net(hidden, hidden)) for _ in latents[1:])]
    decoder = NetworkLaw(net(hidden, element.num_outputs(event_shape)), element, event_shape, (hidden,))
    return TopDownVAE(levels, decoder, encoder, posterior=posterior)


def ladder_vae(
    event_shape: Sequence[int],
    latents: Sequence[int],
    element: Element | None = None,
    *,
    hidden: Sequence[int] | int = 128,
    posterior: PosteriorRule = "precision-weighted",
    activation: Activation = nn.LeakyReLU,
    dropout: float = 0.0,
    mean: Tensor | float = 0.0,
) -> TopDownVAE:
    """The ladder variational autoencoder: a Markov chain of latents with top-down, precision-weighted inference.

    Args:
        event_shape: Shape of one datum.
        latents: Sizes of the latents, from the data up.
        element: The law of a coordinate of the data; by default binary.
        hidden: Widths of the two hidden layers of each level, from the data up, or one width for all.
        posterior: How posteriors are made of priors and data.
        activation: Makes the activation module.
        dropout: Probability with which a hidden unit is dropped in training.
        mean: What encoders subtract from the data, a number or ``[*event]``.

    Raises:
        ValueError: the numbers of latents and widths differ.

    References:
        Sønderby, Raiko, Maaløe, Sønderby, Winther (2016). Ladder variational autoencoders. https://arxiv.org/abs/1602.02282

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.distributions.elements import BernoulliElement
        >>> vae = pg.vae.ladder_vae((64,), (16, 8, 4), BernoulliElement(), hidden=(64, 32, 16))
        >>> vae.distribution()
        HierarchicalLaw(event_shape=(64,), latents={'z_3': (4,), 'z_2': (8,), 'z_1': (16,)})
    """
    widths, net = _widths(hidden, latents), _two_layers(activation, dropout)
    priors = _priors(net, latents, widths)
    levels = []
    for size, prior, width in zip(latents, (*priors, None), widths, strict=True):
        correction = NetworkLaw(nn.Linear(width, 2 * size), NormalElement(), (size,), (width,))
        levels.append(Level((size,), () if prior is None else prior.input_shape, prior=prior, correction=correction))
    sizes = (math.prod(event_shape), *widths)
    blocks: list[nn.Module] = [nn.Sequential(net(n, m, m), activation()) for n, m in itertools.pairwise(sizes)]
    blocks[0] = Centered(blocks[0], mean)
    return TopDownVAE(levels, _decoder(net, latents[0], widths[0], element, event_shape), blocks, posterior=posterior)


def chain_vae(
    event_shape: Sequence[int],
    latents: Sequence[int],
    element: Element | None = None,
    *,
    hidden: Sequence[int] | int = 128,
    activation: Activation = nn.Tanh,
    dropout: float = 0.0,
    mean: Tensor | float = 0.0,
) -> ChainVAE:
    """A Markov chain of latents with inference from the data up; two levels are the deeper model of the IWAE paper.

    Args:
        event_shape: Shape of one datum.
        latents: Sizes of the latents, from the data up.
        element: The law of a coordinate of the data; by default binary.
        hidden: Widths of the two hidden layers of each level, from the data up, or one width for all.
        activation: Makes the activation module.
        dropout: Probability with which a hidden unit is dropped in training.
        mean: What encoders subtract from the data, a number or ``[*event]``.

    Raises:
        ValueError: the numbers of latents and widths differ.

    References:
        Burda, Grosse, Salakhutdinov (2016). Importance weighted autoencoders. https://arxiv.org/abs/1509.00519

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.distributions.elements import BernoulliElement
        >>> vae = pg.vae.chain_vae((784,), (100, 50), BernoulliElement(), hidden=(200, 100))
        >>> vae.distribution().sample((2,)).shape
        torch.Size([2, 784])
    """
    widths, net = _widths(hidden, latents), _two_layers(activation, dropout)
    shapes = [tuple(event_shape), *((size,) for size in latents)]
    encoders: list[NetworkLaw] = []
    for below, size, width in zip(shapes[:-1], latents, widths, strict=True):
        network = Centered(net(math.prod(below), 2 * size, width), 0.0 if encoders else mean)
        encoders.append(NetworkLaw(network, NormalElement(), (size,), below))
    decoder = _decoder(net, latents[0], widths[0], element, event_shape)
    return ChainVAE(_priors(net, latents, widths), decoder, encoders)


def _two_layers(activation: Activation, dropout: float) -> Callable[[int, int, int], MLP]:
    """Makes a network of two hidden layers of one width, from its sizes in, out and between."""
    return lambda n, m, width: MLP(n, m, hidden=(width, width), activation=activation, dropout=dropout)


def _decoder(
    net: Callable[[int, int, int], MLP], size: int, width: int, element: Element | None, event_shape: Sequence[int]
) -> NetworkLaw:
    element = element or BernoulliElement()
    return NetworkLaw(net(size, element.num_outputs(event_shape), width), element, event_shape, (size,))


def _widths(hidden: Sequence[int] | int, latents: Sequence[int]) -> tuple[int, ...]:
    widths = (hidden,) * len(latents) if isinstance(hidden, int) else tuple(hidden)
    if len(widths) != len(latents) or not widths:
        raise ValueError(f"`hidden` must hold one width a level, {len(latents)}; got {hidden}.")
    return widths


def _priors(net: Callable[[int, int, int], MLP], latents: Sequence[int], widths: Sequence[int]) -> list[NetworkLaw]:
    """The laws of each latent given the one above, from the data up."""
    pairs = zip(itertools.pairwise(latents), widths[1:], strict=True)
    return [NetworkLaw(net(above, 2 * size, width), NormalElement(), (size,), (above,)) for (size, above), width in pairs]
