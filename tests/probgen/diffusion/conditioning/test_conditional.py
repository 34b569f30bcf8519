"""What all methods promise: shapes, labels, the interface, agreement with the observation, no density that is not there."""

import math

import pyro
import pyro.distributions as dist
import pytest
import torch

import probgen as pg
from probgen.diffusion.conditioning import (
    CONDITIONING_METHODS,
    AveragePooling,
    Conditional,
    DiffusionPosteriorSampling,
    ExactConditional,
    Grayscale,
    LinearObservation,
    Masking,
    MomentMatched,
    NullSpace,
    RePaint,
    Replacement,
    TwistedMonteCarlo,
    condition,
    jump_times,
    observe,
)
from probgen.diffusion.conditioning.conditional import generation_step, step_mean
from probgen.distributions import DensityUnavailable
from probgen.distributions.chains import GaussianChain, GaussianDenoiser, TimeGrid, cosine_schedule
from tests.probgen.diffusion.conditioning.beds import Shrinking, correlated, first_seen, mixture

BIASED = {name for name in CONDITIONING_METHODS if name not in ("exact", "smc")}


def images(steps=10):
    oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(3, 4, 4), torch.tensor(1.0))
    return GaussianChain(oracle, TimeGrid(steps))


@pytest.mark.parametrize("method", CONDITIONING_METHODS)
def test_shapes_dtypes_and_batches(method):
    torch.manual_seed(0)
    seen = observe(torch.randn(5, 3, 4, 4), AveragePooling((3, 4, 4), 2))
    law = condition(images(), seen, method)
    assert isinstance(law, Conditional)
    assert law.batch_shape == (5,)
    assert law.event_shape == (3, 4, 4)
    for shape in ((), (2,), (2, 3), (0,)):
        assert law.sample(shape).shape == (*shape, 5, 3, 4, 4)
    assert law.sample().dtype == torch.float32
    assert law.expand((2, 5)).sample((3,)).shape == (3, 2, 5, 3, 4, 4)
    assert not law.sample().requires_grad


@pytest.mark.parametrize("method", CONDITIONING_METHODS)
@pytest.mark.parametrize("chain", [correlated(steps=4), GaussianChain(mixture(), TimeGrid(4))], ids=["one", "three"])
def test_nothing_to_draw(method, chain):
    operator, value = first_seen()
    assert condition(chain, LinearObservation(value, operator), method).sample((0,)).shape == (0, 2)
    assert condition(chain, LinearObservation(value.expand(0, 2), operator), method).sample((3,)).shape == (3, 0, 2)


@pytest.mark.parametrize("method", CONDITIONING_METHODS)
def test_inference_mode_changes_nothing(method):
    draws = []
    for mode in (False, True):
        with torch.inference_mode(mode):
            operator, value = first_seen()
            torch.manual_seed(0)
            draws.append(condition(correlated(steps=4), LinearObservation(value, operator), method).sample((5,)).clone())
    assert torch.equal(*draws)


@pytest.mark.parametrize("method", CONDITIONING_METHODS)
def test_scalars(method):
    oracle = GaussianDenoiser(cosine_schedule(), torch.tensor(0.0).double(), torch.tensor(1.0).double())
    noise = 0.0 if method in ("repaint", "replacement") else 0.5
    seen = LinearObservation(torch.tensor(1.0).double(), Masking(torch.tensor(True)), noise)
    assert condition(GaussianChain(oracle, TimeGrid(4)), seen, method).sample((3,)).shape == (3,)
    if method == "exact":
        value = condition(GaussianChain(oracle, TimeGrid(4)), seen, method).log_evidence().value
        torch.testing.assert_close(value, dist.Normal(torch.tensor(0.0).double(), 1.25**0.5).log_prob(seen.value))


@pytest.mark.parametrize("method", CONDITIONING_METHODS)
def test_a_pyro_program_may_hold_it(method):
    seen = observe(torch.randn(5, 3, 4, 4), AveragePooling((3, 4, 4), 2))
    pyro.set_rng_seed(0)
    with pyro.plate("data", 5):
        assert pyro.sample("x", condition(images(4), seen, method)).shape == (5, 3, 4, 4)


def test_every_method_says_what_it_is_worth():
    for name, method in CONDITIONING_METHODS.items():
        assert method.bias.startswith("biased" if name in BIASED else "exact"), name
        assert name in BIASED or not method.bias.startswith("biased")
    assert str(condition(images(), torch.full((3, 4, 4), math.nan), "replacement")).endswith("biased)")


