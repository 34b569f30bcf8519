r"""What a divergence is to adversarial training: two losses on a critic's outputs, and the number that they estimate.

A critic gives outputs :math:`v(x)` to data :math:`x \sim p` and to draws :math:`x \sim q` of a generator. A *divergence* says
what the critic minimizes and what the generator minimizes. Most are variational: the critic's loss is minus a lower bound of
:math:`D(p \,\|\, q)` that is tight for the best critic,

.. math:: D(p \,\|\, q) \ge \mathbb E_p[a(v(x))] - \mathbb E_q[b(v(x))],

and their losses are means of a term for each example: :class:`PointwiseDivergence`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from probgen.infer.penalties.penalty import Penalty

__all__ = ["Divergence", "PointwiseDivergence", "mean_score"]


def mean_score(terms: Tensor) -> Tensor:
    """The mean over all outputs of a critic (examples, and patches where it has them): a scalar; 0 where there are none.

    Args:
        terms: Any shape.

    Example:
        >>> import torch
        >>> from probgen.infer.divergences.divergence import mean_score
        >>> mean_score(torch.tensor([1.0, 3.0])), mean_score(torch.zeros(0))
        (tensor(2.), tensor(0.))
    """
    return terms.mean() if terms.numel() else terms.sum()


class Divergence(nn.Module):
    r"""A divergence between data and a generator's draws, seen through a critic (abstract).

    A subclass gives ``critic_loss`` and ``generator_loss``; both take the critic's outputs (``[N, ...]``, any trailing shape: a
    patch critic has several outputs an example) and return a scalar to minimize.

    Example:
        >>> import torch
        >>> from probgen.infer import NonSaturating
        >>> NonSaturating().critic_loss(torch.zeros(4), torch.zeros(4))  # a critic that knows nothing: 2 log 2
        tensor(1.3863)
    """

    @property
    def penalties(self) -> tuple[Penalty, ...]:
        """Penalties of the critic that belong to the divergence."""
        return ()

    @property
    def generator_sees_data(self) -> bool:
        """Whether the generator's loss needs the critic's outputs on data."""
        return False

    @property
    def needs_critic(self) -> bool:
        """Whether its outputs must come from a critic; where not, the events themselves may stand in for them."""
        return True

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the critic minimizes.

        Args:
            real: Outputs on data, ``[N, ...]``.
            fake: Outputs on draws, ``[M, ...]``.
        """
        raise NotImplementedError

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """What the generator minimizes.

        Args:
            fake: Outputs on draws, ``[M, ...]``.
            real: Outputs on data, where ``generator_sees_data``.
        """
        raise NotImplementedError

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        """The divergence as these outputs show it: a scalar, for variational ones a lower bound in expectation.

        Args:
            real: Outputs on data, ``[N, ...]``.
            fake: Outputs on draws, ``[M, ...]``.
        """
        return -self.critic_loss(real, fake)

    def log_ratio(self, output: Tensor) -> Tensor:
        r"""What the best critic's output says of :math:`\log p(x)/q(x)`, the same shape, in nats.

        Raises:
            NotImplementedError: the best critic does not determine the ratio.
        """
        raise NotImplementedError(f"the best critic of {type(self).__name__} does not determine the ratio of densities.")

    def best_output(self, log_ratio: Tensor) -> Tensor:
        r"""The best critic's output where :math:`\log p(x)/q(x)` is this; the inverse of ``log_ratio``.

        Raises:
            NotImplementedError: the ratio does not determine it.
        """
        raise NotImplementedError(f"the best critic of {type(self).__name__} is not a function of the ratio of densities.")

    def constrain(self, critic: nn.Module) -> None:
        """Bring the critic's parameters, in place, to where the divergence allows them; called before the critic is used."""

    def advance(self, real: Tensor, fake: Tensor) -> None:
        """Change the divergence's own state (its buffers) after a step of the critic; most have none."""


class PointwiseDivergence(Divergence):
    r"""A divergence whose losses are means of a term for every example (abstract).

    .. math:: L_\text{critic} = \mathbb E_p[\ell_p(v)] + \mathbb E_q[\ell_q(v)],
        \qquad L_\text{generator} = \mathbb E_q[\ell_g(v)]

    A subclass gives ``data_term``, ``draw_term`` and ``generator_term``, elementwise on the critic's outputs.

    Example:
        >>> import torch
        >>> from probgen.infer import Hinge
        >>> Hinge().data_term(torch.tensor([-1.0, 0.0, 2.0]))
        tensor([2., 1., 0.])
    """

    def data_term(self, output: Tensor) -> Tensor:
        r"""The critic's term :math:`\ell_p` of an example of the data, elementwise."""
        raise NotImplementedError

    def draw_term(self, output: Tensor) -> Tensor:
        r"""The critic's term :math:`\ell_q` of a draw, elementwise."""
        raise NotImplementedError

    def generator_term(self, output: Tensor) -> Tensor:
        r"""The generator's term :math:`\ell_g` of a draw, elementwise."""
        raise NotImplementedError

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """The mean over data of ``data_term`` plus the mean over draws of ``draw_term``."""
        return mean_score(self.data_term(real)) + mean_score(self.draw_term(fake))

    def generator_loss(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The mean over draws of ``generator_term``."""
        return mean_score(self.generator_term(fake))
