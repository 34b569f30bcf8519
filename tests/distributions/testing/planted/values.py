"""Broken bijectors whose numbers are wrong: inverse, log-determinant, special values, gradients, dtypes."""

import torch
from torch import nn
from torch.distributions import constraints
from torch.nn.functional import softplus

from probgen.distributions.bijectors import Bijector
from tests.distributions.testing.planted.plain import Plain


class WrongSign(Plain):
    law = "log_det_matches_autograd"

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        return y, -log_det


class WrongInverseSign(Plain):
    law = "inverse_log_det_negates"

    def _inverse_and_log_det(self, y, context=None):
        x, log_det = super()._inverse_and_log_det(y)
        return x, -log_det


class BothSignsWrong(Plain):
    """The two directions agree with each other: only an independent oracle sees it."""

    law = "inverse_log_det_matches_autograd"

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        return y, -log_det

    def _inverse_and_log_det(self, y, context=None):
        x, log_det = super()._inverse_and_log_det(y)
        return x, -log_det


class MissingTerm(Plain):
    law = "log_det_matches_autograd"

    def _forward_and_log_det(self, x, context=None):
        y, _ = super()._forward_and_log_det(x)
        return y, self.scale()[:-1].log().sum().expand(x.shape[:-1])


class RoundsToSingle(Plain):
    """float32 arithmetic inside a float64 map: an error of 1e-7, below any flat tolerance of 1e-6."""

    law = "round_trip"

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        return y.float().to(x.dtype), log_det


class LastCallLogDet(Plain):
    """The log-determinant depends on how often the map was called."""

    law = "log_det_is_pure"

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        self.calls = getattr(self, "calls", 0) + 1
        return y, log_det + 1e-3 * self.calls


class BoundedImage(Bijector):
    law = "round_trip_of_outputs"
    domain = codomain = constraints.real

    @property
    def sign(self):
        return 1

    def _forward_and_log_det(self, x, context=None):
        y = 3 * (x / 3).tanh()
        return y, -2 * (x / 3).cosh().log()

    def _inverse_and_log_det(self, y, context=None):
        inside = (y / 3).clamp(-1 + 1e-12, 1 - 1e-12)
        return 3 * inside.atanh(), -(1 - inside**2).log()


class SilentClipping(Plain):
    law = "round_trip_in_tails"

    def _inverse_and_log_det(self, y, context=None):
        x, log_det = super()._inverse_and_log_det(y)
        return x.clamp(-10.0, 10.0), log_det


class RandomLogDet(Plain):
    law = "log_det_is_pure"

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        return y, log_det + 1e-4 * torch.randn_like(log_det)


class DroppedContext(Plain):
    """The context shifts the forward map, and the inverse forgets it."""

    law = "round_trip"
    context_shape = (2,)

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        return y + context.sum(-1, keepdim=True), log_det.expand((y + context.sum(-1, keepdim=True)).shape[:-1])


class LaundersNaN(Plain):
    law = "nan_in_gives_nan_out"

    def _forward_and_log_det(self, x, context=None):
        return super()._forward_and_log_det(x.nan_to_num())


class InverseOnlyAtInitialization(Plain):
    law = "round_trip"

    def __init__(self):
        super().__init__()
        self.register_buffer("initial", self.scale().detach())

    def _inverse_and_log_det(self, y, context=None):
        return (y - self.raw_loc) / self.initial, -self.initial.log().sum().expand(y.shape[:-1])


class TruncatedSeries(Bijector):
    """A matrix exponential by an eight-term series: exact at initialization, wrong for trained weights."""

    law = "log_det_matches_autograd"
    domain = codomain = constraints.real_vector
    domain_shape = (3,)

    def __init__(self):
        super().__init__()
        self.raw_matrix = nn.Parameter(0.1 * torch.randn(3, 3))

    def matrix(self, sign):
        term = total = torch.eye(3, dtype=self.raw_matrix.dtype)
        for power in range(1, 8):
            term = term @ (sign * self.raw_matrix) / power
            total = total + term
        return total

    def _forward_and_log_det(self, x, context=None):
        return x @ self.matrix(1.0).mT, self.raw_matrix.trace().expand(x.shape[:-1])

    def _inverse_and_log_det(self, y, context=None):
        return y @ self.matrix(-1.0).mT, -self.raw_matrix.trace().expand(y.shape[:-1])


class WrongDtype(Plain):
    law = "dtype_is_kept"

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        return y, log_det.float()


