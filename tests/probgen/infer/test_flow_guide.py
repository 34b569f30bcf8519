"""The guide of one flow over all latents: its density, its units, its passes, NUTS in its space, copies, errors."""

import copy
import math
import pickle

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import MCMC, NUTS
from pyro.infer.autoguide import init_to_value
from pyro.infer.importance import vectorized_importance_weights
from pyro.infer.reparam import NeuTraReparam
from torch.distributions import biject_to

from probgen.distributions.bijectors import Affine, LowerTriangular
from probgen.flows import inverse_autoregressive_flow, neural_spline_coupling
from probgen.infer import ELBO, FlowGuide, fit

START = {"weights": torch.tensor([0.2, 0.3, 0.5]), "scale": torch.tensor(2.0), "effects": torch.tensor([1.0, -1.0])}


def model(y=None):
    """Supports of three kinds, and a plate."""
    pyro.sample("weights", dist.Dirichlet(torch.ones(3)))
    scale = pyro.sample("scale", dist.LogNormal(0.0, 1.0))
    with pyro.plate("groups", 2):
        effects = pyro.sample("effects", dist.Normal(0.0, scale))
        return pyro.sample("y", dist.Normal(effects, 1.0), obs=torch.tensor([0.5, -0.2]) if y is None else y)


def line():
    """Two normal latents and what is observed of them: the posterior is normal."""
    z = pyro.sample("z", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    pyro.sample("y", dist.Normal(z[..., 0] + z[..., 1], 0.5), obs=torch.tensor(1.5))


def _flow(size):
    return inverse_autoregressive_flow(size, layers=2, hidden=(8,))


def _made(program=model, flow=_flow, **options):
    guide = FlowGuide(program, flow, **options)
    guide()
    return guide


def _disturbed(guide):
    with torch.no_grad():
        for parameter in guide.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return guide


def test_the_density_is_that_of_the_change_of_variables():
    """Against autograd's Jacobian of the whole map from u to the constrained sites, the last weight left out."""
    torch.manual_seed(0)
    guide = _disturbed(_made())
    trace = pyro.poutine.trace(guide).get_trace()
    trace.compute_log_prob()
    found = sum(site["log_prob_sum"] for site in trace.nodes.values() if site["type"] == "sample")
    (z,) = (site["value"] for name, site in trace.nodes.items() if name.endswith("_latent"))

    def sites(u):
        out = guide.bijector(u)
        weights = biject_to(dist.Dirichlet(torch.ones(3)).support)(out[:2])
        return torch.cat([weights[:2], out[2:3].exp(), out[3:]])

    u = guide.bijector.inverse(z.detach())
    jacobian = torch.autograd.functional.jacobian(sites, u)
    expected = dist.Normal(0.0, 1.0).log_prob(u).sum() - torch.linalg.slogdet(jacobian)[1]
    torch.testing.assert_close(found.detach(), expected, rtol=1e-4, atol=1e-4)


def test_draws_lie_in_the_supports_and_keep_their_shapes():
    guide = _disturbed(_made())
    with pyro.plate("draws", 7, dim=-2):
        draws = guide()
    assert {name: tuple(value.shape) for name, value in draws.items()} == {
        "weights": (7, 1, 3),
        "scale": (7, 1),
        "effects": (7, 2),
    }
    assert (draws["scale"] > 0).all()
    torch.testing.assert_close(draws["weights"].sum(-1), torch.ones(7, 1))


@pytest.mark.parametrize("scale", [0.02, 0.1, 30.0])
def test_units_start_where_the_program_starts(scale):
    guide = _made(flow=LowerTriangular, init_loc_fn=init_to_value(values=START), init_scale=scale)
    with torch.no_grad():
        start, log_det = guide.bijector.forward_and_log_det(torch.zeros(5))
    torch.testing.assert_close(start[2:], torch.tensor([math.log(2.0), 1.0, -1.0]))
    assert float(log_det) == pytest.approx(5 * math.log(scale), rel=1e-4)


def _exact():
    """y = z1 + z2 + noise: the posterior has the covariance I - 1 1' / 2.25."""
    guide = _made(line, LowerTriangular)
    covariance = torch.eye(2) - torch.ones(2, 2) / 2.25
    factor = torch.linalg.cholesky(covariance)
    triangular, units = guide.bijector[0], guide.bijector[-1]
    with torch.no_grad():
        units.raw_loc.copy_(torch.full((2,), 1.5 / 2.25))
        units.raw_scale.zero_()
        diagonal = factor.diagonal()
        triangular.raw_diagonal.copy_(_raw(triangular, diagonal))
        triangular.below.copy_(factor.tril(-1))
    return guide


def test_the_exact_posterior_has_the_evidence_in_every_draw():
    """The weight is p(y) whatever is drawn."""
    guide = _exact()
    with torch.no_grad():
        log_weights, _, _ = vectorized_importance_weights(line, guide, num_samples=50, max_plate_nesting=0)
    evidence = dist.Normal(0.0, 1.5).log_prob(torch.tensor(1.5))
    torch.testing.assert_close(log_weights, evidence.expand(50), rtol=1e-4, atol=1e-4)


def _raw(triangular, diagonal):
    """Raw numbers of a diagonal, by bisection of the monotone map that the bijector applies."""
    low, high = torch.full((2,), -5.0), torch.full((2,), 5.0)
    for _ in range(60):
        middle = (low + high) / 2
        triangular.raw_diagonal.data.copy_(middle)
        above = triangular._lower(middle).diagonal() > diagonal
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return middle


def test_the_path_derivative_vanishes_at_the_exact_posterior():
    """For every draw; the ordinary gradient has the score of the draw in it."""
    torch.manual_seed(6)
    guide = _exact()
    gradients = []
    for path_derivative in (True, False):
        loss = ELBO(path_derivative=path_derivative)(line, guide)()
        gradients.append(torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(guide.parameters()))]))
    assert float(gradients[0].abs().max()) < 1e-4
    assert float(gradients[1].abs().max()) > 0.1


