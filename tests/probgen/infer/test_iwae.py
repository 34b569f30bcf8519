"""The importance-weighted bound and its two gradients, against closed forms and quadrature."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.nn import PyroModule
from torch import nn

from probgen.infer import IWAE, IWAELoss, compile
from tests.probgen.infer.programs import Decoder, Encoder, ScalarGuide, ScalarModel, exact_iwae
from tests.probgen.infer.test_compile import assert_follows

GRADIENTS = ("reparameterized", "doubly_reparameterized")


def gradients(particles, gradient, copies, *, loc=0.3, vectorize=True):
    """Gradients of the bound in `loc`, of independent copies of the datum x = 1 with a guide of its own each."""
    guide = ScalarGuide(torch.full((copies,), loc), torch.full((copies,), 0.9))
    loss = IWAE(particles, gradient, vectorize=vectorize)(ScalarModel(), guide)
    (found,) = torch.autograd.grad(-loss(torch.ones(copies)), guide.loc)
    return found


def test_closed_form_values_of_the_conjugate_model():
    """L_2, L_5, L_50 at x = 1, and K (log p - L_K) towards chi^2(posterior || q) / 2 = 0.060882; guards the quadrature too."""
    log_p = dist.Normal(torch.zeros((), dtype=torch.float64), 2**0.5).log_prob(torch.ones(())).item()
    for particles, expected in ((2, -1.5545), (5, -1.5288), (50, -1.5167)):
        assert abs(exact_iwae(1.0, particles) - expected) < 1e-4
    # the next term of the expansion is of order 1/K: 0.00049 at K = 50
    assert abs(400 * (log_p - exact_iwae(1.0, 400)) - 0.060882) < 1e-4


@pytest.mark.statistical(false_alarm=1e-8)
@pytest.mark.parametrize("gradient", GRADIENTS)
def test_both_gradients_are_unbiased(gradient):
    torch.manual_seed(0)
    found = gradients(5, gradient, 40000, loc=-0.3)
    step = 1e-3
    exact = (exact_iwae(1.0, 5, loc=-0.3 + step) - exact_iwae(1.0, 5, loc=-0.3 - step)) / (2 * step)
    error = 5.8 * found.std() / 40000**0.5  # false alarm 1e-8
    assert error < 0.25 * abs(exact)
    assert abs(found.double().mean() - exact) < error


@pytest.mark.statistical(false_alarm=1e-8)
def test_signal_to_noise_falls_with_particles_and_grows_when_doubly_reparameterized():
    torch.manual_seed(0)
    ratio = {}
    for gradient in GRADIENTS:
        for particles in (4, 64):
            found = gradients(particles, gradient, 20000)
            ratio[gradient, particles] = (found.mean().abs() / found.std()).item()
    # In theory ratios fall and grow by the root of 64 / 4, 4. Their standard error is 1 / sqrt(20000) = 0.007; the margins of
    # 0.06 below are at least 6 of them apart from what was measured (0.21, 0.05; 0.41, 1.9).
    assert ratio["reparameterized", 64] < ratio["reparameterized", 4] - 0.06
    assert ratio["doubly_reparameterized", 64] > ratio["doubly_reparameterized", 4] + 0.06
    assert ratio["doubly_reparameterized", 64] > 10 * ratio["reparameterized", 64]


class Chain(PyroModule):
    """z1 ~ N(0, 1), z2 ~ N(z1, 1), x ~ N(z2, 1), with a guide in the same order whose second law depends on the first draw."""

    def __init__(self, copies):
        super().__init__()
        self.first, self.second = (nn.Parameter(torch.full((copies,), 0.7)) for _ in range(2))

    def model(self, x):
        with pyro.plate("data", len(x)):
            z1 = pyro.sample("z1", dist.Normal(0.0, 1.0))
            z2 = pyro.sample("z2", dist.Normal(z1, 1.0))
            pyro.sample("x", dist.Normal(z2, 1.0), obs=x)

    def guide(self, x):
        with pyro.plate("data", len(x)):
            z1 = pyro.sample("z1", dist.Normal(self.first, 1.0))
            pyro.sample("z2", dist.Normal(0.8 * z1 + self.second, 0.9))


@pytest.mark.statistical(false_alarm=2e-8)
def test_a_chain_of_latents_is_rescaled_once_on_every_path():
    """The two gradients agree in expectation; rescaling the path through the first latent twice would miss by a third."""
    found = {}
    for gradient in GRADIENTS:
        torch.manual_seed(0)
        chain = Chain(60000)
        bound = -IWAE(3, gradient)(chain.model, chain.guide)(torch.ones(60000))
        found[gradient] = torch.autograd.grad(bound, chain.parameters())
    for ordinary, doubly in zip(*found.values(), strict=True):
        error = 5.8 * ((ordinary.var() + doubly.var()) / 60000) ** 0.5
        assert error < 0.2 * doubly.mean().abs()
        assert abs(ordinary.mean() - doubly.mean()) < error


def test_a_loop_gives_the_same_doubly_reparameterized_gradient():
    """With 16 data the generator draws the same numbers, whether in one tensor or in several."""
    found = []
    for vectorize in (True, False):
        torch.manual_seed(7)
        found.append(gradients(6, "doubly_reparameterized", 16, vectorize=vectorize))
    torch.testing.assert_close(*found)


def test_the_models_gradient_is_the_ordinary_one():
    x = torch.randn(6, 5)
    model, guide = Decoder(30), Encoder(30)
    found = []
    for gradient in GRADIENTS:
        torch.manual_seed(1)
        found.append(torch.autograd.grad(IWAE(4, gradient)(model, guide)(x), model.parameters()))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_recorded_steps_follow(gradient):
    loss = IWAE(3, gradient)(Decoder(20), Encoder(20))
    assert isinstance(loss, IWAELoss)
    fast = compile(loss, backend="eager")
    for _ in range(2):
        assert_follows(loss, fast, torch.randn(4, 5))
    assert fast.recordings == 1


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="`particles` must be at least 1; got 0"):
        IWAE(0)
    with pytest.raises(ValueError, match="'reparameterized' or 'doubly_reparameterized'; got 'path'"):
        IWAE(2, "path")
    guide = Encoder()
    guide.net = nn.Sequential(nn.Linear(5, 4), nn.Dropout(0.5))
    with pytest.raises(ValueError, match=r"its part 'net\.1' drops units at random"):
        IWAE(2, "doubly_reparameterized")(Decoder(), guide)(torch.zeros(2, 5))
    guide.eval()
    assert IWAE(2, "doubly_reparameterized")(Decoder(), guide)(torch.zeros(2, 5)).isfinite()


def test_empty_batches_and_double_precision():
    model, guide = (lambda x: in_batch(x, observe=True)), (lambda x: in_batch(x, observe=False))
    with pyro.validation_enabled(False):
        assert IWAE(3)(model, guide)(torch.zeros(0)).item() == 0.0
        assert IWAE(3)(model, guide)(torch.zeros(2, dtype=torch.float64)).dtype == torch.float64


def in_batch(x, *, observe):
    z = pyro.sample("z", dist.Normal(torch.zeros_like(x), 1.0))
    if observe:
        pyro.sample("x", dist.Normal(z, 1.0), obs=x)


@pytest.mark.parametrize("particles", [1, 7])
@pytest.mark.parametrize("vectorize", [True, False])
@pytest.mark.parametrize("gradient", GRADIENTS)
def test_at_the_exact_posterior_every_draw_gives_the_evidence(gradient, vectorize, particles):
    """All weights are p(x) then, so that nothing but their average, N/B outside of the logarithm and the mask count."""
    x, mask = torch.randn(4), torch.tensor([True, False, True, True])

    def in_data(x, observe):
        with pyro.plate("data", 20, subsample=torch.arange(4)), pyro.poutine.mask(mask=mask):
            if observe:
                pyro.sample("x", dist.Normal(pyro.sample("z", dist.Normal(0.0, 1.0)), 1.0), obs=x)
            else:
                pyro.sample("z", dist.Normal(x / 2, 0.5**0.5))

    loss = IWAE(particles, gradient, vectorize=vectorize)(lambda x: in_data(x, True), lambda x: in_data(x, False))
    torch.testing.assert_close(loss(x), -5 * dist.Normal(0.0, 2**0.5).log_prob(x)[mask].sum())
