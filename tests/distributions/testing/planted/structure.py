"""Broken bijectors whose form is wrong: shapes, structure, transforms, state, errors."""

import torch
from torch.distributions import constraints
from torch.nn.functional import softplus

from probgen.distributions.bijectors import Bijector
from tests.distributions.testing.planted.plain import Plain


class SwappedAxis(Bijector):
    """A linear map with its log-determinant summed over the batch axis instead of the event axis."""

    law = "batch_does_not_leak"
    domain = codomain = constraints.real_vector

    def _forward_and_log_det(self, x, context=None):
        slope = x.cosh()
        total = slope.log().sum(0) if x.dim() > 1 and x.shape[0] == x.shape[-1] else slope.log().sum(-1)
        if x.dim() > 1 and x.shape[0] != x.shape[-1]:
            total = slope.log().sum(-1) + 0 * total + (slope.log().sum() - slope.log().sum()) + slope.mean()
        return x.sinh(), total

    def _inverse_and_log_det(self, y, context=None):
        x = y.asinh()
        return x, -x.cosh().log().sum(-1)


class StaleCache(Plain):
    law = "no_stale_values"

    def _forward_and_log_det(self, x, context=None):
        if not hasattr(self, "cached"):
            self.__dict__["cached"] = self.scale().detach()
        scale = self.cached
        return self.raw_loc + scale * x, scale.log().sum().expand(x.shape[:-1])


class LeaksAcrossBatch(Plain):
    law = "batch_does_not_leak"

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        return y + 1e-3 * x.mean(0, keepdim=True).tanh() if x.dim() > 1 and len(x) > 1 else y, log_det


class WrongEventDim(Plain):
    law = "shapes_follow_the_batch"

    def _forward_and_log_det(self, x, context=None):
        y, _ = super()._forward_and_log_det(x)
        return y, self.scale().log().expand(x.shape)


class ScalarLogDet(Plain):
    law = "shapes_follow_the_batch"

    def _forward_and_log_det(self, x, context=None):
        y, _ = super()._forward_and_log_det(x)
        return y, self.scale().log().sum()


class WrongCodomain(Bijector):
    """ELU-like: the image is (-1, inf), the declared codomain the positive numbers."""

    law = "values_stay_in_their_sets"
    domain = constraints.real
    codomain = constraints.positive

    @property
    def sign(self):
        return 1

    def _forward_and_log_det(self, x, context=None):
        return torch.where(x > 0, x, torch.expm1(x.clamp_max(0.0))), x.clamp_max(0.0)

    def _inverse_and_log_det(self, y, context=None):
        return torch.where(y > 0, y, torch.log1p(y.clamp_max(0.0))), -torch.log1p(y.clamp_max(0.0))


class ContextWithoutBroadcast(Plain):
    law = "context_broadcasts"
    context_shape = (3,)

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        return y + context.reshape(-1, 3)[:1], log_det

    def _inverse_and_log_det(self, y, context=None):
        return super()._inverse_and_log_det(y - context.reshape(-1, 3)[:1])


class AcceptsMissingContext(Plain):
    law = "wrong_contexts_raise"
    context_shape = (2,)

    def _check_input(self, name, value, constraint, event_shape, context):
        if context is not None:
            super()._check_input(name, value, constraint, event_shape, context)


class AcceptsWrongSize(Plain):
    """Like a permutation that picks the first three of four coordinates."""

    law = "wrong_event_sizes_raise"

    def _check_input(self, name, value, constraint, event_shape, context):
        if value.shape[-1:] == (3,):
            super()._check_input(name, value, constraint, event_shape, context)

    def _forward_and_log_det(self, x, context=None):
        return super()._forward_and_log_det(x[..., :3])


class AcceptsNaN(Plain):
    law = "nan_raises_while_validating"

    def _check_input(self, name, value, constraint, event_shape, context):
        super()._check_input(name, value.nan_to_num(), constraint, event_shape, context)


class BooleanMask(Plain):
    law = "vmap_equals_batch"

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        y = y.clone()
        y[x > 100.0] = y[x > 100.0] * 1.0
        return y, log_det


class DataDependentBranch(Plain):
    law = "compiles_whole"

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        if bool((x > 0).any()):
            y = y * 1.0
        return y, log_det