class DefaultDtype(Plain):
    law = "dtype_does_not_depend_on_the_default"

    def _forward_and_log_det(self, x, context=None):
        third = torch.tensor(1 / 3)
        y, log_det = super()._forward_and_log_det(x)
        return y + (third - 1 / 3).to(x.dtype) + third * x - x / 3, log_det


class MissingGradient(Plain):
    law = "every_parameter_gets_a_gradient"

    def scale(self):
        return softplus(self.raw_scale.detach()) + 0.1


class PartialGradient(Plain):
    """The gradient exists but one path is cut."""

    law = "gradients_match_finite_differences"

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        return y, log_det.detach()


class FalseConstant(Bijector):
    law = "constant_log_det_is_constant"
    domain = codomain = constraints.real
    constant_log_det = True

    @property
    def sign(self):
        return 1

    def _forward_and_log_det(self, x, context=None):
        return x.sinh(), x.cosh().log()

    def _inverse_and_log_det(self, y, context=None):
        x = y.asinh()
        return x, -x.cosh().log()


class NaNAtZero(Bijector):
    """sign(x) |x|^2: the logarithm of |x| meets a zero slope."""

    law = "extreme_inputs_give_no_nan"
    domain = codomain = constraints.real

    @property
    def sign(self):
        return 1

    def _forward_and_log_det(self, x, context=None):
        return x * x.abs() / x * x.sign() * x.sign(), torch.zeros_like(x)

    def _inverse_and_log_det(self, y, context=None):
        return y, torch.zeros_like(y)


class LogDetLosesDigits(Bijector):
    """Tanh with log(1 - y^2) written literally: no digits are left for |x| > 8 in float32."""

    law = "single_precision_agrees_with_double"
    domain = constraints.real
    codomain = constraints.interval(-1.0, 1.0)

    @property
    def sign(self):
        return 1

    def _forward_and_log_det(self, x, context=None):
        y = x.tanh()
        return y, (1 - y**2 + torch.finfo(x.dtype).tiny).log()

    def _inverse_and_log_det(self, y, context=None):
        return y.atanh(), -(1 - y**2).log()


class InfiniteGradient(Bijector):
    """A branch that is not taken still divides by zero in the backward pass."""

    law = "gradients_are_finite"
    domain = codomain = constraints.real

    @property
    def sign(self):
        return 1

    def _forward_and_log_det(self, x, context=None):
        y = torch.where(x == 0, x, x.sign() * x.abs().sqrt() ** 2)
        return y, torch.zeros_like(x)

    def _inverse_and_log_det(self, y, context=None):
        return y, torch.zeros_like(y)


class SkipsEverything(Plain):
    """Squeezes and stretches until no digit is left: a law that could judge nothing must not pass."""

    law = "round_trip"

    def _forward_and_log_det(self, x, context=None):
        return (x * 1e-20).tanh() + 1.0, x.sum(-1) * 0

    def _inverse_and_log_det(self, y, context=None):
        return (y - 1.0).atanh() * 1e20, y.sum(-1) * 0


class BookSoftplus(Bijector):
    """log(1 + exp x) as in a book: right in the middle; in float32 infinite above 89, zero below -17."""

    law = "single_precision_reaches_the_tails"
    domain = constraints.real
    codomain = constraints.positive

    @property
    def sign(self):
        return 1

    def _forward_and_log_det(self, x, context=None):
        return (1 + x.exp()).log(), x.sigmoid().log()

    def _inverse_and_log_det(self, y, context=None):
        x = (y.exp() - 1).log()
        return x, -x.sigmoid().log()


class LosesDigitsFarOut(Plain):
    """A detour through a difference of large numbers: fine at one, no digit left at ten thousand."""

    law = "single_precision_reaches_the_tails"

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        return (y + 1e3 * y**2) - 1e3 * y**2, log_det


class LeavesATensorBehind(Plain):
    law = "device_is_kept"

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        return y + torch.zeros(3, dtype=x.dtype), log_det


class WidensHalfPrecision(Plain):
    law = "bfloat16_is_kept"

    def _forward_and_log_det(self, x, context=None):
        y, log_det = super()._forward_and_log_det(x)
        return y, log_det.float() if x.dtype == torch.bfloat16 else log_det


class MassIsLost(Bijector):
    """y = 2 x without its log-determinant: the two directions agree, and half of the mass is gone."""

    law = "pushforward_has_mass_one"
    domain = codomain = constraints.real
    constant_log_det = True

    def _forward_and_log_det(self, x, context=None):
        return 2 * x, torch.zeros_like(x)

    def _inverse_and_log_det(self, y, context=None):
        return y / 2, torch.zeros_like(y)


BROKEN = [entry for entry in list(vars().values()) if isinstance(entry, type) and hasattr(entry, "law")]
