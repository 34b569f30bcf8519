"""Densities, bounds and estimates of laws made by surjections, against quadrature, enumeration and closed forms."""

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from torch import nn

from probgen.distributions import (
    DensityUnavailable,
    Dequantized,
    SurjectiveDistribution,
    SurjectiveLaw,
    TransformedDistribution,
    standard_normal,
)
from probgen.distributions._checks import ContextError
from probgen.distributions.bijectors import Affine, ConditionalElementwise, Exp, LowerTriangular
from probgen.distributions.surjections import (
    AbsoluteValue,
    Argmax,
    ComposedMap,
    IntegerColumn,
    MaxPool,
    MixedColumns,
    PushForward,
    Rounding,
    Slice,
    Sort,
    StochasticLayer,
    as_map,
)

DOUBLE = torch.float64


def number(value):
    return torch.tensor(value, dtype=DOUBLE)


def gaussian(mean, covariance):
    return dist.MultivariateNormal(number(mean), number(covariance))


# ------------------------------------------------------------------------------------- with the true law every weight is exact


def test_slice_with_the_true_conditional_gives_the_marginal():
    joint = gaussian([1.0, -1.0], [[2.0, 0.6], [0.6, 1.0]])

    def posterior(v):
        return dist.Normal(-1.0 + 0.3 * (v - 1.0), math.sqrt(1.0 - 0.18)).to_event(1)

    law = SurjectiveDistribution(joint, Slice(1, 1, posterior))
    x = torch.randn(7, 1, dtype=DOUBLE)
    truth = dist.Normal(number(1.0), math.sqrt(2.0)).log_prob(x[:, 0])
    torch.testing.assert_close(law.bound(x), truth, rtol=1e-12, atol=1e-12)
    assert law.log_prob_estimate(x, 5).stderr.max() < 1e-12


def test_absolute_value_with_the_true_signs_gives_the_folded_density():
    normal = dist.Normal(number(0.7), number(1.0))

    def signs(v):
        return dist.Bernoulli(logits=normal.log_prob(v) - normal.log_prob(-v))

    x = torch.rand(9, dtype=DOUBLE) * 3
    truth = torch.logaddexp(normal.log_prob(x), normal.log_prob(-x))
    torch.testing.assert_close(SurjectiveDistribution(normal, AbsoluteValue(signs)).bound(x), truth, rtol=1e-12, atol=1e-12)


def test_sorted_exchangeable_numbers_have_the_density_of_order_statistics():
    law = SurjectiveDistribution(dist.Exponential(torch.ones(3, dtype=DOUBLE)).to_event(1), Sort())
    x = number([0.1, 0.5, 2.0])
    assert math.isclose(law.bound(x).item(), math.log(6) - 2.6, rel_tol=1e-12)
    assert math.isclose(law.bound(x, 4).item(), math.log(6) - 2.6, rel_tol=1e-12)


