r"""Fitting a ratio of densities: a critic learns to tell two laws apart, and neither of them changes.

.. math:: \max_\phi\, \mathbb E_p[a(v_\phi(x))] - \mathbb E_q[b(v_\phi(x))], \qquad
    \log \frac{p(x)}{q(x)} = \ell(v_{\phi^*}(x))

It is the critic's half of adversarial training. With the cross entropy (the default) it is logistic regression with equal
weights for both laws, and the output is the log-ratio itself; for :math:`p = \mathcal N(0, 1)` and
:math:`q = \mathcal N(1, 1)` that is :math:`\tfrac12 - x`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.distributions.implicit import DensityRatio
from probgen.infer.divergences.classic import NonSaturating
from probgen.infer.divergences.divergence import Divergence
from probgen.infer.evaluation_mode import evaluating
from probgen.infer.objective import Objective
from probgen.infer.penalties.penalty import Penalty

__all__ = ["DensityRatioLoss"]


class DensityRatioLoss(Objective):
    r"""The loss of a critic that tells draws of p from draws of q; ``.ratio`` is the log-ratio that it makes.

    Args:
        critic: From events ``[N, *event]``, and a context where one is declared, to outputs ``[N]`` or ``[N, 1]``.
        event_shape: Shape of an event.
        q: The second law, drawn from afresh for every batch; without it every batch brings draws of both. It is not trained.
        divergence: By which the laws are told apart; its best critic must determine the ratio.
        penalties: Penalties of the critic, beside those that belong to the divergence.
        context_shape: Trailing shape of the context (``()`` for labels), or None: there is none.

    Raises:
        NotImplementedError: the best critic of the divergence does not determine the ratio (``Hinge``, ``Wasserstein``).

    References:
        Sugiyama, Suzuki, Kanamori (2012). Density-ratio matching under the Bregman divergence.
        https://doi.org/10.1007/s10463-011-0343-8

        Gutmann, Hyvärinen (2010). Noise-contrastive estimation. https://proceedings.mlr.press/v9/gutmann10a.html

    Example:
        >>> import torch
        >>> from probgen.infer import DensityRatioLoss, fit
        >>> _ = torch.manual_seed(0)
        >>> loss = DensityRatioLoss(torch.nn.Linear(1, 1), event_shape=(1,))
        >>> batches = [(torch.randn(512, 1), 1 + torch.randn(512, 1)) for _ in range(20)]
        >>> _ = fit(loss, batches, lambda parameters: torch.optim.Adam(parameters, 0.05), steps=200, progress=False)
        >>> bool((loss.ratio(torch.tensor([[0.0], [1.0]])) - torch.tensor([0.5, -0.5])).abs().max() < 0.1)  # 1/2 - x
        True
    """

    def __init__(
        self,
        critic: nn.Module,
        event_shape: Sequence[int],
        *,
        q: TorchDistribution | None = None,
        divergence: Divergence | None = None,
        penalties: Sequence[Penalty] = (),
        context_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.divergence = NonSaturating() if divergence is None else divergence
        self.divergence.log_ratio(torch.zeros(1))  # raises where there is none
        link = self.divergence.log_ratio
        self.ratio = DensityRatio(critic, event_shape, link=link, context_shape=context_shape)
        self.penalties = nn.ModuleList([*self.divergence.penalties, *penalties])
        self.q = q

    def forward(self, x: Tensor, y: Tensor | None = None, context: Tensor | None = None, player: str = "model") -> Tensor:
        """The critic's loss on a batch: a scalar.

        Args:
            x: Draws of p, ``[N, *event]``.
            y: Draws of q, ``[N, *event]``; without ``q`` they are needed.
            context: Shape ``[N, *context_shape]``, the same for both, if the critic takes one.
            player: "model", the only one.

        Raises:
            ValueError: there are draws of p only, and no ``q``.
        """
        y = self._draws(x, context) if y is None else y
        loss = self.divergence.critic_loss(self.ratio.outputs(x, context), self.ratio.outputs(y, context))
        for penalty in self.penalties:
            loss = loss + penalty(lambda at: self.ratio.outputs(at, context), x, y)
        return loss

    def estimate(self, x: Tensor, y: Tensor | None = None, context: Tensor | None = None) -> Tensor:
        """The divergence of p from q as the critic shows it, a lower bound in expectation; a scalar, in evaluation
        mode and without gradients.

        Args:
            x: Draws of p, ``[N, *event]``.
            y: Draws of q, ``[N, *event]``; without ``q`` they are needed.
            context: Shape ``[N, *context_shape]``, if the critic takes one.
        """
        with torch.no_grad(), evaluating(self):
            y = self._draws(x, context) if y is None else y
            return self.divergence.estimate(self.ratio.outputs(x, context), self.ratio.outputs(y, context))

    def _draws(self, x: Tensor, context: Tensor | None) -> Tensor:
        if self.q is None:
            raise ValueError("draws `y` of the second law are needed beside `x`, or a law `q`; got neither.")
        with torch.no_grad():
            if context is None:
                return self.q.sample(x.shape[: x.dim() - len(self.ratio.event_shape)])
            return self.q.condition(context).sample()  # type: ignore[no-any-return]
