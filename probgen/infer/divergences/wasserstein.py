r"""The Wasserstein-1 distance by its dual.

.. math:: W_1(p, q) = \sup_{\|f\|_{\mathrm{Lip}} \le 1} \mathbb E_p[f(x)] - \mathbb E_q[f(x)]

(Kantorovich and Rubinstein). The critic is :math:`f`; what keeps it 1-Lipschitz, at least nearly, is an argument.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from probgen.infer.divergences.divergence import PointwiseDivergence
from probgen.infer.penalties.gradient_penalty import GradientPenalty
from probgen.infer.penalties.penalty import Penalty

__all__ = ["Wasserstein"]


class Wasserstein(PointwiseDivergence):
    r"""The Wasserstein-1 distance: the critic maximizes :math:`\mathbb E_p[f] - \mathbb E_q[f]`, the generator minimizes it.

    Give one of the three, or none where the critic is Lipschitz by its layers (spectral normalization).

    Args:
        gradient_penalty: Weight of :math:`(\|\nabla f\| - 1)^2` between data and draws, for each example (Gulrajani et al.).
        lipschitz_penalty: Weight of the one-sided penalty :math:`\max(\|\nabla f\| - 1, 0)^2` (Petzka et al.).
        clip: Largest magnitude of a parameter of the critic (Arjovsky et al.).

    Raises:
        ValueError: more than one is given, or one that is not positive.

    References:
        Arjovsky, Chintala, Bottou (2017). Wasserstein GAN. https://arxiv.org/abs/1701.07875

        Gulrajani et al. (2017). Improved training of Wasserstein GANs. https://arxiv.org/abs/1704.00028

        Petzka, Fischer, Lukovnicov (2018). On the regularization of Wasserstein GANs. https://arxiv.org/abs/1709.08894

    Example:
        >>> import torch
        >>> from probgen.infer import Wasserstein
        >>> x, y = torch.zeros(3), torch.full((3,), 2.0)  # on the line, f(x) = -x is best: the distance is 2
        >>> Wasserstein(gradient_penalty=10.0).estimate(-x, -y)
        tensor(2.)
    """

    def __init__(
        self,
        gradient_penalty: float | None = None,
        *,
        lipschitz_penalty: float | None = None,
        clip: float | None = None,
    ) -> None:
        super().__init__()
        given = {"gradient_penalty": gradient_penalty, "lipschitz_penalty": lipschitz_penalty, "clip": clip}
        chosen = {name: value for name, value in given.items() if value is not None}
        if len(chosen) > 1 or min(chosen.values(), default=1.0) <= 0:
            raise ValueError(f"give at most one of {', '.join(given)}, and a positive one; got {chosen}.")
        self.clip = clip
        weight = lipschitz_penalty if gradient_penalty is None else gradient_penalty
        self.penalty = None if weight is None else GradientPenalty(weight, one_sided=lipschitz_penalty is not None)

    @property
    def penalties(self) -> tuple[Penalty, ...]:
        """The gradient penalty, if there is one."""
        return () if self.penalty is None else (self.penalty,)

    def data_term(self, output: Tensor) -> Tensor:
        """Minus the output."""
        return -output

    def draw_term(self, output: Tensor) -> Tensor:
        """The output."""
        return output

    def generator_term(self, output: Tensor) -> Tensor:
        """Minus the output: its part of the distance."""
        return -output

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        r""":math:`\mathbb E_p[f] - \mathbb E_q[f]`, in units of the events: a lower bound of the distance if f is 1-Lipschitz.

        A gradient penalty holds that nearly; a clipped critic is L-Lipschitz for some L, and the bound is one of L times the
        distance.
        """
        return -self.critic_loss(real, fake)

    def constrain(self, critic: nn.Module) -> None:
        """Clip the critic's parameters, where ``clip`` is given."""
        if self.clip is not None:
            with torch.no_grad():
                for parameter in critic.parameters():
                    parameter.clamp_(-self.clip, self.clip)