@pytest.mark.parametrize("method", sorted(set(CONDITIONING_METHODS) - {"posterior sampling", "moment matching"}))
@pytest.mark.parametrize("operator", [AveragePooling((3, 4, 4), 2), Grayscale((3, 4, 4)), Masking(torch.rand(3, 4, 4) < 0.5)])
def test_without_noise_the_samples_agree_with_the_observation_exactly(method, operator):
    torch.manual_seed(0)
    seen = observe(torch.randn(3, 4, 4), operator)
    x = condition(images(), seen, method).sample((6,))
    assert seen.residual(x).abs().max() < 1e-5


@pytest.mark.parametrize("method", sorted(set(CONDITIONING_METHODS) - {"exact"}))
def test_no_density_is_made_up(method):
    law = condition(images(), torch.zeros(3, 4, 4), method)
    assert law.log_prob_kind == "none"
    with pytest.raises(DensityUnavailable):
        law.log_prob(torch.zeros(3, 4, 4))


@pytest.mark.parametrize("method", sorted(set(CONDITIONING_METHODS) - {"exact"}))
def test_a_context_reaches_the_network(method):
    d = pg.diffusion.Diffusion(Shrinking(), pg.diffusion.cosine_schedule(), event_shape=(4,), grid=6)
    mask = Masking(torch.tensor([True, False, False, True]))
    seen = LinearObservation(torch.ones(3, 4), mask)
    draws = []
    for context in (torch.zeros(3, 2), torch.ones(3, 2)):
        torch.manual_seed(0)
        draws.append(d.condition(seen, method, context=context).sample((2,)))
    assert draws[0].shape == (2, 3, 4)
    assert not torch.allclose(*draws)


def test_the_interface_takes_observations_tensors_and_sites():
    torch.manual_seed(0)
    chain = correlated()
    mask, value = first_seen()
    known = torch.tensor([1.0, math.nan]).double()
    means = [condition(chain, way, "exact").mean for way in (LinearObservation(value, mask), known, {"x_0": known})]
    for mean in means:
        torch.testing.assert_close(mean, torch.tensor([1.0, 0.9]).double())
    with pytest.raises(ValueError, match="only the site 'x_0'"):
        condition(chain, {"x_3": known})
    with pytest.raises(ValueError, match="`method` must be one of"):
        condition(chain, known, "hope")
    with pytest.raises(ValueError, match="`observation` must be of data"):
        condition(chain, torch.zeros(3))


def test_the_model_offers_it_on_another_grid():
    d = pg.diffusion.Diffusion(Shrinking(), pg.diffusion.cosine_schedule(), event_shape=(4,), grid=100)
    law = d.condition(torch.zeros(4), "null space", context=torch.zeros(2), grid=5)
    assert len(law.chain.grid) == 5
    assert len(d.condition(torch.zeros(4), "null space", context=torch.zeros(2)).chain.grid) == 100


def test_the_exact_conditional_is_a_density_where_there_is_noise():
    chain = correlated()
    mask, value = first_seen()
    law = ExactConditional(chain, LinearObservation(value, mask, noise=0.5))
    gain = 1 / 1.25
    mean = torch.tensor([gain, 0.9 * gain]).double()
    covariance = torch.tensor([[1 - gain, 0.9 * (1 - gain)], [0.9 * (1 - gain), 1 - 0.81 * gain]]).double()
    expected = dist.MultivariateNormal(mean, covariance)
    x = torch.randn(7, 2).double()
    torch.testing.assert_close(law.log_prob(x), expected.log_prob(x))
    torch.testing.assert_close(law.mean, mean)
    assert law.log_prob_kind == "exact"
    assert float(law.log_evidence().value) == pytest.approx(float(dist.Normal(0.0, 1.25**0.5).log_prob(torch.tensor(1.0))))
    with pytest.raises(DensityUnavailable):
        ExactConditional(chain, LinearObservation(value, mask)).log_prob(x)
    d = pg.diffusion.Diffusion(Shrinking(), pg.diffusion.cosine_schedule(), event_shape=(4,), grid=6)
    with pytest.raises(TypeError, match="knows the law of its data"):
        d.condition(torch.zeros(4), "exact", context=torch.zeros(2))


