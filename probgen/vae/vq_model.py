r"""The vector-quantized autoencoder as a law of the data.

The latents are a grid of codes :math:`k \in \{0, \dots, K-1\}^{H \times W}` with a prior, the decoder gives the law of the data
from the vectors of the codes, and the approximate posterior is a point mass at the codes of the encoder, so that

.. math::

    \log p(x) = \log \sum_k p(k)\, p(x \mid k) \;\ge\; \log p(x \mid k(x)) + \log p(k(x)),

with :math:`\log p(k) = -HW \log K` while the prior is uniform. A better prior of the same codes raises the bound, and draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.distributions import LatentVariable
from probgen.distributions.chains import IndependentCategorical
from probgen.distributions.events import batch_of, one_batch_dim
from probgen.distributions.latent.latent_variable import declared_shape
from probgen.vae.vq_codebook import Codebook, perplexity_of
from probgen.vae.vq_losses import CodePriorLoss, VQLoss

__all__ = ["VQVAE"]


class VQVAE(nn.Module):
    r"""A vector-quantized autoencoder: an encoder to vectors, a codebook, a decoder from code vectors to the law of the data.

    Args:
        encoder: A network from data ``[N, *event]`` to ``[N, D * H * W]`` numbers in any shape that reads as ``[N, D,
            *code_shape]``, D the size of a code vector.
        decoder: A module from code vectors ``[*batch, D, *code_shape]`` to the law of the data, such as a ``NetworkLaw``.
        codebook: The codes.
        code_shape: Shape of the codes of one datum, such as ``(H, W)``.
        prior: A module that returns the law of the codes when called, such as ``AutoregressiveLaw``; None for the uniform
            law. It may be set later.
        event_shape: Shape of one datum; by default the decoder's attribute of that name.

    References:
        van den Oord, Vinyals, Kavukcuoglu (2017). Neural discrete representation learning. https://arxiv.org/abs/1711.00937

    Example:
        >>> import torch
        >>> from torch import nn
        >>> import probgen as pg
        >>> from probgen.distributions.elements import BernoulliElement, NetworkLaw
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(8, 16))
        >>> decoder = NetworkLaw(network, BernoulliElement(), event_shape=(16,), input_shape=(2, 4))
        >>> vq = pg.vae.VQVAE(nn.Linear(16, 8), decoder, pg.vae.Codebook(5, 2), code_shape=(4,))
        >>> p = vq.distribution()
        >>> p.sample((3,)).shape, p.log_prob_estimate(torch.zeros(16)).kind, round(vq.code_bits, 2)
        (torch.Size([3, 16]), 'lower', 9.29)
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        codebook: Codebook,
        code_shape: Sequence[int],
        prior: nn.Module | None = None,
        *,
        event_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.codebook = codebook
        self.code_shape = tuple(code_shape)
        self.prior = prior
        self._event_shape = None if event_shape is None else tuple(event_shape)

    # --------------------------------------------------------------------------------------------------------------------- laws

    @property
    def num_codes(self) -> int:
        """Number K of codes."""
        return self.codebook.num_codes

    @property
    def code_bits(self) -> float:
        r"""What the codes of a datum cost with the uniform prior, :math:`HW \log_2 K` bits."""
        return math.prod(self.code_shape) * math.log2(self.num_codes)

    def code_law(self) -> TorchDistribution:
        """The prior of the codes of one datum, over integers of ``code_shape``."""
        if self.prior is not None:
            return cast(TorchDistribution, self.prior())
        logits = self.codebook.vectors.new_zeros(*self.code_shape, self.num_codes)
        return IndependentCategorical(logits, len(self.code_shape))

    def decode(self, codes: Tensor) -> TorchDistribution:
        r"""The law :math:`p(x \mid k)` for codes ``[*batch, *code_shape]``."""
        return cast(TorchDistribution, self.decoder(self.grid(self.codebook(codes))))

    def posterior(self, x: Tensor) -> TorchDistribution:
        """The point mass at the codes of data ``[*batch, *event]``."""
        codes = self.codes(x)
        none = self.codebook.vectors.new_zeros(codes.shape[: codes.dim() - len(self.code_shape)])
        return dist.Delta(codes, none, event_dim=len(self.code_shape))

    def distribution(self) -> LatentVariable:
        """The law of the data as a distribution: draws, and bounds from the one code that the encoder gives."""
        return LatentVariable(self.code_law(), self.decode, self.posterior, event_shape=self._known_shape())

    # -------------------------------------------------------------------------------------------------------------------- codes

    def encode(self, x: Tensor) -> Tensor:
        """The encoder's vectors ``[*batch, D, *code_shape]``, before quantization, of data ``[*batch, *event]``.

        Raises:
            ValueError: the encoder gives another number of values.
        """
        batch, size = self._batch(x), self.codebook.code_size
        output: Tensor = self.encoder(one_batch_dim(x, batch, x.shape[len(batch) :]))
        wanted = size * math.prod(self.code_shape)
        if math.prod(output.shape[1:]) != wanted:
            raise ValueError(
                f"`encoder` must give {wanted} numbers for codes of shape {self.code_shape}, {size} a code; "
                f"got {tuple(output.shape[1:])}."
            )
        return output.reshape(*batch, size, *self.code_shape)

    def codes(self, x: Tensor) -> Tensor:
        """The codes of data ``[*batch, *event]``: integers ``[*batch, *code_shape]``."""
        return self.codebook.codes(self.rows(self.encode(x)))

    def rows(self, z: Tensor) -> Tensor:
        """Vectors ``[*batch, D, *code_shape]`` with their coordinates last, ``[*batch, *code_shape, D]``."""
        return z.movedim(z.dim() - len(self.code_shape) - 1, -1)

    def grid(self, rows: Tensor) -> Tensor:
        """Vectors ``[*batch, *code_shape, D]`` with their coordinates first, ``[*batch, D, *code_shape]``."""
        return rows.movedim(-1, rows.dim() - len(self.code_shape) - 1)

    def usage(self, x: Tensor) -> Tensor:
        """How often each code occurs in the codes of data ``[*batch, *event]``: counts ``[K]``."""
        with torch.no_grad():
            return torch.bincount(self.codes(x).flatten(), minlength=self.num_codes)

    def perplexity(self, x: Tensor) -> Tensor:
        r""":math:`e^{H}` of the use of the codes on data ``[*batch, *event]``: how many are used evenly; from 1 to K."""
        return perplexity_of(self.usage(x))

    # ----------------------------------------------------------------------------------------------------------------- training

    def initialize(self, x: Tensor) -> None:
        """Put the codes on encoded data, drawn at random from ``x`` ``[*batch, *event]``; do it once, before training."""
        with torch.no_grad():
            self.codebook.initialize(self.rows(self.encode(x)).reshape(-1, self.codebook.code_size))

    def loss(self, commitment: float = 0.25) -> VQLoss:
        """The objective of stage one: encoder, decoder and codebook."""
        return VQLoss(self, commitment)

    def prior_loss(self) -> CodePriorLoss:
        """The objective of stage two: the prior of the codes."""
        return CodePriorLoss(self)

    def _batch(self, x: Tensor) -> torch.Size:
        shape = self._known_shape()
        if shape is None:
            raise ValueError("`event_shape` must be given: the decoder does not know the shape of a datum.")
        return batch_of(f"data of {type(self).__name__}", x, shape)

    def _known_shape(self) -> tuple[int, ...] | None:
        return declared_shape(self.decoder, self._event_shape)
