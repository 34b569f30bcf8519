"""TransformedDistribution: densities, shapes, the held draw, dtype, support."""

import copy
import pickle

import pyro
import pyro.distributions as dist
import pytest
import torch
from torch.distributions import AffineTransform
from torch.func import functional_call

from probgen.distributions import DensityUnavailable, TransformedDistribution, standard_normal
from probgen.distributions._checks import ContextError
from probgen.distributions.bijectors import Affine, Bijector, ContinuousFlow, Exp, Lift, Permutation, Scale
from probgen.flows import neural_spline_coupling
from tests.cases.continuous import NetworkField


class Counting(Affine):
    """An affine map that counts its passes."""

    def __init__(self, **given):
        super().__init__(**given)
        self.forwards = self.inverses = 0

    def _element_forward(self, x, values):
        self.forwards += 1
        return super()._element_forward(x, values)

    def _element_inverse(self, y, values):
        self.inverses += 1
        return super()._element_inverse(y, values)


def log_normal(**kwargs):
    return TransformedDistribution(standard_normal(), Affine(0.3, 0.5) >> Exp(), **kwargs)


def test_log_normal_agrees_with_torch():
    ours, theirs = log_normal(), dist.LogNormal(0.3, 0.5)
    x, u = torch.tensor([0.1, 1.0, 7.0]), torch.tensor([0.01, 0.5, 0.99])
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x))
    torch.testing.assert_close(ours.cdf(x), theirs.cdf(x))
    torch.testing.assert_close(ours.icdf(u), theirs.icdf(u))


def test_distribution_function_of_a_decreasing_map():
    d = TransformedDistribution(standard_normal(), Lift(AffineTransform(1.0, -2.0)))
    x = torch.tensor([-1.0, 1.0, 4.0])
    torch.testing.assert_close(d.cdf(x), dist.Normal(1.0, 2.0).cdf(x))
    torch.testing.assert_close(d.cdf(d.icdf(torch.tensor([0.2, 0.7]))), torch.tensor([0.2, 0.7]))


def test_affine_push_forward_of_a_gaussian_is_a_gaussian():
    loc, scale = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    ours = TransformedDistribution(standard_normal(2), Affine(loc, scale))
    theirs = dist.Normal(loc, scale).to_event(1)
    x = torch.randn(7, 2)
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    torch.testing.assert_close(ours.mean, theirs.mean)


def test_unknown_moments_raise():
    d = log_normal()
    with pytest.raises(NotImplementedError, match="affine"):
        _ = d.mean
    with pytest.raises(NotImplementedError, match="log-determinant is constant"):
        d.entropy()
    with pytest.raises(NotImplementedError, match=r"scalar events.*\(2,\)"):
        TransformedDistribution(standard_normal(2), Affine(1.0, 2.0)).cdf(torch.zeros(2))


@pytest.mark.parametrize("sample", [(), (4,), (2, 3)])
@pytest.mark.parametrize(
    ("base", "bijector", "batch", "event"),
    [
        (lambda: standard_normal(2), lambda: Affine(torch.zeros(3, 1), 1.0), (3,), (2,)),
        (lambda: standard_normal(2).expand((5, 1)), lambda: Affine(torch.zeros(3, 2), 1.0), (5, 3), (2,)),
        (lambda: standard_normal().expand((5, 3)), lambda: Permutation([2, 0, 1]), (5,), (3,)),
        (lambda: dist.Normal(torch.zeros(4, 3), 1.0), lambda: Permutation([2, 0, 1]), (4,), (3,)),
        (lambda: dist.Normal(0.0, 1.0), lambda: Affine(torch.zeros(4), 1.0), (4,), ()),
        (lambda: dist.Normal(torch.zeros(2, 3), 1.0).to_event(2), lambda: Permutation([2, 0, 1]), (), (2, 3)),
        (
            lambda: standard_normal(3),
            lambda: neural_spline_coupling(3, context_shape=(2,), layers=2, hidden=(8,)).condition(torch.zeros(6, 2)),
            (6,),
            (3,),
        ),
    ],
)
def test_shapes(base, bijector, batch, event, sample):
    d = TransformedDistribution(base(), bijector())
    assert d.batch_shape == batch
    assert d.event_shape == event
    assert d.support.event_dim == len(event)
    for law, lead in ((d, batch), (d.expand((7, *batch)), (7, *batch))):
        x, log_prob = law.rsample_and_log_prob(sample)
        assert x.shape == (*sample, *lead, *event)
        assert law.sample(sample).shape == x.shape
        assert log_prob.shape == (*sample, *lead)
        torch.testing.assert_close(law.log_prob(x), log_prob, atol=1e-4, rtol=1e-4)
    assert d.log_prob(d.sample()[(0,) * len(batch)]).shape == batch


