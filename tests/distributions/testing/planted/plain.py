"""The correct map from which most of the broken ones differ."""

import torch
from torch import nn
from torch.distributions import constraints
from torch.nn.functional import softplus

from probgen.distributions.bijectors import Bijector


class Plain(Bijector):
    """The correct map, y = loc + scale x in three coordinates, from which the broken ones differ (abstract here)."""

    domain = codomain = constraints.real_vector
    domain_shape = (3,)

    def __init__(self):
        super().__init__()
        self.raw_scale = nn.Parameter(0.3 * torch.randn(3))
        self.raw_loc = nn.Parameter(torch.randn(3))

    def scale(self):
        return softplus(self.raw_scale) + 0.1

    def _forward_and_log_det(self, x, context=None):
        scale = self.scale()
        return self.raw_loc + scale * x, scale.log().sum().expand(x.shape[:-1])

    def _inverse_and_log_det(self, y, context=None):
        scale = self.scale()
        return (y - self.raw_loc) / scale, -scale.log().sum().expand(y.shape[:-1])
