"""What every hierarchy obeys: programs and law agree, shapes, types, copies, files."""

import copy

import pyro
import pyro.poutine as poutine
import pytest
import torch
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from torch import nn

import probgen as pg
from probgen.distributions import Quantization
from probgen.distributions.elements import BernoulliElement, DiscretizedLogisticMixtureElement, NetworkLaw, NormalElement
from probgen.infer import ELBO
from probgen.nn import MLP
from probgen.vae import HierarchicalVAE, Level, TopDownVAE, chain_vae, conv_top_down_vae, ladder_vae, top_down_vae


def colors():
    return DiscretizedLogisticMixtureElement(Quantization(4, -1.0, 1.0), components=2)


MODELS = {
    "top-down": lambda: top_down_vae((4,), (3, 2, 2), hidden=8),
    "top-down, direct": lambda: top_down_vae((2, 2), (3, 2), hidden=8, posterior="direct"),
    "ladder": lambda: ladder_vae((1, 2, 2), (3, 2, 1), hidden=8),
    "chain": lambda: chain_vae((2, 2), (3, 2, 2), NormalElement("shared"), hidden=8),
    "images": lambda: conv_top_down_vae((1, 3, 3), ((1,), (2,)), channels=4),
    "dependent colors": lambda: top_down_vae((3, 2, 2), (3, 2), colors(), hidden=8),
    "images of dependent colors": lambda: conv_top_down_vae((3, 2, 2), ((1,), (2,)), colors(), channels=4),
    "one level": lambda: top_down_vae((4,), (2,), hidden=8),
}


@pytest.fixture(params=MODELS.values(), ids=MODELS.keys())
def vae(request):
    return request.param()


def test_one_draw_of_the_programs_is_one_draw_of_the_law(vae):
    """The same numbers from the same seed: the per-datum ELBO, closed divergences where the objective allows them."""
    p = vae.distribution()
    x = p.sample((6,))
    torch.manual_seed(1)
    by_law = p.elbo(x)
    torch.manual_seed(1)
    by_programs = -vae.loss()(x)
    torch.testing.assert_close(by_law.sum(), by_programs)
    torch.manual_seed(1)
    sampled = p.elbo(x, closed_form=False)
    torch.manual_seed(1)
    torch.testing.assert_close(sampled.sum(), -vae.loss(ELBO(analytic_kl=False))(x))


def test_joint_density_is_that_of_the_model(vae):
    p = vae.distribution()
    draws = p.sample_joint((5,))
    x = draws.pop("x")
    trace = poutine.trace(poutine.condition(vae.model, draws)).get_trace(x)
    torch.testing.assert_close(p.log_joint(x, draws).sum(), trace.log_prob_sum())
    assert list(draws) == list(reversed(vae.site_names))


def test_weights_are_joint_over_posterior(vae):
    """log w = log p(x, z) - log q(z | x) at the draws that inference made."""
    p = vae.distribution()
    x = p.sample((4,))
    torch.manual_seed(2)
    weights = p.log_weights(x, 3)
    torch.manual_seed(2)
    levels = p.infer(x, 3).levels
    log_q = sum(draw.posterior.log_prob(draw.z) for draw in levels.values())
    torch.testing.assert_close(weights, p.log_joint(x, {name: draw.z for name, draw in levels.items()}) - log_q)


def test_any_batch_dims_and_empty_batches(vae):
    p = vae.distribution()
    x = p.sample((2, 3))
    assert p.elbo(x).shape == p.elbo(x, 4).shape == p.iwae(x, 4).shape == (2, 3)
    assert p.elbo(x[0, 0]).shape == ()
    for draws in (1, 3):
        assert p.elbo(x[:0], draws).shape == p.iwae(x[:0], draws).shape == (0, 3)
        assert {kl.shape for kl in p.divergences(x[:0], draws).values()} == {(0, 3)}
    assert p.sample((0,)).shape == (0, *p.event_shape)
    assert vae.loss()(p.sample((0,))) == 0
    assert p.expand((3,)).sample((2,)).shape == (2, 3, *p.event_shape)


def test_double_precision(vae):
    x = vae.distribution().sample((4,))
    vae.double()
    p = vae.distribution()
    assert p.sample((2,)).dtype == p.elbo(x.double()).dtype == torch.float64
    torch.manual_seed(0)
    a = p.iwae(x.double(), 3)
    assert a.dtype == torch.float64


def test_copies_and_files(vae, tmp_path):
    x = vae.distribution().sample((4,))
    pg.save(vae, tmp_path / "vae.safetensors")
    for other in (copy.deepcopy(vae), pg.load(tmp_path / "vae.safetensors")):
        torch.manual_seed(0)
        first = vae.distribution().elbo(x)
        torch.manual_seed(0)
        assert torch.equal(first, other.distribution().elbo(x))
    with torch.no_grad():
        for parameter in vae.decoder.parameters():
            parameter.add_(1.0)
    torch.manual_seed(0)
    assert not torch.equal(first, vae.distribution().elbo(x))


def test_compiled_step():
    """A recorded step gives the eager loss and gradient of every parameter."""
    vae = MODELS["top-down, direct"]()
    x = vae.distribution().sample((4,))
    loss = vae.loss()
    compiled = pg.infer.compile(loss, backend="aot_eager")
    torch.manual_seed(0)
    eager = loss(x)
    eager.backward()
    gradients = [None if p.grad is None else p.grad.clone() for p in loss.parameters()]
    loss.zero_grad()
    torch.manual_seed(0)
    recorded = compiled(x)
    recorded.backward()
    torch.testing.assert_close(recorded, eager)
    for parameter, gradient in zip(loss.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-4)


