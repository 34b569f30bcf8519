"""Which terms belong to one datum, and what stays outside of the logarithm."""

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine

from probgen.infer import ELBO, IWAE
from probgen.infer.log_weights import LogWeights, log_weights
from probgen.infer.variational import Particles
from tests.probgen.infer.programs import ScalarGuide, ScalarModel, exact_iwae

DATA = torch.tensor([1.0, -0.5, 2.0, 0.3])
K = 10


def bound_of(z, x, q):
    """The sum over the data of log-mean-weights, by hand: z of shape [K, N]."""
    log_w = dist.Normal(0.0, 1.0).log_prob(z) + dist.Normal(z, 1.0).log_prob(x) - q.log_prob(z)
    return (log_w.logsumexp(0) - math.log(len(z))).sum()


def in_plate(x):
    with pyro.plate("data", len(x)):
        pyro.sample("x", dist.Normal(pyro.sample("z", dist.Normal(0.0, 1.0)), 1.0), obs=x)


def guide_in_plate(x):
    with pyro.plate("data", len(x)):
        pyro.sample("z", dist.Normal(0.3, 0.9))


def undeclared(x):
    pyro.sample("x", dist.Normal(pyro.sample("z", dist.Normal(torch.zeros(4), 1.0)), 1.0), obs=x)


def guide_undeclared(x):
    pyro.sample("z", dist.Normal(torch.full((4,), 0.3), 0.9))


def with_events(x):
    with pyro.plate("data", len(x)):
        z = pyro.sample("z", dist.Normal(torch.zeros(1), 1.0).to_event(1))
        pyro.sample("x", dist.Normal(z, 1.0).to_event(1), obs=x.unsqueeze(-1))


def guide_with_events(x):
    with pyro.plate("data", len(x)):
        pyro.sample("z", dist.Normal(torch.full((1,), 0.3), 0.9).to_event(1))


@pytest.mark.parametrize("vectorize", [True, False])
@pytest.mark.parametrize(
    ("model", "guide", "validation"),
    [
        (in_plate, guide_in_plate, True),
        (in_plate, guide_in_plate, False),
        (undeclared, guide_undeclared, False),
        (with_events, guide_with_events, True),
    ],
)
def test_the_bound_is_taken_for_every_datum(model, guide, validation, vectorize):
    with pyro.validation_enabled(validation):
        loss = IWAE(K, vectorize=vectorize)(model, guide)
        torch.manual_seed(2)
        value = loss(DATA)
        torch.manual_seed(2)
        z = (
            [dist.Normal(0.3, 0.9).rsample((4,)) for _ in range(K)]
            if not vectorize
            else [dist.Normal(0.3, 0.9).rsample((K, 4))]
        )
        torch.testing.assert_close(-value, bound_of(torch.cat(z).reshape(K, 4), DATA, dist.Normal(0.3, 0.9)))
        assert loss.log_weights(DATA).shape == (K, 4)


@pytest.mark.statistical(false_alarm=1e-8)
@pytest.mark.parametrize("size", [None, 100 * 240000])
def test_its_value_is_that_of_quadrature_also_in_a_subsampled_plate(size):
    """-6.4672 nats for the four data; one logarithm for all four would give -6.497 and a scale inside the logarithm 100 times
    -4.40, above the evidence, 100 times -6.397."""
    exact = sum(exact_iwae(x, K) for x in DATA.tolist())
    assert abs(exact + 6.46716) < 1e-4
    x = DATA.repeat(60000)
    torch.manual_seed(0)
    scale = 1 if size is None else 100
    with torch.no_grad():
        value = -IWAE(K)(ScalarModel(size), ScalarGuide(size=size))(x) / 60000 / scale
        terms = IWAE(K)(ScalarModel(size), ScalarGuide(size=size)).log_weights(x).logsumexp(0).reshape(60000, 4).sum(1)
    # 5.8 standard errors (false alarm 1e-8) are 0.009 nats: a third of the distance to the bound with one logarithm
    assert 5.8 * terms.std() / 60000**0.5 < 0.01
    assert abs(value.double() - exact) < 5.8 * terms.std() / 60000**0.5


def test_a_scale_inside_the_logarithm_is_no_bound():
    """Scaling the log-weights by N/B = 100 before averaging, as a general-purpose Renyi estimator does, passes the evidence."""
    torch.manual_seed(0)
    z = dist.Normal(0.3, 0.9).sample((K, 4 * 60000))
    x = DATA.repeat(60000)
    log_w = 100 * (dist.Normal(0.0, 1.0).log_prob(z) + dist.Normal(z, 1.0).log_prob(x) - dist.Normal(0.3, 0.9).log_prob(z))
    inside = (log_w.logsumexp(0) - math.log(K)).sum() / 60000
    evidence = 100 * dist.Normal(0.0, 2**0.5).log_prob(DATA).sum()
    assert abs(evidence + 639.7) < 0.1
    assert inside > evidence + 50