def test_a_base_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"base with event shape \(3,\).*event shape \(1,\)"):
        TransformedDistribution(standard_normal(1), Affine(torch.zeros(3), 1.0))
    with pytest.raises(ValueError, match="event shape"):
        TransformedDistribution(standard_normal(2), Permutation([2, 0, 1]))


def test_a_value_of_another_shape_is_refused():
    d = TransformedDistribution(standard_normal(2), Affine(torch.zeros(3, 1), 1.0))
    with pytest.raises(ValueError, match=r"event shape \(2,\); got \(3,\)"):
        d.log_prob(torch.zeros(3))
    with pytest.raises(ValueError, match="does not broadcast"):
        d.log_prob(torch.zeros(4, 2))


def test_missing_context_is_an_error():
    d = TransformedDistribution(standard_normal(2), neural_spline_coupling(2, context_shape=(3,), layers=1, hidden=(4,)))
    assert d.context_shape == (3,)
    for use in (d.sample, d.rsample, lambda: d.log_prob(torch.zeros(2))):
        with pytest.raises(ContextError, match=r"\(3,\)"):
            use()
    with pytest.raises(ContextError, match=r"\(2,\)"):
        d.condition(torch.zeros(2))
    assert d.condition(torch.zeros(4, 3)).sample((5,)).shape == (5, 4, 2)


def test_outside_the_support():
    with pytest.raises(ValueError, match=r"support.*1 of 2"):
        log_normal().log_prob(torch.tensor([-1.0, 1.0]))
    x = torch.tensor([-1.0, 0.0, 1.0], requires_grad=True)
    log_prob = log_normal(validate_args=False).log_prob(x)
    assert log_prob[:2].eq(-torch.inf).all()
    log_prob[2].backward()
    assert x.grad.isfinite().all()
    assert x.grad[2] != 0
    assert log_normal(validate_args=False).log_prob(torch.tensor(torch.nan)).isnan()


def test_the_switch_on_the_object_wins_over_the_global_one():
    torch.distributions.Distribution.set_default_validate_args(False)
    with pytest.raises(ValueError, match="support"):
        log_normal(validate_args=True).log_prob(torch.tensor(-1.0))
    assert log_normal().log_prob(torch.tensor(-1.0)) == -torch.inf


def test_a_drawn_value_is_scored_once_without_an_inverse():
    f = Counting(shape=(2,))
    d = TransformedDistribution(standard_normal(2), f)
    x = d()
    held = d.log_prob(x)
    assert (f.forwards, f.inverses) == (1, 0)
    again = d.log_prob(x)
    assert f.inverses == 1
    torch.testing.assert_close(held, again)


@pytest.mark.parametrize("change", ["parameter", "value", "clone", "second draw", "load", "context"])
def test_a_held_draw_never_goes_stale(change):
    f = neural_spline_coupling(2, context_shape=(1,), layers=2, hidden=(8,))
    context = torch.zeros(1)
    d = TransformedDistribution(standard_normal(2), f.condition(context))
    x = d()
    with torch.no_grad():
        if change == "parameter":
            next(f.parameters()).add_(0.5)
        elif change == "value":
            x.add_(0.5)
        elif change == "clone":
            x = x.clone()
        elif change == "second draw":
            d()
        elif change == "load":
            f.load_state_dict(neural_spline_coupling(2, context_shape=(1,), layers=2, hidden=(8,)).state_dict())
        else:
            context.add_(0.5)
    fresh = TransformedDistribution(standard_normal(2), f.condition(context)).log_prob(x)
    torch.testing.assert_close(d.log_prob(x), fresh, atol=1e-5, rtol=1e-5)


