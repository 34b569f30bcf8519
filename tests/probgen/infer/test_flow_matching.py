"""Flow matching against closed forms: Gaussians, whose optimal velocity is linear, and pairs that are known."""

import pytest
import torch
from torch import nn

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions._checks import ContextError
from probgen.distributions.bijectors import ContinuousFlow, Reshape, Scale, Shift
from probgen.flows import continuous_flow, continuous_image_flow
from probgen.infer import FlowMatching
from probgen.infer.flow_chain import chain_of, checked_batch, end_shapes, inverse_through, only_continuous_part, require_base
from probgen.infer.interpolation import PathPoint, interpolate
from probgen.infer.random_times import COUPLINGS, TimeCoupling, batch_quantiles, logit_normal_time

MEAN = torch.tensor([1.0, -0.5], dtype=torch.float64)
ROOT = torch.tensor([[0.8, 0.0], [0.5, 0.4]], dtype=torch.float64)
COVARIANCE = ROOT @ ROOT.mT


def moments(t):
    """Of x_t = (1 - t) z + t x and u = x - z: covariance of x_t, covariance of u with it, covariance of u."""
    eye = torch.eye(2, dtype=torch.float64)
    t = torch.as_tensor(t, dtype=torch.float64).reshape(-1, 1, 1)
    return (1 - t) ** 2 * eye + t**2 * COVARIANCE, t * COVARIANCE - (1 - t) * eye, eye + COVARIANCE


class OptimalField(nn.Module):
    """E[x - z | x_t], plus an error that parameters make."""

    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(2, 2, dtype=torch.float64))
        self.shift = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def optimum(self, t, x):
        spread, cross, _ = moments(t)
        gain = cross @ torch.linalg.inv(spread)
        return MEAN + (gain @ (x - t * MEAN).unsqueeze(-1)).squeeze(-1)

    def forward(self, t, x):
        return self.optimum(t, x) + x @ self.slope.mT + self.shift


def data(count, seed=0):
    return MEAN + torch.randn(count, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) @ ROOT.mT


def test_the_optimal_field_carries_the_base_to_the_data():
    """Its flow has the density of the data, and its map sends N(0, I) to N(m, S)."""
    law = TransformedDistribution(standard_normal(2), ContinuousFlow(OptimalField(), (2,), solver="verner8", steps=12))
    x = data(20)
    expected = torch.distributions.MultivariateNormal(MEAN, COVARIANCE).log_prob(x)
    assert torch.allclose(law.log_prob(x), expected, atol=1e-6)


@pytest.mark.statistical(false_alarm=1e-9)
def test_the_loss_of_the_optimal_field_is_the_variance_that_is_left():
    """40 000 data; sees 4 % of the loss. The same variance is written out as an integral over t."""
    torch.manual_seed(0)
    losses = FlowMatching(ContinuousFlow(OptimalField(), (2,)), time_coupling="independent").per_datum(data(40_000)).detach()
    t = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    spread, cross, own = moments(t)
    left = (own - cross @ torch.linalg.inv(spread) @ cross.mT).diagonal(dim1=1, dim2=2).sum(-1).mean()
    assert abs(float((losses.mean() - left) / (losses.std() / 200))) < 6.2


@pytest.mark.statistical(false_alarm=1e-9)
def test_gradients_equal_those_of_regression_on_the_marginal_velocity():
    """With the same points: the difference of both gradients is a mean of zero-mean terms, and each loss has a gradient."""
    torch.manual_seed(0)
    field = OptimalField()
    with torch.no_grad():
        field.slope.copy_(torch.tensor([[0.3, -0.2], [0.1, 0.4]]))
        field.shift.fill_(0.2)
    z, x = torch.randn(60_000, 2, dtype=torch.float64), data(60_000, seed=1)
    t = torch.rand(60_000, 1, dtype=torch.float64)
    point = interpolate("straight", z, x, t[:, 0])
    predicted = field(t, point.value).detach()
    conditional, marginal = (2 * (predicted - target) for target in (point.velocity, field.optimum(t, point.value)))
    inputs = torch.cat([point.value, torch.ones_like(t)], -1)
    terms = ((conditional - marginal).unsqueeze(-1) * inputs.unsqueeze(1)).detach()  # of the gradients by slope and shift
    z_scores = terms.mean(0) / (terms.std(0) / 60_000**0.5)
    assert z_scores.abs().max() < 6.6  # six two-sided tails
    assert (marginal.unsqueeze(-1) * inputs.unsqueeze(1)).mean(0).abs().max() > 0.1


