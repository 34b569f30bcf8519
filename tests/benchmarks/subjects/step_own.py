"""The same step as Pyro programs through ``probgen.infer.ELBO``."""

import pyro
import pyro.distributions as dist
import torch
from pyro.nn import PyroModule

from probgen.distributions import TransformedDistribution, standard_normal
from tests.benchmarks.cases import FlowCase, StepCase
from tests.benchmarks.subjects.steps import Nets, Step, data, optimized

PACKAGE = "probgen"


class Decoder(PyroModule):
    def __init__(self, nets: Nets, latent: int) -> None:
        super().__init__()
        self.net, self.latent = nets.decoder, latent

    def forward(self, x):
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", standard_normal(self.latent))
            pyro.sample("x", dist.Bernoulli(logits=self.net(z)).to_event(1), obs=x)


class Encoder(PyroModule):
    def __init__(self, nets: Nets) -> None:
        super().__init__()
        self.net = nets.encoder

    def forward(self, x):
        loc, log_scale = self.net(x).chunk(2, -1)
        with pyro.plate("data", len(x)):
            pyro.sample("z", dist.Normal(loc, log_scale.exp()).to_event(1))


class FlowModel(PyroModule):
    def __init__(self, case: StepCase) -> None:
        super().__init__()
        from tests.benchmarks.subjects import own

        self.bijector = own.build(FlowCase("spline coupling", case.dim, case.batch, case.device)).module
        self.dim = case.dim

    def forward(self, x):
        with pyro.plate("data", len(x)):
            pyro.sample("x", TransformedDistribution(standard_normal(self.dim), self.bijector), obs=x)


def programs(case: StepCase):
    """Model and guide (None for maximum likelihood)."""
    if case.model == "flow":
        return FlowModel(case).to(case.device), None
    nets = Nets(case).to(case.device)
    return Decoder(nets, case.latent), Encoder(nets)


def build_step(case: StepCase, *, compiled: bool) -> Step:
    from probgen import infer

    pyro.enable_validation(False)
    torch.distributions.Distribution.set_default_validate_args(False)
    loss = infer.ELBO()(*programs(case))
    call = infer.compile(loss) if compiled else loss
    x = data(case)
    return optimized(loss, lambda: call(x))