def test_a_held_draw_notices_a_fused_optimizer():
    f = neural_spline_coupling(2, layers=2, hidden=(8,))
    optimizer = torch.optim.Adam(f.parameters(), lr=0.1, fused=True)  # does not raise the versions of the parameters
    d = TransformedDistribution(standard_normal(2), f)
    x = d((4,))
    x.square().sum().backward()
    optimizer.step()
    fresh = TransformedDistribution(standard_normal(2), f).log_prob(x)
    torch.testing.assert_close(d.log_prob(x), fresh)


def test_a_draw_without_gradients_does_not_take_gradients_from_the_score():
    d = TransformedDistribution(standard_normal(2), Affine(shape=(2,)))
    with torch.no_grad():
        x = d()
    assert d.log_prob(x).requires_grad


def test_the_gradient_of_a_held_draw_is_that_of_a_fresh_score():
    f = neural_spline_coupling(2, layers=2, hidden=(8,)).double()
    gradients = []
    for held in (True, False):
        torch.manual_seed(3)
        d = TransformedDistribution(standard_normal(2), f)
        x = d((16,))
        log_prob = d.log_prob(x if held else x + 0)
        gradients.append(torch.autograd.grad((log_prob - x.square().sum(-1)).sum(), list(f.parameters())))
    for held, fresh in zip(*gradients, strict=True):
        torch.testing.assert_close(held, fresh, atol=1e-9, rtol=1e-7)


def test_a_guide_runs_no_inverse_pass():
    f = Counting(shape=(2,))

    def model():
        with pyro.plate("data", 3):
            pyro.sample("x", dist.Normal(torch.ones(2), 1.0).to_event(1))

    def guide():
        with pyro.plate("data", 3):
            pyro.sample("x", TransformedDistribution(standard_normal(2), f))

    loss = pyro.infer.Trace_ELBO().differentiable_loss(model, guide)
    loss.backward()
    assert (f.forwards, f.inverses) == (1, 0)
    assert f.raw_scale.grad.abs().sum() > 0


def test_two_optimizer_steps_on_one_object():
    f = neural_spline_coupling(2, layers=2, hidden=(8,))
    d = TransformedDistribution(standard_normal(2), f)
    optimizer = torch.optim.Adam(f.parameters(), lr=0.05)
    data = torch.randn(64, 2) * 0.3 + 1
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = -d.log_prob(data).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1


def test_copies_after_use():
    d = TransformedDistribution(standard_normal(2), neural_spline_coupling(2, layers=2, hidden=(8,)))
    x = d()
    for twin in (copy.deepcopy(d), pickle.loads(pickle.dumps(d)), copy.copy(d)):
        torch.testing.assert_close(twin.log_prob(x.detach()), d.log_prob(x.detach()))


def test_the_base_follows_the_bijector():
    f = neural_spline_coupling(2, layers=2, hidden=(8,))
    laws = [TransformedDistribution(standard_normal(2), f), TransformedDistribution(standard_normal().expand((2,)), f)]
    f.double()
    for d in laws:
        assert d.sample().dtype == torch.float64
        assert d.expand((3,)).rsample().dtype == torch.float64
        assert d.log_prob(torch.zeros(2, dtype=torch.float64)).dtype == torch.float64
    f.to("meta")
    assert laws[0].base_dist.device.type == "meta"


def test_vmap_with_any_base():
    f = neural_spline_coupling(2, layers=2, hidden=(8,))
    x = torch.randn(4, 2)
    for base in (standard_normal(2), dist.Normal(torch.zeros(2), 1.0).to_event(1)):
        d = TransformedDistribution(base, f)
        torch.testing.assert_close(torch.vmap(d.log_prob)(x), d.log_prob(x))


def test_compiles_whole_with_the_distribution_built_inside():
    f = Affine(shape=(2,))
    x = torch.randn(4, 2)

    def score_and_draw(x):
        d = TransformedDistribution(standard_normal(2), f)
        return d.log_prob(x), d.rsample((3,))

    log_prob, drawn = torch.compile(score_and_draw, fullgraph=True, backend="aot_eager")(x)
    torch.testing.assert_close(log_prob, score_and_draw(x)[0])
    assert drawn.shape == (3, 2)