def test_training_makes_the_parameters_and_reaches_the_evidence():
    torch.manual_seed(1)
    guide = FlowGuide(line, LowerTriangular)
    objective = ELBO(particles=16, vectorize=True, max_plate_nesting=0)(line, guide)
    fit(objective, [()] * 300, lambda parameters: torch.optim.Adam(parameters, 0.03), progress=False)
    with torch.no_grad():
        gap = float(dist.Normal(0.0, 1.5).log_prob(torch.tensor(1.5)) + ELBO(particles=400)(line, guide)())
    assert abs(gap) < 0.05


def test_a_draw_with_its_density_and_a_gradient_of_nuts_cost_one_pass():
    torch.manual_seed(2)
    guide = _made(flow=lambda size: neural_spline_coupling(size, layers=2, hidden=(8,)))
    runs = []
    for part in guide.bijector.modules():
        if isinstance(part, torch.nn.Linear):
            part.register_forward_hook(lambda *_: runs.append(1))
    layers = sum(isinstance(part, torch.nn.Linear) for part in guide.bijector.modules())
    ELBO()(model, guide)().backward()
    assert len(runs) == layers
    runs.clear()
    trace = pyro.poutine.trace(NeuTraReparam(guide).reparam(model)).get_trace()
    trace.compute_log_prob()
    assert len(runs) == layers


def test_the_reparameterized_model_has_the_density_of_the_latent():
    """log p(x(u), y) + log|det dx/du|, and its sites are those of the model."""
    torch.manual_seed(3)
    guide = _disturbed(_made())
    reparameterizer = NeuTraReparam(guide)
    trace = pyro.poutine.trace(reparameterizer.reparam(model)).get_trace()
    u = trace.nodes["weights_shared_latent"]["value"]
    values = {name: trace.nodes[name]["value"] for name in START}
    plain = pyro.poutine.trace(pyro.condition(model, values)).get_trace()
    trace.compute_log_prob()
    plain.compute_log_prob()
    z, log_det = guide.bijector.forward_and_log_det(u)
    log_det = log_det + z[2] + biject_to(dist.Dirichlet(torch.ones(3)).support).log_abs_det_jacobian(z[:2], values["weights"])
    torch.testing.assert_close(trace.log_prob_sum(), plain.log_prob_sum() + log_det, rtol=1e-4, atol=1e-4)
    recovered = reparameterizer.transform_sample(u.expand(4, 1, 5))
    torch.testing.assert_close(recovered["effects"], values["effects"].expand(4, 2))
    torch.testing.assert_close(recovered["weights"], values["weights"].expand(4, 1, 3))


def test_nuts_walks_in_the_latent_space():
    torch.manual_seed(4)
    guide = _made(line).requires_grad_(False)
    reparameterizer = NeuTraReparam(guide)
    chain = MCMC(NUTS(reparameterizer.reparam(line)), 5, warmup_steps=5, disable_progbar=True)
    chain.run()
    draws = reparameterizer.transform_sample(chain.get_samples()["z_shared_latent"])
    assert draws["z"].shape == (5, 2)
    assert draws["z"].isfinite().all()


def test_copies_and_state():
    torch.manual_seed(5)
    guide, other = _disturbed(_made(line)), _made(line)
    u = torch.randn(3, 2)
    other.load_state_dict(guide.state_dict())
    for copied in (other, copy.deepcopy(guide), pickle.loads(pickle.dumps(guide))):
        torch.testing.assert_close(copied.bijector(u), guide.bijector(u))


def test_the_dtype_is_that_of_the_model():
    def double():
        pyro.sample("z", dist.Normal(torch.zeros(3, dtype=torch.float64), 1.0).to_event(1))

    guide = _made(double)
    assert guide()["z"].dtype == torch.float64
    assert ELBO()(double, guide)().dtype == torch.float64


def test_what_does_not_fit_is_refused():
    for scale in (0.0, -1.0, 1e3):
        with pytest.raises(ValueError, match="`init_scale`"):
            FlowGuide(line, _flow, init_scale=scale)
    with pytest.raises(TypeError, match="must give a Bijector; got Linear"):
        _made(line, lambda size: torch.nn.Linear(size, size))
    with pytest.raises(ValueError, match="without context"):
        _made(line, lambda size: neural_spline_coupling(size, context_shape=(1,), layers=2))
    assert isinstance(_made(line).bijector[-1], Affine)