def test_known_pairs_on_straight_lines_cost_nothing():
    """Data at z + 3: the field 3 is right for each pair, whatever the flow's times are."""
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    for times, speed in (((0.0, 1.0), 3.0), ((1.0, 0.0), -3.0), ((2.0, 4.0), 1.5)):
        flow = ContinuousFlow(lambda t, x, speed=speed: torch.full_like(x, speed), (2,), times=times)
        assert float(FlowMatching(flow)(x + 3.0, start=x)) < 1e-12
        assert torch.allclose(flow(x), x + 3.0, atol=1e-5)


def test_the_time_of_the_field_is_the_time_of_the_path():
    """A field of t alone, its integral known: the velocity of the path from 0 to x is x, so the loss is (v(t) - 1)^2."""
    flow = ContinuousFlow(lambda t, x: t + 0 * x, (1,), times=(0.0, 1.0))
    torch.manual_seed(0)
    losses = FlowMatching(flow).per_datum(torch.ones(10_000, 1, dtype=torch.float64), start=torch.zeros(10_000, 1).double())
    assert float(losses.mean()) == pytest.approx(1 / 3, abs=1e-4)  # stratified times: an integral by 10 000 strata


@pytest.mark.parametrize("path", ["straight", "variance preserving"])
@pytest.mark.parametrize("sigma_min", [0.0, 0.1])
def test_paths_have_their_ends_and_their_velocities(path, sigma_min):
    z, x = torch.randn(2, 7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    s = torch.linspace(0.1, 0.9, 7, dtype=torch.float64)
    point, h = interpolate(path, z, x, s, sigma_min), 1e-6
    assert isinstance(point, PathPoint)
    ahead, behind = (interpolate(path, z, x, s + step, sigma_min).value for step in (h, -h))
    assert torch.allclose(point.velocity, (ahead - behind) / (2 * h), atol=1e-8)
    first, last = (interpolate(path, z, x, torch.full((7,), end).double(), sigma_min).value for end in (0.0, 1.0))
    assert torch.allclose(first, z)
    kept = (1 - sigma_min**2) ** 0.5 if path == "variance preserving" else 1.0
    assert torch.allclose(last, sigma_min * z + kept * x)


def test_optimal_coupling_shortens_the_paths():
    torch.manual_seed(0)
    x = torch.randn(128, 2)
    standing = ContinuousFlow(lambda t, x: torch.zeros_like(x), (2,))
    independent, optimal = (float(FlowMatching(standing, coupling=name)(x)) for name in ("independent", "optimal"))
    assert independent > 1.0
    assert optimal < 0.2 * independent


def test_optimal_coupling_stays_within_a_context():
    """Two classes far apart: paired across them, each class would see half of the base only."""
    torch.manual_seed(0)
    label = torch.arange(256).remainder(2).float().unsqueeze(-1)
    x = 10 * label + 0.01 * torch.randn(256, 1)
    seen = {}

    def field(t, x, c):
        seen["points"], seen["labels"] = x - t * 10 * c, c
        return torch.zeros_like(x)

    FlowMatching(ContinuousFlow(field, (1,), context_shape=(1,)), coupling="optimal", sigma_min=0.0)(x, label)
    for value in (0.0, 1.0):  # what is left is (1 - t) z, symmetric in each class
        rest = seen["points"][seen["labels"] == value]
        assert 0.3 < float((rest > 0).float().mean()) < 0.7


@pytest.mark.statistical(false_alarm=1e-12)
def test_any_base_and_the_ends_of_a_composition():
    """Shift and scale behind the flow are undone before the regression; the base is an exponential law."""
    torch.manual_seed(0)
    base = torch.distributions.Independent(torch.distributions.Exponential(torch.ones(2)), 1)
    flow = Reshape((2,), (2, 1)) >> ContinuousFlow(lambda t, x: torch.ones_like(x), (2, 1)) >> Scale(2.0) >> Shift(5.0)
    z = base.sample((30,))
    x = flow(z)
    loss = FlowMatching(flow, base)
    assert float(loss(x, start=z)) < 1e-10
    assert float(loss(x)) > 0.1
    assert float(FlowMatching(ContinuousFlow(lambda t, x: 0 * x, (2,)), base)(torch.zeros(4000, 2))) == pytest.approx(
        2.0, abs=0.8
    )


def test_training_gives_a_density_that_integrates_to_one():
    torch.manual_seed(0)
    flow = continuous_flow(1, hidden=(16, 16))
    loss, optimizer = FlowMatching(flow, times="logit-normal"), torch.optim.Adam(flow.parameters(), lr=1e-2, fused=True)
    before = TransformedDistribution(standard_normal(1), flow).log_prob(torch.full((1, 1), 2.0)).detach()
    for _ in range(100):
        optimizer.zero_grad()
        x = 2.0 + 0.3 * torch.randn(256, 1)
        loss(x).backward()
        optimizer.step()
    law, line = TransformedDistribution(standard_normal(1), flow), torch.linspace(-2, 6, 201).unsqueeze(-1)
    with torch.no_grad():
        density = law.log_prob(line).exp()
        assert abs(float(torch.trapezoid(density, line[:, 0])) - 1) < 1e-3
        assert float(law.log_prob(torch.full((1, 1), 2.0)) - before) > 0.5


def test_contexts_shapes_and_empty_batches():
    flow = continuous_flow(3, hidden=(4,), context_shape=(2,))
    loss = FlowMatching(flow)
    assert loss.per_datum(torch.zeros(2, 5, 3), torch.zeros(5, 2)).shape == (2, 5)
    assert float(loss(torch.zeros(0, 3), torch.zeros(0, 2)).detach()) == 0.0
    with pytest.raises(ContextError, match="needs a context"):
        loss(torch.zeros(5, 3))
    with pytest.raises(ValueError, match="`x`"):
        loss(torch.zeros(5, 4), torch.zeros(5, 2))
    with pytest.raises(ValueError, match=r"`start` must hold one point for each of 5 data; got shape \(4, 3\)"):
        loss(torch.zeros(5, 3), torch.zeros(5, 2), start=torch.zeros(4, 3))
    image = FlowMatching(continuous_image_flow((1, 4, 4), hidden=(4,)), coupling="optimal", path="variance preserving")
    assert image(torch.zeros(3, 1, 4, 4)).shape == ()
    assert "coupling='optimal'" in repr(image)


def test_the_chain_of_a_flow():
    flow = Scale(2.0) >> continuous_flow(2, hidden=(4,))
    assert (len(chain_of(flow)), only_continuous_part(flow)) == (2, 1)
    assert end_shapes(flow) == ((2,), (2,))
    assert checked_batch(flow, torch.zeros(7, 2), None) == (7,)
    assert inverse_through([], torch.ones(2), None, 1)[1] == 0.0
    with pytest.raises(ValueError, match="exactly one ContinuousFlow in its chain; it has 2"):
        FlowMatching(continuous_flow(2) >> continuous_flow(2))
    with pytest.raises(ValueError, match="it has none"):
        end_shapes(Scale(2.0))
    with pytest.raises(TypeError, match="`flow` must be a Bijector; got Linear"):
        chain_of(nn.Linear(1, 1))


def test_errors_name_what_came():
    flow = continuous_flow(2, hidden=(4,))
    for options, message in (
        ({"path": "curved"}, "`path` must be 'straight' or 'variance preserving'; got 'curved'"),
        ({"sigma_min": 1.0}, r"`sigma_min` must lie in \[0, 1\); got 1.0"),
        ({"coupling": "sorted"}, "`coupling` must be 'independent' or 'optimal'; got 'sorted'"),
        ({"times": "early"}, "`times` must be 'uniform', 'logit-normal' or a distribution; got 'early'"),
    ):
        with pytest.raises(ValueError, match=message):
            FlowMatching(flow, **options)


def test_times_of_a_batch():
    torch.manual_seed(0)
    assert set(COUPLINGS) == set(TimeCoupling.__args__)
    for coupling in COUPLINGS:
        quantiles = batch_quantiles(8, coupling)
        assert bool(((quantiles >= 0) & (quantiles < 1)).all())
        assert coupling == "independent" or sorted((8 * quantiles).long().tolist()) == list(range(8))
    assert float(logit_normal_time(1.0).icdf(torch.tensor(0.5).double())) == pytest.approx(
        torch.sigmoid(torch.tensor(1.0)).item()
    )


def test_a_context_with_more_axes_than_the_data_is_matched_for_every_context():
    torch.manual_seed(0)
    flow = continuous_flow(2, context_shape=(3,), hidden=(4,))
    x, context = torch.randn(2, 2), torch.randn(4, 1, 3)
    loss = FlowMatching(flow)
    assert loss.per_datum(x, context).shape == (4, 2)
    assert loss.per_datum(x[0], context[:, 0]).shape == (4,)
    known = FlowMatching(Shift(torch.tensor(0.0)) >> ContinuousFlow(lambda t, z, c: 0 * z, (2,), context_shape=(3,)))
    start = torch.zeros(4, 2, 2)
    found = known(torch.ones(2, 2), context, start=start)
    torch.testing.assert_close(found, torch.tensor(1.0))  # the mean over what was scored, not over what was given


def test_bases_and_couplings_are_checked_at_once():
    flow = continuous_flow(2, hidden=(4,))
    with pytest.raises(ValueError, match=r"`base` must have events of shape \(2,\); got \(3,\)"):
        FlowMatching(flow, standard_normal(3))
    require_base(None, flow)
    with pytest.raises(ValueError, match="must be one of 'independent', 'stratified', 'low-discrepancy'; got 'x'"):
        FlowMatching(flow, time_coupling="x")
