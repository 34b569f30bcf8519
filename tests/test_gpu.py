"""Every row of the case table on an accelerator: same values as on the CPU, nothing left behind, training and compiling work.

Run with ``pytest -m gpu tests/test_gpu.py`` on a machine that has one; elsewhere the marker leaves it out.
"""

import copy

import pyro
import pytest
import torch
from pyro.nn import PyroModule

import probgen as pg
from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.testing import BijectorSubject, Draw
from tests.cases import BIJECTORS, DISTRIBUTIONS

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")]

DEVICE = "cuda"


def moved(value):
    return None if value is None else value.to(DEVICE)


@pytest.mark.parametrize("name", sorted(BIJECTORS))
def test_bijector_gives_the_same_on_the_device(name):
    case = BIJECTORS[name]
    subject = BijectorSubject(case.make, case.event_shape, dtype=torch.float64)
    x, context = subject.points(Draw(scale=2.0)), subject.context(Draw(scale=2.0))
    y, fldj = subject.bijector.forward_and_log_det(x, context)
    there = copy.deepcopy(subject.bijector).to(DEVICE)
    y_there, fldj_there = there.forward_and_log_det(moved(x), moved(context))
    assert y_there.is_cuda
    assert fldj_there.is_cuda
    torch.testing.assert_close(y_there.cpu(), y, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(fldj_there.cpu(), fldj, rtol=1e-8, atol=1e-8)
    back, ildj = there.inverse_and_log_det(y_there.detach(), moved(context))
    back_here, ildj_here = subject.bijector.inverse_and_log_det(y.detach(), context)
    torch.testing.assert_close(back.cpu(), back_here, rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(ildj.cpu(), ildj_here, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", sorted(name for name in BIJECTORS if name.startswith(("Coupling", "MaskedAutoregressive"))))
def test_bijector_differentiates_on_the_device(name):
    case = BIJECTORS[name]
    subject = BijectorSubject(case.make, case.event_shape, dtype=torch.float32)
    there = subject.bijector.to(DEVICE)
    x, context = moved(subject.points(Draw())), moved(subject.context(Draw()))
    y, fldj = there.forward_and_log_det(x.requires_grad_(), context)
    (y.sum() + fldj.sum()).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in there.parameters())
    assert bool(x.grad.isfinite().all())


def spline_flow(features=2):
    return pg.flows.neural_spline_coupling(features=features, layers=4).to(DEVICE)


def test_a_flow_follows_its_module_to_the_device():
    flow = TransformedDistribution(standard_normal(2), spline_flow())
    x = flow.sample((5,))
    assert x.is_cuda
    assert flow.log_prob(x).is_cuda


def test_autocast_keeps_the_log_density():
    flow = TransformedDistribution(standard_normal(2), spline_flow())
    x = flow.sample((256,))
    exact = flow.log_prob(x)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        cast = flow.log_prob(x)
    assert cast.dtype == torch.float32
    assert (cast - exact).abs().max() < 0.5


class Model(PyroModule):
    def __init__(self):
        super().__init__()
        self.bijector = pg.flows.neural_spline_coupling(features=2, layers=4)

    def forward(self, x=None):
        with pyro.plate("data", len(x)):
            return pyro.sample("x", TransformedDistribution(standard_normal(2), self.bijector), obs=x)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # raised inside inductor
@pytest.mark.parametrize("compiled", [False, True])
def test_training_lowers_the_loss_on_the_device(compiled):
    x = 0.5 * torch.randn(512, 2) + 1.0
    loss = pg.infer.ELBO()(Model())
    objective = pg.infer.compile(loss) if compiled else loss
    history = pg.infer.fit(objective, [x] * 30, accelerator=DEVICE, epochs=2, progress=False)
    assert history.losses[-1] < history.losses[0]


@pytest.mark.parametrize("name", sorted(DISTRIBUTIONS))
def test_distribution_samples_and_scores(name):
    """Built on the device as the default device: draws and densities live there."""
    with torch.device(DEVICE):
        distribution = DISTRIBUTIONS[name].make()
        if isinstance(distribution, torch.nn.Module):
            distribution = distribution.to(DEVICE)
        assert distribution.sample((3,)).is_cuda