def test_max_pool_with_the_true_law_gives_the_density_of_the_maximum():
    """Of K uniform numbers it is K v^(K - 1); given it, the others are uniform below."""

    def below(v):
        top = v.unsqueeze(-1).expand(*v.shape, 2)
        return dist.Uniform(torch.zeros_like(top), top).to_event(2)

    law = SurjectiveDistribution(dist.Uniform(torch.zeros(3, dtype=DOUBLE), 1.0).to_event(1), MaxPool((3,), below))
    v = number([[0.2], [0.9]])
    torch.testing.assert_close(law.bound(v), (3 * v[:, 0] ** 2).log(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("categories", [2, 5])
def test_argmax_of_gumbel_variables_is_the_softmax(categories):
    """With equal locations the default guide is the true law, so that every weight is 1 / K."""
    base = dist.Gumbel(torch.full((categories,), 0.3, dtype=DOUBLE), number(1.0)).to_event(1)
    shifted = SurjectiveDistribution(base, [Affine(number(-0.3), number(1.0)), Argmax(categories, cell="gumbel")])
    bound = shifted.bound(torch.arange(categories), 3)
    torch.testing.assert_close(bound, torch.full_like(bound, -math.log(categories)), rtol=1e-10, atol=1e-10)


@pytest.mark.statistical(false_alarm=1e-10)
@pytest.mark.parametrize("value", [3.0, 5.0, 8.0])
def test_integers_with_the_true_fraction_have_the_mass_of_their_cell(value):
    """End cells, too: their coordinates reach the tails. For a logistic law the coordinate's law is known in closed form."""
    column = IntegerColumn(5.6, 0.8, low=3, high=8)
    base = dist.Logistic(number([0.0]), number([1.0])).to_event(1)
    law = SurjectiveDistribution(base, MixedColumns([column]))
    estimate = law.log_prob_estimate(number([value]).expand(4000, 1), 8)
    cdf = [torch.sigmoid((number(edge) - 5.6) / 0.8) for edge in (value - 0.5, value + 0.5)]
    mass = {3.0: cdf[1], 8.0: 1 - cdf[0]}.get(value, cdf[1] - cdf[0])
    weights = law.log_weights(number([value]), 200_000).exp()
    assert abs(weights.mean() - mass) < 7 * weights.std() / math.sqrt(200_000)
    assert estimate.value.mean() < mass.log() + 1e-3


def test_stochastic_layer_with_the_exact_posterior_gives_the_evidence():
    class Line(nn.Module):
        def __init__(self, slope, deviation):
            super().__init__()
            self.slope, self.deviation = slope, deviation

        def forward(self, given):
            return dist.Normal(self.slope * given, self.deviation).to_event(1)

    layer = StochasticLayer(Line(1.0, 1.0), Line(0.5, 0.5**0.5), (1,), (1,))
    law = SurjectiveDistribution(standard_normal(1), layer)
    x = torch.randn(5, 1, dtype=DOUBLE)
    truth = dist.Normal(number(0.0), number(2.0).sqrt()).log_prob(x[:, 0])
    torch.testing.assert_close(law.bound(x), truth, rtol=1e-7, atol=1e-7)
    assert law.sample((3,)).shape == (3, 1)


# --------------------------------------------------------------------------------------------------- bounds lie below the truth


def folded():
    base = gaussian([0.5, -0.2], [[1.0, 0.7], [0.7, 1.5]])
    x = number([[0.3, 1.1], [2.0, 0.4]])
    signs = number([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    return SurjectiveDistribution(base, AbsoluteValue()), x, base.log_prob(x * signs[:, None]).logsumexp(0)


def sorted_pair():
    base = gaussian([0.5, -0.2], [[1.0, 0.7], [0.7, 1.5]])
    x = number([[0.3, 1.1], [-2.0, 0.4]])
    return SurjectiveDistribution(base, Sort()), x, torch.logaddexp(base.log_prob(x), base.log_prob(x.flip(-1)))


def three_categories():
    """P(argmax = k) of independent normal numbers: the integral of one density times the other cdfs."""
    loc, grid = number([0.5, 0.0, -0.7]), torch.linspace(-9, 9, 4001, dtype=DOUBLE)
    normals = dist.Normal(loc[:, None], number(1.0))
    density, cdf = normals.log_prob(grid).exp(), normals.cdf(grid)
    others = torch.stack([cdf[1] * cdf[2], cdf[0] * cdf[2], cdf[0] * cdf[1]])
    masses = torch.trapezoid(density * others, grid)
    law = SurjectiveDistribution(dist.Normal(loc, number(1.0)).to_event(1), Argmax(3))  # cells by thresholding
    assert abs(masses.sum() - 1) < 1e-6
    return law, torch.arange(3), masses.log()


def gumbel():
    loc = number([0.3, 0.0, -0.3])
    law = SurjectiveDistribution(dist.Gumbel(loc, number(1.0)).to_event(1), Argmax(3, cell="gumbel"))
    return law, torch.arange(3), loc.log_softmax(0)


def sliced():
    base = gaussian([1.0, -1.0], [[2.0, 0.6], [0.6, 1.0]])
    x = number([[0.5], [2.0]])
    return SurjectiveDistribution(base, Slice(1, 1)), x, dist.Normal(number(1.0), number(2.0).sqrt()).log_prob(x[:, 0])


@pytest.mark.statistical(false_alarm=1e-9)
@pytest.mark.parametrize("build", [folded, sorted_pair, three_categories, gumbel, sliced])
def test_weights_average_to_the_density_and_the_bound_lies_below(build):
    """40 000 draws; each of at most 3 means is within 6.5 standard errors (1e-10 each); finds an error of about 3 percent."""
    torch.manual_seed(0)
    law, x, truth = build()
    weights = law.log_weights(law._checked(x), 40_000)
    ratio = (weights - truth).exp()
    assert ((ratio.mean(0) - 1).abs() < 6.5 * ratio.std(0) / 200).all()
    assert (ratio.std(0) / 200 < 0.02).all()
    assert (weights.mean(0) < truth).all()
    assert law.log_prob_kind == law.log_prob_estimate(x).kind == "lower"
    tighter = law.log_prob_estimate(x, 2000).value
    assert (weights.mean(0) < tighter).all()


def test_a_draw_of_the_model_bounds_from_above():
    """At a true draw of z given x the mean log-weight is an upper bound; enumerated over the two signs."""
    normal, x = dist.Normal(number(0.7), number(1.0)), number(1.3)
    f = AbsoluteValue()
    truth = torch.logaddexp(normal.log_prob(x), normal.log_prob(-x))
    both = torch.stack([x, -x])
    posterior = (normal.log_prob(both) - truth).exp()
    upper = (posterior * (normal.log_prob(both) + f.forward_and_contribution(both)[1])).sum()
    lower = 0.5 * (normal.log_prob(both) + math.log(2)).sum()
    assert lower < truth < upper
    kl = (posterior * (2 * posterior).log()).sum()
    assert math.isclose((upper - truth).item(), kl.item(), rel_tol=1e-9)


# ---------------------------------------------------------------------------------------------------------------- kinds, errors


def test_what_is_exact_is_scored_and_what_is_not_raises():
    exact = SurjectiveDistribution(standard_normal(), Exp() >> AbsoluteValue().inv)
    assert exact.log_prob_kind == "exact"
    assert exact.log_prob_estimate(torch.ones(3)).kind == "exact"
    bounded = SurjectiveDistribution(standard_normal(2), AbsoluteValue())
    assert isinstance(bounded, PushForward)
    with pytest.raises(DensityUnavailable, match=r"SurjectiveDistribution.*log_prob_estimate.*bound.*allow_estimate"):
        bounded.log_prob(torch.ones(2))
    with pytest.raises(DensityUnavailable):
        bounded.rsample_and_log_prob()
    allowed = SurjectiveDistribution(standard_normal(2), AbsoluteValue(), allow_estimate=True, num_draws=3)
    assert allowed.log_prob(torch.ones(5, 2)).shape == (5,)
    assert allowed.rsample().shape == (2,)


def test_mass_is_not_lost_silently():
    """survae lets a flow on all of R^D stand in front of a sort: its density has less mass than one, its draws are unsorted."""
    with pytest.raises(ValueError, match=r"Sort.inv is defined on Increasing\(\) only"):
        SurjectiveDistribution(standard_normal(3), Sort().inv)
    with pytest.raises(ValueError, match="mass would be lost"):
        Affine() >> AbsoluteValue().inv
    with pytest.raises(ValueError, match="`num_draws`"):
        SurjectiveDistribution(standard_normal(), Rounding(), num_draws=0)
    with pytest.raises(ValueError, match="`num_draws`"):
        SurjectiveDistribution(standard_normal(), Rounding()).bound(torch.zeros(()), 0)


def test_a_law_that_cannot_be_trained_is_refused():
    slope = nn.Parameter(torch.tensor(1.0))
    law = SurjectiveDistribution(standard_normal(), AbsoluteValue(lambda v: dist.Bernoulli(logits=slope * v)))
    with pytest.raises(ValueError, match="gradient"):
        law.bound(torch.ones(()))
    with torch.no_grad():
        assert law.bound(torch.ones(())).isfinite()
    with pytest.raises(ValueError, match=r"events of shape \(1,\); got \(\)"):
        SurjectiveDistribution(standard_normal(2), Slice(1, 1, lambda v: dist.Normal(v, 1.0))).bound(torch.ones(1))
    assert not SurjectiveDistribution(standard_normal(), Exp() >> AbsoluteValue(law.transform.law).inv).has_rsample
    with pytest.raises(NotImplementedError, match="rsample"):
        SurjectiveDistribution(standard_normal(), Rounding()).rsample()


def test_outside_the_support_is_minus_infinity_or_an_error():
    histogram = SurjectiveDistribution(dist.Categorical(torch.ones(3)), Rounding(levels=3).inv, validate_args=False)
    x = torch.tensor([-0.5, 0.0, 2.9, 3.0, math.nan], requires_grad=True)
    log_prob = histogram.log_prob(x)
    assert log_prob.exp().nan_to_num(-1.0).tolist() == pytest.approx([0.0, 1 / 3, 1 / 3, 0.0, -1.0])
    with pytest.raises(ValueError, match="support"):
        SurjectiveDistribution(standard_normal(), Rounding(levels=3), validate_args=True).bound(torch.tensor(3.0))


# ------------------------------------------------------------------------------------------------------------ context, batches


def conditional():
    shift = ConditionalElementwise(Affine(), nn.Linear(2, 2), context_shape=(2,))
    return SurjectiveDistribution(standard_normal(3), [shift, Rounding()])


def test_context_is_bound_broadcast_and_asked_for():
    law = conditional()
    assert law.context_shape == (2,)
    with pytest.raises(ContextError, match="needs a context"):
        law.sample()
    with pytest.raises(ContextError, match=r"trailing shape \(2,\)"):
        law.condition(torch.zeros(4, 3))
    bound = law.condition(torch.randn(5, 2))
    assert bound.batch_shape == (5,)
    assert bound.context_shape is None
    x = bound.sample((7,))
    assert x.shape == (7, 5, 3)
    assert bound.bound(x, 4).shape == (7, 5)
    assert bound.bound(torch.zeros(3)).shape == (5,)
    assert bound.expand((2, 5)).sample().shape == (2, 5, 3)
    with pytest.raises(ContextError, match="bound"):
        bound.condition(torch.zeros(5, 2))


def test_the_context_changes_the_law_row_by_row():
    torch.manual_seed(0)
    law, context = conditional(), torch.randn(5, 2)
    torch.manual_seed(1)
    together = law.condition(context).bound(torch.zeros(3), 2000)
    separate = torch.stack([law.condition(row).bound(torch.zeros(3), 2000) for row in context])
    torch.testing.assert_close(together, separate, rtol=0, atol=0.1)
    assert together.std() > 0.05


def test_draws_multiply_only_where_something_is_drawn():
    calls = []

    def noise(x):
        calls.append(tuple(x.shape))
        return dist.Uniform(torch.zeros_like(x), torch.ones_like(x)).to_event(1)

    law = Dequantized(standard_normal(2), noise=noise)
    assert law.bound(torch.zeros(5, 2), 64).shape == (5,)
    assert calls == [(5, 2)]


def test_base_event_and_batch_fit_as_for_bijectors():
    assert SurjectiveDistribution(dist.Normal(torch.zeros(4, 3), 1.0), Sort()).event_shape == (3,)
    assert SurjectiveDistribution(dist.Normal(torch.zeros(4, 3), 1.0), Argmax(3)).batch_shape == (4,)
    assert SurjectiveDistribution(standard_normal((2, 3)), Rounding()).event_shape == (2, 3)
    assert SurjectiveDistribution(standard_normal((2, 3)), Rounding()).bound(torch.zeros(5, 2, 3)).shape == (5,)
    batch = SurjectiveDistribution(standard_normal(2), Affine(torch.zeros(4, 1), 1.0) >> Rounding())
    assert (batch.batch_shape, batch.event_shape) == ((4,), (2,))
    assert len(ComposedMap(as_map(Exp()), ComposedMap(Rounding(), Rounding()))) == 3


# --------------------------------------------------------------------------------------------------------------- in a program


def test_gradients_reach_flow_and_guide():
    guide = nn.Linear(2, 2)

    def law_of_rest(v):
        mean, raw = guide(v).chunk(2, -1)
        return dist.Normal(mean, raw.exp()).to_event(1)

    flow = LowerTriangular(3)
    law = SurjectiveDistribution(standard_normal(3), [flow, Slice(2, 1, law_of_rest)])
    law.bound(torch.randn(8, 2), 2).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in [*flow.parameters(), *guide.parameters()])
    pairs = SurjectiveDistribution(standard_normal(2), [LowerTriangular(2), Slice(2, 1, law_of_rest).inv])
    x = pairs.rsample((8,))
    gradients = torch.autograd.grad(x.square().sum(), [*pairs.transform.parameters(), *guide.parameters()])
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_a_site_is_scored_masked_and_trained():
    """As an observed site in a plate, with the bound of fresh draws; SVI's loss is its negative sum."""
    torch.manual_seed(0)
    law = SurjectiveLaw(standard_normal(2), [LowerTriangular(2), Rounding()])
    x = torch.randint(-2, 3, (6, 2)).float()

    def model(data):
        with pyro.plate("rows", len(data)):
            pyro.sample("x", law(), obs=data)

    trace = pyro.poutine.trace(model).get_trace(x)
    trace.compute_log_prob()
    assert trace.nodes["x"]["log_prob"].shape == (6,)
    optimizer = torch.optim.Adam(law.parameters(), 0.05)
    losses = []
    for _ in range(60):
        loss = -law().log_prob(x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) < sum(losses[:10])
    fresh = SurjectiveLaw(standard_normal(2), [LowerTriangular(2), Rounding()])
    fresh.load_state_dict(law.state_dict())
    torch.manual_seed(3)
    first = law().log_prob(x)
    torch.manual_seed(3)
    assert torch.equal(fresh().log_prob(x), first)


def test_float64_stays_and_integers_take_the_dtype_of_the_parameters():
    """survae's log_prob is float32 whatever comes in."""
    law = SurjectiveLaw(standard_normal(2), [LowerTriangular(2), Rounding()]).double()
    assert law().sample().dtype == torch.float64
    assert law().bound(torch.zeros(3, 2, dtype=torch.long)).dtype == torch.float64
    exact = SurjectiveDistribution(standard_normal(), [Affine(shape=()).double(), Exp(), AbsoluteValue().inv])
    value, log_prob = exact.rsample_and_log_prob((4,))
    assert value.dtype == log_prob.dtype == torch.float64
    torch.testing.assert_close(exact.log_prob(value), log_prob)


def test_a_report_names_the_bound():
    law = SurjectiveDistribution(standard_normal(2), Rounding())
    assert ">=" in str(law.report(law.sample((50,)), num_draws=4)) or "bound" in str(law.report(law.sample((50,))))
    transformed = TransformedDistribution(standard_normal(2), LowerTriangular(2))
    assert SurjectiveDistribution(transformed, Sort()).bound(torch.tensor([0.0, 1.0])).isfinite()