class PermutationAsAttribute(Bijector):
    law = "state_dict_restores"
    domain = codomain = constraints.real_vector
    domain_shape = (5,)
    constant_log_det = True

    def __init__(self):
        super().__init__()
        self.order = torch.randperm(5)

    def _forward_and_log_det(self, x, context=None):
        return x[..., self.order], x.sum(-1) * 0

    def _inverse_and_log_det(self, y, context=None):
        return y[..., self.order.argsort()], y.sum(-1) * 0


class NotPicklable(Plain):
    law = "pickles"

    def __init__(self):
        super().__init__()
        self.positive = lambda raw: softplus(raw) + 0.1


class KeepsGraph(Plain):
    """Pyro's old cache: a non-leaf tensor on the module breaks deepcopy after use."""

    law = "deepcopies_after_use"

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        self.__dict__["last"] = log_det * 1
        return y, log_det


class MutatesInput(Plain):
    law = "forward_writes_nothing"

    def _forward_and_log_det(self, x, context=None):
        scale = self.scale().detach()
        x.mul_(scale)
        return x + self.raw_loc, scale.log().sum().expand(x.shape[:-1])


class UpdatesABuffer(Plain):
    law = "forward_writes_nothing"

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def _forward_and_log_det(self, x, context=None):
        self.seen += 1
        return super()._forward_and_log_det(x)


class NoBatchOfRankTwo(Plain):
    law = "shapes_follow_the_batch"

    def _forward_and_log_det(self, x, context=None):
        rows, columns = x.shape
        return super()._forward_and_log_det(x.reshape(rows, columns))


class NoEmptyBatch(Plain):
    law = "shapes_follow_the_batch"

    def _forward_and_log_det(self, x, context=None):
        return super()._forward_and_log_det(x.reshape(*x.shape[:-1], -1))


class WrongSecondDerivative(Bijector):
    law = "double_backward_matches_forward_over_reverse"
    domain = codomain = constraints.real

    @property
    def sign(self):
        return 1

    def _forward_and_log_det(self, x, context=None):
        return x.sinh(), _LogCosh.apply(x)

    def _inverse_and_log_det(self, y, context=None):
        x = y.asinh()
        return x, -x.cosh().log()


class _LogCosh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.slope = x.tanh()
        return x.abs() + torch.log1p(torch.exp(-2 * x.abs())) - 0.6931471805599453

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.slope


class NotMonotone(Bijector):
    law = "scalar_maps_are_monotone"
    domain = codomain = constraints.real

    @property
    def sign(self):
        return 1

    def _forward_and_log_det(self, x, context=None):
        return x + 1.5 * x.sin(), (1 + 1.5 * x.cos()).abs().log()

    def _inverse_and_log_det(self, y, context=None):
        return y - 1.5 * y.sin(), -(1 + 1.5 * y.cos()).abs().log()


class WrongSignFlag(Bijector):
    law = "scalar_maps_are_monotone"
    domain = codomain = constraints.real
    constant_log_det = True

    @property
    def sign(self):
        return 1

    def _forward_and_log_det(self, x, context=None):
        return -2 * x, torch.full_like(x, 2.0).log()

    def _inverse_and_log_det(self, y, context=None):
        return y / -2, -torch.full_like(y, 2.0).log()


class MixesCoordinates(Bijector):
    """Claims to be elementwise and is not."""

    law = "elementwise_jacobian_is_diagonal"
    domain = codomain = constraints.real

    @property
    def sign(self):
        return 1

    def _forward_and_log_det(self, x, context=None):
        return x + 0.1 * x.roll(1, 0).tanh() if x.dim() else x, torch.zeros_like(x)

    def _inverse_and_log_det(self, y, context=None):
        return y, torch.zeros_like(y)


class AcceptsOutsideTheCodomain(Bijector):
    law = "values_outside_their_sets_raise"
    domain = constraints.real
    codomain = constraints.unit_interval

    @property
    def sign(self):
        return 1

    def _forward_and_log_det(self, x, context=None):
        return x.sigmoid(), -softplus(x) - softplus(-x)

    def _inverse_and_log_det(self, y, context=None):
        y = y.clamp(torch.finfo(y.dtype).tiny, 1 - torch.finfo(y.dtype).eps)
        x = y.log() - (-y).log1p()
        return x, softplus(x) + softplus(-x)

    def _check_input(self, name, value, constraint, event_shape, context):
        if name == "x":
            super()._check_input(name, value, constraint, event_shape, context)


BROKEN = [entry for entry in list(vars().values()) if isinstance(entry, type) and hasattr(entry, "law")]
