r"""The two stages of training a vector-quantized autoencoder.

**Stage one** learns encoder, codebook and decoder. With the encoder's vectors :math:`z`, their nearest code vectors :math:`e`
and :math:`\mathrm{sg}` for "as a constant",

.. math::

    -\log p(x \mid z + \mathrm{sg}(e - z)) + \beta\, \|z - \mathrm{sg}(e)\|^2 \;\bigl[{} + \|\mathrm{sg}(z) - e\|^2\bigr] .

The first term is the likelihood at :math:`e`, with the gradient with respect to :math:`e` handed to :math:`z` (*straight
through*: :math:`\partial (z + \mathrm{sg}(e - z)) / \partial z = I`), the second keeps the encoder near its codes, the
third moves the codes if they are parameters; by moving averages they move without it.

**Stage two** fits the prior to the codes by maximum likelihood, :math:`-\log p(k(x))`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.distributions.events import scored
from probgen.infer import Objective, Player
from probgen.infer.evaluation_mode import evaluating

if TYPE_CHECKING:
    from probgen.vae.vq_model import VQVAE

__all__ = ["CodePriorLoss", "VQLoss", "straight_through"]


def straight_through(value: Tensor, source: Tensor) -> Tensor:
    r"""The value, with the derivative of ``source``: :math:`z + \mathrm{sg}(e - z)`.

    Args:
        value: What comes out, :math:`e`.
        source: Where gradients go, :math:`z`, of the same shape.

    References:
        Bengio, Léonard, Courville (2013). Estimating or propagating gradients through stochastic neurons.
        https://arxiv.org/abs/1308.3432

    Example:
        >>> import torch
        >>> from probgen.vae import straight_through
        >>> z = torch.tensor(0.3, requires_grad=True)
        >>> out = straight_through(z.round(), z)
        >>> out.backward()
        >>> out.item(), z.grad
        (0.0, tensor(1.))
    """
    return value.detach() + (source - source.detach())


class VQLoss(Objective):
    """Stage one: reconstruction and commitment, in nats, summed over the batch.

    While the codebook is in training mode every call, and every step recorded by ``infer.compile``, also updates its moving
    averages (under gradient accumulation once for every part of a batch); in evaluation mode it stays.

    Args:
        model: The autoencoder.
        commitment: The weight of the commitment term, per squared distance.

    Raises:
        ValueError: the weight is negative.

    Example:
        >>> import torch
        >>> from probgen.distributions.elements import NetworkLaw, NormalElement
        >>> from probgen.vae import Codebook, VQLoss, VQVAE
        >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 8))
        >>> decoder = NetworkLaw(network, NormalElement(), event_shape=(4,), input_shape=(2, 2))
        >>> model = VQVAE(torch.nn.Linear(4, 4), decoder, Codebook(3, 2), code_shape=(2,))
        >>> VQLoss(model)(torch.zeros(5, 4)).shape
        torch.Size([])
    """

    def __init__(self, model: VQVAE, commitment: float = 0.25) -> None:
        super().__init__()
        if commitment < 0:
            raise ValueError(f"`commitment` must not be negative; got {commitment}.")
        self.model = model
        self.commitment = commitment

    def forward(self, x: Tensor) -> Tensor:
        """The loss of data ``[n, *event]``: a scalar in nats."""
        model, codebook = self.model, self.model.codebook
        z = model.encode(x)
        rows = model.rows(z)
        codes = codebook.codes(rows)
        chosen = codebook(codes)
        quantized = model.grid(straight_through(chosen, rows))
        loss: Tensor = -scored(model.decoder(quantized), x).sum() + self.commitment * (rows - chosen.detach()).square().sum()
        if codebook.decay is None:
            loss = loss + (rows.detach() - chosen).square().sum()
        if codebook.training:
            codebook.update(rows.detach().flatten(0, -2), codes.flatten())
        return loss


class CodePriorLoss(Objective):
    """Stage two: the codes' negative log-probability under the prior, in nats, summed over the batch; only the prior learns.

    The encoder is used in evaluation mode: its codes are those that the model will be scored and drawn by.

    Args:
        model: The autoencoder, with a learned prior.

    Raises:
        ValueError: the prior is the uniform law, which has nothing to learn.

    Example:
        >>> import torch
        >>> from probgen.vae import Codebook, CodePriorLoss, VQVAE, made_code_prior
        >>> model = VQVAE(torch.nn.Linear(4, 4), torch.nn.Identity(), Codebook(3, 2), (2,), made_code_prior((2,), 3))
        >>> list(CodePriorLoss(model).players)
        ['prior']
    """

    def __init__(self, model: VQVAE) -> None:
        super().__init__()
        if model.prior is None:
            raise ValueError("`model` must have a learned prior, such as `made_code_prior(...)`; it has the uniform one.")
        self.model = model

    @property
    def players(self) -> Mapping[str, Player]:
        """The prior alone."""
        prior = self.model.prior
        return {"prior": Player(() if prior is None else tuple(prior.parameters()))}

    def forward(self, x: Tensor, player: str = "prior") -> Tensor:
        """The loss of data ``[n, *event]``: a scalar in nats."""
        with torch.no_grad(), evaluating(self.model.encoder):
            codes = self.model.codes(x)
        return -scored(self.model.code_law(), codes).sum()
