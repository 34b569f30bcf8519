"""Broken distributions: each is a correct law with one bug, and names the law of the kit that must find it."""

import math

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import nn
from torch.distributions import constraints

from probgen.distributions import Dequantized, LatentVariable, TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine


class Gaussian(TorchDistribution):
    """The correct normal distribution with a learnable location, from which the broken ones differ."""

    arg_constraints = {}
    support = constraints.real
    has_rsample = True

    def __init__(self, shape=()):
        self.module = nn.Module()
        self.module.raw_loc = nn.Parameter(torch.zeros(()))
        super().__init__(torch.Size(shape), torch.Size())

    def rsample(self, sample_shape=()):
        noise = torch.randn((*sample_shape, *self.batch_shape), dtype=self.module.raw_loc.dtype)
        return self.module.raw_loc + noise

    def sample(self, sample_shape=()):
        with torch.no_grad():
            return self.rsample(sample_shape)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        log_prob = -0.5 * (value - self.module.raw_loc) ** 2 - 0.5 * math.log(2 * math.pi)
        return log_prob.expand(torch.broadcast_shapes(log_prob.shape, self.batch_shape))

    def expand(self, batch_shape, _instance=None):
        new = type(self)(batch_shape)
        new.module = self.module
        return new


class MassOneAndAHalf(Gaussian):
    law = "density_has_mass_one"

    def log_prob(self, value):
        return super().log_prob(value) + math.log(1.5)


class WiderSamples(Gaussian):
    law = "samples_follow_the_density"

    def rsample(self, sample_shape=()):
        return super().rsample(sample_shape) * 1.1


class SampleKeepsGradient(Gaussian):
    law = "sample_is_detached"

    def sample(self, sample_shape=()):
        return self.rsample(sample_shape)


class DetachedReparameterization(Gaussian):
    law = "sample_is_detached"

    def rsample(self, sample_shape=()):
        return super().rsample(sample_shape).detach()


class WrongReparameterizationGradient(Gaussian):
    law = "pointwise_gradient_is_that_of_the_draw"

    def rsample(self, sample_shape=()):
        value = super().rsample(sample_shape)
        return value + 0.5 * (value - value.detach())


class SeedIgnored(Gaussian):
    law = "same_seed_same_sample"
    count = 0

    def rsample(self, sample_shape=()):
        SeedIgnored.count += 1
        generator = torch.Generator().manual_seed(SeedIgnored.count)
        return self.module.raw_loc + torch.randn((*sample_shape, *self.batch_shape), generator=generator)


class OneSeedForAll(Gaussian):
    law = "different_seeds_differ"

    def rsample(self, sample_shape=()):
        generator = torch.Generator().manual_seed(0)
        return self.module.raw_loc + torch.randn((*sample_shape, *self.batch_shape), generator=generator)


class ExpandIgnored(Gaussian):
    law = "expand_keeps_the_law"

    def expand(self, batch_shape, _instance=None):
        return self


class ExpandForgetsParameters(Gaussian):
    law = "plate_broadcasts"

    def expand(self, batch_shape, _instance=None):
        new = type(self)(batch_shape)
        new._batch_shape = self._batch_shape
        return new


class SumsOverTheBatch(Gaussian):
    law = "distribution_shapes_are_declared"

    def log_prob(self, value):
        return super().log_prob(value).sum()


class MissingParameterGradient(Gaussian):
    law = "distribution_parameters_get_gradients"

    def __init__(self, shape=()):
        super().__init__(shape)
        self.module.unused = nn.Parameter(torch.zeros(()))


class LaundersNaN(Gaussian):
    law = "nan_is_not_scored"

    def log_prob(self, value):
        return super().log_prob(value.nan_to_num())


class SinglePrecisionScore(Gaussian):
    law = "distribution_dtype_is_kept"

    def log_prob(self, value):
        return super().log_prob(value).float()


class StaleScore(Gaussian):
    """Remembers the score of its draw by identity and does not notice a changed parameter."""

    law = "memo_is_never_stale"

    def __call__(self, sample_shape=()):
        value = self.rsample(sample_shape)
        self.memo = (value, super().log_prob(value).detach())
        return value

    def log_prob(self, value):
        memo = self.__dict__.get("memo")
        return memo[1] if memo is not None and memo[0] is value else super().log_prob(value)


class WrongEntropy(Gaussian):
    law = "entropy_matches_samples"

    def entropy(self):
        return torch.full(self.batch_shape, 0.5 * math.log(2 * math.pi))


class WrongVariance(Gaussian):
    law = "moments_match_samples"
    mean = property(lambda self: self.module.raw_loc.detach().expand(self.batch_shape))
    variance = property(lambda self: torch.full(self.batch_shape, 1.2))


class WrongCdf(Gaussian):
    law = "cdf_and_icdf_agree_with_the_density"

    def cdf(self, value):
        return torch.sigmoid(1.702 * (value - self.module.raw_loc))


class InfiniteSlope(Gaussian):
    law = "log_prob_has_finite_gradients"

    def log_prob(self, value):
        zero = value - value.detach()
        return super().log_prob(value) + zero.abs().sqrt()


class Positive(dist.Exponential):
    """The correct exponential distribution."""

    def __init__(self):
        super().__init__(torch.ones(()))