def test_one_particle_is_the_sampled_elbo():
    x = torch.randn(5)
    for model, guide in ((ScalarModel(), ScalarGuide()), (ScalarModel(50), ScalarGuide(size=50))):
        torch.manual_seed(1)
        elbo = ELBO(analytic_kl=False)(model, guide)(x)
        torch.manual_seed(1)
        torch.testing.assert_close(IWAE(1)(model, guide)(x), elbo)


def test_inner_plates_are_summed_before_the_logarithm():
    def model(x):
        with pyro.plate("data", 3, dim=-2):
            z = pyro.sample("z", dist.Normal(0.0, 1.0))
            with pyro.plate("pixels", 5, dim=-1):
                pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    def guide(x):
        with pyro.plate("data", 3, dim=-2):
            pyro.sample("z", dist.Normal(0.0, 1.0))

    x = torch.randn(3, 5)
    loss = IWAE(4, max_plate_nesting=2)(model, guide)
    torch.manual_seed(3)
    weights = loss.log_weights(x)
    torch.manual_seed(3)
    z = torch.randn(4, 3, 1)
    torch.testing.assert_close(weights, dist.Normal(z, 1.0).log_prob(x).sum(-1))
    torch.manual_seed(3)
    torch.testing.assert_close(-loss(x), (weights.logsumexp(0) - math.log(4)).sum())


def test_a_global_latent_makes_everything_one_datum():
    def model(x):
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    def guide(x):
        pyro.sample("z", dist.Normal(0.0, 1.0))

    for vectorize in (True, False):
        assert IWAE(6, vectorize=vectorize)(model, guide).log_weights(DATA).numel() == 6


def test_masks_count_within_and_masked_data_add_nothing():
    keep = torch.tensor([True, False, True, True])

    def masked(program):
        def run(x):
            with poutine.mask(mask=keep):
                program(x)

        return run

    loss = IWAE(K)(masked(in_plate), masked(guide_in_plate))
    torch.manual_seed(2)
    value = loss(DATA)
    torch.manual_seed(2)
    z = dist.Normal(0.3, 0.9).rsample((K, 4))
    torch.testing.assert_close(-value, bound_of(z[:, keep], DATA[keep], dist.Normal(0.3, 0.9)))


def test_a_common_scale_multiplies_the_bound():
    torch.manual_seed(2)
    plain = IWAE(K)(in_plate, guide_in_plate)(DATA)
    torch.manual_seed(2)
    scaled = IWAE(K)(poutine.scale(in_plate, 0.25), poutine.scale(guide_in_plate, 0.25))(DATA)
    torch.testing.assert_close(scaled, 0.25 * plain)


def test_scales_inside_the_logarithm_are_refused():
    def shared_latent(x):
        z = pyro.sample("z", dist.Normal(0.0, 1.0))
        with pyro.plate("data", 100, subsample=torch.arange(len(x))):
            pyro.sample("x", dist.Normal(z, 1.0), obs=x)

    def guide(x):
        pyro.sample("z", dist.Normal(0.0, 1.0))

    with pytest.raises(ValueError, match=r"plate 'data' around the site 'x' is sub-sampled \(4 of 100\)"):
        IWAE(2)(shared_latent, guide)(DATA)
    with pytest.raises(ValueError, match=r"'x' and 'z' are scaled by|'z' and 'x' are scaled by|are scaled by 0.5 and 1.0"):
        IWAE(2)(poutine.scale(in_plate, 0.5), guide_in_plate)(DATA)


def test_more_batch_dimensions_than_declared_are_named():
    def nested(x):
        with pyro.plate("a", 2), pyro.plate("b", 4):
            pyro.sample("x", dist.Normal(0.0, 1.0), obs=x.unsqueeze(-1))

    with pytest.raises(ValueError, match="max_plate_nesting=1"):
        IWAE(2)(nested)(DATA)
    beyond = lambda x: pyro.sample("x", dist.Normal(torch.zeros(3, 1, 4), 1.0), obs=x)  # noqa: E731 - a program of one line
    with pyro.validation_enabled(False), pytest.raises(ValueError, match=r"'x' has the batch shape \(3, 2, 4\)"):
        IWAE(2)(beyond)(DATA)


def test_log_weights_keep_their_parts():
    weights = LogWeights(torch.tensor([[0.0, 1.0], [1.0, 1.0]]), torch.zeros(2, 2), (-1,), 3.0)
    torch.testing.assert_close(weights.normalized().sum(0), torch.ones(2))
    assert weights.total(torch.ones(2)) == 6.0
    assert LogWeights.stacked([weights, weights]).value.shape == (4, 2)
    with pytest.raises(ValueError, match="at least 1; got 0"):
        Particles(0)
    assert callable(log_weights)
