"""Cases of continuous flows.

The laws judge rounding, so the fixed-step rows use the method of order 8 with steps short enough that its own error is below
rounding; lower orders have their convergence measured in ``tests/distributions/numerics``.
"""

import torch
from torch import Tensor, nn

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import ContinuousFlow
from probgen.distributions.testing import BijectorCase, DistributionCase
from probgen.flows import continuous_flow

NO_VMAP = "adaptive steps are chosen by value, which vmap does not allow"


class NetworkField(nn.Module):
    """A velocity from a small network, whose divergence has to be differentiated."""

    def __init__(self, features: int = 2, hidden: int = 8) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(features + 1, hidden), nn.Linear(hidden, features)
        self.features = features

    def forward(self, t: Tensor, x: Tensor) -> Tensor:
        rows = x.reshape(len(x), self.features)
        inputs = torch.cat([rows, t.expand(len(x), 1)], -1)
        return self.outer(torch.tanh(self.inner(inputs))).reshape(x.shape)


class RidgeField(nn.Module):
    """A sum of ridge functions with a closed-form divergence, moved by time and context."""

    def __init__(self, features: int = 2, hidden: int = 6, context_features: int = 0) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(features + 1 + context_features, hidden), nn.Linear(hidden, features)
        self.features = features
        self.context_shape = (context_features,) if context_features else None

    def _hidden(self, t: Tensor, x: Tensor, context: Tensor | None) -> Tensor:
        parts = [x.reshape(len(x), self.features), t.expand(len(x), 1)]
        return torch.tanh(self.inner(torch.cat(parts if context is None else [*parts, context], -1)))

    def forward(self, t: Tensor, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.outer(self._hidden(t, x, context)).reshape(x.shape)

    def divergence(self, t: Tensor, x: Tensor, context: Tensor | None = None) -> Tensor:
        coupling = (self.outer.weight.mT * self.inner.weight[:, : self.features]).sum(-1)
        return (1 - self._hidden(t, x, context).square()) @ coupling


BIJECTORS = {
    "ContinuousFlow(network)": BijectorCase(
        lambda: ContinuousFlow(NetworkField(), (2,), times=(0.0, 0.1), solver="verner8", steps=2),
        event_shape=(2,),
        exempt={"exports": "torch.export cannot trace the vjp that differentiates the divergence; a closed form exports"},
    ),
    "ContinuousFlow(closed form, context, grid)": BijectorCase(
        lambda: ContinuousFlow(RidgeField(context_features=1), (2,), times=(0.16, 0.09, 0.04, 0.0), solver="verner8"),
        event_shape=(2,),
    ),
    "ContinuousFlow(scalar)": BijectorCase(
        lambda: ContinuousFlow(RidgeField(features=1), (), times=(0.0, 0.08), solver="verner8", steps=2)
    ),
    "continuous_flow(context)": BijectorCase(
        lambda: continuous_flow(2, hidden=(6, 5), context_shape=(1,), times=(0.0, 0.05), solver="verner8", steps=4),
        event_shape=(2,),
    ),
    "ContinuousFlow(adaptive)": BijectorCase(
        lambda: ContinuousFlow(RidgeField(features=4), (1, 2, 2), times=(0.0, 0.05), rtol=1e-14, atol=1e-14),
        event_shape=(1, 2, 2),
        exempt={"vmap_equals_batch": NO_VMAP, "forward_jacobian_matches_reverse": NO_VMAP},
    ),
}

DISTRIBUTIONS = {
    "TransformedDistribution(ContinuousFlow)": DistributionCase(
        lambda: TransformedDistribution(standard_normal(2), ContinuousFlow(RidgeField(), (2,), solver="verner8", steps=3))
    ),
    "TransformedDistribution(ContinuousFlow, Hutchinson)": DistributionCase(
        lambda: TransformedDistribution(
            standard_normal(3),
            ContinuousFlow(NetworkField(3), (3,), solver="rk4", steps=4, divergence="hutchinson"),
        )
    ),
}
