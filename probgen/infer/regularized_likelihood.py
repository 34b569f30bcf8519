r"""Maximum likelihood for continuous flows, with penalties that keep them easy to integrate.

Many fields carry the base to the same law; the likelihood does not tell them apart, the solver does. With the energies

.. math::

    K(x) = \int \lVert v(t, x(t)) \rVert^2\, |\mathrm dt|, \qquad
    B(x) = \int \Big\lVert \frac{\partial v}{\partial x}(t, x(t)) \Big\rVert_F^2\, |\mathrm dt|

along the way from a datum to the base, the objective is

.. math:: L(\theta) = \frac1N \sum_n \Big( -\log p_\theta(x_n \mid c_n) + \lambda_K K(x_n) + \lambda_B B(x_n) \Big)

in nats. The first penalty wants straight paths at constant speed, the second a field that does not vary around them: together
they leave the solver little to do. What they cost in likelihood and save in evaluations is measured in
``docs/derivations/flow-matching.md``.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor
from torch.distributions import Distribution

from probgen.distributions import standard_normal
from probgen.distributions.bijectors import Bijector, ContinuousFlow
from probgen.infer.flow_chain import chain_of, checked_batch, end_shapes, inverse_through, require_base
from probgen.infer.objective import Objective

__all__ = ["LikelihoodTerms", "RegularizedLikelihood"]


class LikelihoodTerms(NamedTuple):
    """What the objective is made of, each ``[*batch]``.

    Attributes:
        nats: The negative log-likelihood; an unbiased estimate where a divergence is one.
        kinetic: The kinetic energy of all continuous parts.
        jacobian: Their squared Jacobian.

    Example:
        >>> import torch
        >>> from probgen.flows import continuous_flow
        >>> from probgen.infer import RegularizedLikelihood
        >>> RegularizedLikelihood(continuous_flow(2, hidden=(4,))).terms(torch.zeros(5, 2)).kinetic.shape
        torch.Size([5])
    """

    nats: Tensor
    kinetic: Tensor
    jacobian: Tensor


class RegularizedLikelihood(Objective):
    r"""The negative log-likelihood of a flow with continuous parts, plus their kinetic and Jacobian energies.

    Args:
        flow: A bijector from the base to the data, with at least one ``ContinuousFlow`` in its chain. One with Hutchinson's
            estimate is trained on that estimate, which is unbiased for both the likelihood and the Jacobian's norm.
        base: The law that the flow starts from; the standard normal if None.
        kinetic: Weight :math:`\lambda_K \ge 0`; 0.01 is that of the paper.
        jacobian: Weight :math:`\lambda_B \ge 0`; 0.01 is that of the paper. With an exact divergence its norm takes one
            backward pass for each coordinate.

    Raises:
        ValueError: a negative weight, a flow without a continuous part, or a base with other events than the flow takes.

    References:
        Finlay, Jacobsen, Nurbekyan, Oberman (2020). How to train your neural ODE: the world of Jacobian and kinetic
        regularization. https://arxiv.org/abs/2002.02798

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import ContinuousFlow
        >>> from probgen.infer import RegularizedLikelihood
        >>> shift = ContinuousFlow(lambda t, x: torch.full_like(x, 3.0), (1,))
        >>> RegularizedLikelihood(shift, kinetic=1.0).terms(torch.tensor([[3.0]])).kinetic  # 3^2 for a time of 1
        tensor([9.])
    """

    def __init__(
        self, flow: Bijector, base: Distribution | None = None, *, kinetic: float = 0.01, jacobian: float = 0.01
    ) -> None:
        super().__init__()
        if not (kinetic >= 0 and jacobian >= 0):
            raise ValueError(f"`kinetic` and `jacobian` must not be negative; got {kinetic} and {jacobian}.")
        require_base(base, flow)  # refuses a flow without a continuous part
        self.flow, self.base = flow, base
        self.kinetic, self.jacobian = kinetic, jacobian

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss, a scalar, of data ``[*batch, *event]`` and a context ``[*batch, *context_shape]`` if the flow takes one."""
        nats, kinetic, jacobian = self.terms(x, context)
        total = nats + self.kinetic * kinetic + self.jacobian * jacobian
        return total.sum() / max(total.numel(), 1)

    def terms(self, x: Tensor, context: Tensor | None = None) -> LikelihoodTerms:
        """The likelihood and the energies, datum by datum, from one solve from the data to the base.

        Args:
            x: Data ``[*batch, *event]``.
            context: Shape ``[*batch, *context_shape]``, if the flow takes one.

        Raises:
            ValueError: a wrong shape.
            IntegrationError: adaptive steps could not keep their tolerance.
        """
        batch = checked_batch(self.flow, x, context)
        batch_dims, x = len(batch), x.expand(*batch, *end_shapes(self.flow)[1])
        ildj: Tensor | float = 0.0
        kinetic = jacobian = x.new_zeros(())
        for part in reversed(chain_of(self.flow)):
            given = None if part.context_shape is None else context
            if isinstance(part, ContinuousFlow):
                solved = part.integrate_energies(x, given, inverse=True)
                x, log_det = solved.value, solved.log_dets.mean(0)
                kinetic, jacobian = kinetic + solved.kinetic, jacobian + solved.jacobian
            else:
                x, log_det = inverse_through([part], x, given, batch_dims)  # type: ignore[assignment]
            ildj = ildj + log_det
        base = standard_normal(x.shape[batch_dims:]).like(x) if self.base is None else self.base
        return LikelihoodTerms(-base.log_prob(x) - ildj, kinetic, jacobian)

    def extra_repr(self) -> str:
        """The weights."""
        return f"kinetic={self.kinetic}, jacobian={self.jacobian}"