def test_gradients_by_datum_through_functional_call():
    class Score(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bijector = neural_spline_coupling(2, layers=2, hidden=(8,))

        def forward(self, x):
            return TransformedDistribution(standard_normal(2), self.bijector).log_prob(x)

    score = Score()
    parameters = dict(score.named_parameters())
    x = torch.randn(3, 2)
    by_datum = torch.vmap(torch.func.grad(lambda p, row: functional_call(score, p, (row,))), (None, 0))(parameters, x)
    for index in range(3):
        single = torch.autograd.grad(score(x[index]), list(parameters.values()), allow_unused=True)
        for name, gradient in zip(parameters, single, strict=True):
            torch.testing.assert_close(by_datum[name][index], gradient, atol=1e-5, rtol=1e-4)


def test_torch_transforms_and_lists_are_taken():
    d = TransformedDistribution(standard_normal(), [AffineTransform(0.3, 0.5), torch.distributions.ExpTransform()])
    assert isinstance(d.bijector, Bijector)
    assert d.transforms == [d.bijector]
    torch.testing.assert_close(d.log_prob(torch.tensor(2.0)), log_normal().log_prob(torch.tensor(2.0)))


def test_to_event_and_mask():
    d = TransformedDistribution(standard_normal(2), Scale(torch.full((3, 1), 2.0)))
    x = d.to_event(1)()
    torch.testing.assert_close(d.to_event(1).log_prob(x), d.log_prob(x).sum())
    mask = torch.tensor([True, False, True])
    torch.testing.assert_close(d.mask(mask).log_prob(x), d.log_prob(x) * mask)


def test_a_discrete_base_is_refused():
    with pytest.raises(ValueError, match="`base` must have a density; Poisson is discrete"):
        TransformedDistribution(dist.Poisson(3.0), Affine(1.0, 2.0))


# --------------------------------------------------------------------------------------------------- estimated log-determinants


def estimated(allow_estimate=False, divergence="hutchinson"):
    torch.manual_seed(0)
    flow = ContinuousFlow(NetworkField(3).double(), (3,), solver="rk4", steps=4, divergence=divergence)
    return TransformedDistribution(standard_normal(3), flow, allow_estimate=allow_estimate)


def test_an_estimated_log_det_makes_the_log_prob_an_estimate():
    d, x = estimated(), torch.ones(4, 3, dtype=torch.float64)
    assert d.log_prob_kind == "unbiased"
    assert d.expand((2,)).log_prob_kind == "unbiased"
    assert estimated(divergence="exact").log_prob_kind == "exact"
    assert TransformedDistribution(d, Affine(0.0, 2.0)).log_prob_kind == "unbiased"
    for call in (lambda: d.log_prob(x), d.rsample_and_log_prob, lambda: d.log_prob(d())):
        with pytest.raises(DensityUnavailable, match=r"is an unbiased estimate. Use `.log_prob_estimate\(x, n\)`"):
            call()
    assert d.rsample((5,)).shape == (5, 3)


@pytest.mark.statistical(false_alarm=1e-9)
def test_estimates_surround_the_exact_density_as_their_error_says():
    """A CLT test at four points; detects a bias of three standard errors of 64 draws."""
    x = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    exact = estimated(divergence="exact").log_prob_estimate(x)
    torch.manual_seed(0)
    few, many = estimated().log_prob_estimate(x, 64), estimated().log_prob_estimate(x, 2048)
    assert (exact.kind, few.kind, few.value.shape) == ("exact", "unbiased", (4,))
    assert ((many.value - exact.value) / many.stderr).abs().max() < 6.5
    assert 4.0 < float((few.stderr / many.stderr).mean()) < 7.5  # sqrt(32) = 5.7
    assert estimated().log_prob_estimate(x, 1).stderr.isnan().all()


def test_a_training_site_may_use_the_estimate():
    d, x = estimated(allow_estimate=True), torch.ones(4, 3, dtype=torch.float64)
    first, second = d.log_prob(x), d.log_prob(x)
    assert not torch.equal(first, second)  # probes are drawn afresh
    value = d()
    assert d.log_prob(value).shape == ()
    draws, log_prob = d.rsample_and_log_prob((5,))
    assert (draws.shape, log_prob.shape) == ((5, 3), (5,))
    with pytest.raises(ValueError, match="`num_draws` must be at least 1; got 0"):
        d.log_prob_estimate(x, 0)