class FiniteOutside(Positive):
    law = "no_density_outside_the_support"

    def log_prob(self, value):
        return -value.abs()


class DrawsOutside(Positive):
    law = "samples_lie_in_the_support"

    def sample(self, sample_shape=()):
        return super().sample(sample_shape) - 0.01


class UnroundedSamples(dist.Bernoulli):
    law = "samples_lie_in_the_support"

    def __init__(self):
        super().__init__(torch.tensor(0.3))

    def sample(self, sample_shape=()):
        return super().sample(sample_shape) * 0.999


class ProbabilitiesPlusEpsilon(dist.Categorical):
    law = "finite_support_has_mass_one"

    def __init__(self):
        super().__init__(probs=torch.tensor([0.2, 0.3, 0.5]))

    def log_prob(self, value):
        return (super().log_prob(value).exp() + 1e-3).log()


class RollsTheStates(dist.Categorical):
    law = "samples_follow_the_mass_function"

    def __init__(self):
        super().__init__(probs=torch.tensor([0.2, 0.3, 0.5]))

    def sample(self, sample_shape=()):
        return (super().sample(sample_shape) + 1) % 3


class NarrowPlane(dist.MultivariateNormal):
    """Samples are right in every coordinate and wrong together: the correlation is lost."""

    law = "draws_balance_the_density"

    def __init__(self):
        super().__init__(torch.zeros(3), torch.eye(3) * 0.5 + 0.5)

    def rsample(self, sample_shape=()):
        return torch.randn((*sample_shape, 3))


class WrongReference(dist.Normal):
    law = "log_prob_matches_the_reference"
    reference = torch.distributions.Normal(0.0, 1.0)

    def __init__(self):
        super().__init__(torch.tensor(0.0), torch.tensor(1.001))


class BrokenIntegralTransform(dist.MultivariateNormal):
    law = "pit_of_samples_is_uniform"

    def __init__(self):
        super().__init__(torch.zeros(2), torch.eye(2))

    def probability_integral_transform(self, value):
        return torch.distributions.Normal(0.0, 1.1).cdf(value)


class ScoresHalfTheShift(Gaussian):
    """Right at initialization, where the location is zero; the density moves half as far as the draws."""

    law = "pathwise_gradient_is_the_score_gradient"

    def log_prob(self, value):
        return super().log_prob(value + 0.5 * self.module.raw_loc)


class GenerousBound(Dequantized):
    law = "dequantization_bound_is_below_the_mass"

    def __init__(self):
        super().__init__(dist.Normal(torch.tensor(2.0), 1.0))

    def bound(self, value, num_draws=1):
        return super().bound(value, num_draws) + 0.1


class Latent(LatentVariable):
    """A correct latent-variable model, from which the broken ones differ."""

    reference = staticmethod(lambda: dist.Normal(torch.zeros(()), 2**0.5))

    def __init__(self):
        super().__init__(standard_normal(), lambda z: dist.Normal(z, 1.0), lambda x: dist.Normal(0.4 * x, 0.9))


class WeightsForgetTheNormalization(Latent):
    """The encoder scores its draw without its standard deviation."""

    law = "importance_weights_average_to_the_density"

    def log_weights(self, x, num_draws):
        return super().log_weights(x, num_draws) + 0.105


class BoundWithoutItsDivergence(Latent):
    """The reconstruction term alone."""

    law = "marginal_bounds_are_ordered"

    def elbo(self, x, num_draws=1, *, closed_form=True):
        terms = self._terms(x, num_draws, closed_form=closed_form)
        return terms.log_likelihood.mean(0)


class DrawsWithoutNoise(Latent):
    """Data are the decoder's mean."""

    law = "marginal_draws_are_right"

    def sample(self, sample_shape=()):
        return self.decoder(self.prior.sample(torch.Size(sample_shape))).mean


class BranchesOnTheValue(Gaussian):
    """Data-dependent control flow: the graph breaks."""

    law = "log_prob_compiles_whole"

    def log_prob(self, value):
        return super().log_prob(value) if float(value.sum().detach()) < 1e9 else super().log_prob(value) + 1


class RandomScore(Gaussian):
    """An estimate that calls itself exact: the guide's and the model's term do not cancel."""

    law = "elbo_uses_the_density"

    def log_prob(self, value):
        return super().log_prob(value) + 0.1 * torch.randn(())


class BoundReturnedAsDensity(Gaussian):
    law = "inexact_density_raises"
    log_prob_kind = "lower"


class AcceptsWrongEvent(dist.MultivariateNormal):
    law = "wrong_value_shapes_raise"

    def __init__(self):
        super().__init__(torch.zeros(3), torch.eye(3))

    def log_prob(self, value):
        return super().log_prob(value[..., :3])


def fused_score_forgets_the_log_det():
    class Fused(TransformedDistribution):
        def rsample_and_log_prob(self, sample_shape=()):
            z = self.base_dist.rsample(sample_shape)
            return self.bijector(z), self.base_dist.log_prob(z)

    return Fused(standard_normal(2), Affine(torch.tensor(0.0), torch.tensor(2.0)))


fused_score_forgets_the_log_det.law = "draw_and_score_agree"

BROKEN = [entry for entry in list(vars().values()) if hasattr(entry, "law") and callable(entry)]