def test_steps_keep_the_marginals():
    torch.manual_seed(0)
    schedule = cosine_schedule()
    t, s = schedule.level(0.6), schedule.level(0.3)
    x_0, noise = torch.randn(5).double(), torch.randn(5).double()
    x_t = t.alpha * x_0 + t.sigma * noise
    torch.testing.assert_close(generation_step(x_t, x_0, t, s, 0.0), s.alpha * x_0 + s.sigma * noise)
    variance = 0.4 * float(s.sigma) ** 2
    torch.testing.assert_close(step_mean(x_t, x_0, t, s, variance), s.alpha * x_0 + (s.sigma**2 - variance).sqrt() * noise)
    state = torch.get_rng_state()
    generation_step(x_t, x_0, t, s, 0.0)
    assert torch.equal(state, torch.get_rng_state())


def test_walks_with_jumps():
    grid = TimeGrid(5)
    assert jump_times(grid, repeats=1) == [1.0, 0.8, 0.6, 0.4, 0.2, 0.0]
    assert jump_times(grid, repeats=2, length=3)[:8] == [1.0, 0.8, 0.6, 0.4, 0.6, 0.8, 1.0, 0.8]
    assert len(jump_times(grid, repeats=10)) == 1 + 5 * (1 + 9 * 2)
    law = RePaint(correlated(steps=5), LinearObservation(first_seen()[1], first_seen()[0]), times=jump_times(grid, 2, 2))
    assert law.sample((3,))[:, 0].tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="`repeats` and `length`"):
        jump_times(grid, repeats=0)
    with pytest.raises(ValueError, match="`times` must lead from 1 to 0"):
        RePaint(correlated(steps=5), LinearObservation(first_seen()[1], first_seen()[0]), times=[1.0, 0.5])


@pytest.mark.parametrize("method", sorted(set(CONDITIONING_METHODS) - {"exact", "smc"}))
def test_a_datum_does_not_depend_on_its_batch_mates(method):
    torch.manual_seed(0)
    mask, _ = first_seen()
    start, value = torch.randn(16, 2).double(), torch.randn(16, 2).double()

    def first(others):
        """The first datum, with the same noise, among mates whose states and observations are so much larger."""
        scale = torch.tensor([1.0] + [others] * 15).double().unsqueeze(-1)
        law = condition(correlated(steps=12), LinearObservation(scale * value, mask), method)
        torch.manual_seed(1)
        return law.generate(scale * start)[0]

    torch.testing.assert_close(first(1.0), first(30.0), rtol=1e-9, atol=1e-9)


def test_posterior_sampling_gives_the_same_in_a_batch_of_one_and_of_sixteen():
    torch.manual_seed(0)
    mask, value = first_seen()
    start = torch.randn(1, 2).double()
    seen = LinearObservation(value, mask)
    chain = correlated(steps=1)  # one step to the data adds no noise
    one = DiffusionPosteriorSampling(chain, seen, strength=1.0).generate(start)
    sixteen = DiffusionPosteriorSampling(chain, seen, strength=1.0).generate(start.expand(16, 2))
    torch.testing.assert_close(sixteen, one.expand(16, 2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        (NullSpace, {"fresh": 1.5}, "`fresh` must lie"),
        (DiffusionPosteriorSampling, {"strength": 0.0}, "`strength` must be positive"),
        (MomentMatched, {"eta": 2.0}, "`eta` must lie"),
        (MomentMatched, {"covariance": "?"}, "`covariance` must be"),
        (TwistedMonteCarlo, {"particles": 0}, "`particles` and `prior_variance`"),
        (TwistedMonteCarlo, {"proposal": "?"}, "`proposal` must be"),
    ],
)
def test_wrong_options_are_named(method, options, message):
    mask, value = first_seen()
    with pytest.raises(ValueError, match=message):
        method(correlated(), LinearObservation(value, mask), **options)


@pytest.mark.parametrize("method", [RePaint, Replacement])
def test_replacement_refuses_noise(method):
    mask, value = first_seen()
    with pytest.raises(ValueError, match="without noise"):
        method(correlated(), LinearObservation(value, mask, noise=0.1))


def test_the_null_space_fits_the_noise_of_the_observation_into_its_steps():
    torch.manual_seed(0)
    mask, value = first_seen(0.5)
    exact = ExactConditional(correlated(), LinearObservation(value, mask, noise=0.5)).sample((4000,))
    restored = NullSpace(correlated(steps=100), LinearObservation(value, mask, noise=0.5)).sample((4000,))
    assert abs(float(restored[:, 0].mean() - exact[:, 0].mean())) < 0.15
    assert 0.02 < float(restored[:, 0].std()) < 0.2  # neither on the observation nor as wide as the posterior, 0.447
    with pytest.raises(ValueError, match="a noisy observation needs"):
        NullSpace(correlated(), LinearObservation(value, mask, noise=0.5), fresh=0.0)