def test_every_parameter_gets_a_gradient(vae):
    x = vae.distribution().sample((4,))
    vae.loss()(x).backward()
    assert all(parameter.grad is not None for parameter in vae.parameters())


@pytest.mark.statistical(false_alarm=1e-8)
@pytest.mark.parametrize("name", ["top-down", "ladder", "chain"])
def test_pyros_objectives_agree_in_expectation(name):
    """Trace_ELBO, and for top-down inference TraceMeanField_ELBO, against the law; sees 0.2 nats a datum."""
    vae = MODELS[name]()
    p = vae.distribution()
    x, n = p.sample((2,)), 4000
    with torch.no_grad():
        own = p.elbo(x.expand(n, *x.shape), closed_form=False).sum(1)
        stderr = (own.std() / n**0.5).item()
        assert stderr < 0.05
        objectives = [Trace_ELBO(num_particles=n, vectorize_particles=True, max_plate_nesting=1)]
        if name != "chain":
            objectives.append(TraceMeanField_ELBO(num_particles=n, vectorize_particles=True, max_plate_nesting=1))
        for objective in objectives:
            assert abs(-objective.loss(vae.model, vae.guide, x) - own.mean().item()) < 8.5 * stderr  # 6 of both errors


def test_particles_in_a_plate(vae):
    x = vae.distribution().sample((4,))
    assert torch.isfinite(vae.loss(ELBO(3, vectorize=True))(x))


def test_model_generates(vae):
    assert vae.model(size=7).shape == (7, *vae.event_shape)
    assert vae.model().shape == (1, *vae.event_shape)
    predicted = pyro.infer.Predictive(vae.model, num_samples=5)(size=2)
    assert predicted["x"].shape == (5, 2, *vae.event_shape)


def test_size_scales_a_batch_to_the_data(vae):
    x = vae.distribution().sample((4,))
    torch.manual_seed(0)
    batch = vae.loss()(x)
    torch.manual_seed(0)
    torch.testing.assert_close(vae.loss()(x, size=12), 3 * batch)
    with pytest.raises(ValueError, match="at least the number of data, 4; got 3"):
        vae.model(x, size=3)


def test_data_of_another_shape_are_refused_by_name(vae):
    """A flat image of as many numbers went through the posterior of a top-down model unseen."""
    flat = torch.zeros(5, 3 if vae.event_shape == (4,) else 4)
    for run in (vae.distribution().elbo, vae.guide, vae.loss()):
        with pytest.raises(ValueError, match=r"must end with|does not end with|event"):
            run(flat)


def test_level_refuses_what_does_not_fit():
    prior = NetworkLaw(MLP(8, 4), NormalElement(), (2,), (8,))
    with pytest.raises(ValueError, match=r"`prior` must be a law of latents \(3,\); got \(2,\)"):
        Level((3,), (8,), prior=prior)
    level = Level((2,), (8,), prior=prior)
    with pytest.raises(ValueError, match="without `correction`"):
        level.posterior_law("residual", level.prior_law(torch.zeros(8)), torch.zeros(8), torch.zeros(8))
    with pytest.raises(ValueError, match=r"every level needs a `correction`; \['z_1'\]"):
        TopDownVAE([level], NetworkLaw(MLP(2, 4), BernoulliElement(), (4,), (2,)), [nn.Identity()])


def test_hierarchy_refuses_what_does_not_fit():
    decoder = NetworkLaw(MLP(2, 4), BernoulliElement(), (4,), (2,))
    with pytest.raises(ValueError, match="at least one level"):
        HierarchicalVAE([], decoder)
    vae = top_down_vae((4,), (2, 2), hidden=8)
    with pytest.raises(ValueError, match="one block a level, 2; got 1"):
        TopDownVAE(list(vae.levels), vae.decoder, list(vae.encoder)[:1])
    with pytest.raises(ValueError, match="`posterior` must be one of"):
        top_down_vae((4,), (2, 2), posterior="ladder")
    with pytest.raises(ValueError, match="one width a level, 2"):
        ladder_vae((4,), (2, 2), hidden=(8,))
    with pytest.raises(ValueError, match="one law more than `priors`, 1; got 2"):
        pg.vae.ChainVAE([], decoder, [decoder, decoder])


def test_resolutions_without_levels_are_passed_through():
    vae = conv_top_down_vae((3, 9, 6), ((), (2,), (), (1, 1)), NormalElement("shared"), channels=4)
    assert [level.latent_shape for level in vae.levels] == [(2, 5, 3), (1, 2, 1), (1, 2, 1)]
    assert vae.distribution().sample((2,)).shape == (2, 3, 9, 6)
    with pytest.raises(ValueError, match="must end with a resolution that has levels"):
        conv_top_down_vae((1, 4, 4), ((1,), ()))
    with pytest.raises(ValueError, match=r"`image_shape` must be \(C, H, W\), all positive; got \(4, 4\)"):
        conv_top_down_vae((4, 4), ((1,),))


def test_state_without_update_is_the_latent():
    level = Level((2,))
    z = torch.randn(5, 2)
    assert level.next_state(torch.zeros(()), z) is z
    assert level.prior_law(torch.zeros(())).batch_shape == ()
